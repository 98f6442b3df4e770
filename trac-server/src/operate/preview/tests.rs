use serde_json::{Value, json};

use crate::testing::app::{Answer, App, START};
use crate::testing::shop::{DAY, Shop, charge, invoice};

impl Shop<'_> {
    async fn previews(&self, body: Value) -> Answer {
        let shown = self.merchant.post(&format!("/programs/{}/preview", self.program), body).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        shown
    }

    /// A sale of 100.00 in a currency, with a customer of its own.
    async fn sells_to(&self, at: i64, number: u32, currency: &str) {
        let session = self
            .session(json!({ "id": format!("cs_{number}"), "payment_intent": format!("pi_{number}"),
            "customer": format!("cus_{number}"), "created": START + at, "currency": currency }));
        assert_eq!(self.deliver_object("checkout.session.completed", at, session).await, "processed ok");
    }
}

fn percent(rate: i64) -> Value {
    json!({ "commission": { "type": "percentage", "rate_bps": rate * 100 } })
}

fn counts(shown: &Answer) -> [i64; 6] {
    ["payments", "more", "less", "nothing", "same", "other_currency"]
        .map(|name| shown.number(&format!("/{name}")))
}

#[tokio::test]
async fn payments_are_compared_with_what_they_would_have_earned_and_nothing_is_written() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.sells_to(0, 1, "usd").await;
    shop.sells_to(1, 2, "usd").await;
    shop.sells_to(2, 3, "eur").await;
    // A quarter of the first sale went back.
    let refund = charge(2_500, json!({ "created": START }));
    assert_eq!(shop.deliver_object("charge.refunded", 3, refund).await, "processed refund_partial");
    let before = (
        shop.net().await,
        shop.merchant.get("/activity").await.body,
        shop.merchant.get("/attributions").await.number("/meta/total"),
        shop.merchant.get(&format!("/programs/{}", shop.program)).await.body,
    );

    let shown = shop.previews(percent(30)).await;
    assert_eq!(counts(&shown), [3, 3, 0, 0, 0, 0]);
    assert_eq!(
        shown.body["currencies"],
        json!([
            { "currency": "eur", "booked_minor": 2_000, "preview_minor": 3_000, "difference_minor": 1_000 },
            { "currency": "usd", "booked_minor": 3_500, "preview_minor": 5_250, "difference_minor": 1_750 },
        ])
    );
    assert_eq!(shown.body["largest"][2]["difference_minor"], json!(750), "the refund counts in both");
    assert_eq!(shown.body["largest"].as_array().unwrap().len(), 3);
    let first = shown.text("/largest/0/conversion_id");
    assert_eq!(shop.merchant.get(&format!("/conversions/{first}")).await.status, 200);
    assert_eq!(
        (shown.text("/largest/0/partner_id"), shown.text("/largest/0/reason")),
        (shop.partner.clone(), "ok".into())
    );
    assert_eq!(
        (shown.number("/program/commission/rate_bps"), shown.text("/program/name")),
        (3_000, "P".into())
    );
    assert_eq!((shown.number("/days"), &shown.body["is_limited"]), (90, &json!(false)));

    assert_eq!(counts(&shop.previews(percent(10)).await), [3, 0, 3, 0, 0, 0]);
    assert_eq!(counts(&shop.previews(json!({})).await), [3, 0, 0, 0, 3, 0]);
    assert_eq!(counts(&shop.previews(json!({ "status": "archived" })).await), [3, 0, 0, 3, 0, 0]);
    let yen =
        json!({ "commission": { "type": "fixed", "amount_minor": 500, "currency": "jpy" }, "name": "Q" });
    let shown = shop.previews(yen).await;
    assert_eq!(counts(&shown), [3, 0, 0, 0, 0, 3]);
    assert_eq!(shown.body["currencies"].as_array().unwrap().len(), 3);
    let euros = shown.body["currencies"][0]["preview_minor"].clone();
    assert_eq!(euros, json!(0), "nothing in the old currency");

    let after = (
        shop.net().await,
        shop.merchant.get("/activity").await.body,
        shop.merchant.get("/attributions").await.number("/meta/total"),
        shop.merchant.get(&format!("/programs/{}", shop.program)).await.body,
    );
    assert_eq!(after, before, "nothing is written");
}

#[tokio::test]
async fn the_terms_apply_as_if_they_had_always_been_in_force() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "attribution_window_days": 0, "hold_days": { "sale": 0 } })).await;
    let by_click = json!({ "metadata": { "tracClickId": shop.click }, "created": START });
    assert_eq!(
        shop.deliver_object("invoice.paid", 0, invoice("in_1", by_click)).await,
        "skipped click_expired"
    );
    app.trac.clock.advance(30 * DAY);
    let renewal = invoice("in_2", json!({ "created": START + 30 * DAY }));
    shop.deliver_object("invoice.paid", 30 * DAY, renewal).await;
    app.trac.clock.advance(10 * DAY);
    // A longer window would have credited the first payment, and the second with it.
    let shown = shop.previews(json!({ "attribution_window_days": 30 })).await;
    assert_eq!(counts(&shown), [2, 2, 0, 0, 0, 0]);
    assert_eq!(shown.number("/currencies/0/preview_minor"), 2_000);
    // The first payment of a subscription is the first one, also if it is older than the days asked for.
    let first = json!({ "attribution_window_days": 30, "recurring": "first_payment", "days": 30 });
    let shown = shop.previews(first).await;
    assert_eq!(counts(&shown), [1, 0, 0, 0, 1, 0]);
    assert_eq!(counts(&shop.previews(json!({ "days": 1 })).await), [0; 6]);
}

#[tokio::test]
async fn a_commission_that_was_paid_out_and_one_of_a_replay_are_compared_like_others() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "hold_days": { "sale": 0 } })).await;
    shop.sells_to(0, 1, "usd").await;
    let payout = json!({ "partner_id": shop.partner, "currency": "usd" });
    assert_eq!(shop.merchant.post("/payouts", payout).await.status, 201);
    app.trac.clock.advance(60);
    shop.sells_to(60, 2, "usd").await;
    assert_eq!(shop.merchant.patch(&format!("/programs/{}", shop.program), percent(10)).await.status, 200);
    let replay = "/events/evt_checkout.session.completed_60_cs_2/replay?rules=now";
    assert_eq!(shop.merchant.post(replay, json!({})).await.number("/changes/0/after/net_minor"), 1_000);
    let shown = shop.previews(percent(50)).await;
    assert_eq!(counts(&shown), [2, 2, 0, 0, 0, 0]);
    assert_eq!(
        (shown.number("/currencies/0/booked_minor"), shown.number("/currencies/0/preview_minor")),
        (3_000, 10_000)
    );
    assert_eq!(shop.net().await, 3_000);
}

#[tokio::test]
async fn wrong_input_and_other_programs_are_refused() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let (other, live) = app.both_modes().await;
    let path = format!("/programs/{}/preview", shop.program);
    for stranger in [&other, &live] {
        assert_eq!(stranger.post(&path, percent(30)).await.code(), (404, "NOT_FOUND".to_owned()));
    }
    assert_eq!(
        shop.merchant.post("/programs/prog_0/preview", json!({})).await.code(),
        (404, "NOT_FOUND".to_owned())
    );
    let check = async |body: Value, field: &str| {
        let refused = shop.merchant.post(&path, body.clone()).await;
        assert_eq!(refused.code(), (422, "VALIDATION_FAILED".to_owned()), "{body}");
        assert!(refused.body["error"]["fields"].get(field).is_some(), "{body}: {}", refused.body);
    };
    check(json!({ "days": 0 }), "days").await;
    check(json!({ "days": 366 }), "days").await;
    check(json!({ "days": "90" }), "days").await;
    check(json!({ "commission": { "type": "percentage", "rate_bps": 10_001 } }), "commission.rate_bps").await;
    check(json!({ "name": "" }), "name").await;
    check(json!({ "lead_amount_minor": 5 }), "lead_currency").await;
    check(json!({ "unknown": 1 }), "unknown").await;
}

#[tokio::test]
async fn only_the_ten_largest_differences_are_named() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    for number in 1..=12 {
        let (at, amount) = (i64::from(number), i64::from(number) * 1_000);
        let session = json!({ "id": format!("cs_{number}"), "payment_intent": format!("pi_{number}"),
            "customer": format!("cus_{number}"), "created": START + at, "amount_total": amount });
        let session = shop.session(session);
        assert_eq!(shop.deliver_object("checkout.session.completed", at, session).await, "processed ok");
    }
    let shown = shop.previews(percent(10)).await;
    assert_eq!(counts(&shown), [12, 0, 12, 0, 0, 0]);
    let named: Vec<_> = shown.body["largest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["difference_minor"].as_i64().unwrap())
        .collect();
    assert_eq!(named, (3..=12).rev().map(|number| number * -100).collect::<Vec<_>>());
}
