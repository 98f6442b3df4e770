//! checkout ─▶ webhook: the buyer pays on Stripe's page, and the tracker receives signed events.

use serde_json::Value;
use trac_tests::{Browser, Demo};

#[tokio::test]
async fn a_payment_by_payment_link_carries_the_click_in_a_signed_event() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&demo.address("/links/0")).await;
    let id = browser.click_id().await;
    browser.click("#payment-link").await;
    browser.until("location.pathname === '/test_teachest'").await;
    assert_eq!(browser.text("document.querySelector('#reference').textContent").await, id);
    browser.click("#pay").await;
    browser.until("location.pathname === '/thanks.html'").await;
    assert!(browser.address().await.starts_with(&demo.address("/shop")));

    for sent in demo.stripe_list("events").await {
        assert_eq!(sent.get("status"), Some(&Value::from(200)), "{sent}");
    }
    let session = logged(&demo, "checkout.session.completed").await;
    assert_eq!(session.get("outcome"), Some(&Value::from("processed")), "{session}");
    let event = session.get("id").and_then(Value::as_str).expect("an ID");
    let payload = demo.merchant.get(&format!("/events/{event}")).await;
    assert_eq!(payload.text("/payload/data/object/client_reference_id"), id);
}

#[tokio::test]
async fn a_subscription_from_the_pricing_table_sends_session_invoice_and_payment_events() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&demo.address("/links/0")).await;
    let id = browser.click_id().await;
    browser.enter("stripe-pricing-table iframe").await;
    browser.click(".offer .button").await;
    browser.until("location.pathname === '/test_teaclub'").await;
    assert_eq!(browser.text("document.querySelector('#reference').textContent").await, id);
    browser.click("#pay").await;
    browser.until("location.pathname === '/thanks.html'").await;
    for kind in ["checkout.session.completed", "invoice.paid", "invoice_payment.paid"] {
        let row = logged(&demo, kind).await;
        let outcome = row.get("outcome").and_then(Value::as_str).unwrap_or_default();
        assert!(matches!(outcome, "processed" | "duplicate"), "{kind}: {row}");
    }
}

async fn logged(demo: &Demo, kind: &str) -> Value {
    let rows = demo.merchant.all("/events").await;
    let found = rows.iter().find(|row| row.get("type").is_some_and(|found| found == kind));
    found.cloned().unwrap_or_default()
}
