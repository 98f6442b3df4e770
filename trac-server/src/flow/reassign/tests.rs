use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::store::derived;
use crate::testing::app::{Answer, App, START};
use crate::testing::shop::{DAY, Shop, invoice, with};

/// A shop with a second partner, Paula, in the same program.
struct Case<'a> {
    shop: Shop<'a>,
    paula: String,
}

impl<'a> Case<'a> {
    async fn open(app: &'a App, terms: Value) -> Self {
        let shop = Shop::open(app, terms).await;
        let paula = shop.merchant.make("/partners", json!({ "name": "Paula", "code": "paula" })).await;
        let enrolled = json!({ "program_id": shop.program, "partner_id": paula });
        shop.merchant.make("/enrollments", enrolled).await;
        Self { shop, paula }
    }

    /// A session of the customer `cus_1`, with Ada's click, a number of days after the start.
    async fn pay(&self, id: &str, day: i64, change: Value) -> String {
        let own = json!({ "id": id, "payment_intent": format!("pi_{id}"), "customer": "cus_1", "created": START + day * DAY });
        let session = self.shop.session(with(own, change));
        self.shop.deliver_object("checkout.session.completed", day * DAY, session).await
    }

    async fn reassign(&self, id: &str, body: Value) -> Answer {
        self.shop.merchant.post(&format!("/customers/{id}/reassign"), body).await
    }

    /// What is left for Ada and Paula, in minor units.
    async fn left(&self) -> [i64; 2] {
        let mut left = [0, 0];
        for (left, partner) in left.iter_mut().zip([&self.shop.partner, &self.paula]) {
            let commissions = self.shop.merchant.get(&format!("/commissions?partner_id={partner}")).await;
            *left = commissions.column("net_minor").iter().map(|net| net.as_i64().unwrap()).sum();
        }
        left
    }

    async fn is_sound(&self) {
        let trac = &self.shop.app.trac;
        assert_eq!(trac.store.read(derived::differences).await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_customer_is_assigned_to_a_partner_from_a_time_on_and_given_back() {
    let app = App::new();
    let case = Case::open(&app, json!({})).await;
    case.pay("cs_1", 0, json!({})).await;
    case.pay("cs_2", 2, json!({})).await;
    app.trac.clock.advance(3 * DAY);
    assert_eq!(case.left().await, [4_000, 0]);

    let body = json!({ "partner_id": case.paula, "from": "2026-11-22T08:00:00Z" });
    let answer = case.reassign("cus_1", body.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        (answer.text("/id"), answer.text("/reassigned/partner_id")),
        ("cus_1".into(), case.paula.clone())
    );
    assert_eq!(answer.text("/reassigned/from"), "2026-11-22T08:00:00Z");
    assert_eq!(case.left().await, [2_000, 2_000]);
    // A repeat changes nothing and is not recorded again.
    assert_eq!(case.reassign("cus_1", body).await.body, answer.body);
    // A later payment is Paula's too, whatever click it carries.
    assert_eq!(case.pay("cs_3", 4, json!({})).await, "processed ok");
    assert_eq!(case.left().await, [2_000, 4_000]);
    let merchant = &case.shop.merchant;
    let sales = merchant.get(&format!("/conversions?partner_id={}", case.paula)).await;
    assert_eq!(sales.column("rule"), ["reassigned", "reassigned"]);
    let decided = merchant.get("/attributions").await;
    assert_eq!(decided.text("/data/0/candidates/0/rule"), "reassigned");
    assert_eq!(decided.text("/data/0/candidates/0/object"), "cus_1");

    let undone = merchant.delete("/customers/cus_1/reassign").await;
    assert_eq!((undone.status.as_u16(), &undone.body["reassigned"]), (200, &Value::Null), "{}", undone.body);
    assert_eq!(case.left().await, [6_000, 0]);
    assert_eq!(merchant.delete("/customers/cus_1/reassign").await.status, 200);
    let changes = merchant.get("/activity?action=customer.reassigned").await;
    assert_eq!(changes.number("/meta/total"), 2, "{}", changes.body);
    assert_eq!(changes.text("/data/0/before/reassigned/partner_id"), case.paula);
    assert_eq!(changes.body["data"][0]["after"]["reassigned"], Value::Null);
    assert_eq!(changes.body["data"][1]["before"]["reassigned"], Value::Null);
    case.is_sound().await;
}

#[tokio::test]
async fn nobody_earns_from_a_customer_and_paid_commissions_stay() {
    let app = App::new();
    let case = Case::open(&app, json!({ "hold_days": { "sale": 0 } })).await;
    case.pay("cs_1", 0, json!({})).await;
    app.trac.clock.advance(DAY);
    let merchant = &case.shop.merchant;
    merchant.make("/payouts", json!({ "partner_id": case.shop.partner, "currency": "usd" })).await;
    case.pay("cs_2", 1, json!({})).await;
    let answer = case.reassign("cus_1", json!({ "partner_id": null, "from": "2026-11-01T00:00:00Z" })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["reassigned"]["partner_id"], Value::Null);
    assert_eq!(case.left().await, [2_000, 0]);
    let sales = merchant.get("/conversions").await;
    assert_eq!(sales.column("reason"), ["reassigned", "attribution_frozen"]);
    assert_eq!(sales.column("attributed")[0], false);
    assert_eq!(case.pay("cs_3", 2, json!({})).await, "skipped reassigned");
    // The later decision counts.
    case.reassign("cus_1", json!({ "click_id": case.shop.click, "from": "2026-11-23T00:00:00Z" })).await;
    assert_eq!(case.left().await, [4_000, 0]);
    case.is_sound().await;
}

#[tokio::test]
async fn everything_known_of_the_customer_is_decided_again_whichever_id_names_it() {
    for first in [true, false] {
        for name in ["user_1", "cus_1"] {
            let app = App::new();
            let case = Case::open(&app, json!({ "lead_amount_minor": 300, "lead_currency": "usd" })).await;
            let merchant = &case.shop.merchant;
            let lead = async || {
                let lead = json!({ "eventName": "Sign up", "customerExternalId": "user_1", "clickId": case.shop.click });
                let request = Request::post("/api/track/lead")
                    .header("authorization", format!("Bearer {}", merchant.key));
                assert_eq!(app.send(request.body(Body::from(lead.to_string())).unwrap()).await.status, 201);
            };
            let named = json!({ "mode": "subscription", "subscription": "sub_1", "invoice": "in_1", "payment_intent": null,
                "metadata": { "tracCustomerExternalId": "user_1", "tracClickId": case.shop.click } });
            case.pay("cs_1", 0, named).await;
            let renewed = json!({ "created": START + 31 * DAY, "customer": null });
            let decide = async || {
                let body = json!({ "partner_id": case.paula, "from": "2026-11-01T00:00:00Z" });
                let answer = case.reassign(name, body).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.text("/id")),
                    (200, "user_1".to_owned()),
                    "{}",
                    answer.body
                );
            };
            if first {
                decide().await;
            }
            case.shop.deliver_object("invoice.paid", 1, invoice("in_1", json!({ "created": START }))).await;
            lead().await;
            case.shop.deliver_object("invoice.paid", 31 * DAY, invoice("in_2", renewed)).await;
            if !first {
                assert_eq!(case.left().await, [2_300, 0]);
                decide().await;
            }
            assert_eq!(case.left().await, [0, 2_300], "{first} {name}");
            // A replay of everything changes nothing.
            for event in merchant.get("/events").await.column("id") {
                merchant.post(&format!("/events/{}/replay", event.as_str().unwrap()), json!({})).await;
            }
            assert_eq!(case.left().await, [0, 2_300], "{first} {name}");
            case.is_sound().await;
        }
    }
}

#[tokio::test]
async fn wrong_input_is_refused_with_the_field() {
    let app = App::new();
    let case = Case::open(&app, json!({})).await;
    case.pay("cs_1", 0, json!({})).await;
    let merchant = &case.shop.merchant;
    let alone = merchant.make("/partners", json!({ "name": "Alone", "code": "alone" })).await;
    let other = json!({ "name": "Q", "commission": { "type": "percentage", "rate_bps": 100 } });
    let other = merchant.make("/programs", other).await;
    let check = async |body: Value, field: &str, says: &str| {
        let answer = case.reassign("cus_1", body.clone()).await;
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{body}: {}", answer.body);
        let wrong = answer.text(&format!("/error/fields/{field}"));
        assert!(wrong.contains(says), "{body}: {wrong}");
    };
    check(json!({}), "partner_id", "is required, or click_id").await;
    check(json!({ "partner_id": case.paula, "click_id": case.shop.click }), "click_id", "alone").await;
    check(json!({ "partner_id": null, "click_id": null }), "click_id", "alone").await;
    check(json!({ "partner_id": 7 }), "partner_id", "must be a text").await;
    check(json!({ "partner_id": case.paula, "from": "yesterday" }), "from", "must be a time").await;
    check(
        json!({ "click_id": case.shop.click, "program_id": case.shop.program }),
        "program_id",
        "with partner_id",
    )
    .await;
    check(json!({ "partner_id": null, "program_id": case.shop.program }), "program_id", "with partner_id")
        .await;
    check(json!({ "partner_id": case.paula, "until": "2027-01-01T00:00:00Z" }), "until", "is not a field")
        .await;
    check(json!({ "partner_id": alone }), "partner_id", "enrolled in a program").await;
    check(json!({ "partner_id": case.paula, "program_id": other }), "program_id", "is enrolled").await;
    merchant.make("/enrollments", json!({ "program_id": other, "partner_id": case.paula })).await;
    check(json!({ "partner_id": case.paula }), "program_id", "several programs").await;
    let both = json!({ "partner_id": case.paula, "program_id": other });
    assert_eq!(case.reassign("cus_1", both).await.text("/reassigned/program_id"), other);
    for (id, body) in [
        ("cus_2", json!({ "partner_id": case.paula })),
        ("cus_1", json!({ "partner_id": "part_nobody" })),
        ("cus_1", json!({ "click_id": "clk_1760000000_0123456789abcdef" })),
        ("cus_1", json!({ "partner_id": case.paula, "program_id": "prog_nobody" })),
    ] {
        assert_eq!(case.reassign(id, body.clone()).await.code(), (404, "NOT_FOUND".to_owned()), "{body}");
    }
    assert_eq!(merchant.delete("/customers/cus_2/reassign").await.status, 404);
}

#[tokio::test]
async fn another_workspace_or_mode_reaches_neither_the_customer_nor_its_partner() {
    let app = App::new();
    let case = Case::open(&app, json!({})).await;
    case.pay("cs_1", 0, json!({})).await;
    let (test, live) = app.both_modes().await;
    for other in [&test, &live] {
        let answer = other.post("/customers/cus_1/reassign", json!({ "partner_id": null })).await;
        assert_eq!(answer.code(), (404, "NOT_FOUND".to_owned()));
    }
    let (program, partner) = test.program_and_partner().await;
    let click = test.make("/clicks", json!({ "program_id": program, "partner_id": partner })).await;
    for body in [json!({ "partner_id": partner }), json!({ "click_id": click })] {
        assert_eq!(case.reassign("cus_1", body).await.status, 404);
    }
    assert_eq!(case.left().await, [2_000, 0]);
}

#[tokio::test]
async fn a_call_with_an_idempotency_key_takes_effect_once() {
    let app = App::new();
    let case = Case::open(&app, json!({})).await;
    case.pay("cs_1", 0, json!({})).await;
    let merchant = &case.shop.merchant;
    let send = async || {
        let request = Request::post("/api/v1/customers/cus_1/reassign")
            .header("authorization", format!("Bearer {}", merchant.key))
            .header("idempotency-key", "once");
        let body = json!({ "partner_id": case.paula, "from": "2026-11-01T00:00:00Z" });
        app.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let first = send().await;
    merchant.delete("/customers/cus_1/reassign").await;
    let again = send().await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    assert_eq!(case.left().await, [2_000, 0], "the decision was taken back since");
}

#[tokio::test]
async fn a_story_tells_who_decided() {
    let app = App::new();
    let case = Case::open(&app, json!({})).await;
    case.pay("cs_1", 0, json!({})).await;
    let body = json!({ "partner_id": case.paula, "from": "2026-11-01T00:00:00Z" });
    case.reassign("cus_1", body).await;
    let merchant = &case.shop.merchant;
    let story = merchant.get("/explain/cs_1").await;
    let hop = &story.body["stories"][0]["hops"][0];
    let what = hop["what"].as_str().unwrap();
    let want = "assigned this customer to Paula in P on 2026-11-21T08:00:00Z, for payments from 2026-11-01T00:00:00Z on.";
    assert!(hop["hop"] == "reference" && what.ends_with(want), "{what}");
    assert!(story.text("/summary").starts_with("Every hop is there."), "{}", story.body);
    case.reassign("cus_1", json!({ "partner_id": null, "from": "2026-11-01T00:00:00Z" })).await;
    let story = merchant.get("/explain/cs_1").await;
    assert_eq!(
        (story.text("/reason"), story.text("/first_missing_hop")),
        ("reassigned".into(), "reference".into())
    );
    assert!(
        story.text("/summary").contains("that nobody earns from this customer's payments"),
        "{}",
        story.body
    );
    assert!(story.text("/remedy").contains("DELETE /customers/{id}/reassign"), "{}", story.body);
}

#[tokio::test]
async fn a_decision_covers_the_ids_that_are_tied_to_the_customer_later() {
    let app = App::new();
    let case = Case::open(&app, json!({})).await;
    let own = json!({ "tracClickId": case.shop.click, "tracCustomerExternalId": "user_1" });
    case.pay("cs_1", 0, json!({})).await;
    let past = "2026-11-01T00:00:00Z";
    assert_eq!(case.reassign("cus_1", json!({ "partner_id": null, "from": past })).await.status, 200);
    // The customer signs up, and buys again as another customer of Stripe's.
    assert_eq!(case.pay("cs_2", 1, json!({ "metadata": own })).await, "skipped reassigned");
    assert_eq!(
        case.pay("cs_3", 2, json!({ "metadata": own, "customer": "cus_2" })).await,
        "skipped reassigned"
    );
    assert_eq!(case.left().await, [0, 0]);
    let merchant = &case.shop.merchant;
    let undone = merchant.delete("/customers/user_1/reassign").await;
    assert_eq!((undone.status.as_u16(), &undone.body["reassigned"]), (200, &Value::Null), "{}", undone.body);
    assert_eq!(case.left().await, [6_000, 0]);
    assert_eq!(merchant.get("/activity?action=customer.reassigned").await.number("/meta/total"), 2);
    // Each of the customer's IDs names the customer.
    for (id, to, want) in [
        ("cus_1", json!(case.paula), [0, 6_000]),
        ("cus_2", Value::Null, [0, 0]),
        ("user_1", json!(case.paula), [0, 6_000]),
    ] {
        let answer = case.reassign(id, json!({ "partner_id": to, "from": past })).await;
        assert_eq!(
            (answer.text("/id"), &answer.body["reassigned"]["partner_id"]),
            ("user_1".into(), &to),
            "{id}"
        );
        assert_eq!(case.left().await, want, "{id}");
    }
    case.is_sound().await;
}
