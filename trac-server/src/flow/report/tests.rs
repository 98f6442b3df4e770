use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::app::{Answer, App, START};
use crate::testing::shop::{DAY, Shop, charge, with};

async fn claim(shop: &Shop<'_>, change: Value) -> Answer {
    let body = json!({ "eventName": "Purchase", "customerExternalId": "user_1", "clickId": shop.click,
        "amount": 5_000, "currency": "USD", "externalTransactionId": "order 1" });
    let request =
        Request::post("/api/track/conversion").header("x-publishable-key", &shop.merchant.publishable_key);
    shop.app.send(request.body(Body::from(with(body, change).to_string())).unwrap()).await
}

fn sale(change: Value) -> Value {
    with(
        json!({ "external_transaction_id": "order 1", "event_type": "purchase", "amount_cents": 5_000,
            "currency": "usd" }),
        change,
    )
}

#[tokio::test]
async fn a_reported_conversion_earns_once() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let by_click = sale(json!({ "click_id": shop.click, "occurred_at": "2026-11-21T07:30:00Z" }));
    let first = shop.merchant.post("/conversions", by_click.clone()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let row = &first.body;
    let summary =
        json!([row["attributed"], row["reason"], row["rule"], row["amount_minor"], row["occurred_at"]]);
    assert_eq!(summary, json!([true, "ok", "report", 5_000, "2026-11-21T07:30:00Z"]));
    assert_eq!(row["external_transaction_id"], "order 1");
    assert_eq!(shop.net().await, 1_000);

    let again = shop.merchant.post("/conversions", with(by_click, json!({ "amount_cents": 1 }))).await;
    assert_eq!(again.code(), (409, "CONVERSION_DUPLICATE".to_owned()));
    assert_eq!(again.text("/error/conversion_id"), first.text("/id"));
    assert_eq!(shop.net().await, 1_000);
    let found = shop.merchant.get(&format!("/conversions/{}", first.text("/id"))).await;
    assert_eq!(found.body, first.body);
}

#[tokio::test]
async fn a_promo_code_credits_its_partner() {
    let check = async |change: Value, want: Value| {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        let codes = json!({ "promotion_codes": ["promo_1", "ada20"] });
        assert_eq!(
            shop.merchant.patch(&format!("/enrollments/{}", shop.enrollment), codes).await.status,
            200
        );
        let answer = shop.merchant.post("/conversions", sale(change)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(json!([answer.body["attributed"], answer.body["reason"]]), want);
        let partners = shop.merchant.get("/commissions").await.column("partner_id");
        assert_eq!(partners, if want[0] == true { vec![json!(shop.partner)] } else { vec![] });
    };
    check(json!({ "promo_code": "ada" }), json!([true, "ok"])).await;
    check(json!({ "promo_code": "ADA" }), json!([true, "ok"])).await;
    check(json!({ "promo_code": "Ada20" }), json!([true, "ok"])).await;
    check(json!({ "promo_code": "promo_1" }), json!([true, "ok"])).await;
    check(json!({ "promo_code": "PROMO_1" }), json!([false, "no_attribution_yet"])).await;
    check(json!({ "promo_code": "SUMMER20" }), json!([false, "no_attribution_yet"])).await;
    check(json!({}), json!([false, "no_attribution_yet"])).await;
}

#[tokio::test]
async fn stripes_amount_wins_whichever_comes_first() {
    for report_first in [true, false] {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        let report = async || {
            let by_click = sale(json!({ "external_transaction_id": "pi_1", "click_id": shop.click }));
            shop.merchant.make("/conversions", by_click).await
        };
        let pay = async || {
            let session = shop.session(json!({ "metadata": {} }));
            shop.deliver_object("checkout.session.completed", 0, session).await
        };
        let id = if report_first {
            let id = report().await;
            assert_eq!(shop.net().await, 1_000);
            assert_eq!(pay().await, "processed ok");
            id
        } else {
            assert_eq!(pay().await, "deferred no_attribution_yet");
            report().await
        };
        assert_eq!(shop.net().await, 2_000, "a fifth of the session's 100.00");
        let conversion = shop.merchant.get(&format!("/conversions/{id}")).await;
        assert_eq!(conversion.number("/amount_minor"), 10_000);
        assert_eq!(shop.merchant.get("/conversions").await.number("/meta/total"), 1);
        assert_eq!(shop.merchant.get("/events").await.text("/data/0/outcome"), "processed");
        assert_eq!(
            shop.deliver_object("charge.refunded", 9, charge(5_000, json!({}))).await,
            "processed refund_partial"
        );
        assert_eq!(shop.net().await, 1_000);
    }
}

#[tokio::test]
async fn a_returned_id_still_finds_the_conversion_after_payments_are_joined() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let event = shop.session(json!({ "payment_intent": null, "metadata": {} }));
    shop.deliver_object("checkout.session.completed", 0, event.clone()).await;
    let by_click = sale(json!({ "external_transaction_id": "pi_1", "click_id": shop.click }));
    let id = shop.merchant.make("/conversions", by_click.clone()).await;
    assert_eq!(shop.merchant.get("/conversions").await.number("/meta/total"), 2);
    // The session now names its PaymentIntent: both are one payment, and the older row stays.
    let event = with(event, json!({ "payment_intent": "pi_1" }));
    shop.deliver_object("checkout.session.async_payment_succeeded", 9, event).await;
    assert_eq!(shop.merchant.get("/conversions").await.number("/meta/total"), 1);
    let found = shop.merchant.get(&format!("/conversions/{id}")).await;
    assert_eq!(found.number("/amount_minor"), 10_000);
    assert_eq!(shop.merchant.post("/conversions", by_click).await.text("/error/conversion_id"), id);
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn a_repeat_by_the_merchant_adds_what_the_first_report_lacked() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let bare = json!({ "external_transaction_id": "order 1", "event_type": "purchase" });
    let first = shop.merchant.post("/conversions", bare.clone()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let repeat = async |change: Value| shop.merchant.post("/conversions", with(bare.clone(), change)).await;
    let amount = json!({ "amount_cents": 5_000, "currency": "usd" });
    let completed = repeat(amount.clone()).await;
    let summary = json!([completed.text("/id"), completed.body["amount_minor"], completed.body["reason"]]);
    assert_eq!(
        (completed.status.as_u16(), summary),
        (200, json!([first.text("/id"), 5_000, "no_attribution_yet"]))
    );
    assert_eq!(repeat(json!({ "click_id": shop.click })).await.text("/reason"), "ok");
    assert_eq!(shop.net().await, 1_000);
    // The values of the first report do not change.
    assert_eq!(repeat(with(amount, json!({ "amount_cents": 9_000 }))).await.status, 409);
    assert_eq!(repeat(json!({ "click_id": "clk_1763712000_00000000000000ff" })).await.status, 409);
    assert_eq!(shop.net().await, 1_000);
}

#[tokio::test]
async fn a_report_of_a_charge_that_may_be_another_payment_is_recorded() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let own = json!({ "customer": "cus_1", "payment_intent": null, "metadata": {}, "amount_total": 1_000 });
    for id in ["cs_1", "cs_2"] {
        let session = shop.session(with(own.clone(), json!({ "id": id })));
        shop.deliver_object("checkout.session.completed", 0, session).await;
    }
    let bare = json!({ "id": "ch_9", "customer": "cus_1", "payment_intent": null, "amount": 1_000, "amount_captured": 1_000,
        "captured": true });
    assert_eq!(
        shop.deliver_object("charge.succeeded", 1, charge(0, bare)).await,
        "deferred payment_unlinked"
    );
    let by_page = json!({ "externalTransactionId": "ch_9" });
    for status in [201, 200] {
        let claimed = claim(&shop, by_page.clone()).await;
        assert_eq!(
            (claimed.status.as_u16(), claimed.text("/reason")),
            (status, "client_reported".to_owned())
        );
    }
    let report =
        sale(json!({ "external_transaction_id": "ch_9", "click_id": shop.click, "amount_cents": 1_000 }));
    let reported = shop.merchant.post("/conversions", report).await;
    assert_eq!((reported.status.as_u16(), reported.text("/reason")), (201, "payment_unlinked".to_owned()));
    let found = shop.merchant.get(&format!("/conversions/{}", reported.text("/id"))).await;
    assert_eq!(found.text("/stripe/charge"), "ch_9");
    assert_eq!(sums(&shop).await[1], json!(0), "money that may be another payment's is not revenue");
}

#[tokio::test]
async fn a_claim_does_not_hide_other_claims() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let bob = shop.merchant.make("/partners", json!({ "name": "Bob" })).await;
    let enrolled = json!({ "program_id": shop.program, "partner_id": bob });
    shop.merchant.make("/enrollments", enrolled.clone()).await;
    let other = shop.merchant.make("/clicks", enrolled.clone()).await;
    let another = shop.merchant.make("/clicks", enrolled).await;
    // An unknown click is ignored, and each click claims a transaction once.
    for n in 0..30 {
        let unknown = json!({ "clickId": format!("clk_1763712000_{n:016x}"), "amount": 1 });
        assert_eq!(claim(&shop, unknown).await.status, if n == 0 { 201 } else { 200 });
    }
    let first = claim(&shop, json!({ "clickId": other, "amount": 900 })).await;
    let repeat = claim(&shop, json!({ "clickId": another, "amount": 90_000 })).await;
    let own = claim(&shop, json!({})).await;
    assert_eq!((first.status.as_u16(), repeat.status.as_u16(), own.status.as_u16()), (201, 201, 201));
    assert_eq!((own.text("/id"), repeat.text("/id")), (first.text("/id"), first.text("/id")));
    // A page gets no information about a click that it did not name.
    assert_eq!(own.body["click_id"], Value::Null);
    let path = format!("/conversions/{}", first.text("/id"));
    let claims = shop.merchant.get(&path).await.body["claims"].clone();
    let shown: Vec<_> =
        claims.as_array().unwrap().iter().map(|one| json!([one["click_id"], one["amount_minor"]])).collect();
    let want = [json!([null, 1]), json!([other, 900]), json!([another, 90_000]), json!([shop.click, 5_000])];
    assert_eq!(shown, want);
    let judge = async |change: Value| shop.merchant.patch(&path, change).await;
    let ambiguous = judge(json!({ "status": "approved" })).await;
    assert_eq!(ambiguous.code(), (422, "VALIDATION_FAILED".to_owned()));
    assert_eq!(judge(json!({ "status": "approved", "click_id": "clk_1" })).await.status, 422);
    assert_eq!(judge(json!({ "click_id": shop.click })).await.status, 422);
    // One claim is rejected, and one is approved, with its own amount.
    judge(json!({ "status": "rejected", "click_id": other })).await;
    let rejected = judge(json!({ "status": "rejected", "click_id": another })).await;
    assert_eq!((rejected.text("/click_id"), rejected.number("/amount_minor")), (shop.click.clone(), 5_000));
    let approved = judge(json!({ "status": "approved", "click_id": shop.click })).await;
    assert_eq!((approved.text("/click_id"), approved.text("/reason")), (shop.click.clone(), "ok".to_owned()));
    assert_eq!(shop.net().await, 1_000);
}

#[tokio::test]
async fn approving_a_claim_of_a_credited_payment_requires_its_click_id() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let bob = shop.merchant.make("/partners", json!({ "name": "Bob" })).await;
    let enrolled = json!({ "program_id": shop.program, "partner_id": bob });
    shop.merchant.make("/enrollments", enrolled.clone()).await;
    let other = shop.merchant.make("/clicks", enrolled).await;
    let of_customer = |id: &str, more: Value| {
        shop.session(with(
            json!({ "id": id, "payment_intent": format!("pi_{id}"), "customer": "cus_1" }),
            more,
        ))
    };
    shop.deliver_object("checkout.session.completed", 0, of_customer("cs_1", json!({}))).await;
    let later = of_customer("cs_2", json!({ "metadata": {} }));
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 60, later).await,
        "processed ok_customer_lookup"
    );
    claim(&shop, json!({ "clickId": other, "externalTransactionId": "cs_2" })).await;
    let approved = shop.merchant.patch("/conversions/cs_2", json!({ "status": "approved" })).await;
    assert_eq!(approved.code(), (422, "VALIDATION_FAILED".to_owned()));
    assert!(approved.text("/error/fields/click_id").contains(&shop.click), "{}", approved.body);
    let partners = shop.merchant.get("/commissions").await.column("partner_id");
    assert_eq!(partners, [json!(shop.partner), json!(shop.partner)]);
}

#[tokio::test]
async fn a_report_of_a_payment_known_only_from_a_dispute_is_recorded() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let dispute = json!({ "id": "dp_1", "charge": null, "payment_intent": "pi_1", "amount": 500, "currency": "usd",
        "status": "needs_response" });
    shop.deliver_object("charge.dispute.created", 0, dispute).await;
    let report =
        json!({ "external_transaction_id": "pi_1", "event_type": "sale", "customer_external_id": "user_1" });
    let reported = shop.merchant.post("/conversions", report).await;
    assert_eq!(reported.status, 201, "{}", reported.body);
    assert_eq!(shop.merchant.get("/conversions/pi_1").await.text("/id"), reported.text("/id"));
}

#[tokio::test]
async fn a_claim_is_held_until_the_merchant_approves_it() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "hold_days": { "sale": 0 } })).await;
    let claimed = claim(&shop, json!({})).await;
    assert_eq!(claimed.status, 201, "{}", claimed.body);
    assert_eq!(claimed.text("/reason"), "client_reported");
    let names: Vec<_> = claimed.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["attributed", "click_id", "commission_id", "id", "reason"]);
    let row = async || {
        let row = shop.merchant.get("/commissions").await;
        json!([
            row.body["data"][0]["status"],
            row.body["data"][0]["reason"],
            row.body["data"][0]["net_minor"]
        ])
    };
    assert_eq!(row().await, json!(["held", "client_reported", 1_000]));
    assert_eq!(sums(&shop).await, json!([[0, 1_000, 0], 0, []]));
    app.trac.clock.advance(100 * DAY);
    assert_eq!(row().await, json!(["held", "client_reported", 1_000]));
    assert_eq!(sums(&shop).await, json!([[0, 1_000, 0], 0, []]));
    let payout = json!({ "partner_id": shop.partner, "currency": "usd" });
    assert_eq!(shop.merchant.post("/payouts", payout).await.status, 422);
    let again = claim(&shop, json!({ "amount": 9_000_000 })).await;
    assert_eq!((again.status.as_u16(), again.text("/id")), (200, claimed.text("/id")));

    let path = format!("/conversions/{}", claimed.text("/id"));
    let judge = async |status: &str| shop.merchant.patch(&path, json!({ "status": status })).await.status;
    assert_eq!(judge("rejected").await, 200);
    assert_eq!(row().await, json!(["reversed", "rejected_by_merchant", 0]));
    let rejected = shop.merchant.get(&path).await;
    assert_eq!(
        (rejected.text("/reason"), &rejected.body["attributed"]),
        ("rejected_by_merchant".to_owned(), &json!(false))
    );
    assert_eq!(sums(&shop).await, json!([[0, 0, 0], 0, []]));
    assert_eq!(judge("approved").await, 200);
    assert_eq!(row().await, json!(["approved", "ok", 1_000]));
    assert_eq!(sums(&shop).await, json!([[0, 0, 1_000], 1, [5_000]]));
}

/// The only partner's `[pending, claimed, owed]`; then the sales and the revenue of the day on which the
/// tests begin.
async fn sums(shop: &Shop<'_>) -> Value {
    let balance = shop.merchant.get("/balances").await;
    let balance = ["/data/0/pending_minor", "/data/0/claimed_minor", "/data/0/owed_minor"]
        .map(|sum| balance.body.pointer(sum).cloned().unwrap_or_default());
    let day = shop.merchant.get("/analytics?start=2026-11-21&end=2026-11-21").await;
    let revenue = day.body["revenue"].as_array().unwrap();
    let revenue: Vec<_> = revenue.iter().map(|one| one["amount_minor"].clone()).collect();
    json!([balance, day.body["sales"], revenue])
}

#[tokio::test]
async fn a_claim_is_not_revenue_until_it_is_approved() {
    for terms in [json!({}), json!({ "commission": { "type": "percentage", "rate_bps": 0 } })] {
        let app = App::new();
        let shop = Shop::open(&app, terms).await;
        let id = claim(&shop, json!({ "amount": 90_000 })).await.text("/id");
        let held = sums(&shop).await;
        assert_eq!(json!([held[1], held[2]]), json!([0, []]), "{held}");
        assert_eq!(
            shop.merchant.patch(&format!("/conversions/{id}"), json!({ "status": "approved" })).await.status,
            200
        );
        let approved = sums(&shop).await;
        assert_eq!(json!([approved[1], approved[2]]), json!([1, [90_000]]), "{approved}");
    }
}

#[tokio::test]
async fn a_claim_of_a_known_payment_takes_stripes_amount_and_stays_held() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    claim(&shop, json!({ "externalTransactionId": "cs_1", "amount": 9_000_000 })).await;
    assert_eq!(shop.merchant.get("/commissions").await.text("/data/0/status"), "held");
    let session = shop.session(json!({ "metadata": {} }));
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, session).await,
        "processed client_reported"
    );
    let status = async || shop.merchant.get("/commissions").await.column("status");
    assert_eq!(status().await, [json!("held")]);
    assert_eq!(shop.net().await, 2_000);
    // The claimed click is on the payment, too.
    let named = json!({ "id": "pi_1", "metadata": { "tracClickId": shop.click }, "amount_received": 10_000,
        "currency": "usd", "status": "succeeded" });
    shop.deliver_object("payment_intent.succeeded", 1, named).await;
    assert_eq!(status().await, [json!("pending")]);
    assert_eq!(shop.merchant.get("/conversions").await.text("/data/0/reason"), "ok");
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn a_merchant_reports_refunds_of_a_payment_unknown_to_stripe() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let id = shop.merchant.make("/conversions", sale(json!({ "click_id": shop.click }))).await;
    let path = format!("/conversions/{id}");
    let refund = async |amount: i64| shop.merchant.patch(&path, json!({ "refunded_cents": amount })).await;
    assert_eq!(refund(1_250).await.number("/lost_minor"), 1_250);
    assert_eq!(refund(1_250).await.status, 200);
    assert_eq!(shop.net().await, 750);
    assert_eq!(refund(1_000).await.code(), (422, "VALIDATION_FAILED".to_owned()));
    assert_eq!(refund(5_001).await.status, 422);
    assert_eq!(refund(5_000).await.status, 200);
    assert_eq!(shop.net().await, 0);
    let judged = shop.merchant.patch(&path, json!({ "status": "approved" })).await;
    assert_eq!(judged.code(), (409, "NOT_A_CLAIM".to_owned()));
    let by_stripe = sale(json!({ "external_transaction_id": "cs_1" }));
    let id = shop.merchant.make("/conversions", by_stripe).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let refunded = shop.merchant.patch(&format!("/conversions/{id}"), json!({ "refunded_cents": 1 })).await;
    assert_eq!(refunded.code(), (409, "TOLD_BY_STRIPE".to_owned()));
}

#[tokio::test]
async fn the_error_for_a_conversion_names_its_invalid_fields() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let check = async |body: Value, want: &[&str]| {
        let answer = shop.merchant.post("/conversions", body).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        let fields = answer.body["error"]["fields"].as_object().unwrap();
        assert_eq!(fields.keys().map(String::as_str).collect::<Vec<_>>(), want);
    };
    check(json!({}), &["event_type", "external_transaction_id"]).await;
    check(sale(json!({ "currency": null })), &["currency"]).await;
    check(sale(json!({ "amount_cents": -1 })), &["amount_cents"]).await;
    check(sale(json!({ "amount_cents": 1.5 })), &["amount_cents"]).await;
    check(sale(json!({ "external_transaction_id": "x".repeat(256) })), &["external_transaction_id"]).await;
    check(sale(json!({ "event_type": "x".repeat(101) })), &["event_type"]).await;
    check(sale(json!({ "occurred_at": "2026-11-22T08:00:00Z", "x": 1 })), &["occurred_at", "x"]).await;
    assert_eq!(claim(&shop, json!({ "amount": null })).await.status, 422);
    assert_eq!(shop.merchant.get("/conversions").await.number("/meta/total"), 0);
}

#[tokio::test]
async fn a_customer_known_by_a_lead_converts_without_a_click() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let lead = json!({ "eventName": "Sign up", "customerExternalId": "user_1", "clickId": shop.click });
    let request =
        Request::post("/api/track/lead").header("x-publishable-key", &shop.merchant.publishable_key);
    app.send(request.body(Body::from(lead.to_string())).unwrap()).await;
    app.trac.clock.advance(60);
    assert!(app.trac.clock.now().unix_secs() > START);
    let reported =
        shop.merchant.post("/conversions", sale(json!({ "customer_external_id": "user_1" }))).await;
    assert_eq!(reported.text("/reason"), "ok_customer_lookup");
    assert_eq!(shop.net().await, 1_000);
}
