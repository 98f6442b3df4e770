//! Pages' claims and the merchant's decisions about them: neither affects any other payment.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::app::{Answer, App};
use crate::testing::shop::{Shop, charge, invoice, with};

/// A shop that pays out at once, and a click of a second partner.
async fn two_partners(app: &App, terms: Value) -> (Shop<'_>, String) {
    let terms = with(json!({ "hold_days": { "lead": 0, "sale": 0, "recurring": 0 } }), terms);
    let shop = Shop::open(app, terms).await;
    let bob = shop.merchant.make("/partners", json!({ "name": "Bob" })).await;
    let enrolled = json!({ "program_id": shop.program, "partner_id": bob });
    shop.merchant.make("/enrollments", enrolled.clone()).await;
    let clicked = with(enrolled, json!({ "clicked_at": "2026-11-21T07:00:00Z" }));
    let other = shop.merchant.make("/clicks", clicked).await;
    (shop, other)
}

async fn claim(shop: &Shop<'_>, transaction: &str, click: &str, amount: i64) -> Answer {
    let body = json!({ "externalTransactionId": transaction, "clickId": click, "amount": amount, "currency": "usd" });
    let request = Request::post("/api/track/conversion");
    let request = request.header("x-publishable-key", &shop.merchant.publishable_key);
    shop.app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn judge(shop: &Shop<'_>, transaction: &str, change: Value) -> Answer {
    let named = format!("/conversions?external_transaction_id={}", transaction.replace(' ', "%20"));
    let listed = shop.merchant.get(&named).await;
    shop.merchant.patch(&format!("/conversions/{}", listed.text("/data/0/id")), change).await
}

async fn report(shop: &Shop<'_>, transaction: &str, change: Value) -> Answer {
    let sale = json!({ "external_transaction_id": transaction, "event_type": "sale", "currency": "usd" });
    shop.merchant.post("/conversions", with(sale, change)).await
}

async fn pay(shop: &Shop<'_>, partner: &str) -> i64 {
    let paid = shop.merchant.post("/payouts", json!({ "partner_id": partner, "currency": "usd" })).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    paid.number("/amount_minor")
}

/// Each commission's click, status and net, the oldest first.
async fn commissions(shop: &Shop<'_>) -> Vec<Value> {
    let listed = shop.merchant.get("/commissions").await;
    let rows = listed.body["data"].as_array().unwrap().iter().rev();
    rows.map(|row| json!([row["click_id"], row["status"], row["net_minor"]])).collect()
}

#[tokio::test]
async fn a_claim_of_an_earlier_payment_does_not_start_a_customers_series() {
    for recurring in [json!("first_payment"), json!({ "months": 1 })] {
        let app = App::new();
        let (shop, _) = two_partners(&app, json!({ "recurring": recurring })).await;
        let of_customer = |id: &str, created: i64, metadata: Value| {
            shop.session(json!({ "id": id, "payment_intent": format!("pi_{id}"), "customer": "cus_1",
                "created": created, "metadata": metadata }))
        };
        let start = app.trac.clock.now().unix_secs();
        shop.deliver_object(
            "checkout.session.completed",
            0,
            of_customer("cs_0", start - 40 * 86_400, json!({})),
        )
        .await;
        let lead = json!({ "eventName": "Sign up", "customerExternalId": "user_1", "clickId": shop.click });
        let request =
            Request::post("/api/track/lead").header("authorization", format!("Bearer {}", shop.merchant.key));
        app.send(request.body(Body::from(lead.to_string())).unwrap()).await;
        let named = json!({ "tracCustomerExternalId": "user_1" });
        shop.deliver_object("checkout.session.completed", 1, of_customer("cs_1", start, named)).await;
        app.trac.clock.advance(10);
        let want = [json!([shop.click, "approved", 2_000])];
        assert_eq!(commissions(&shop).await, want);
        claim(&shop, "cs_0", &shop.click, 1).await;
        assert_eq!(commissions(&shop).await.first(), want.first(), "{recurring}");
    }
}

#[tokio::test]
async fn a_claim_of_an_unlinked_refund_does_not_prevent_its_link() {
    let app = App::new();
    let (shop, other) = two_partners(&app, json!({})).await;
    let refund = || {
        charge(
            9_000,
            json!({ "id": "ch_a", "payment_intent": null, "customer": "cus_1", "amount": 9_000, "amount_captured": 9_000 }),
        )
    };
    let bought = invoice(
        "in_1",
        json!({ "metadata": { "tracClickId": shop.click }, "amount_paid": 10_000, "total": 10_000 }),
    );
    shop.deliver_object("invoice.paid", 0, bought).await;
    for click in [&other, &shop.click] {
        claim(&shop, "ch_a", click, 1).await;
    }
    assert_eq!(shop.deliver_object("charge.refunded", 1, refund()).await, "deferred payment_unlinked");
    claim(&shop, "ch_a", &shop.click, 2).await;
    let approved =
        shop.merchant.patch("/conversions/ch_a", json!({ "status": "approved", "click_id": other })).await;
    assert_eq!(approved.code(), (409, "CREDITED_OTHERWISE".to_owned()));
    let event = shop.merchant.get("/events?type=charge.refunded").await.text("/data/0/id");
    let linked = shop.merchant.post(&format!("/events/{event}/link"), json!({ "payment": "in_1" })).await;
    assert_eq!(linked.status, 200, "{}", linked.body);
    assert_eq!(shop.net().await, 200);
}

#[tokio::test]
async fn an_approved_claim_of_an_invoice_credits_no_other_invoice_of_the_subscription() {
    let app = App::new();
    let (shop, other) = two_partners(&app, json!({})).await;
    let at = |id: &str, secs: i64| invoice(id, json!({ "created": app.trac.clock.now().unix_secs() + secs }));
    for (n, id) in ["in_0", "in_1", "in_2"].into_iter().enumerate() {
        let secs = i64::try_from(n).unwrap();
        shop.deliver_object("invoice.paid", secs, at(id, secs)).await;
    }
    app.trac.clock.advance(10);
    claim(&shop, "in_1", &other, 1).await;
    assert_eq!(judge(&shop, "in_1", json!({ "status": "approved" })).await.status, 200);
    assert_eq!(commissions(&shop).await, [json!([other, "approved", 1_000])]);
}

#[tokio::test]
async fn the_merchants_report_takes_precedence_over_claims_in_either_order() {
    for claim_first in [true, false] {
        let app = App::new();
        let (shop, other) = two_partners(&app, json!({})).await;
        if claim_first {
            claim(&shop, "order 1", &other, 900_000).await;
        }
        report(&shop, "order 1", json!({ "amount_cents": 7_000 })).await;
        if !claim_first {
            claim(&shop, "order 1", &other, 900_000).await;
        }
        assert_eq!(
            judge(&shop, "order 1", json!({ "status": "approved" })).await.number("/amount_minor"),
            7_000
        );
        assert_eq!(commissions(&shop).await, [json!([other, "approved", 1_400])]);
        // A claim's refund does not count once the merchant reports the payment, too.
        let refunded = judge(&shop, "order 1", json!({ "refunded_cents": 7_000 })).await;
        assert_eq!(refunded.status, 200, "{}", refunded.body);
        assert_eq!(shop.net().await, 0);
    }
    let app = App::new();
    let (shop, other) = two_partners(&app, json!({})).await;
    claim(&shop, "order 2", &other, 900_000).await;
    judge(&shop, "order 2", json!({ "refunded_cents": 900_000 })).await;
    report(&shop, "order 2", json!({ "amount_cents": 5_000, "click_id": shop.click })).await;
    assert!(commissions(&shop).await.contains(&json!([shop.click, "approved", 1_000])));
}

#[tokio::test]
async fn a_paid_out_commission_keeps_its_amount_when_claims_are_judged() {
    let app = App::new();
    let (shop, other) = two_partners(&app, json!({})).await;
    claim(&shop, "order 1", &shop.click, 5_000).await;
    judge(&shop, "order 1", json!({ "status": "approved" })).await;
    assert_eq!(pay(&shop, &shop.partner).await, 1_000);
    let want = [json!([shop.click, "paid", 1_000])];
    judge(&shop, "order 1", json!({ "status": "rejected" })).await;
    assert_eq!(commissions(&shop).await, want, "it was rejected after it was paid out");
    for amount in [100_000, 1] {
        claim(&shop, "order 1", &other, amount).await;
        let judged = judge(&shop, "order 1", json!({ "status": "approved", "click_id": other })).await;
        assert_eq!(judged.code(), (409, "CREDITED_OTHERWISE".to_owned()));
        assert_eq!(commissions(&shop).await, want, "{amount}");
    }
    report(&shop, "order 1", json!({ "amount_cents": 90_000, "click_id": other })).await;
    assert_eq!(commissions(&shop).await, want, "the merchant's report names another click");
    let refunded = judge(&shop, "order 1", json!({ "refunded_cents": 5_000 })).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    assert_eq!(commissions(&shop).await, [json!([shop.click, "paid", 0])], "a refund takes it back");
}

#[tokio::test]
async fn a_claim_of_a_payment_that_is_credited_otherwise_cannot_be_approved() {
    let app = App::new();
    let (shop, other) = two_partners(&app, json!({})).await;
    report(&shop, "order 1", json!({ "amount_cents": 5_000, "click_id": shop.click })).await;
    claim(&shop, "order 1", &other, 5_000).await;
    let judged = judge(&shop, "order 1", json!({ "status": "approved", "click_id": other })).await;
    assert_eq!(judged.code(), (409, "CREDITED_OTHERWISE".to_owned()));
    let listed = shop.merchant.get("/conversions").await;
    assert_eq!(listed.body["data"][0]["claims"][0]["status"], Value::Null, "nothing was decided");
    // A claim that was approved before the customer was known gives way to the click that the customer is
    // tied to.
    claim(&shop, "cs_9", &other, 1).await;
    judge(&shop, "cs_9", json!({ "status": "approved" })).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({ "customer": "cus_1" }))).await;
    let later = json!({ "id": "cs_9", "payment_intent": "pi_9", "customer": "cus_1", "metadata": {} });
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 60, shop.session(later)).await,
        "processed ok_customer_lookup"
    );
    assert_eq!(shop.net().await, 1_000 + 2_000 + 2_000);
}

#[tokio::test]
async fn a_transaction_is_claimed_once_for_each_click_and_fifty_times_at_most() {
    let app = App::new();
    let (shop, _) = two_partners(&app, json!({})).await;
    let enrolled = json!({ "program_id": shop.program, "partner_id": shop.partner });
    for n in 0..50 {
        let click = shop.merchant.make("/clicks", enrolled.clone()).await;
        assert_eq!(claim(&shop, "order 1", &click, 1).await.status, 201, "{n}");
        assert_eq!(claim(&shop, "order 1", &click, 1).await.status, 200, "{n}");
    }
    assert_eq!(claim(&shop, "order 1", &shop.click, 1).await.code(), (409, "TOO_MANY_CLAIMS".to_owned()));
    let reported = report(&shop, "order 1", json!({ "amount_cents": 5_000, "click_id": shop.click })).await;
    assert_eq!(reported.status, 201, "the merchant's server is not limited");
    assert!(commissions(&shop).await.contains(&json!([shop.click, "approved", 1_000])));
}
