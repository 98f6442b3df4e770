use serde_json::{Value, json};

use crate::test_app::App;
use crate::test_shop::{Shop, charge, invoice};

/// Asks about an ID and checks the first missing hop and the reason.
async fn check(shop: &Shop<'_>, id: &str, hop: Option<&str>, reason: Option<&str>) -> Value {
    let told = shop.merchant.get(&format!("/explain/{id}")).await;
    assert_eq!(told.status, 200, "{id}: {}", told.body);
    let found = (told.body["first_missing_hop"].as_str(), told.body["reason"].as_str());
    assert_eq!(found, (hop, reason), "{id}: {:#}", told.body);
    assert!(hop.is_none() || told.body["remedy"].is_string(), "{id} needs a remedy: {:#}", told.body);
    told.body
}

#[tokio::test]
async fn a_credited_sale_is_told_by_every_id_that_leads_to_it() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let buyer = json!({ "customer": "cus_1", "customer_details": { "email": "Buyer@Example.com" } });
    shop.told("checkout.session.completed", 0, shop.session(buyer)).await;
    shop.told("charge.refunded", 1, charge(2_500, json!({}))).await;
    let commission = shop.merchant.get("/commissions").await.text("/data/0/id");
    let events = shop.merchant.get("/events").await;
    let (ours, stripes) = (events.text("/data/0/id"), events.text("/data/0/stripe_event_id"));
    let payment = shop.merchant.get("/conversions").await.text("/data/0/id");
    for id in [
        "cs_1",
        "pi_1",
        "ch_1",
        "cus_1",
        "buyer@example.com",
        &commission,
        &ours,
        &stripes,
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
    shop.told("checkout.session.completed", 0, shop.session(no_click)).await;
    check("cs_1", "reference", "no_click").await;
    check("cs_2", "event", "event_not_received").await;
    check("in_1", "event", "event_type_not_selected").await;

    let foreign =
        json!({ "id": "cs_3", "payment_intent": "pi_3", "metadata": {}, "client_reference_id": "user_17" });
    shop.told("checkout.session.completed", 0, shop.session(foreign)).await;
    check("cs_3", "click", "no_click").await;

    let nothing = json!({ "id": "cs_4", "payment_intent": "pi_4", "amount_total": 0 });
    shop.told("checkout.session.completed", 0, shop.session(nothing)).await;
    check("cs_4", "decision", "zero_amount").await;

    let unpaid = json!({ "id": "cs_5", "payment_intent": "pi_5", "payment_status": "unpaid" });
    shop.told("checkout.session.completed", 0, shop.session(unpaid)).await;
    check("cs_5", "payment", "unpaid_session").await;

    shop.told("invoice.paid", 0, invoice("in_1", json!({ "metadata": { "tracClickId": shop.click } }))).await;
    let stray = json!({ "id": "ch_9", "payment_intent": "pi_9", "customer": "cus_1", "amount": 77, "amount_captured": 77 });
    shop.told("charge.refunded", 9, charge(77, stray)).await;
    let story = check("ch_9", "payment", "payment_unlinked").await;
    assert!(story["remedy"].as_str().unwrap().contains("invoice_payment.paid"));
}

#[tokio::test]
async fn terms_that_refuse_are_named() {
    for (terms, reason) in [
        (json!({ "status": "paused" }), "program_inactive"),
        (json!({ "products": ["prod_1"], "status": "active" }), "products_unknown"),
        (json!({ "attribution_window_days": 0 }), "click_expired"),
    ] {
        let app = App::new();
        let shop = Shop::open(&app, terms).await;
        shop.told("checkout.session.completed", 0, shop.session(json!({}))).await;
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
}

#[tokio::test]
async fn ids_of_another_workspace_are_not_told() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.told("checkout.session.completed", 0, shop.session(json!({}))).await;
    let commission = shop.merchant.get("/commissions").await.text("/data/0/id");
    let stranger = app.merchant().await;
    assert_eq!(stranger.get(&format!("/explain/{commission}")).await.status, 404);
    for id in [&shop.click, &shop.program, &shop.partner, &shop.endpoint] {
        assert_eq!(stranger.get(&format!("/explain/{id}")).await.status, 404, "{id}");
    }
    let told = stranger.get("/explain/cs_1").await;
    assert_eq!(told.body["found"], false);
    assert!(!told.body.to_string().contains("Ada"));
}
