use serde_json::json;
use trac_core::program::Mode;

use crate::store::{Scope, StoreError};
use crate::testing::app::App;
use crate::testing::shop::Shop;

#[tokio::test]
async fn a_new_program_has_the_default_terms() {
    let app = App::new();
    let merchant = app.merchant().await;
    let body = json!({ "name": "Friends", "commission": { "type": "percentage", "rate_bps": 2_000 } });
    let made = merchant.post("/programs", body).await;
    assert_eq!(made.status, 201);
    insta::assert_json_snapshot!(made.body, { ".id" => "prog" }, @r#"
    {
      "attribute_by_customer": true,
      "attribution_model": "last_click",
      "attribution_window_days": 30,
      "base": "net",
      "block_self_referral": true,
      "cancel_policy": "void_unused",
      "client_lead_days": 30,
      "commission": {
        "rate_bps": 2000,
        "type": "percentage"
      },
      "count_out_of_band": true,
      "created_at": "2026-11-21T08:00:00Z",
      "hold_days": {
        "lead": 3,
        "recurring": 30,
        "sale": 30
      },
      "id": "prog",
      "include_shipping": false,
      "lead_amount_minor": 0,
      "lead_currency": null,
      "lead_events": [],
      "name": "Friends",
      "products": [],
      "recurring": "lifetime",
      "slug": null,
      "status": "active",
      "tracking_domain": null,
      "valid_from": "2026-11-21T08:00:00Z",
      "version": 1
    }
    "#);
}

#[tokio::test]
async fn a_change_of_terms_adds_a_version_and_a_change_of_name_does_not() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, _) = merchant.program_and_partner().await;
    let path = format!("/programs/{program}");
    let check = |answer: crate::testing::app::Answer, version: i64| {
        assert_eq!((answer.status.as_u16(), answer.number("/version")), (200, version), "{}", answer.body);
        answer
    };
    check(merchant.patch(&path, json!({ "name": "Old friends" })).await, 1);
    check(merchant.patch(&path, json!({ "attribution_window_days": 30 })).await, 1);
    app.trac.clock.advance(60);
    let changed =
        merchant.patch(&path, json!({ "hold_days": { "sale": 0 }, "recurring": { "months": 3 } })).await;
    let changed = check(changed, 2);
    assert_eq!(changed.body["hold_days"], json!({ "lead": 3, "sale": 0, "recurring": 30 }));
    assert_eq!(changed.body["name"], "Old friends");
    check(merchant.get(&path).await, 2);
    let versions = app.trac.store.read(|tx| {
        let sql = "SELECT number, valid_from FROM program_version ORDER BY number";
        tx.all(sql, &[], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))
    });
    let start = crate::testing::app::START;
    assert_eq!(versions.await.unwrap(), [(1, start), (2, start + 60)]);
}

#[tokio::test]
async fn wrong_terms_are_refused_field_by_field() {
    let app = App::new();
    let merchant = app.merchant().await;
    let percentage = json!({ "type": "percentage", "rate_bps": 2_000 });
    let check = async |mut terms: serde_json::Value, want: &[&str]| {
        let shown = terms.to_string();
        let object = terms.as_object_mut().unwrap();
        object.entry("name").or_insert(json!("P"));
        object.entry("commission").or_insert(percentage.clone());
        let answer = merchant.post("/programs", terms).await;
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{shown}");
        let fields = answer.body.pointer("/error/fields").unwrap().as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), want, "{shown}");
    };
    check(json!({ "name": null }), &["name"]).await;
    check(json!({ "name": " " }), &["name"]).await;
    check(json!({ "commission": null }), &["commission"]).await;
    check(json!({ "commission": "20%" }), &["commission"]).await;
    check(json!({ "commission": { "rate_bps": 1 } }), &["commission.rate_bps", "commission.type"]).await;
    check(json!({ "commission": { "type": "percentage", "rate_bps": 10_001 } }), &["commission.rate_bps"])
        .await;
    check(json!({ "commission": { "type": "percentage", "rate_bps": -1 } }), &["commission.rate_bps"]).await;
    check(json!({ "commission": { "type": "percentage", "rate_bps": 1.5 } }), &["commission.rate_bps"]).await;
    let fixed = json!({ "type": "fixed", "amount_minor": -1, "currency": "dollar", "cap_at_sale": 1 });
    let wrong = ["commission.amount_minor", "commission.cap_at_sale", "commission.currency"];
    check(json!({ "commission": fixed }), &wrong).await;
    check(json!({ "status": "on" }), &["status"]).await;
    check(json!({ "attribution_window_days": 3_651 }), &["attribution_window_days"]).await;
    check(json!({ "recurring": { "months": 0 } }), &["recurring"]).await;
    check(json!({ "recurring": "first" }), &["recurring"]).await;
    check(json!({ "lead_amount_minor": 100 }), &["lead_currency"]).await;
    check(json!({ "hold_days": { "sale": -1, "sales": 1 } }), &["hold_days.sale", "hold_days.sales"]).await;
    check(json!({ "products": ["sku_1"] }), &["products"]).await;
    check(json!({ "include_shipping": "yes" }), &["include_shipping"]).await;
    check(json!({ "commision": {} }), &["commision"]).await;
    assert_eq!(merchant.get("/programs").await.number("/meta/total"), 0);
}

#[tokio::test]
async fn a_partner_gets_a_code_and_codes_are_unique() {
    let app = App::new();
    let merchant = app.merchant().await;
    let made =
        merchant.post("/partners", json!({ "name": "Ada Lovelace", "email": "ada@example.com" })).await;
    assert!(made.text("/code").starts_with("adalovelace-"), "{}", made.body);
    merchant.make("/partners", json!({ "name": "Grace", "code": "grace" })).await;
    let again = merchant.post("/partners", json!({ "name": "Grace II", "code": "grace" })).await;
    assert_eq!(again.code(), (409, "CODE_TAKEN".to_owned()));
    let path = format!("/partners/{}", made.text("/id"));
    let taken = merchant.patch(&path, json!({ "name": "A", "code": "grace" })).await;
    assert_eq!(taken.code(), (409, "CODE_TAKEN".to_owned()));
    assert_eq!(merchant.get(&path).await.text("/name"), "Ada Lovelace", "a rejected change has no effect");
    let changed = merchant.patch(&path, json!({ "email": null })).await;
    assert_eq!(changed.body["email"], json!(null));
    let wrong = merchant.patch(&path, json!({ "email": "ada" })).await;
    assert_eq!(wrong.code(), (422, "VALIDATION_FAILED".to_owned()));
    // Another workspace has its own codes.
    app.merchant().await.make("/partners", json!({ "name": "Grace", "code": "grace" })).await;
}

#[tokio::test]
async fn a_partner_has_one_enrollment_in_a_program_and_it_has_versions() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, partner) = merchant.program_and_partner().await;
    let body = json!({ "program_id": program, "partner_id": partner });
    let again = merchant.post("/enrollments", body).await;
    assert_eq!(again.code(), (409, "ENROLLMENT_EXISTS".to_owned()));
    let list = merchant.get(&format!("/enrollments?partner_id={partner}&status=approved")).await;
    assert_eq!(list.number("/meta/total"), 1);
    let path = format!("/enrollments/{}", list.text("/data/0/id"));
    let own = json!({ "type": "fixed", "amount_minor": 500, "currency": "EUR" });
    let changed = merchant.patch(&path, json!({ "status": "suspended", "commission": own })).await;
    let want = json!({ "type": "fixed", "amount_minor": 500, "currency": "eur", "cap_at_sale": true });
    assert_eq!((changed.text("/status"), &changed.body["commission"]), ("suspended".to_owned(), &want));
    assert_eq!(changed.number("/version"), 2);
    let back = merchant.patch(&path, json!({ "commission": null })).await;
    assert_eq!((&back.body["commission"], back.number("/version")), (&json!(null), 3));
    let missing =
        merchant.post("/enrollments", json!({ "program_id": "prog_0", "partner_id": partner })).await;
    assert_eq!(missing.code(), (404, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn a_partner_with_a_known_address_is_made_only_with_anyway() {
    let app = App::new();
    let merchant = app.merchant().await;
    let partner = |email: &str, change: serde_json::Value| {
        crate::testing::shop::with(json!({ "name": "Ada", "email": email }), change)
    };
    let first = merchant.make("/partners", partner("ada@example.com", json!({}))).await;
    for email in ["ada@example.com", "ADA@Example.COM", " Ada@example.com "] {
        let again = merchant.post("/partners", partner(email, json!({}))).await;
        assert_eq!(again.code(), (409, "PARTNER_EXISTS".to_owned()), "{email}");
        assert_eq!(again.text("/error/partner_id"), first);
    }
    let second = merchant.make("/partners", partner("Ada@example.com", json!({ "anyway": true }))).await;
    let third = merchant.make("/partners", partner("bea@example.com", json!({}))).await;
    let path = format!("/partners/{third}");
    let changed = merchant.patch(&path, json!({ "email": "ada@EXAMPLE.com" })).await;
    assert_eq!(changed.code(), (409, "PARTNER_EXISTS".to_owned()));
    assert_eq!(merchant.patch(&path, json!({ "email": "BEA@example.com" })).await.status, 200, "its own");
    let anyway = json!({ "email": "ada@example.com", "anyway": true });
    assert_eq!(merchant.patch(&path, anyway).await.status, 200);
    assert_ne!(second, first);
    merchant.make("/partners", json!({ "name": "Nobody" })).await;
    merchant.make("/partners", json!({ "name": "Nobody" })).await;
    app.merchant().await.make("/partners", partner("ada@example.com", json!({}))).await;
}

#[tokio::test]
async fn a_partner_is_found_by_address_in_any_case_and_by_the_index() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    let ada = merchant.make("/partners", json!({ "name": "Ada", "email": "Ada@Example.com" })).await;
    merchant.make("/partners", json!({ "name": "Nobody" })).await;
    for email in ["Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM"] {
        let found = merchant.get(&format!("/partners?email={email}")).await;
        assert_eq!(found.column("id"), [ada.as_str()], "{email}");
    }
    let (trac, scope) = (app.trac.clone(), Scope::new("ws", Mode::Test));
    let plan = app.trac.store.read(move |tx| {
        Ok::<_, StoreError>(super::PARTNERS.plan(tx.within(&scope), &trac, "email", "x@example.com"))
    });
    let plan = plan.await.unwrap();
    assert!(plan.contains("partner_email"), "{plan:?}");
}

#[tokio::test]
async fn only_rows_that_nothing_refers_to_are_deleted() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, partner) = merchant.program_and_partner().await;
    let enrollment = merchant.get("/enrollments").await.text("/data/0/id");
    let link = json!({ "program_id": program, "partner_id": partner, "slug": "ada", "destination": "https://a.example" });
    let link = merchant.make("/links", link).await;
    let paths = [
        format!("/enrollments/{enrollment}"),
        format!("/partners/{partner}"),
        format!("/programs/{program}"),
    ];
    let check = async |want: [(&str, &str); 3]| {
        for (path, (code, referrers)) in paths.iter().zip(want) {
            let refused = merchant.delete(path).await;
            assert_eq!(refused.code(), (409, code.to_owned()), "{path}");
            assert_eq!(refused.text("/error/referred_to_by"), referrers, "{path}");
        }
    };
    let codes = ["ENROLLMENT_IN_USE", "PARTNER_IN_USE", "PROGRAM_IN_USE"];
    let [enrollment_code, partner_code, program_code] = codes;
    check([
        (enrollment_code, "links"),
        (partner_code, "enrollments, links"),
        (program_code, "enrollments, links"),
    ])
    .await;
    // A click that is still in the spool counts, too.
    assert_eq!(app.visit("/s/ada", &[]).await.status, 302);
    merchant.delete(&format!("/links/{link}?purge=1")).await;
    check([
        (enrollment_code, "links, clicks"),
        (partner_code, "enrollments, links, clicks"),
        (program_code, "enrollments, links, clicks"),
    ])
    .await;
    let message = merchant.delete(&paths[1]).await.text("/error/message");
    assert!(message.starts_with("Enrollments, links and clicks refer to this partner. "), "{message}");

    let (program, partner) = {
        let commission = json!({ "type": "percentage", "rate_bps": 1 });
        let program =
            merchant.make("/programs", json!({ "name": "Mistake", "commission": commission })).await;
        (program, merchant.make("/partners", json!({ "name": "Mistake", "code": "mistake" })).await)
    };
    let body = json!({ "program_id": program, "partner_id": partner });
    let enrollment = merchant.make("/enrollments", body.clone()).await;
    let mut link = body;
    link["destination"] = json!("https://a.example");
    let link = merchant.make("/links", link).await;
    for path in [
        format!("/links/{link}"),
        format!("/enrollments/{enrollment}"),
        format!("/partners/{partner}"),
        format!("/programs/{program}"),
    ] {
        let removed = merchant.delete(&path).await;
        assert_eq!((removed.status.as_u16(), &removed.body["deleted"]), (200, &json!(true)), "{path}");
        assert_eq!(merchant.get(&path).await.status, 404, "{path}");
        assert_eq!(merchant.delete(&path).await.status, 404, "{path}");
    }
    merchant.make("/partners", json!({ "name": "Again", "code": "mistake" })).await;
}

#[tokio::test]
async fn a_note_is_part_of_a_version_and_is_removed_by_another_status() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let path = format!("/enrollments/{}", shop.enrollment);
    let check = async |change: serde_json::Value, status: &str, note: Option<&str>, version: i64| {
        let changed = shop.merchant.patch(&path, change.clone()).await;
        let shown = (changed.text("/status"), changed.body["note"].as_str(), changed.number("/version"));
        assert_eq!(shown, (status.to_owned(), note, version), "{change}");
    };
    check(json!({}), "approved", None, 1).await;
    let away = json!({ "status": "suspended", "note": " On holiday. " });
    check(away, "suspended", Some("On holiday."), 2).await;
    check(json!({ "status": "suspended" }), "suspended", Some("On holiday."), 2).await;
    check(json!({ "commission": null }), "suspended", Some("On holiday."), 2).await;
    check(json!({ "note": "Until May." }), "suspended", Some("Until May."), 3).await;
    check(json!({ "status": "approved" }), "approved", None, 4).await;
    check(json!({ "note": "Welcome." }), "approved", Some("Welcome."), 5).await;
    check(json!({ "note": null }), "approved", None, 6).await;
    let refused = shop.merchant.patch(&path, json!({ "note": "x".repeat(501) })).await;
    assert_eq!((refused.status.as_u16(), refused.text("/error/fields/note").is_empty()), (422, false));
    let rejected = json!({ "name": "Bob" });
    let bob = shop.merchant.make("/partners", rejected).await;
    let applied =
        json!({ "program_id": shop.program, "partner_id": bob, "status": "rejected", "note": "No site." });
    shop.merchant.make("/enrollments", applied).await;
    let listed = shop.merchant.get("/enrollments").await;
    assert_eq!(listed.column("note"), [json!("No site."), json!(null)]);
}

#[tokio::test]
async fn a_note_changes_no_decision() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let note = json!({ "note": "Thank you." });
    let path = format!("/enrollments/{}", shop.enrollment);
    let outcome = shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    assert_eq!((outcome.as_str(), shop.net().await), ("processed ok", 2_000));
    assert_eq!(shop.merchant.patch(&path, note).await.text("/note"), "Thank you.");
    let event = shop.merchant.get("/events").await.text("/data/0/id");
    let replayed = shop.merchant.post(&format!("/events/{event}/replay?rules=now"), json!({})).await;
    assert_eq!(replayed.body["changes"], json!([]), "{}", replayed.body);
    let second = shop.session(json!({ "id": "cs_2", "payment_intent": "pi_2" }));
    let outcome = shop.deliver_object("checkout.session.completed", 1, second).await;
    assert_eq!((outcome.as_str(), shop.net().await), ("processed ok", 4_000));
}
