use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use trac_core::webhook::signature::sign;

use crate::testing::app::{App, Merchant, START};
use crate::testing::shop::{Shop, charge, invoice};

/// Asks about an ID and checks the first missing hop and the reason.
async fn check(shop: &Shop<'_>, id: &str, hop: Option<&str>, reason: Option<&str>) -> Value {
    let response = shop.merchant.get(&format!("/explain/{id}")).await;
    assert_eq!(response.status, 200, "{id}: {}", response.body);
    let found = (response.body["first_missing_hop"].as_str(), response.body["reason"].as_str());
    assert_eq!(found, (hop, reason), "{id}: {:#}", response.body);
    assert!(hop.is_none() || response.body["remedy"].is_string(), "{id} needs a remedy: {:#}", response.body);
    let posted = shop.merchant.post("/explain", json!({ "query": id })).await;
    assert_eq!((posted.status, &posted.body), (response.status, &response.body), "{id}");
    response.body
}

#[tokio::test]
async fn a_credited_sale_is_explained_by_every_id_that_leads_to_it() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let buyer = json!({ "customer": "cus_1", "customer_details": { "email": "Buyer@Example.com" } });
    shop.deliver_object("checkout.session.completed", 0, shop.session(buyer)).await;
    shop.deliver_object("charge.refunded", 1, charge(2_500, json!({}))).await;
    let commission = shop.merchant.get("/commissions").await.text("/data/0/id");
    let events = shop.merchant.get("/events").await;
    let (own_id, stripe_id) = (events.text("/data/0/id"), events.text("/data/0/stripe_event_id"));
    let payment = shop.merchant.get("/conversions").await.text("/data/0/id");
    for id in [
        "cs_1",
        "pi_1",
        "ch_1",
        "cus_1",
        "buyer@example.com",
        &commission,
        &own_id,
        &stripe_id,
        &payment,
        &shop.click,
    ] {
        let story = check(&shop, id, None, None).await;
        let hops = story["stories"][0]["hops"].as_array().unwrap();
        let names: Vec<_> = hops.iter().map(|hop| hop["hop"].as_str().unwrap()).collect();
        assert_eq!(names, ["link", "click", "reference", "event", "payment", "decision", "entries"], "{id}");
        assert_eq!(hops[6]["details"][0]["entries"].as_array().unwrap().len(), 2);
        assert!(super::as_text(&story).contains("✓ decision"), "{}", super::as_text(&story));
    }
}

#[tokio::test]
async fn the_first_missing_hop_is_named_with_its_remedy() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let check = async |id: &str, hop: &str, reason: &str| check(&shop, id, Some(hop), Some(reason)).await;

    check("cs_1", "event", "webhook_never_arrived").await;
    let no_click = json!({ "metadata": {} });
    shop.deliver_object("checkout.session.completed", 0, shop.session(no_click)).await;
    check("cs_1", "reference", "no_click").await;
    check("cs_2", "event", "event_not_received").await;
    check("in_1", "event", "event_type_not_selected").await;

    let foreign =
        json!({ "id": "cs_3", "payment_intent": "pi_3", "metadata": {}, "client_reference_id": "user_17" });
    shop.deliver_object("checkout.session.completed", 0, shop.session(foreign)).await;
    check("cs_3", "click", "no_click").await;

    let nothing = json!({ "id": "cs_4", "payment_intent": "pi_4", "amount_total": 0 });
    shop.deliver_object("checkout.session.completed", 0, shop.session(nothing)).await;
    check("cs_4", "decision", "zero_amount").await;

    let unpaid = json!({ "id": "cs_5", "payment_intent": "pi_5", "payment_status": "unpaid" });
    shop.deliver_object("checkout.session.completed", 0, shop.session(unpaid)).await;
    check("cs_5", "payment", "unpaid_session").await;

    shop.deliver_object(
        "invoice.paid",
        0,
        invoice("in_1", json!({ "metadata": { "tracClickId": shop.click } })),
    )
    .await;
    let stray = json!({ "id": "ch_9", "payment_intent": "pi_9", "customer": "cus_1", "amount": 77, "amount_captured": 77 });
    shop.deliver_object("charge.refunded", 9, charge(77, stray)).await;
    let story = check("ch_9", "payment", "payment_unlinked").await;
    assert!(story["remedy"].as_str().unwrap().contains("invoice_payment.paid"));
}

#[tokio::test]
async fn terms_that_refuse_a_sale_are_named() {
    for (terms, reason) in [
        (json!({ "status": "paused" }), "program_inactive"),
        (json!({ "products": ["prod_1"], "status": "active" }), "products_unknown"),
        (json!({ "attribution_window_days": 0 }), "click_expired"),
    ] {
        let app = App::new();
        let shop = Shop::open(&app, terms).await;
        shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
        check(&shop, "cs_1", Some("decision"), Some(reason)).await;
    }
}

#[tokio::test]
async fn a_wrong_secret_is_found_in_the_log() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let endpoint = format!("/webhook-endpoints/{}", shop.endpoint);
    shop.merchant.patch(&endpoint, json!({ "signing_secrets": ["whsec_other"] })).await;
    let refused = shop.deliver(&json!({ "id": "evt_1", "type": "checkout.session.completed" })).await;
    assert_eq!(refused.status, 401);
    let story = check(&shop, "cs_1", Some("event"), Some("signature_invalid")).await;
    assert!(story["remedy"].as_str().unwrap().contains("whsec_"));
    check(&shop, &shop.endpoint, Some("event"), Some("signature_invalid")).await;
    // Once a delivery is verified, the secret is the right one.
    shop.merchant.patch(&endpoint, json!({ "signing_secrets": ["whsec_flow"] })).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    check(&shop, "cs_2", Some("event"), Some("event_not_received")).await;
    check(&shop, &shop.endpoint, None, None).await;
}

#[tokio::test]
async fn ids_of_another_workspace_are_not_explained() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let commission = shop.merchant.get("/commissions").await.text("/data/0/id");
    let stranger = app.merchant().await;
    assert_eq!(stranger.get(&format!("/explain/{commission}")).await.status, 404);
    for id in [&shop.click, &shop.program, &shop.partner, &shop.endpoint] {
        assert_eq!(stranger.get(&format!("/explain/{id}")).await.status, 404, "{id}");
    }
    let response = stranger.get("/explain/cs_1").await;
    assert_eq!(response.body["found"], false);
    assert!(!response.body.to_string().contains("Ada"));
}

#[tokio::test]
async fn rejected_calls_are_listed_only_in_their_own_workspace_and_mode() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let call = async |headers: &[(&str, &str)]| {
        let request = headers
            .iter()
            .fold(Request::post("/api/track/lead"), |request, (name, value)| request.header(*name, *value));
        app.send(request.body(Body::from("{}")).unwrap()).await.text("/error/message")
    };
    let refusals = async |merchant: &Merchant<'_>| {
        let list = merchant.get("/refusals").await;
        let both = list.column("cause").into_iter().zip(list.column("calls"));
        both.map(|(cause, calls)| format!("{} {calls}", cause.as_str().unwrap())).collect::<Vec<_>>()
    };
    // A workspace's ID alone means live; a key contains its mode; a webhook address contains no mode.
    call(&[("x-workspace-id", "ws_nobody")]).await;
    assert_eq!(
        (refusals(&test).await, refusals(&live).await),
        (vec![], vec!["workspace_unknown 1".to_owned()])
    );
    for _ in 0..5 {
        let message = call(&[("x-publishable-key", "pk_test_nobodys")]).await;
        assert!(message.starts_with("The key is not one of this server's."), "{message}");
    }
    // The count is written at 1, 2, 4, 8 …, so it is a lower bound.
    assert_eq!(refusals(&test).await, ["key_unknown 4"]);
    assert_eq!(refusals(&live).await, ["workspace_unknown 1"]);
    app.visit("/api/v1/programs", &[("authorization", &format!("Bearer {}", test.publishable_key))]).await;
    assert_eq!(refusals(&test).await, ["key_of_other_kind 1", "key_unknown 4"]);
    assert_eq!(test.get("/refusals?cause=key_of_other_kind").await.text("/data/0/route"), "/api/v1/programs");
    assert!(!test.get("/refusals").await.body.to_string().contains("nobodys"), "no key is stored");
    // If there are several workspaces, a call that names none of them is not shown.
    let other = app.merchant().await;
    call(&[("x-publishable-key", "pk_test_nobodys")]).await;
    app.trac.clock.advance(3_600);
    call(&[("x-publishable-key", "pk_test_nobodys")]).await;
    assert!(refusals(&other).await.is_empty());
    assert_eq!(refusals(&test).await, ["key_of_other_kind 1", "key_unknown 4"]);
}

#[tokio::test]
async fn an_unknown_id_is_explained_by_its_kind() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    for (id, says) in [
        ("evt_nobody", "Events arrive, but this one has not."),
        ("nobody@example.com", "none that names this address"),
        ("in_love@example.com", "none that names this address"),
        ("cs_nobody", "none that is about this checkout session"),
        ("cus_nobody", "none that is about this customer"),
        ("re_nobody", "none of type refund.created has"),
    ] {
        let response = shop.merchant.get(&format!("/explain/{id}")).await;
        assert_eq!((response.status.as_u16(), &response.body["found"]), (200, &json!(false)), "{id}");
        assert!(response.text("/summary").contains(says), "{id}: {}", response.text("/summary"));
    }
    for id in ["clk_1760000000_0123456789abcdef", "nobody", "part_nobody", "po_nobody"] {
        let unknown = shop.merchant.get(&format!("/explain/{id}")).await;
        assert_eq!(unknown.status, 404, "{id}");
        assert!(unknown.text("/error/message").contains("Try another ID"), "{}", unknown.body);
    }
}

#[tokio::test]
async fn an_id_of_the_other_mode_is_explained_with_how_to_ask() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (other, _) = app.both_modes().await;
    let endpoint = live.get("/webhook-endpoints").await.text("/data/0/id");
    live.patch(&format!("/webhook-endpoints/{endpoint}"), json!({ "signing_secrets": ["whsec_live"] })).await;
    let session = json!({ "id": "cs_live_1", "mode": "payment", "payment_status": "paid", "amount_total": 5_000,
        "currency": "usd", "payment_intent": "pi_1", "customer_details": { "email": "buyer@example.com" } });
    let event =
        json!({ "id": "evt_1", "type": "checkout.session.completed", "created": START, "livemode": true,
        "data": { "object": session } })
        .to_string();
    let header = sign(event.as_bytes(), "whsec_live", app.trac.clock.now());
    let delivery = Request::post(format!("/api/webhooks/{endpoint}")).header("stripe-signature", header);
    assert_eq!(app.send(delivery.body(Body::from(event)).unwrap()).await.status, 200);
    let known = "where it is known, and you asked in test mode.";
    for (merchant, id, summary, key) in [
        (&test, "cs_live_1", known, "sk_live_…"),
        (&test, "cs_live_2", "cs_live_2 is an ID of live mode, and you asked in test mode.", "sk_live_…"),
        (&live, "cs_test_2", "cs_test_2 is an ID of test mode, and you asked in live mode.", "sk_test_…"),
        (&test, "pi_1", "This payment intent is known in live mode", "sk_live_…"),
        (&test, "evt_1", "This event is known in live mode", "sk_live_…"),
        (&test, "buyer@example.com", "This e-mail address is known in live mode", "sk_live_…"),
        (&other, "cs_live_1", "cs_live_1 is an ID of live mode, and you asked in test mode.", "sk_live_…"),
    ] {
        let response = merchant.get(&format!("/explain/{id}")).await;
        assert_eq!((response.status.as_u16(), &response.body["found"]), (200, &json!(false)), "{id}");
        assert_eq!(response.text("/reason"), "mode_mismatch", "{id}: {:#}", response.body);
        assert!(
            response.text("/summary").ends_with(summary) || response.text("/summary").starts_with(summary),
            "{id}: {}",
            response.body
        );
        assert!(response.text("/remedy").contains(key), "{id}: {}", response.text("/remedy"));
    }
    assert_eq!(live.get("/explain/cs_live_1").await.body["found"], true);
}

#[tokio::test]
async fn a_session_is_looked_up_only_in_the_mode_of_its_id() {
    let app = App::new();
    let (test, _) = app.both_modes().await;
    let modes = async |id: &str| {
        let stories = super::explain_everywhere(&app.trac, id).await.unwrap();
        stories.iter().map(|story| story["mode"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(modes("cs_test_1").await, ["test"]);
    assert_eq!(modes("cs_live_1").await, ["live"]);
    assert_eq!(modes("pi_1").await, ["live", "test"]);
    assert!(modes(&format!("{}x", test.workspace_id)).await.is_empty());
}

#[tokio::test]
async fn a_not_found_error_names_the_other_mode_but_no_other_workspace() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (program, partner) = live.program_and_partner().await;
    let link =
        json!({ "program_id": program, "partner_id": partner, "destination": "https://shop.example/" });
    let link = live.make("/links", link).await;
    let (other, _) = app.both_modes().await;
    let endpoint = live.get("/webhook-endpoints").await.text("/data/0/id");
    let enrollment = live.get("/enrollments").await.text("/data/0/id");
    app.rows(format!(
        "INSERT INTO event (workspace_id, mode, id, stripe_event_id, endpoint_id, received_at, outcome, reason, message) \
         VALUES ('{}', 'live', 'evl_1', 'evt_1', '{endpoint}', 1, 'processed', 'ok', '')",
        live.workspace_id
    ))
    .await;
    for (method, path) in [
        ("GET", format!("/programs/{program}")),
        ("PATCH", format!("/programs/{program}")),
        ("DELETE", format!("/programs/{program}")),
        ("PATCH", format!("/partners/{partner}")),
        ("PATCH", format!("/enrollments/{enrollment}")),
        ("DELETE", format!("/links/{link}")),
        ("PATCH", format!("/webhook-endpoints/{endpoint}")),
        ("GET", "/events/evt_1".to_owned()),
        ("POST", "/events/evl_1/link".to_owned()),
        ("GET", format!("/explain/{link}")),
        ("GET", "/links/link_0".to_owned()),
    ] {
        let body = if path.ends_with("/link") { r#"{"payment":"pi_1"}"# } else { "{}" };
        for (merchant, is_named) in [(&test, !path.ends_with("link_0")), (&other, false)] {
            let answer = merchant.call(method, &path, body).await;
            assert_eq!(answer.code(), (404, "NOT_FOUND".to_owned()), "{method} {path}");
            let message = answer.text("/error/message");
            assert_eq!(message.contains("it is a live one"), is_named, "{method} {path}: {message}");
        }
    }
    let made =
        json!({ "program_id": program, "partner_id": partner, "destination": "https://shop.example/" });
    assert!(test.post("/links", made).await.text("/error/message").contains("it is a live one"));
}
