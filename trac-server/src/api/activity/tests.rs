use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use trac_core::program::Mode;

use super::*;
use crate::openapi::operations::{Caller, OPERATIONS};
use crate::operate::export::{export, import};
use crate::store::Priority;
use crate::testing::app::{Answer, App, Merchant};
use crate::testing::shop::{DAY, Shop, charge, invoice};
use crate::workspace::{self, KeyKind};

const RESTRICTED: &str = "rk_test_planted0restricted0key";
const SIGNING: [&str; 2] = ["whsec_planted_first", "whsec_planted_second"];

/// Calls that need a server of Stripe, or a key of live mode: tests of their own compare them with the rows that they leave.
const ELSEWHERE: [&str; 2] = ["POST /api/v1/go-live", "POST /api/v1/setup/stripe"];

#[test]
fn only_fields_that_differ_are_recorded() {
    let before = json!({"name": "Ada", "email": null, "code": "ada"});
    let after = json!({"name": "Ada", "email": "ada@example.com", "code": "ada"});
    let (was, is) = differences(&before, &after);
    assert_eq!(Value::Object(was), json!({"email": null}));
    assert_eq!(Value::Object(is), json!({"email": "ada@example.com"}));
    assert!(differences(&after, &after).0.is_empty());
}

/// The newest changes of a merchant.
async fn newest(merchant: &Merchant<'_>) -> Answer {
    let listed = merchant.get("/activity?limit=100").await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    listed
}

/// Calls of the API that are compared with what they leave in the list of changes.
struct Calls<'a> {
    merchant: &'a Merchant<'a>,
    /// The key of the calls, as an actor.
    key: Value,
    /// The operations called so far: method and path of the table.
    called: BTreeSet<String>,
}

impl<'a> Calls<'a> {
    async fn begin(merchant: &'a Merchant<'a>) -> Self {
        let key = merchant.get("/api-keys?kind=secret").await;
        let key = json!({ "kind": "key", "id": key.text("/data/0/id"), "name": key.text("/data/0/hint") });
        Self { merchant, key, called: BTreeSet::new() }
    }

    /// The operation of the table that has this method and path.
    fn operation(method: &str, path: &str) -> String {
        let path = format!("/api/v1{}", path.split('?').next().unwrap_or_default());
        let fits = |pattern: &str| {
            let (parts, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), pattern.split('/').collect());
            parts.len() == wanted.len()
                && parts.iter().zip(&wanted).all(|(part, wanted)| part == wanted || wanted.starts_with('{'))
        };
        let found = OPERATIONS.iter().find(|one| one.method == method && fits(one.path));
        found.map_or_else(|| panic!("{method} {path} is unknown"), |one| format!("{method} {}", one.path))
    }

    /// Makes a call that succeeds and returns its response, and the rows it left.
    async fn rows_of(&mut self, method: &str, path: &str, body: Value) -> (Answer, Vec<Value>) {
        self.called.insert(Self::operation(method, path));
        let before = newest(self.merchant).await.number("/meta/total");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let answer = self.merchant.call(method, path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
        let listed = newest(self.merchant).await;
        let added = usize::try_from(listed.number("/meta/total") - before).unwrap();
        (answer, listed.body["data"].as_array().unwrap()[..added].to_vec())
    }

    /// Makes a call that is recorded under `action`, and returns its response and the row.
    async fn recorded(&mut self, method: &str, path: &str, body: Value, action: &str) -> (Answer, Value) {
        let (answer, rows) = self.rows_of(method, path, body).await;
        let [row] = rows.as_slice() else { panic!("{method} {path} left {rows:#?}") };
        let (kind, _) = action.split_once('.').unwrap();
        let named = path.split(['/', '?']).nth(2).filter(|id| !id.is_empty());
        let id = match (named, kind) {
            (_, "workspace") => self.merchant.workspace_id.clone(),
            (Some(id), _) => id.to_owned(),
            (None, _) => answer.text("/id"),
        };
        let at = format!("{method} {path}: {row:#}");
        assert_eq!(row["action"], action, "{at}");
        assert_eq!(row["object"], json!({ "kind": kind, "id": id }), "{at}");
        assert_eq!(row["actor"], self.key, "{at}");
        assert_eq!(self.merchant.get(&format!("/activity/{}", row["id"].as_str().unwrap())).await.body, *row);
        (answer, row.clone())
    }

    /// Makes a call that succeeds and leaves no row.
    async fn unrecorded(&mut self, method: &str, path: &str, body: Value) -> Answer {
        let (answer, rows) = self.rows_of(method, path, body).await;
        assert!(rows.is_empty(), "{method} {path} left {rows:#?}");
        answer
    }

    /// Makes a call that fails and leaves no row.
    async fn failed(&self, method: &str, path: &str, body: Value, status: u16) {
        let before = newest(self.merchant).await.number("/meta/total");
        let answer = self.merchant.call(method, path, body.to_string()).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert_eq!(newest(self.merchant).await.number("/meta/total"), before, "{method} {path}");
    }
}

/// Sends a page's report.
async fn page(shop: &Shop<'_>, path: &str, body: Value) -> Answer {
    let request = Request::post(path).header("x-publishable-key", &shop.merchant.publishable_key);
    shop.app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Every operation that changes something, each called with success. Returns the secrets of the calls.
async fn everything(calls: &mut Calls<'_>, shop: &Shop<'_>) -> Vec<String> {
    let (program, partner) = (&shop.program, &shop.partner);
    set_up(calls, shop).await;
    links(calls, shop).await;
    let mut secrets = endpoints_and_keys(calls).await;
    secrets.push(shop.merchant.key.clone());
    money(calls, shop).await;
    reassign(calls, shop).await;
    secrets.extend(people(calls, shop).await);
    let both = json!({ "program_id": program, "partner_id": partner });
    calls.unrecorded("POST", "/clicks", both).await;
    let question = json!({ "query": program });
    calls.unrecorded("POST", "/explain", question).await;
    calls.unrecorded("POST", &format!("/programs/{}/preview", shop.program), json!({})).await;
    calls.unrecorded("POST", "/setup/script-check", json!({ "page": "https://shop.example/" })).await;
    secrets
}

async fn set_up(calls: &mut Calls<'_>, shop: &Shop<'_>) {
    let rate = json!({ "type": "percentage", "rate_bps": 1_000 });
    let new = json!({ "name": "Other", "commission": rate });
    let (made, row) = calls.recorded("POST", "/programs", new, "program.created").await;
    assert_eq!((&row["before"], &row["after"]), (&Value::Null, &made.body));
    let program = format!("/programs/{}", made.text("/id"));
    let (_, row) = calls.recorded("PATCH", &program, json!({ "name": "Third" }), "program.changed").await;
    assert_eq!((&row["before"], &row["after"]), (&json!({ "name": "Other" }), &json!({ "name": "Third" })));
    let (made, _) = calls.recorded("POST", "/partners", json!({ "name": "Bob" }), "partner.created").await;
    let partner = format!("/partners/{}", made.text("/id"));
    let email = json!({ "email": "bob@example.com" });
    let (_, row) = calls.recorded("PATCH", &partner, email.clone(), "partner.changed").await;
    assert_eq!((&row["before"], &row["after"]), (&json!({ "email": null }), &email));
    let both = json!({ "program_id": program.trim_start_matches("/programs/"), "partner_id": partner.trim_start_matches("/partners/") });
    let (made, _) = calls.recorded("POST", "/enrollments", both, "enrollment.created").await;
    let enrollment = format!("/enrollments/{}", made.text("/id"));
    let banned = json!({ "status": "banned", "note": "Bought their own links." });
    let (_, row) = calls.recorded("PATCH", &enrollment, banned, "enrollment.changed").await;
    assert_eq!((&row["before"]["note"], &row["after"]["status"]), (&Value::Null, &json!("banned")));
    for (path, action) in
        [(enrollment, "enrollment.deleted"), (partner, "partner.deleted"), (program, "program.deleted")]
    {
        let (_, row) = calls.recorded("DELETE", &path, Value::Null, action).await;
        assert!(row["after"].is_null() && row["before"]["id"] == path.rsplit('/').next().unwrap(), "{row:#}");
    }
    let named = json!({ "name": "Another shop" });
    calls.recorded("PATCH", "/workspace", named, "workspace.changed").await;
    let path = format!("/programs/{}", shop.program);
    calls.recorded("PATCH", &path, json!({ "hold_days": { "sale": 1 } }), "program.changed").await;
}

async fn links(calls: &mut Calls<'_>, shop: &Shop<'_>) {
    for (slug, is_visited, purge, action) in [
        ("unseen", false, "", "link.deleted"),
        ("seen", true, "", "link.archived"),
        ("gone", true, "?purge=1", "link.purged"),
    ] {
        let new = json!({ "program_id": shop.program, "partner_id": shop.partner, "slug": slug,
            "destination": "https://shop.example/" });
        let (made, _) = calls.recorded("POST", "/links", new, "link.created").await;
        let path = format!("/links/{}", made.text("/id"));
        let other = json!({ "destination": "https://shop.example/sale" });
        calls.recorded("PATCH", &path, other, "link.changed").await;
        if is_visited {
            shop.app.visit(&format!("/s/{slug}"), &[("user-agent", "b")]).await;
            shop.app.written().await;
        }
        let (_, row) = calls.recorded("DELETE", &format!("{path}{purge}"), Value::Null, action).await;
        assert_eq!(row["after"].is_null(), action != "link.archived", "{row:#}");
        if action == "link.archived" {
            calls.unrecorded("DELETE", &path, Value::Null).await;
        }
    }
}

/// Returns the secrets of the calls.
async fn endpoints_and_keys(calls: &mut Calls<'_>) -> Vec<String> {
    let mut secrets: Vec<_> = SIGNING.into_iter().chain([RESTRICTED]).map(str::to_owned).collect();
    let new = json!({ "signing_secrets": [SIGNING[0]], "stripe_api_key": RESTRICTED });
    let (made, _) = calls.recorded("POST", "/webhook-endpoints", new, "webhook_endpoint.created").await;
    let path = format!("/webhook-endpoints/{}", made.text("/id"));
    let other = json!({ "signing_secrets": [SIGNING[1]] });
    let (_, row) = calls.recorded("PATCH", &path, other.clone(), "webhook_endpoint.changed").await;
    assert_eq!((&row["before"], &row["after"]), (&json!({}), &json!({ "signing_secrets": "replaced" })));
    calls.unrecorded("PATCH", &path, other).await;
    calls.recorded("PATCH", &path, json!({ "stripe_api_key": null }), "webhook_endpoint.changed").await;
    for kind in ["publishable", "secret"] {
        let new = json!({ "kind": kind, "name": "first" });
        let (made, _) = calls.recorded("POST", "/api-keys", new, "api_key.created").await;
        secrets.push(made.text("/key"));
        let path = format!("/api-keys/{}", made.text("/id"));
        calls.recorded("PATCH", &path, json!({ "name": "second" }), "api_key.changed").await;
        if kind == "publishable" {
            for _ in 0..2 {
                let made = format!("{path}/token-secret");
                let (made, _) = calls.recorded("POST", &made, json!({}), "api_key.token_secret_made").await;
                secrets.push(made.text("/token_secret"));
            }
        }
        let (rolled, row) =
            calls.recorded("POST", &format!("{path}/roll"), json!({}), "api_key.rolled").await;
        assert_eq!(row["after"]["successor_id"], rolled.body["id"], "{row:#}");
        secrets.push(rolled.text("/key"));
        calls.recorded("DELETE", &path, Value::Null, "api_key.revoked").await;
        calls.unrecorded("DELETE", &path, Value::Null).await;
    }
    secrets
}

/// Returns the secrets of the calls.
async fn people(calls: &mut Calls<'_>, shop: &Shop<'_>) -> Vec<String> {
    let workspace = &shop.merchant.workspace_id;
    shop.app
        .rows(format!(
            "INSERT INTO person (id, email, name, created_at) VALUES ('per_1', 'pat@shop.example', 'Pat', 1), \
             ('per_2', 'quin@shop.example', 'Quin', 1); \
             INSERT INTO member (workspace_id, person_id, role, since) VALUES ('{workspace}', 'per_1', 'owner', 1), \
             ('{workspace}', 'per_2', 'viewer', 1);"
        ))
        .await;
    let (_, row) =
        calls.recorded("PATCH", "/people/per_2", json!({ "role": "support" }), "person.changed").await;
    assert_eq!((&row["before"]["role"], &row["after"]["role"]), (&json!("viewer"), &json!("support")));
    calls.unrecorded("PATCH", "/people/per_2", json!({ "role": "support" })).await;
    calls.recorded("DELETE", "/people/per_2", Value::Null, "person.removed").await;
    let new = json!({ "email": "rae@shop.example", "role": "finance" });
    let (made, _) = calls.recorded("POST", "/invitations", new, "invitation.created").await;
    crate::operate::postman::round(&shop.app.trac).await.unwrap();
    let mail = shop.merchant.get("/mails").await.text("/data/0/id");
    calls.recorded("POST", &format!("/mails/{mail}/resend"), json!({}), "mail.resent").await;
    let path = format!("/invitations/{}", made.text("/id"));
    calls.recorded("DELETE", &path, Value::Null, "invitation.revoked").await;
    calls.unrecorded("DELETE", &path, Value::Null).await;
    let url = made.text("/url");
    vec![url.split_once("token=").unwrap().1.to_owned()]
}

async fn reassign(calls: &mut Calls<'_>, shop: &Shop<'_>) {
    let (path, action) = ("/customers/cus_1/reassign", "customer.reassigned");
    let ada = json!({ "partner_id": shop.partner });
    let (made, row) = calls.recorded("POST", path, ada.clone(), action).await;
    assert_eq!(row["before"]["reassigned"], Value::Null, "{row:#}");
    assert_eq!(row["after"]["reassigned"], made.body["reassigned"], "{row:#}");
    calls.unrecorded("POST", path, ada).await;
    calls.failed("POST", path, json!({}), 422).await;
    calls.recorded("POST", path, json!({ "partner_id": null }), action).await;
    calls.recorded("DELETE", path, Value::Null, action).await;
    calls.unrecorded("DELETE", path, Value::Null).await;
}

async fn money(calls: &mut Calls<'_>, shop: &Shop<'_>) {
    let metadata = json!({ "metadata": { "tracClickId": shop.click } });
    for id in ["in_1", "in_2"] {
        shop.deliver_object("invoice.paid", 0, invoice(id, metadata.clone())).await;
    }
    let event =
        async |kind: &str| shop.merchant.get(&format!("/events?type={kind}")).await.text("/data/0/id");
    // A replay changes something after the terms changed.
    let rate = json!({ "commission": { "type": "percentage", "rate_bps": 3_000 } });
    calls.recorded("PATCH", &format!("/programs/{}", shop.program), rate, "program.changed").await;
    let paid = event("invoice.paid").await;
    calls.unrecorded("POST", &format!("/events/{paid}/replay?rules=now&dry_run=1"), json!({})).await;
    let replay = format!("/events/{paid}/replay?rules=now");
    let (replayed, row) = calls.recorded("POST", &replay, json!({}), "event.replayed").await;
    assert_eq!((&row["before"], &row["after"]), (&Value::Null, &replayed.body));
    calls.unrecorded("POST", &replay, json!({})).await;
    // A refund is linked.
    let of_nobody =
        json!({ "amount": 5_000, "amount_captured": 5_000, "customer": "cus_1", "payment_intent": "pi_9" });
    let outcome = shop.deliver_object("charge.refunded", 9, charge(2_500, of_nobody)).await;
    assert_eq!(outcome, "deferred payment_unlinked");
    let link = format!("/events/{}/link", event("charge.refunded").await);
    let (_, row) = calls.recorded("POST", &link, json!({ "payment": "in_2" }), "event.linked").await;
    assert_eq!((&row["before"]["outcome"], &row["after"]["payment"]), (&json!("deferred"), &json!("in_2")));
    // A lead and a claim of a page are judged.
    for (status, action) in [("approved", "lead.approved"), ("rejected", "lead.rejected")] {
        let lead = json!({ "eventName": "Sign up", "customerExternalId": status, "clickId": shop.click });
        let lead = page(shop, "/api/track/lead", lead).await.text("/id");
        calls.recorded("PATCH", &format!("/leads/{lead}"), json!({ "status": status }), action).await;
        calls.unrecorded("PATCH", &format!("/leads/{lead}"), json!({ "status": status })).await;
    }
    let lead = json!({ "eventName": "Demo", "customerExternalId": "other", "clickId": shop.click });
    page(shop, "/api/track/lead", lead).await;
    let conversion = shop.merchant.get("/conversions?source=lead").await.text("/data/0/id");
    let verdict = json!({ "status": "approved" });
    calls.recorded("PATCH", &format!("/conversions/{conversion}"), verdict, "conversion.approved").await;
    for (status, action) in [("approved", "conversion.approved"), ("rejected", "conversion.rejected")] {
        let claim = json!({ "externalTransactionId": format!("claim {status}"), "clickId": shop.click, "amount": 700, "currency": "usd" });
        let claim = page(shop, "/api/track/conversion", claim).await.text("/id");
        calls.recorded("PATCH", &format!("/conversions/{claim}"), json!({ "status": status }), action).await;
    }
    // A payment that the merchant reported is refunded.
    let sale = json!({ "external_transaction_id": "order 1", "event_type": "sale", "amount_cents": 900, "currency": "usd",
        "click_id": shop.click });
    let sale = calls.unrecorded("POST", "/conversions", sale).await.text("/id");
    let (sale, back) = (format!("/conversions/{sale}"), json!({ "refunded_cents": 100 }));
    calls.recorded("PATCH", &sale, back.clone(), "conversion.refunded").await;
    calls.unrecorded("PATCH", &sale, back).await;
    // The merchant decides about a commission, and adjusts a balance.
    let commission = shop.merchant.get("/commissions?source=recurring").await.text("/data/0/id");
    let path = format!("/commissions/{commission}");
    for status in ["held", "approved", "rejected", "restored"] {
        let verdict = json!({ "status": status, "reason": "a check" });
        let action = format!("commission.{status}");
        let (judged, row) = calls.recorded("PATCH", &path, verdict.clone(), &action).await;
        assert_eq!(row["after"]["verdict"], judged.body["verdict"], "{row:#}");
        calls.unrecorded("PATCH", &path, verdict).await;
    }
    let bonus = json!({ "partner_id": shop.partner, "program_id": shop.program, "currency": "usd", "amount_minor": 5,
        "reason": "a bonus" });
    let (adjusted, row) = calls.recorded("POST", "/adjustments", bonus, "commission.adjusted").await;
    assert_eq!((&row["before"], &row["after"]), (&Value::Null, &adjusted.body));
    shop.app.trac.clock.advance(100 * DAY);
    let due = json!({ "partner_id": shop.partner, "currency": "usd" });
    let (paid, row) = calls.recorded("POST", "/payouts", due, "payout.created").await;
    assert_eq!(row["after"]["amount_minor"], paid.body["amount_minor"]);
    assert!(row["after"].get("commission_ids").is_none(), "{row:#}");
}

#[tokio::test]
async fn every_call_that_changes_something_leaves_one_row_without_a_secret() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "lead_amount_minor": 300, "lead_currency": "usd" })).await;
    let mut calls = Calls::begin(&shop.merchant).await;
    let secrets = everything(&mut calls, &shop).await;
    let all = OPERATIONS.iter().filter(|one| one.caller == Caller::Merchant && one.method != "GET");
    let all: BTreeSet<_> = all.map(|one| format!("{} {}", one.method, one.path)).collect();
    let elsewhere = ELSEWHERE.map(str::to_owned);
    assert_eq!(calls.called.union(&BTreeSet::from(elsewhere)).cloned().collect::<BTreeSet<_>>(), all);
    let read = app.trac.store.read(|tx| {
        let sql = "SELECT object_kind || ' ' || actor_id || ' ' || actor_name || ' ' || object_id || ' ' || coalesce(before, '') \
                   || ' ' || coalesce(after, '') FROM activity";
        tx.all(sql, &[], |row| row.get::<String>(0))
    });
    let rows = read.await.unwrap();
    assert!(rows.len() > 40, "{}", rows.len());
    assert!(secrets.len() > 8, "{secrets:?}");
    for secret in &secrets {
        assert!(!rows.iter().any(|row| row.contains(secret.as_str())), "{secret} is in a row");
    }
}

#[tokio::test]
async fn a_call_that_fails_or_changes_nothing_leaves_no_row() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let merchant = &shop.merchant;
    let mut calls = Calls::begin(merchant).await;
    let (program, partner) = (format!("/programs/{}", shop.program), format!("/partners/{}", shop.partner));
    let key = merchant.get("/api-keys?kind=secret").await.text("/data/0/id");
    let link = json!({ "program_id": shop.program, "partner_id": shop.partner, "slug": "ada", "destination": "https://a.example" });
    let made = merchant.make("/links", link.clone()).await;
    let outcome = shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    assert_eq!(outcome, "processed ok");
    let conversion = merchant.get("/conversions").await.text("/data/0/id");
    let event = merchant.get("/events").await.text("/data/0/id");
    for (method, path, body, status) in [
        ("POST", "/partners", json!({ "name": "Ada", "email": "ADA@example.com" }), 409),
        ("POST", "/partners", json!({}), 422),
        ("PATCH", "/partners/part_0", json!({ "name": "x" }), 404),
        ("PATCH", &partner, json!({ "email": "no address" }), 422),
        ("DELETE", &partner, json!({}), 409),
        ("DELETE", &program, json!({}), 409),
        ("POST", "/links", link, 409),
        ("DELETE", "/links/link_0", json!({}), 404),
        ("DELETE", &format!("/api-keys/{key}"), json!({}), 409),
        ("POST", &format!("/api-keys/{key}/token-secret"), json!({}), 409),
        ("PATCH", &format!("/api-keys/{key}"), json!({ "allowed_origins": ["https://a.example"] }), 422),
        ("POST", "/payouts", json!({ "partner_id": shop.partner, "currency": "usd" }), 422),
        ("PATCH", &format!("/conversions/{conversion}"), json!({ "status": "approved" }), 409),
        ("PATCH", &format!("/conversions/{conversion}"), json!({ "refunded_cents": 1 }), 409),
        ("POST", &format!("/events/{event}/link"), json!({ "payment": "pi_1" }), 409),
        ("POST", "/events/evl_0/replay", json!({}), 404),
        ("PATCH", "/workspace", json!({ "fallback_url": "nowhere" }), 422),
        ("PUT", "/workspace", json!({}), 405),
    ] {
        calls.failed(method, path, body, status).await;
    }
    let same = json!({ "name": "Ada", "code": "ada", "email": "ada@example.com" });
    for (method, path, body) in [
        ("PATCH", program.as_str(), json!({ "name": "P" })),
        ("PATCH", &partner, same),
        (
            "PATCH",
            &format!("/enrollments/{}", shop.enrollment),
            json!({ "status": "approved", "note": null }),
        ),
        ("PATCH", &format!("/links/{made}"), json!({ "archived": false })),
        ("PATCH", &format!("/webhook-endpoints/{}", shop.endpoint), json!({})),
        ("PATCH", &format!("/api-keys/{key}"), json!({ "name": null })),
        ("PATCH", "/workspace", json!({ "name": "A shop" })),
        ("PATCH", &format!("/conversions/{conversion}"), json!({})),
        ("POST", &format!("/events/{event}/replay"), json!({})),
        ("POST", &format!("/events/{event}/replay?rules=now"), json!({})),
    ] {
        calls.unrecorded(method, path, body).await;
    }
    // A repeat of a call has no effect, and leaves no second row.
    let before = newest(merchant).await.number("/meta/total");
    for _ in 0..2 {
        let request = Request::post("/api/v1/partners").header("idempotency-key", "once");
        let request = request.header("authorization", format!("Bearer {}", merchant.key));
        let request = request.body(Body::from(json!({ "name": "Once" }).to_string())).unwrap();
        assert_eq!(app.send(request).await.status, 201);
    }
    assert_eq!(newest(merchant).await.number("/meta/total"), before + 1);
}

#[tokio::test]
async fn changes_are_found_by_their_object_actor_and_action() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, partner) = merchant.program_and_partner().await;
    merchant.patch(&format!("/partners/{partner}"), json!({ "name": "Ada L." })).await;
    let key = merchant.get("/api-keys?kind=secret").await.text("/data/0/id");
    let check = async |filter: &str, want: &[&str]| {
        assert_eq!(merchant.get(&format!("/activity?{filter}")).await.column("action"), want, "{filter}");
    };
    check(&format!("object_id={partner}"), &["partner.changed", "partner.created"]).await;
    check(&format!("object_id={program}"), &["program.created"]).await;
    check("object_kind=enrollment", &["enrollment.created"]).await;
    check("action=partner.changed", &["partner.changed"]).await;
    check(&format!("actor_id={key}&object_kind=program"), &["program.created"]).await;
    check("actor_id=per_0", &[]).await;
}

#[tokio::test]
async fn no_other_mode_or_workspace_sees_a_change() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let other = app.merchant().await;
    test.program_and_partner().await;
    let id = newest(&test).await.text("/data/0/id");
    for stranger in [&live, &other] {
        assert_eq!(newest(stranger).await.number("/meta/total"), 0);
        assert_eq!(stranger.get(&format!("/activity/{id}")).await.status, 404);
    }
}

#[tokio::test]
async fn the_database_rejects_a_change_of_a_row() {
    let app = App::new();
    let merchant = app.merchant().await;
    merchant.program_and_partner().await;
    let before = newest(&merchant).await.body;
    for sql in ["UPDATE activity SET actor_name = 'nobody'", "DELETE FROM activity"] {
        let changed = app.trac.store.write(Priority::Api, move |tx| tx.write(sql, &[])).await;
        assert!(changed.is_err(), "{sql}");
    }
    assert_eq!(newest(&merchant).await.body, before);
}

#[tokio::test]
async fn an_export_keeps_the_changes() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let exported = async |app: &App| {
        let buffer = tempfile::NamedTempFile::new().unwrap();
        export(&app.trac, None, buffer.reopen().unwrap()).await.unwrap();
        std::fs::read_to_string(buffer.path()).unwrap()
    };
    let text = exported(&app).await;
    let other = App::new();
    import(&other.trac.store, std::io::Cursor::new(text)).await.unwrap();
    let here = newest(&shop.merchant).await;
    let request = Request::get("/api/v1/activity?limit=100");
    let request = request.header("authorization", format!("Bearer {}", shop.merchant.key));
    let there = other.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(there.body, here.body);
    assert!(here.number("/meta/total") >= 4, "{}", here.body);
}

#[tokio::test]
async fn commands_are_recorded_as_the_servers_own() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    test.program_and_partner().await;
    let id = test.workspace_id.as_str();
    workspace::create_key(&app.trac, id, (KeyKind::Secret, Mode::Live), Some("new")).await.unwrap();
    workspace::login_link(&app.trac, id, Mode::Live, None).await.unwrap();
    assert_eq!(workspace::end_sessions(&app.trac, Some(id)).await.unwrap(), 2);
    workspace::go_live(&app.trac, id, true).await.unwrap();
    workspace::go_live(&app.trac, id, false).await.unwrap();
    let mut rows = newest(&live).await.body["data"].as_array().unwrap().clone();
    rows.reverse();
    let shown = |row: &Value| {
        let actor = &row["actor"];
        assert_eq!((&actor["kind"], &actor["id"]), (&json!("system"), &json!("")), "{row:#}");
        format!("{} {}", actor["name"].as_str().unwrap(), row["action"].as_str().unwrap())
    };
    let shown: Vec<_> = rows.iter().map(shown).collect();
    let want = [
        "trac key create api_key.created",
        "trac login-link workspace.login_link_made",
        "trac workspace sessions --end workspace.sessions_ended",
        "trac workspace go-live program.created",
        "trac workspace go-live partner.created",
        "trac workspace go-live enrollment.created",
    ];
    assert_eq!(shown, want);
    let copied = test.get("/partners").await.text("/data/0/id");
    assert_eq!(rows[4]["after"]["copied_from"], copied, "{:#}", rows[4]);
    assert_eq!(newest(&test).await.column("action")[0], "workspace.sessions_ended");
}
