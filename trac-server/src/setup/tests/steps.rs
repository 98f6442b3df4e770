//! Each step in each of its states.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use trac_core::webhook::signature::sign;

use super::{check, step};
use crate::testing::app::{App, Merchant};
use crate::testing::shop::{Shop, charge, invoice};

/// The statuses of all steps.
async fn statuses(merchant: &Merchant<'_>) -> Vec<(String, String)> {
    let answer = merchant.get("/setup").await;
    let steps = answer.body["steps"].as_array().unwrap().clone();
    let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_owned();
    steps.iter().map(|step| (text(step, "id"), text(step, "status"))).collect()
}

/// Follows a link as a visitor's browser does.
async fn follow(app: &App, path: &str) {
    let peer = ConnectInfo(std::net::SocketAddr::from(([198, 51, 100, 1], 4_711)));
    let request = Request::get(path).header("user-agent", "Mozilla/5.0 Firefox/140.0").extension(peer);
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 302, "{}", answer.body);
    app.written().await;
}

async fn reject(app: &App, endpoint: &str) {
    let header = format!("t={},v1=00", app.trac.clock.now().unix_secs());
    let request = Request::post(format!("/api/webhooks/{endpoint}")).header("stripe-signature", header);
    assert_eq!(app.send(request.body(Body::from("{}")).unwrap()).await.status, 401);
}

#[tokio::test]
async fn a_new_workspace_waits_for_everything_in_the_order_of_the_contract() {
    let app = App::new();
    let merchant = app.merchant().await;
    let want = [
        ("public_url", "waiting"),
        ("endpoint", "done"),
        ("signing_secret", "waiting"),
        ("first_event", "waiting"),
        ("event_types", "waiting"),
        ("script", "waiting"),
        ("program", "waiting"),
        ("partner", "waiting"),
        ("link", "waiting"),
        ("first_click", "waiting"),
        ("first_sale", "waiting"),
    ];
    let found = statuses(&merchant).await;
    let found: Vec<_> = found.iter().map(|(id, status)| (id.as_str(), status.as_str())).collect();
    assert_eq!(found, want);
    for (id, _) in want.iter().filter(|(id, _)| *id != "endpoint") {
        let step = step(&merchant, id).await;
        assert!(step["remedy"].as_str().is_some_and(|remedy| remedy.ends_with('.')), "{step}");
        assert!(step["at"].is_null(), "{step}");
    }
    assert_eq!(app.visit("/api/v1/setup", &[]).await.status, 401);
}

#[tokio::test]
async fn a_whole_story_ticks_every_step() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let merchant = &shop.merchant;
    let link = json!({ "program_id": shop.program, "partner_id": shop.partner, "slug": "tea",
        "destination": "https://shop.example.com" });
    merchant.make("/links", link).await;
    check(merchant, "first_click", "waiting", "No visitor").await;
    follow(&app, "/t/tea").await;
    check(merchant, "first_click", "done", "was counted").await;
    check(merchant, "public_url", "done", "https://track.example.com").await;
    check(merchant, "script", "waiting", "not known").await;
    let clicks = merchant.get("/clicks").await;
    let click =
        clicks.body["data"].as_array().unwrap().iter().find(|click| !click["landing_url"].is_null()).unwrap();
    let metadata = json!({ "tracClickId": click["id"] });
    let session = shop.session(json!({ "metadata": metadata, "client_reference_id": click["id"] }));
    assert_eq!(shop.deliver_object("checkout.session.completed", 1, session).await, "processed ok");
    for (id, status) in statuses(merchant).await {
        assert_eq!(status, "done", "{id}: {}", step(merchant, &id).await);
    }
    let sale = step(merchant, "first_sale").await;
    assert_eq!(sale["at"], "2026-11-21T08:00:00Z");
}

#[tokio::test]
async fn a_click_that_the_merchant_recorded_is_not_a_visitor() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    check(&shop.merchant, "first_click", "waiting", "No visitor").await;
    // A sale with a click recorded by hand shows nothing about the script either.
    let session = shop.session(json!({}));
    assert_eq!(shop.deliver_object("checkout.session.completed", 1, session).await, "processed ok");
    check(&shop.merchant, "script", "waiting", "not known").await;
    check(&shop.merchant, "first_sale", "done", "credited").await;
}

#[tokio::test]
async fn the_signing_secret_fails_while_deliveries_are_refused() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let merchant = &shop.merchant;
    check(merchant, "signing_secret", "done", "is set").await;
    check(merchant, "first_event", "waiting", "Waiting for the first event of Stripe").await;
    reject(&app, &shop.endpoint).await;
    app.trac.clock.advance(3);
    check(merchant, "first_event", "waiting", "Last refused delivery: signature_invalid, 3 seconds ago")
        .await;
    let remedy = check(merchant, "signing_secret", "failed", "1 delivery was refused 3 seconds ago").await;
    assert!(remedy.as_str().unwrap().contains("whsec_"), "{remedy}");
    reject(&app, &shop.endpoint).await;
    check(merchant, "signing_secret", "failed", "deliveries were refused, the last 3 seconds ago").await;
    shop.deliver_object("charge.succeeded", 1, charge(0, json!({}))).await;
    check(merchant, "signing_secret", "done", "is set").await;
    check(merchant, "first_event", "done", "authentic").await;
    app.trac.clock.advance(8 * 86_400);
    reject(&app, &shop.endpoint).await;
    check(merchant, "signing_secret", "failed", "refused").await;
    check(merchant, "first_event", "done", "authentic").await;
    app.trac.clock.advance(8 * 86_400);
    check(merchant, "signing_secret", "done", "is set").await;
}

#[tokio::test]
async fn a_delivery_without_a_secret_and_one_by_a_wrong_clock_have_other_remedies() {
    let app = App::new();
    let merchant = app.merchant().await;
    let endpoint = merchant.get("/webhook-endpoints").await.text("/data/0/id");
    reject(&app, &endpoint).await;
    check(&merchant, "signing_secret", "failed", "no signing secret is set here").await;
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let header = sign(b"{}", "whsec_flow", app.trac.clock.now().plus_secs(-301));
    let request =
        Request::post(format!("/api/webhooks/{}", shop.endpoint)).header("stripe-signature", header);
    assert_eq!(app.send(request.body(Body::from("{}")).unwrap()).await.status, 401);
    let remedy = check(&shop.merchant, "signing_secret", "failed", "timestamp_outside_tolerance").await;
    assert!(remedy.as_str().unwrap().contains("clock"), "{remedy}");
}

#[tokio::test]
async fn a_delivery_to_an_unknown_address_is_mentioned() {
    let app = App::new();
    let merchant = app.merchant().await;
    let request = Request::post("/api/webhooks/we_mistyped").body(Body::from("{}"));
    assert_eq!(app.send(request.unwrap()).await.status, 404);
    check(&merchant, "first_event", "waiting", "address that does not exist here").await;
}

#[tokio::test]
async fn events_of_the_other_mode_and_thin_events_fail() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let deliver = async |event: Value| assert_eq!(shop.deliver(&event).await.status, 200);
    deliver(json!({ "id": "evt_live", "type": "invoice.paid", "livemode": true, "data": { "object": {} } }))
        .await;
    check(&shop.merchant, "first_event", "failed", "Events of live mode").await;
    check(&shop.merchant, "event_types", "waiting", "No event").await;
    app.trac.clock.advance(1);
    deliver(
        json!({ "id": "evt_thin", "object": "v2.core.event", "type": "v1.invoice.paid", "livemode": false }),
    )
    .await;
    let remedy = check(&shop.merchant, "first_event", "failed", "thin").await;
    assert!(remedy.as_str().unwrap().contains("Snapshot"), "{remedy}");
    let ping = json!({ "id": "evt_ping", "object": "v2.core.event", "type": "v2.core.event_destination.ping",
        "livemode": false });
    deliver(ping).await;
    check(&shop.merchant, "first_event", "done", "authentic").await;
    check(&shop.merchant, "event_types", "waiting", "No event about a payment").await;
}

#[tokio::test]
async fn each_missing_event_type_is_found_by_the_events_that_need_it() {
    for (events, status, part) in [
        (
            vec![("charge.succeeded", charge(0, json!({})))],
            "failed",
            "does not send checkout.session.completed",
        ),
        (vec![("invoice.paid", invoice("in_1", json!({})))], "failed", "does not send invoice_payment.paid"),
        (
            vec![(
                "invoice_payment.paid",
                json!({ "id": "inpay_1", "invoice": "in_1", "status": "paid",
                "payment": { "type": "payment_intent", "payment_intent": "pi_1" } }),
            )],
            "failed",
            "does not send invoice.paid",
        ),
        (
            vec![("invoice.payment_succeeded", invoice("in_1", json!({})))],
            "failed",
            "does not send invoice.paid",
        ),
        (
            vec![(
                "refund.created",
                json!({ "id": "re_1", "charge": "ch_1", "amount": 5, "currency": "usd", "status": "succeeded" }),
            )],
            "failed",
            "does not send charge.refunded",
        ),
        (vec![("charge.refunded", charge(5, json!({})))], "waiting", "does not send refund.created"),
    ] {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        for (kind, object) in events {
            shop.deliver_object(kind, 1, object).await;
        }
        let now = step(&shop.merchant, "event_types").await;
        assert_ne!(now["status"], "failed", "the other event may still come: {now}");
        app.trac.clock.advance(301);
        let remedy = check(&shop.merchant, "event_types", status, part).await;
        assert!(remedy.as_str().unwrap().contains("In Stripe"), "{remedy}");
    }
}

#[tokio::test]
async fn complete_event_types_are_done_and_old_invoices_need_no_link() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 1, shop.session(json!({}))).await;
    check(&shop.merchant, "event_types", "done", "Stripe has sent checkout.session.completed.").await;
    let event = json!({ "id": "evt_old", "type": "invoice.paid", "api_version": "2024-06-20", "livemode": false,
        "data": { "object": invoice("in_9", json!({})) } });
    assert_eq!(shop.deliver(&event).await.status, 200);
    app.trac.clock.advance(301);
    check(&shop.merchant, "event_types", "done", "checkout.session.completed and invoice.paid").await;
}

#[tokio::test]
async fn an_answer_to_tracs_own_question_is_not_an_event_that_stripe_sends() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("invoice.paid", 1, invoice("in_1", json!({}))).await;
    shop.deliver_object(
        "invoice_payment.paid",
        2,
        json!({ "id": "inpay_1", "invoice": "in_1", "status": "paid",
            "payment": { "type": "payment_intent", "payment_intent": "pi_1" } }),
    )
    .await;
    app.trac.clock.advance(301);
    check(&shop.merchant, "event_types", "done", "invoice_payment.paid").await;
    app.rows("UPDATE event SET stripe_event_id = NULL WHERE type = 'invoice_payment.paid'".to_owned()).await;
    check(&shop.merchant, "event_types", "failed", "does not send invoice_payment.paid").await;
}

#[tokio::test]
async fn a_program_a_partner_and_a_link_must_be_in_use() {
    let app = App::new();
    let merchant = app.merchant().await;
    let commission = json!({ "type": "percentage", "rate_bps": 2_000 });
    let program = json!({ "name": "Friends", "status": "draft", "commission": commission });
    let program = merchant.make("/programs", program).await;
    check(&merchant, "program", "waiting", "Friends is draft").await;
    merchant.patch(&format!("/programs/{program}"), json!({ "status": "active" })).await;
    check(&merchant, "program", "done", "Friends is active").await;
    let partner = merchant.make("/partners", json!({ "name": "Ada" })).await;
    check(&merchant, "partner", "waiting", "takes part in no program").await;
    let enrolled = json!({ "program_id": program, "partner_id": partner, "status": "pending" });
    let enrollment = merchant.make("/enrollments", enrolled).await;
    check(&merchant, "partner", "waiting", "Ada is pending").await;
    merchant.patch(&format!("/enrollments/{enrollment}"), json!({ "status": "approved" })).await;
    check(&merchant, "partner", "done", "Ada is approved").await;
    let link = json!({ "program_id": program, "partner_id": partner, "slug": "tea", "destination": "https://shop.example.com" });
    let link = merchant.make("/links", link).await;
    check(&merchant, "link", "done", "https://track.example.com/t/tea").await;
    merchant.patch(&format!("/links/{link}"), json!({ "archived": true })).await;
    check(&merchant, "link", "waiting", "tea is archived").await;
}

#[tokio::test]
async fn the_other_mode_has_steps_of_its_own() {
    let app = App::reached_under("http://127.0.0.1:8787");
    let (test, live) = app.both_modes().await;
    test.program_and_partner().await;
    check(&test, "program", "done", "active").await;
    check(&live, "program", "waiting", "no program").await;
    check(&test, "public_url", "waiting", "address of this machine").await;
    check(&live, "public_url", "failed", "address of this machine").await;
}

#[tokio::test]
async fn a_page_that_calls_by_itself_shows_that_the_script_runs() {
    let app = App::new();
    let merchant = app.merchant().await;
    merchant.program_and_partner().await;
    let body =
        json!({ "ref": "ada", "key": merchant.publishable_key, "url": "https://shop.example.com/?ref=ada" });
    let request = Request::post("/v1/clicks").header("user-agent", "b").body(Body::from(body.to_string()));
    assert_eq!(app.send(request.unwrap()).await.status, 201);
    app.written().await;
    check(&merchant, "script", "done", "partner's code").await;
    check(&merchant, "first_click", "done", "counted").await;
    let app = App::new();
    let merchant = app.merchant().await;
    merchant.program_and_partner().await;
    let lead = json!({ "eventName": "Sign up", "customerExternalId": "user_1" });
    let request = Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
    assert_eq!(app.send(request.body(Body::from(lead.to_string())).unwrap()).await.status, 201);
    step(&merchant, "script").await;
}
