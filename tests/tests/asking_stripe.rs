//! A refund that no event ties to its sale: a real server asks the stand-in, though it is killed before it can.
#![allow(clippy::expect_used, reason = "a test")]

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use trac_stand_in::{Catalogue, Config, StandIn};
use trac_tests::{Server, Setup, envelope, now};

const DAY: i64 = 86_400;
const LIMIT: Duration = Duration::from_mins(3);

/// A stand-in that tells nobody anything, with one month of a subscription paid; the payment as it lists it.
async fn stand_in() -> (String, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let config = Config {
        origin: origin.clone(),
        after_payment: None,
        catalogue: Catalogue::tea_shop(),
        webhook: None,
    };
    tokio::spawn(StandIn::new(config).serve(listener));
    let wanted = json!({ "link": "test_teaclub" });
    let paid = reqwest::Client::new().post(format!("{origin}/stand-in/payments")).json(&wanted).send().await;
    (origin, paid.expect("the stand-in answers").json().await.expect("a payment"))
}

#[tokio::test]
async fn a_refund_is_tied_to_its_invoice_by_asking_after_a_sudden_end_too() {
    let (origin, payment) = stand_in().await;
    let mut server = Server::start_as(Setup {
        arguments: vec!["--stripe-api-url".into(), origin.clone()],
        ..Setup::default()
    })
    .await;
    let merchant = server.merchant("asks Stripe");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "asked", "https://shop.example/").await;
    let at = |days: i64| trac_core::time::Timestamp::from_unix_secs(now() - days * DAY).to_rfc3339();
    let clicked = json!({ "link_id": terms.link, "clicked_at": at(4) });
    let click = merchant.make("/clicks", clicked).await;
    let id = endpoint.url.rsplit('/').next().expect("an endpoint");
    let path = format!("/webhook-endpoints/{id}");
    let key = json!({ "stripe_api_key": "rk_test_0123456789abcdef" });
    let set = merchant.ask(Method::PATCH, &path, Some(key)).await;
    assert_eq!((set.status, set.text("/stripe_api_key").as_str()), (200, "rk_test_…cdef"));

    // The invoice was made three days before its charge: too far apart to be taken for the same money.
    let field = |name: &str| payment.get(name).cloned().unwrap_or_default();
    let amount = field("amount_minor");
    let details = json!({ "subscription": field("subscription"), "metadata": { "tracClickId": click } });
    let invoice = json!({ "id": field("invoice"), "object": "invoice", "status": "paid", "amount_paid": amount,
        "total": amount, "currency": field("currency"), "customer": field("customer"), "created": now() - 3 * DAY,
        "metadata": {}, "parent": { "type": "subscription_details", "subscription_details": details } });
    let charge = json!({ "id": field("charge"), "object": "charge", "amount": amount, "amount_captured": amount,
        "amount_refunded": amount, "captured": true, "status": "succeeded", "currency": field("currency"),
        "customer": field("customer"), "created": now(), "payment_intent": field("id"), "metadata": {} });
    let told = endpoint.deliver(&envelope("evt_asked_1", "invoice.paid", now(), &invoice)).await;
    assert_eq!(told.text("/reason"), "ok", "{}", told.body);
    let told = endpoint.deliver(&envelope("evt_asked_2", "charge.refunded", now(), &charge)).await;
    assert_eq!(told.text("/reason"), "payment_unlinked", "{}", told.body);
    server.kill();
    server.restart().await;

    let begun = Instant::now();
    let refund = loop {
        let refund = merchant.get("/events/evt_asked_2").await;
        if refund.text("/outcome") == "processed" || begun.elapsed() > LIMIT {
            break refund;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(refund.text("/reason"), "refund_full", "{}\n{}", refund.body, server.log());
    assert_eq!(merchant.net_minor().await, 0);
    let asked = merchant.get(&format!("/events/{}", refund.text("/settled_by"))).await;
    assert_eq!(
        (asked.text("/type").as_str(), asked.text("/stripe_event_id").as_str()),
        ("invoice_payment.paid", "")
    );
    assert!(!asked.text("/asked_at").is_empty(), "{}", asked.body);
}
