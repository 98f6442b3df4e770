//! The merchant's decisions about commissions, by the API.

use axum::http::Request;
use serde_json::{Value, json};

use crate::store::derived;
use crate::testing::app::App;
use crate::testing::shop::{DAY, Shop, charge};

/// A shop with one sale of 100.00, and its commission of 20.00.
async fn sold(app: &App) -> (Shop<'_>, String) {
    let shop = Shop::open(app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let commission = shop.merchant.get("/commissions").await.text("/data/0/id");
    (shop, format!("/commissions/{commission}"))
}

/// Amounts and reasons of the entries of a commission, the oldest first.
async fn entries(shop: &Shop<'_>, path: &str) -> Vec<(String, i64, String)> {
    let entries = shop.merchant.get(&format!("{path}/entries")).await;
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entry =
        |entry: &Value| (word(entry, "kind"), entry["amount_minor"].as_i64().unwrap(), word(entry, "reason"));
    entries.body["data"].as_array().unwrap().iter().rev().map(entry).collect()
}

async fn sums_are_right(app: &App) {
    assert_eq!(app.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_held_commission_waits_for_the_approval_however_old_it_is() {
    let app = App::new();
    let (shop, path) = sold(&app).await;
    let merchant = &shop.merchant;
    let held = merchant.patch(&path, json!({ "status": "held", "reason": "an odd order" })).await;
    assert_eq!((held.status.as_u16(), held.text("/status")), (200, "held".to_owned()), "{}", held.body);
    assert_eq!(held.text("/verdict/status"), "held");
    assert_eq!(held.text("/verdict/reason"), "an odd order");
    app.trac.clock.advance(400 * DAY);
    let payout =
        async || merchant.post("/payouts", json!({ "partner_id": shop.partner, "currency": "usd" })).await;
    assert_eq!(payout().await.code(), (422, "NOTHING_TO_PAY".to_owned()));
    let story = merchant.get(&format!("/explain/{}", path.rsplit('/').next().unwrap())).await;
    assert!(
        story.body.to_string().contains("held by the merchant until approved: an odd order"),
        "{}",
        story.body
    );
    let balance = merchant.get("/balances").await;
    assert_eq!((balance.number("/data/0/pending_minor"), balance.number("/data/0/owed_minor")), (2_000, 0));

    let approved = merchant.patch(&path, json!({ "status": "approved" })).await;
    assert_eq!(
        (approved.text("/status"), &approved.body["verdict"]["reason"]),
        ("approved".to_owned(), &Value::Null)
    );
    shop.deliver_object("charge.refunded", 1, charge(2_500, json!({}))).await;
    assert_eq!(payout().await.number("/amount_minor"), 1_500);
    sums_are_right(&app).await;
}

#[tokio::test]
async fn an_approved_commission_is_due_before_its_hold_ends() {
    let app = App::new();
    let (shop, path) = sold(&app).await;
    let dispute = json!({ "id": "du_1", "charge": "ch_1", "payment_intent": "pi_1", "amount": 10_000, "currency": "usd",
        "status": "needs_response" });
    shop.deliver_object("charge.dispute.created", 1, dispute).await;
    assert_eq!(shop.merchant.get(&path).await.text("/status"), "held");
    let approved =
        shop.merchant.patch(&path, json!({ "status": "approved", "reason": "a known customer" })).await;
    assert_eq!(approved.text("/status"), "approved");
    // Its due time is that of the first approval, and a repeat changes nothing.
    app.trac.clock.advance(60);
    let again =
        shop.merchant.patch(&path, json!({ "status": "approved", "reason": "a known customer" })).await;
    assert_eq!(again.body, approved.body);
    let activity = shop.merchant.get("/activity?action=commission.approved").await;
    assert_eq!(activity.number("/meta/total"), 1);
    assert_eq!(activity.text("/data/0/after/status"), "approved");
    sums_are_right(&app).await;
}

#[tokio::test]
async fn a_rejection_outlives_refunds_and_replays_until_it_is_taken_back() {
    let app = App::new();
    let (shop, path) = sold(&app).await;
    let merchant = &shop.merchant;
    let rejected = merchant.patch(&path, json!({ "status": "rejected", "reason": "fraud" })).await;
    let of = |name: &str| rejected.body[name].clone();
    assert_eq!(
        json!([of("status"), of("reason"), of("amount_minor"), of("net_minor")]),
        json!(["reversed", "rejected_by_merchant", 2_000, 0])
    );
    shop.deliver_object("charge.refunded", 1, charge(2_500, json!({}))).await;
    let event = merchant.get("/events?type=checkout.session.completed").await.text("/data/0/id");
    for rules in ["then", "now"] {
        assert_eq!(
            merchant.post(&format!("/events/{event}/replay?rules={rules}"), json!({})).await.status,
            200
        );
    }
    assert_eq!(shop.net().await, 0);
    let conversion = merchant.get("/conversions").await;
    assert_eq!(conversion.text("/data/0/reason"), "rejected_by_merchant");
    let story = merchant.get("/explain/cs_1").await;
    assert_eq!(story.text("/first_missing_hop"), "decision");
    assert!(story.text("/summary").contains("rejected the commission"), "{}", story.body);
    assert!(story.text("/summary").ends_with(": fraud"), "{}", story.body);
    assert!(story.text("/remedy").contains(&format!("PATCH {path} with status restored")), "{}", story.body);
    assert!(story.body.to_string().contains("rejected by the merchant: fraud"), "{}", story.body);
    sums_are_right(&app).await;

    let restored = merchant.patch(&path, json!({ "restore": true, "reason": "it was none" })).await;
    assert_eq!((restored.text("/reason"), restored.number("/net_minor")), ("ok".to_owned(), 1_500));
    assert_eq!(restored.body["verdict"], Value::Null);
    let want = [
        ("earn", 2_000, "ok"),
        ("reverse", -2_000, "rejected_by_merchant"),
        ("restore", 1_500, "restored_by_merchant"),
    ];
    assert_eq!(
        entries(&shop, &path).await,
        want.map(|(kind, minor, reason)| (kind.into(), minor, reason.into()))
    );
    // There is nothing left to take back.
    let again = merchant.patch(&path, json!({ "status": "restored" })).await;
    assert_eq!(again.body, restored.body);
    let actions = merchant.get("/activity?object_kind=commission").await;
    assert_eq!(actions.column("action"), ["commission.restored", "commission.rejected"]);
    sums_are_right(&app).await;
}

#[tokio::test]
async fn a_rejection_after_the_payout_makes_a_debt() {
    let app = App::new();
    let (shop, path) = sold(&app).await;
    let merchant = &shop.merchant;
    app.trac.clock.advance(31 * DAY);
    merchant.make("/payouts", json!({ "partner_id": shop.partner, "currency": "usd" })).await;
    for status in ["held", "approved"] {
        let refused = merchant.patch(&path, json!({ "status": status, "reason": "late" })).await;
        assert_eq!(refused.code(), (409, "COMMISSION_PAID".to_owned()));
    }
    let rejected = merchant.patch(&path, json!({ "status": "rejected", "reason": "fraud" })).await;
    assert_eq!((rejected.text("/status"), rejected.number("/net_minor")), ("paid".to_owned(), 0));
    let owed = async || merchant.get("/balances").await.number("/data/0/owed_minor");
    assert_eq!(owed().await, -2_000);
    merchant.patch(&path, json!({ "status": "restored" })).await;
    assert_eq!(owed().await, 0);
    sums_are_right(&app).await;
}

#[tokio::test]
async fn a_claim_is_not_approved_by_its_commission() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let claim = json!({ "clickId": shop.click, "externalTransactionId": "order 1", "amount": 5_000, "currency": "usd" });
    let request =
        Request::post("/api/track/conversion").header("x-publishable-key", &shop.merchant.publishable_key);
    app.send(request.body(axum::body::Body::from(claim.to_string())).unwrap()).await;
    let path = format!("/commissions/{}", shop.merchant.get("/commissions").await.text("/data/0/id"));
    let refused = shop.merchant.patch(&path, json!({ "status": "approved" })).await;
    assert_eq!(refused.code(), (409, "CLAIM_NOT_APPROVED".to_owned()));
    let rejected = shop.merchant.patch(&path, json!({ "status": "rejected", "reason": "made up" })).await;
    assert_eq!(rejected.text("/status"), "reversed");
    // The approval of the claim does not undo the decision about its commission.
    let conversion = rejected.text("/payment_id");
    shop.merchant.patch(&format!("/conversions/{conversion}"), json!({ "status": "approved" })).await;
    assert_eq!(shop.net().await, 0);
    shop.merchant.patch(&path, json!({ "status": "restored" })).await;
    assert_eq!(shop.net().await, 1_000);
    sums_are_right(&app).await;
}

#[tokio::test]
async fn a_wrong_body_or_another_workspace_changes_nothing() {
    let app = App::new();
    let (shop, path) = sold(&app).await;
    let check = async |body: Value, field: &str| {
        let refused = shop.merchant.patch(&path, body.clone()).await;
        assert_eq!(refused.code(), (422, "VALIDATION_FAILED".to_owned()), "{body}");
        assert!(!refused.text(&format!("/error/fields/{field}")).is_empty(), "{}", refused.body);
    };
    check(json!({}), "status").await;
    check(json!({ "status": "paid", "reason": "x" }), "status").await;
    check(json!({ "status": "held" }), "reason").await;
    check(json!({ "status": "rejected", "reason": "" }), "reason").await;
    check(json!({ "status": "approved", "reason": "x".repeat(501) }), "reason").await;
    check(json!({ "status": "approved", "restore": true }), "restore").await;
    check(json!({ "status": "approved", "net_minor": 1 }), "net_minor").await;
    let other = app.merchant().await;
    let body = json!({ "status": "rejected", "reason": "not mine" });
    assert_eq!(other.patch(&path, body.clone()).await.status, 404);
    assert_eq!(shop.merchant.patch("/commissions/com_1", body).await.status, 404);
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn a_commission_that_another_one_replaced_is_not_decided() {
    let app = App::new();
    let (shop, path) = sold(&app).await;
    let click = shop.merchant.make(
        "/clicks",
        json!({ "program_id": shop.program, "partner_id": shop.partner,
        "clicked_at": "2026-11-21T07:30:00Z" }),
    );
    let click = click.await;
    let session = shop.session(json!({ "metadata": { "tracClickId": click } }));
    shop.deliver_object("checkout.session.async_payment_succeeded", 5, session).await;
    let refused = shop.merchant.patch(&path, json!({ "status": "rejected", "reason": "fraud" })).await;
    assert_eq!(refused.code(), (409, "COMMISSION_CLOSED".to_owned()), "{}", refused.body);
}
