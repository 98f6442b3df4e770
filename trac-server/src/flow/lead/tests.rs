use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::test_app::{Answer, App, Merchant};
use crate::test_shop::{DAY, Shop, with};

/// Calls with a publishable key, as a page does.
async fn tell(app: &App, merchant: &Merchant<'_>, body: Value) -> Answer {
    let request = Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn sends(app: &App, headers: &[(&str, &str)], body: &Value) -> Answer {
    let request = Request::post("/api/track/lead");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn sign_up(change: Value) -> Value {
    with(json!({ "eventName": "Sign up", "customerExternalId": "user_1" }), change)
}

fn paying_leads() -> Value {
    json!({ "lead_amount_minor": 300, "lead_currency": "usd" })
}

#[tokio::test]
async fn a_lead_earns_waits_three_days_and_is_told_once() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let told = sign_up(
        json!({ "clickId": shop.click, "customerEmail": "bob@example.com", "metadata": { "plan": "pro" } }),
    );
    let first = tell(&app, &shop.merchant, told.clone()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let commission = first.text("/commission_id");
    let want = json!({ "id": first.text("/id"), "attributed": true, "reason": "ok", "click_id": shop.click,
        "commission_id": commission });
    assert_eq!(first.body, want);
    let again = tell(&app, &shop.merchant, told).await;
    assert_eq!((again.status.as_u16(), again.body), (200, want));

    let row = shop.merchant.get(&format!("/commissions/{commission}")).await.body;
    assert_eq!(
        json!([row["source"], row["status"], row["net_minor"], row["currency"], row["matures_at"]]),
        json!(["lead", "pending", 300, "usd", "2026-11-24T08:00:00Z"])
    );
    app.trac.clock.advance(3 * DAY);
    assert_eq!(shop.merchant.get("/commissions").await.text("/data/0/status"), "approved");
    let conversion = shop.merchant.get("/conversions?source=lead").await;
    assert_eq!(conversion.text("/data/0/commission_id"), commission);
    assert_eq!(conversion.text("/data/0/lead_id"), first.text("/id"));
    let leads = shop.merchant.get("/leads?customer_external_id=user_1").await;
    assert_eq!(leads.text("/data/0/metadata/plan"), "pro");
    let customers = shop.merchant.get("/customers").await;
    assert_eq!(customers.number("/meta/total"), 1);
    assert_eq!(customers.text("/data/0/email"), "bob@example.com");
}

#[tokio::test]
async fn a_lead_that_earns_nothing_is_kept_with_its_reason() {
    let check = async |terms: Value, change: Value, want: Value| {
        let app = App::new();
        let shop = Shop::open(&app, terms).await;
        let answer =
            tell(&app, &shop.merchant, sign_up(with(json!({ "clickId": shop.click }), change))).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(json!([answer.body["attributed"], answer.body["reason"]]), want);
        assert_eq!(answer.body["commission_id"], Value::Null);
        assert_eq!(shop.merchant.get("/conversions").await.column("reason"), [want[1].clone()]);
    };
    check(json!({}), json!({}), json!([true, "zero_commission"])).await;
    check(paying_leads(), json!({ "clickId": null }), json!([false, "no_click"])).await;
    check(
        paying_leads(),
        json!({ "clickId": "clk_1760000000_0123456789abcdef" }),
        json!([false, "no_click"]),
    )
    .await;
    check(paying_leads(), json!({ "clickId": "<script>" }), json!([false, "no_click"])).await;
    check(paying_leads(), json!({ "customerEmail": "Ada@example.com" }), json!([false, "self_referral"]))
        .await;
    check(with(paying_leads(), json!({ "status": "paused" })), json!({}), json!([false, "program_inactive"]))
        .await;
    check(
        with(paying_leads(), json!({ "attribution_window_days": 0 })),
        json!({}),
        json!([false, "click_expired"]),
    )
    .await;
}

#[tokio::test]
async fn a_deferred_lead_binds_and_counts_when_it_is_told_again() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let deferred = sign_up(json!({ "clickId": shop.click, "mode": "deferred" }));
    let first = tell(&app, &shop.merchant, deferred.clone()).await;
    assert_eq!(first.status, 201);
    assert_eq!(json!([first.body["attributed"], first.body["commission_id"]]), json!([true, null]));
    assert_eq!(tell(&app, &shop.merchant, deferred).await.status, 200);
    assert_eq!(shop.merchant.get("/conversions").await.number("/meta/total"), 0);

    app.trac.clock.advance(60 * DAY);
    let counted = tell(&app, &shop.merchant, sign_up(json!({}))).await;
    assert_eq!((counted.status.as_u16(), counted.text("/id")), (200, first.text("/id")));
    assert_eq!(counted.text("/reason"), "ok");
    let other = tell(&app, &shop.merchant, sign_up(json!({ "eventName": "Trial" }))).await;
    assert_eq!((other.status.as_u16(), other.text("/reason")), (201, "ok_customer_lookup".to_owned()));
    assert_eq!(shop.net().await, 600);
}

#[tokio::test]
async fn a_customer_bound_by_a_lead_buys_on_another_device() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    tell(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
    app.trac.clock.advance(DAY);
    let session = |change: Value| {
        shop.session(with(
            json!({ "metadata": { "tracCustomerExternalId": "user_1" }, "customer": "cus_1" }),
            change,
        ))
    };
    let told = shop.told("checkout.session.completed", DAY, session(json!({}))).await;
    assert_eq!((told.as_str(), shop.net().await), ("processed ok_customer_lookup", 2_000));
    // Another payment of the same Stripe customer, whom only the first named.
    let plain = session(json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {} }));
    assert_eq!(shop.told("checkout.session.completed", DAY + 9, plain).await, "processed ok_customer_lookup");
    let customers = shop.merchant.get("/customers").await;
    assert_eq!(customers.column("id"), [json!("user_1")]);
    assert_eq!(customers.text("/data/0/stripe_customer_id"), "cus_1");
}

#[tokio::test]
async fn a_lead_that_is_told_after_the_payment_it_precedes_settles_nothing_before_it() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    app.trac.clock.advance(DAY);
    let session = |at: i64| {
        shop.session(json!({ "metadata": { "tracCustomerExternalId": "user_1" }, "created": crate::test_app::START + at }))
    };
    // The event says the payment is of a second later than the lead will be: clocks differ, and Stripe is quick.
    assert_eq!(
        shop.told("checkout.session.completed", DAY + 1, session(DAY + 1)).await,
        "deferred no_attribution_yet"
    );
    let lead = tell(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
    assert_eq!(shop.net().await, 2_000);
    let event = shop.merchant.get("/events").await;
    assert_eq!(event.text("/data/0/reason"), "ok_customer_lookup");
    assert_eq!(event.text("/data/0/settled_by"), lead.text("/id"));
}

#[tokio::test]
async fn a_workspace_id_means_live_unless_the_mode_is_named() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let check = async |headers: &[(&str, &str)], want: u16| {
        let answer = sends(&app, headers, &sign_up(json!({}))).await;
        assert_eq!(answer.status, want, "{headers:?}: {}", answer.body);
    };
    check(&[("x-workspace-id", &live.workspace_id)], 201).await;
    assert_eq!(live.get("/leads").await.number("/meta/total"), 1);
    assert_eq!(test.get("/leads").await.number("/meta/total"), 0);
    check(&[("x-workspace-id", &test.workspace_id), ("x-trac-mode", "test")], 201).await;
    check(&[("x-workspace-id", &test.workspace_id), ("x-trac-mode", "prod")], 422).await;
    check(&[("x-publishable-key", &test.publishable_key)], 200).await;
    check(&[("authorization", &format!("Bearer {}", test.key))], 200).await;
    // A template with nothing to fill in shows nothing.
    check(&[("x-workspace-id", &live.workspace_id), ("x-publishable-key", ""), ("x-trac-mode", " ")], 200)
        .await;
    check(&[("x-workspace-id", ""), ("x-publishable-key", "")], 401).await;
    check(&[("x-workspace-id", "ws_unknown")], 401).await;
    check(&[("x-publishable-key", &test.key)], 401).await;
    check(&[("authorization", &format!("Bearer {}", test.publishable_key))], 401).await;
    check(&[], 401).await;
}

#[tokio::test]
async fn a_lead_says_which_of_its_fields_are_wrong() {
    let app = App::new();
    let merchant = app.merchant().await;
    let answer =
        tell(&app, &merchant, json!({ "eventName": "", "mode": "later", "metadata": [], "x": 1 })).await;
    assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()));
    let fields = answer.body["error"]["fields"].as_object().unwrap();
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["customerExternalId", "eventName", "metadata", "mode", "x"]);
    assert_eq!(tell(&app, &merchant, json!([])).await.status, 400);
    let by_number = tell(&app, &merchant, sign_up(json!({ "customerExternalId": 17 }))).await;
    assert_eq!(by_number.status, 201);
    assert_eq!(merchant.get("/leads").await.text("/data/0/customer_external_id"), "17");
}

#[tokio::test]
async fn the_lead_after_a_thousand_within_a_minute_is_refused() {
    let app = App::new();
    let merchant = app.merchant().await;
    for _ in 0..1_000 {
        assert!(tell(&app, &merchant, sign_up(json!({}))).await.status.is_success());
    }
    let refused = tell(&app, &merchant, sign_up(json!({}))).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "60"));
    app.trac.clock.advance(60);
    assert_eq!(tell(&app, &merchant, sign_up(json!({}))).await.status, 200);
}

#[tokio::test]
async fn a_page_of_any_origin_may_tell_a_lead() {
    let app = App::new();
    let preflight = Request::options("/api/track/lead")
        .header("origin", "https://shop.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-publishable-key");
    let answer = app.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(answer.header("access-control-allow-headers"), "*");
}

#[tokio::test]
async fn a_customer_has_two_hundred_leads_at_most_and_five_hundred_of_anything_that_pages_tell() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let lead = |n: usize| sign_up(json!({ "eventName": format!("Event {n}"), "clickId": shop.click }));
    for n in 0..200 {
        assert_eq!(tell(&app, &shop.merchant, lead(n)).await.status, 201, "{n}");
    }
    let refused = tell(&app, &shop.merchant, lead(200)).await;
    assert_eq!(refused.code(), (422, "VALIDATION_FAILED".to_owned()));
    assert!(refused.body["error"]["fields"]["eventName"].is_string(), "{}", refused.body);
    assert_eq!(tell(&app, &shop.merchant, lead(7)).await.status, 200, "a repeat is answered as ever");
    let other = sign_up(json!({ "customerExternalId": "user_2" }));
    assert_eq!(tell(&app, &shop.merchant, other).await.status, 201, "another customer is no worse off");
    let secret = format!("Bearer {}", shop.merchant.key);
    let by_server = sends(&app, &[("authorization", &secret)], &lead(200)).await;
    assert_eq!(by_server.status, 201, "the merchant's own server may tell more: {}", by_server.body);

    let (ws, customer) = (&shop.merchant.workspace_id, "user_1");
    app.rows(format!(
        "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 298) \
         INSERT INTO external_customer SELECT '{ws}', 'test', '{customer}', 'pay_' || n FROM n"
    ))
    .await;
    let claim = |n: usize| {
        json!({ "externalTransactionId": format!("order {n}"), "amount": 100, "currency": "usd",
            "customerExternalId": customer })
    };
    let claims = async |n: usize| {
        let request = Request::post("/api/track/conversion")
            .header("x-publishable-key", &shop.merchant.publishable_key)
            .body(Body::from(claim(n).to_string()));
        app.send(request.unwrap()).await
    };
    assert_eq!(claims(1).await.status, 201);
    assert_eq!(claims(2).await.code(), (422, "VALIDATION_FAILED".to_owned()));
    assert_eq!(claims(1).await.status, 200);
}

#[tokio::test]
async fn the_merchants_latest_word_of_a_lead_is_kept() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let lead = tell(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await.text("/id");
    let path = format!("/leads/{lead}");
    assert_eq!(shop.merchant.get(&path).await.body["status"], Value::Null);
    // Within one second the later word holds too.
    for status in ["approved", "rejected", "approved", "rejected"] {
        let judged = shop.merchant.patch(&path, json!({ "status": status })).await;
        assert_eq!(
            (judged.status.as_u16(), judged.text("/status").as_str()),
            (200, status),
            "{}",
            judged.body
        );
        assert_eq!(shop.merchant.get(&path).await.body, judged.body);
    }
    // A lead is a conversion too, and can be judged as one.
    let conversion = shop.merchant.get(&path).await.text("/conversion_id");
    let judged =
        shop.merchant.patch(&format!("/conversions/{conversion}"), json!({ "status": "approved" })).await;
    assert_eq!((judged.status.as_u16(), judged.text("/lead_id")), (200, lead));
    assert_eq!(shop.merchant.get(&path).await.text("/status"), "approved");

    for body in [json!({}), json!({ "status": "paid" }), json!({ "status": "approved", "colour": "red" })] {
        assert_eq!(shop.merchant.patch(&path, body).await.code(), (422, "VALIDATION_FAILED".to_owned()));
    }
    let unknown = shop.merchant.patch("/leads/lead_none", json!({ "status": "approved" })).await;
    assert_eq!(unknown.code(), (404, "NOT_FOUND".to_owned()));
    let (stranger, _) = app.both_modes().await;
    assert_eq!(stranger.patch(&path, json!({ "status": "rejected" })).await.status, 404);
}
