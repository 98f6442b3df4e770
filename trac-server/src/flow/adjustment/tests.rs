//! Adjustments, by the API.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::store::derived;
use crate::testing::app::App;
use crate::testing::shop::{DAY, Shop};

fn adjustment(shop: &Shop<'_>, amount_minor: i64) -> Value {
    json!({ "partner_id": shop.partner, "program_id": shop.program, "currency": "USD", "amount_minor": amount_minor,
        "reason": "a bonus" })
}

async fn sums_are_right(app: &App) {
    assert_eq!(app.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_adjustment_is_a_commission_that_is_due_at_once() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let merchant = &shop.merchant;
    let made = merchant.post("/adjustments", adjustment(&shop, 1_250)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let of = |name: &str| made.body[name].clone();
    assert_eq!(
        json!([
            of("source"),
            of("status"),
            of("reason"),
            of("net_minor"),
            of("currency"),
            of("note"),
            of("click_id")
        ]),
        json!(["manual", "approved", "manual_adjustment", 1_250, "usd", "a bonus", null])
    );
    let listed = merchant.get("/commissions?source=manual").await;
    assert_eq!((listed.number("/meta/total"), listed.column("id")), (1, vec![of("id")]));
    // It is neither a sale nor a lead, but its amount is in the report of what partners earned.
    assert_eq!(merchant.get("/conversions").await.number("/meta/total"), 0);
    let report = merchant.get(&format!("/analytics?partner_id={}", shop.partner)).await;
    assert_eq!(
        report.body["commission"],
        json!([{ "currency": "usd", "amount_minor": 1_250 }]),
        "{}",
        report.body
    );
    assert_eq!((report.number("/sales"), report.number("/leads")), (0, 0));
    let story = merchant.get(&format!("/explain/{}", made.text("/id"))).await;
    assert_eq!(story.body["first_missing_hop"], Value::Null, "{}", story.body);
    assert!(story.body.to_string().contains("by 12.50 USD: a bonus"), "{}", story.body);
    let entries = merchant.get(&format!("/commissions/{}/entries", made.text("/id"))).await;
    let cause = entries.text("/data/0/event_id");
    assert!(cause.starts_with("adj_"));
    assert_eq!(merchant.get(&format!("/explain/{cause}")).await.text("/kind"), "adjustment");
    let activity = merchant.get("/activity?action=commission.adjusted").await;
    assert_eq!(activity.column("object")[0]["id"], of("id"));
    let paid = merchant.post("/payouts", json!({ "partner_id": shop.partner, "currency": "usd" })).await;
    assert_eq!(paid.number("/amount_minor"), 1_250);
    sums_are_right(&app).await;
}

#[tokio::test]
async fn a_correction_below_zero_makes_the_next_payout_smaller() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let merchant = &shop.merchant;
    let made = merchant.post("/adjustments", adjustment(&shop, -500)).await;
    assert_eq!((made.text("/status"), made.number("/net_minor")), ("approved".to_owned(), -500));
    let balance = async || {
        let balance = merchant.get("/balances").await.body["data"][0].clone();
        ["pending_minor", "approved_minor", "owed_minor"].map(|name| balance[name].as_i64().unwrap())
    };
    assert_eq!(balance().await, [0, -500, -500]);
    let payout =
        async || merchant.post("/payouts", json!({ "partner_id": shop.partner, "currency": "usd" })).await;
    assert_eq!(payout().await.code(), (422, "NOTHING_TO_PAY".to_owned()));
    let path = format!("/commissions/{}", made.text("/id"));
    let status = async |status: &str| {
        let judged = merchant.patch(&path, json!({ "status": status, "reason": "a check" })).await;
        assert_eq!(judged.status, 200, "{}", judged.body);
        (judged.text("/status"), judged.number("/amount_minor"), judged.number("/net_minor"))
    };
    assert_eq!(status("held").await, ("held".to_owned(), -500, -500));
    assert_eq!(balance().await, [-500, 0, 0]);
    assert_eq!(status("rejected").await, ("reversed".to_owned(), 0, 0));
    assert_eq!(balance().await, [0, 0, 0]);
    assert_eq!(status("restored").await, ("approved".to_owned(), -500, -500));
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    app.trac.clock.advance(31 * DAY);
    assert_eq!(payout().await.number("/amount_minor"), 1_500);
    assert_eq!(merchant.get(&path).await.text("/status"), "paid");
    assert_eq!(status("rejected").await, ("paid".to_owned(), 0, 0));
    assert_eq!(balance().await, [0, 0, 500]);
    sums_are_right(&app).await;
}

#[tokio::test]
async fn a_wrong_adjustment_is_refused_with_its_fields() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let check = async |name: &str, value: Value| {
        let mut body = adjustment(&shop, 1);
        body[name] = value;
        let refused = shop.merchant.post("/adjustments", body).await;
        assert_eq!(refused.code(), (422, "VALIDATION_FAILED".to_owned()), "{name}");
        assert!(!refused.text(&format!("/error/fields/{name}")).is_empty(), "{}", refused.body);
    };
    check("amount_minor", json!(0)).await;
    check("amount_minor", json!("5")).await;
    check("amount_minor", json!(i64::MIN)).await;
    check("currency", json!("dollars")).await;
    check("reason", json!("")).await;
    check("reason", Value::Null).await;
    check("source", json!("manual")).await;
    let stranger = shop.merchant.make("/partners", json!({ "name": "Eve" })).await;
    check("partner_id", json!(stranger)).await;
    let other = app.merchant().await;
    assert_eq!(other.post("/adjustments", adjustment(&shop, 1)).await.status, 404);
    assert_eq!(shop.net().await, 0);
}

#[tokio::test]
async fn the_same_key_adjusts_once() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let send = async || {
        let request = Request::post("/api/v1/adjustments")
            .header("authorization", format!("Bearer {}", shop.merchant.key))
            .header("content-type", "application/json")
            .header("idempotency-key", "bonus of November");
        app.send(request.body(Body::from(adjustment(&shop, 700).to_string())).unwrap()).await
    };
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status.as_u16(), &second.body), (201, &first.body));
    assert_eq!(shop.net().await, 700);
}
