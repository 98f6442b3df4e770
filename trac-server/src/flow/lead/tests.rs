use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::app::{Answer, App, Merchant};
use crate::testing::shop::{DAY, Shop, with};

/// Calls with a publishable key, as a page does.
async fn report_by_page(app: &App, merchant: &Merchant<'_>, body: Value) -> Answer {
    let request = Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Calls with a secret key, as the merchant's server does.
async fn report_by_server(app: &App, merchant: &Merchant<'_>, body: Value) -> Answer {
    send(app, &[("authorization", &format!("Bearer {}", merchant.key))], &body).await
}

async fn send(app: &App, headers: &[(&str, &str)], body: &Value) -> Answer {
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
async fn a_lead_earns_once_and_is_approved_after_three_days() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let body = sign_up(
        json!({ "clickId": shop.click, "customerEmail": "bob@example.com", "metadata": { "plan": "pro" } }),
    );
    let first = report_by_server(&app, &shop.merchant, body.clone()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let commission = first.text("/commission_id");
    let want = json!({ "id": first.text("/id"), "attributed": true, "reason": "ok", "click_id": shop.click,
        "commission_id": commission });
    assert_eq!(first.body, want);
    let again = report_by_server(&app, &shop.merchant, body).await;
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
async fn a_lead_that_earns_nothing_is_recorded_with_its_reason() {
    let check = async |terms: Value, change: Value, want: Value| {
        let app = App::new();
        let shop = Shop::open(&app, terms).await;
        let answer =
            report_by_server(&app, &shop.merchant, sign_up(with(json!({ "clickId": shop.click }), change)))
                .await;
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
async fn a_deferred_lead_binds_and_counts_when_it_is_reported_again() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let deferred = sign_up(json!({ "clickId": shop.click, "mode": "deferred" }));
    let first = report_by_server(&app, &shop.merchant, deferred.clone()).await;
    assert_eq!(first.status, 201);
    assert_eq!(json!([first.body["attributed"], first.body["commission_id"]]), json!([true, null]));
    assert_eq!(report_by_server(&app, &shop.merchant, deferred).await.status, 200);
    assert_eq!(shop.merchant.get("/conversions").await.number("/meta/total"), 0);

    app.trac.clock.advance(60 * DAY);
    let counted = report_by_server(&app, &shop.merchant, sign_up(json!({}))).await;
    assert_eq!((counted.status.as_u16(), counted.text("/id")), (200, first.text("/id")));
    assert_eq!(counted.text("/reason"), "ok");
    let other = report_by_server(&app, &shop.merchant, sign_up(json!({ "eventName": "Trial" }))).await;
    assert_eq!((other.status.as_u16(), other.text("/reason")), (201, "ok_customer_lookup".to_owned()));
    assert_eq!(shop.net().await, 600);
}

#[tokio::test]
async fn a_customer_bound_by_a_lead_buys_on_another_device() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
    app.trac.clock.advance(DAY);
    let session = |change: Value| {
        shop.session(with(
            json!({ "metadata": { "tracCustomerExternalId": "user_1" }, "customer": "cus_1" }),
            change,
        ))
    };
    let outcome = shop.deliver_object("checkout.session.completed", DAY, session(json!({}))).await;
    assert_eq!((outcome.as_str(), shop.net().await), ("processed ok_customer_lookup", 2_000));
    // Another payment of the same Stripe customer; only the first payment names the customer's external ID.
    let plain = session(json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {} }));
    assert_eq!(
        shop.deliver_object("checkout.session.completed", DAY + 9, plain).await,
        "processed ok_customer_lookup"
    );
    let customers = shop.merchant.get("/customers").await;
    assert_eq!(customers.column("id"), [json!("user_1")]);
    assert_eq!(customers.text("/data/0/stripe_customer_id"), "cus_1");
}

#[tokio::test]
async fn a_lead_reported_after_the_event_of_a_later_payment_settles_it() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    app.trac.clock.advance(DAY);
    let session = |at: i64| {
        shop.session(json!({ "metadata": { "tracCustomerExternalId": "user_1" }, "created": crate::testing::app::START + at }))
    };
    // The payment's time is one second after the lead's, although its event arrives first: clocks differ, and
    // Stripe is quick.
    assert_eq!(
        shop.deliver_object("checkout.session.completed", DAY + 1, session(DAY + 1)).await,
        "deferred no_attribution_yet"
    );
    let lead = report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
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
        let answer = send(&app, headers, &sign_up(json!({}))).await;
        assert_eq!(answer.status, want, "{headers:?}: {}", answer.body);
    };
    check(&[("x-workspace-id", &live.workspace_id)], 201).await;
    assert_eq!(live.get("/leads").await.number("/meta/total"), 1);
    assert_eq!(test.get("/leads").await.number("/meta/total"), 0);
    check(&[("x-workspace-id", &test.workspace_id), ("x-trac-mode", "test")], 201).await;
    check(&[("x-workspace-id", &test.workspace_id), ("x-trac-mode", "prod")], 422).await;
    check(&[("x-publishable-key", &test.publishable_key)], 200).await;
    check(&[("authorization", &format!("Bearer {}", test.key))], 200).await;
    // A template may leave headers empty: they count as absent.
    check(&[("x-workspace-id", &live.workspace_id), ("x-publishable-key", ""), ("x-trac-mode", " ")], 200)
        .await;
    check(&[("x-workspace-id", ""), ("x-publishable-key", "")], 401).await;
    check(&[("x-workspace-id", "ws_unknown")], 401).await;
    check(&[("x-publishable-key", &test.key)], 401).await;
    check(&[("authorization", &format!("Bearer {}", test.publishable_key))], 401).await;
    check(&[], 401).await;
}

#[tokio::test]
async fn the_error_for_a_lead_names_its_invalid_fields() {
    let app = App::new();
    let merchant = app.merchant().await;
    let answer =
        report_by_page(&app, &merchant, json!({ "eventName": "", "mode": "later", "metadata": [], "x": 1 }))
            .await;
    assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()));
    let fields = answer.body["error"]["fields"].as_object().unwrap();
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["customerExternalId", "eventName", "metadata", "mode", "x"]);
    assert_eq!(report_by_page(&app, &merchant, json!([])).await.status, 400);
    let by_number = report_by_page(&app, &merchant, sign_up(json!({ "customerExternalId": 17 }))).await;
    assert_eq!(by_number.status, 201);
    assert_eq!(merchant.get("/leads").await.text("/data/0/customer_external_id"), "17");
}

#[tokio::test]
async fn the_lead_after_a_thousand_within_a_minute_is_refused() {
    let app = App::new();
    let merchant = app.merchant().await;
    for _ in 0..1_000 {
        assert!(report_by_page(&app, &merchant, sign_up(json!({}))).await.status.is_success());
    }
    let refused = report_by_page(&app, &merchant, sign_up(json!({}))).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "60"));
    app.trac.clock.advance(60);
    assert_eq!(report_by_page(&app, &merchant, sign_up(json!({}))).await.status, 200);
}

#[tokio::test]
async fn a_page_of_any_origin_may_report_a_lead() {
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
async fn two_hundred_leads_of_a_customer_do_not_block_one_with_a_known_click() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let lead = |n: usize, change: Value| sign_up(with(json!({ "eventName": format!("Event {n}") }), change));
    for n in 0..201 {
        assert_eq!(
            report_by_page(&app, &shop.merchant, lead(n, json!({ "clickId": "clk_none" }))).await.status,
            201,
            "{n}"
        );
    }
    assert_eq!(
        report_by_page(&app, &shop.merchant, lead(7, json!({}))).await.status,
        200,
        "a repeat is accepted beyond the limit"
    );
    let recorded = report_by_page(&app, &shop.merchant, lead(200, json!({}))).await;
    assert_eq!((recorded.status.as_u16(), recorded.text("/reason")), (200, "noted".to_owned()));
    // Beyond the limit, only the first lead with a known click is settled.
    let first = report_by_page(&app, &shop.merchant, lead(300, json!({ "clickId": shop.click }))).await;
    assert_eq!((first.status.as_u16(), first.text("/reason")), (201, "client_reported".to_owned()));
    let second = report_by_page(&app, &shop.merchant, lead(301, json!({ "clickId": shop.click }))).await;
    assert_eq!((second.status.as_u16(), second.text("/reason")), (201, "noted".to_owned()));
    let by_server = report_by_server(&app, &shop.merchant, lead(302, json!({ "clickId": shop.click }))).await;
    assert_eq!((by_server.status.as_u16(), by_server.text("/reason")), (201, "ok".to_owned()));
    // A lead that was only recorded cannot be approved.
    let path = format!("/leads/{}", second.text("/id"));
    let judged = shop.merchant.patch(&path, json!({ "status": "approved" })).await;
    assert_eq!(judged.code(), (409, "LEAD_NOT_SETTLED".to_owned()));
    // The merchant's report settles a lead that was only recorded.
    let vouched = report_by_server(&app, &shop.merchant, lead(200, json!({ "clickId": shop.click }))).await;
    assert_eq!((vouched.status.as_u16(), vouched.text("/reason")), (200, "ok".to_owned()));
    let other = sign_up(json!({ "customerExternalId": "user_2" }));
    assert_eq!(
        report_by_page(&app, &shop.merchant, other).await.status,
        201,
        "another customer is not affected"
    );
}

#[tokio::test]
async fn a_pages_lead_is_held_until_the_customer_pays_and_earns_once() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let status = async || shop.merchant.get("/commissions?source=lead").await.column("status");
    let mut ids = Vec::new();
    for n in 0..3 {
        let body = sign_up(json!({ "eventName": format!("Event {n}"), "clickId": shop.click }));
        let answer = report_by_page(&app, &shop.merchant, body).await;
        let want = if n == 0 { "client_reported" } else { "lead_counted_before" };
        assert_eq!(answer.text("/reason"), want, "{}", answer.body);
        ids.push(answer.text("/id"));
    }
    assert_eq!(status().await, [json!("held")]);
    app.trac.clock.advance(9 * DAY);
    assert_eq!(status().await, [json!("held")], "time alone does not release the commission");
    let paid = json!({ "created": crate::testing::app::START + 8 * DAY, "metadata": { "tracCustomerExternalId": "user_1" } });
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, shop.session(paid)).await,
        "processed ok_customer_lookup"
    );
    assert_eq!(status().await, [json!("approved")]);
    assert_eq!(shop.net().await, 2_300);
    // If the merchant rejects it, all leads that pages report for the customer and that partner are rejected;
    // each of the others can still be approved.
    let judge = async |id: &str, status: &str| {
        shop.merchant.patch(&format!("/leads/{id}"), json!({ "status": status })).await.text("/reason")
    };
    assert_eq!(judge(&ids[0], "rejected").await, "rejected_by_merchant");
    assert_eq!(
        shop.merchant.get(&format!("/leads/{}", ids[1])).await.text("/reason"),
        "rejected_by_merchant"
    );
    assert_eq!(judge(&ids[2], "approved").await, "ok");
}

#[tokio::test]
async fn a_repeat_adds_a_click_that_the_first_lacked() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let first =
        report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": "clk_of_an_advertiser" }))).await;
    assert_eq!((first.status.as_u16(), first.text("/reason")), (201, "no_click".to_owned()));
    let repeat = report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
    assert_eq!(
        (repeat.status.as_u16(), repeat.text("/id"), repeat.text("/click_id")),
        (200, first.text("/id"), shop.click.clone())
    );
    // Once the lead has a click, a page cannot report another; the merchant's server can.
    let other = shop
        .merchant
        .make("/clicks", json!({ "program_id": shop.program, "partner_id": shop.partner }))
        .await;
    let body = sign_up(json!({ "clickId": other }));
    assert_eq!(report_by_page(&app, &shop.merchant, body.clone()).await.body["click_id"], Value::Null);
    assert_eq!(
        shop.merchant.get(&format!("/leads/{}", first.text("/id"))).await.text("/click_id"),
        shop.click
    );
    assert_eq!(report_by_server(&app, &shop.merchant, body).await.text("/click_id"), other);
}

#[tokio::test]
async fn the_merchants_latest_verdict_about_a_lead_applies() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let lead =
        report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await.text("/id");
    let path = format!("/leads/{lead}");
    assert_eq!(shop.merchant.get(&path).await.body["status"], Value::Null);
    // The later verdict applies within one second, too.
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
    // A lead is a conversion, too, and can be approved as one.
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

#[tokio::test]
async fn a_lead_with_a_click_of_the_other_mode_gets_mode_mismatch() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (program, partner) = test.program_and_partner().await;
    let click = test.make("/clicks", json!({ "program_id": program, "partner_id": partner })).await;
    let check = async |merchant: &Merchant<'_>, click: &str, customer: &str, want: &str| {
        let body = sign_up(json!({ "clickId": click, "customerExternalId": customer }));
        for _ in 0..2 {
            let answer = report_by_page(&app, merchant, body.clone()).await;
            assert_eq!(
                (answer.body["attributed"].as_bool(), answer.text("/reason")),
                (Some(false), want.to_owned())
            );
        }
    };
    check(&live, &click, "user_1", "mode_mismatch").await;
    check(&live, "clk_1_0000000000000001", "user_2", "no_click").await;
    // The response contains nothing about another workspace's clicks.
    check(&app.merchant().await, &click, "user_3", "no_click").await;
}

#[tokio::test]
async fn the_response_to_a_page_contains_no_click_that_it_did_not_name() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let first = report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
    assert_eq!((first.text("/click_id"), first.body["commission_id"].is_null()), (shop.click.clone(), false));
    for change in [json!({}), json!({ "clickId": "clk_1795248000_0123456789abcdef" })] {
        let again = report_by_page(&app, &shop.merchant, sign_up(change)).await;
        let hidden = [&again.body["click_id"], &again.body["commission_id"]];
        assert_eq!((again.status.as_u16(), hidden), (200, [&Value::Null; 2]));
    }
    let again = report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
    assert_eq!(again.text("/click_id"), shop.click);
}

#[tokio::test]
async fn a_rejected_lead_does_not_affect_an_earlier_one() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let lead = |event: &str| sign_up(json!({ "eventName": event, "clickId": shop.click }));
    report_by_page(&app, &shop.merchant, lead("Sign up")).await;
    app.trac.clock.advance(10);
    let trial = report_by_page(&app, &shop.merchant, lead("Trial")).await.text("/id");
    app.trac.clock.advance(10);
    shop.merchant.patch(&format!("/leads/{trial}"), json!({ "status": "rejected" })).await;
    let later = report_by_page(&app, &shop.merchant, lead("Demo")).await;
    assert_eq!(later.text("/reason"), "rejected_by_merchant", "a later lead with the same click");
    let bought = shop.session(json!({ "metadata": { "tracCustomerExternalId": "user_1" } }));
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 100, bought).await,
        "processed ok_customer_lookup"
    );
    assert_eq!(shop.net().await, 300 + 2_000);
}

#[tokio::test]
async fn a_servers_lead_without_a_click_does_not_replace_a_pages_lead() {
    for secs in [0, 2] {
        for event in ["Sign up", "Account made"] {
            let app = App::new();
            let shop = Shop::open(&app, paying_leads()).await;
            report_by_page(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
            app.trac.clock.advance(secs);
            report_by_server(&app, &shop.merchant, sign_up(json!({ "eventName": event }))).await;
            if secs == 0 && event != "Sign up" {
                continue; // The server's report of the same second says that the customer was known.
            }
            let bought = shop.session(json!({ "metadata": { "tracCustomerExternalId": "user_1" } }));
            let outcome = shop.deliver_object("checkout.session.completed", 100, bought).await;
            assert_eq!(outcome, "processed ok_customer_lookup", "{secs} {event}");
            assert_eq!(shop.net().await, 300 + 2_000, "{secs} {event}");
            let statuses = shop.merchant.get("/commissions").await.column("status");
            assert!(!statuses.contains(&json!("held")), "{secs} {event}: {statuses:?}");
        }
    }
}

#[tokio::test]
async fn every_listed_lead_of_a_buyer_is_released_even_after_a_refused_one() {
    let app = App::new();
    let terms = with(paying_leads(), json!({ "lead_events": ["Sign up", "Trial"] }));
    let shop = Shop::open(&app, terms).await;
    for event in ["Sign up", "Trial"] {
        report_by_page(&app, &shop.merchant, sign_up(json!({ "eventName": event, "clickId": shop.click })))
            .await;
        app.trac.clock.advance(10);
    }
    let bought = shop.session(json!({ "metadata": { "tracCustomerExternalId": "user_1" } }));
    shop.deliver_object("checkout.session.completed", 100, bought).await;
    let statuses = shop.merchant.get("/commissions").await.column("status");
    assert_eq!((statuses.len(), statuses.contains(&json!("held"))), (3, false), "{statuses:?}");

    // A lead of a customer whom the merchant's server had reported with the same click is released, too, but
    // not one with a click of another partner.
    for own in [true, false] {
        let app = App::new();
        let shop = Shop::open(&app, with(paying_leads(), json!({ "lead_events": ["Trial"] }))).await;
        let bob = shop.merchant.make("/partners", json!({ "name": "Bob" })).await;
        let enrolled = json!({ "program_id": shop.program, "partner_id": bob });
        shop.merchant.make("/enrollments", enrolled.clone()).await;
        let other = shop.merchant.make("/clicks", enrolled).await;
        report_by_server(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await;
        app.trac.clock.advance(10);
        let click = if own { &shop.click } else { &other };
        report_by_page(&app, &shop.merchant, sign_up(json!({ "eventName": "Trial", "clickId": click })))
            .await;
        let bought = shop.session(json!({ "metadata": { "tracCustomerExternalId": "user_1" } }));
        shop.deliver_object("checkout.session.completed", 100, bought).await;
        let statuses = shop.merchant.get("/commissions").await.column("status");
        assert_eq!(statuses.contains(&json!("held")), !own, "{own}: {statuses:?}");
    }

    let app = App::new();
    let shop = Shop::open(&app, with(paying_leads(), json!({ "attribution_window_days": 1 }))).await;
    let enrolled = json!({ "program_id": shop.program, "partner_id": shop.partner });
    let expired = with(enrolled.clone(), json!({ "clicked_at": "2026-11-01T07:00:00Z" }));
    let expired = shop.merchant.make("/clicks", expired).await;
    let lead = |event: &str, click: &str| sign_up(json!({ "eventName": event, "clickId": click }));
    let refused = report_by_page(&app, &shop.merchant, lead("Ebook", &expired)).await;
    assert_eq!(refused.text("/reason"), "click_expired");
    app.trac.clock.advance(10);
    let second = report_by_page(&app, &shop.merchant, lead("Trial", &shop.click)).await;
    assert_eq!(second.text("/reason"), "client_reported");
    let bought = shop.session(json!({ "metadata": { "tracCustomerExternalId": "user_1" } }));
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 100, bought).await,
        "processed ok_customer_lookup"
    );
    assert_eq!(shop.net().await, 300 + 2_000);
}

#[tokio::test]
async fn a_lead_that_the_merchant_reported_cannot_be_judged() {
    let app = App::new();
    let shop = Shop::open(&app, paying_leads()).await;
    let lead =
        report_by_server(&app, &shop.merchant, sign_up(json!({ "clickId": shop.click }))).await.text("/id");
    for status in ["approved", "rejected"] {
        let judged = shop.merchant.patch(&format!("/leads/{lead}"), json!({ "status": status })).await;
        assert_eq!(judged.code(), (409, "NOT_A_CLAIM".to_owned()));
        let judged = shop.merchant.patch(&format!("/conversions/{lead}"), json!({ "status": status })).await;
        assert_eq!(judged.code(), (409, "NOT_A_CLAIM".to_owned()));
    }
    assert_eq!(shop.merchant.get(&format!("/leads/{lead}")).await.body["status"], Value::Null);
}
