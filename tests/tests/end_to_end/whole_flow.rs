//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission, and a refund, as a person clicks it.
//!
//! With `TRAC_SCREENSHOTS=DIR` every step saves a screenshot.

use serde_json::{Value, json};
use trac_tests::Browser;

#[tokio::test]
async fn a_partners_reader_buys_the_partner_earns_and_a_refund_takes_it_back() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };

    browser.visit(&demo.address("/dashboard_url")).await;
    browser.click("#enter").await;
    browser.until("document.querySelector('#commissions .empty') !== null").await;
    let dashboard = browser.address().await;
    browser.picture("0-dashboard-empty").await;

    browser.visit(&demo.address("/links/0")).await;
    browser.until("document.querySelector('stripe-pricing-table iframe') !== null").await;
    browser.picture("1-shop").await;
    let click = browser.click_id().await;

    // From another page of the shop, without the click in the URL: the cookie has it.
    browser.visit(&format!("{}/", demo.address("/shop"))).await;
    browser.enter("stripe-buy-button iframe").await;
    browser.click(".offer .button").await;
    browser.until("location.pathname === '/test_giftbox'").await;
    browser.picture("2-stripe").await;
    browser.click("#pay").await;
    browser.until("location.pathname === '/thanks.html'").await;
    browser.picture("3-thanks").await;

    let rows = demo.merchant.all("/commissions").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let commission = rows.first().cloned().unwrap_or_default();
    let value = |key: &str| commission.get(key).cloned().unwrap_or_default();
    assert_eq!(value("click_id"), json!(click));
    assert_eq!(
        (value("source"), value("reason"), value("status")),
        (json!("sale"), json!("ok"), json!("pending"))
    );
    assert_eq!(
        (value("base_minor"), value("amount_minor"), value("currency")),
        (json!(3_200), json!(640), json!("usd"))
    );
    let partner = value("partner_id").as_str().unwrap_or_default().to_owned();
    let partner = demo.merchant.get(&format!("/partners/{partner}")).await;
    assert_eq!(partner.text("/name"), "Paula Press");

    // The dashboard shows the story, and updates while it stays open.
    browser.visit(&dashboard).await;
    let page = "document.body.innerText";
    let story = browser.text(page).await;
    for text in [click.as_str(), "Paula Press", "6.40 USD", "checkout.session.completed", "earn"] {
        assert!(story.contains(text), "{text} is not on the page: {story}");
    }
    browser.picture("4-dashboard-earned").await;
    browser.run("window.stayed = true").await;
    let payments = demo.stripe_list("payments").await;
    let payment = payments.first().and_then(|row| row.get("id")).and_then(Value::as_str).unwrap_or_default();
    demo.stripe(&format!("refund/{payment}"), json!({"amount": 1_600})).await;
    browser.until(&format!("{page}.includes('-3.20 USD')")).await;
    assert_eq!(browser.js("window.stayed").await, true, "without being loaded again");
    browser.picture("5-dashboard-refunded").await;
    assert_eq!(demo.merchant.net_minor().await, 320);

    // The merchant refunds the rest with the button.
    browser.visit(&format!("{}/dashboard", demo.address("/stripe"))).await;
    browser.picture("6-merchant").await;
    browser.click("button.refund").await;
    browser.until("document.querySelector('button.refund') === null").await;
    assert_eq!(demo.merchant.net_minor().await, 0);
    browser.visit(&dashboard).await;
    browser.picture("7-dashboard-reversed").await;

    let id = commission.get("id").and_then(Value::as_str).unwrap_or_default();
    let session = commission.pointer("/stripe/checkout_session").and_then(Value::as_str).unwrap_or_default();
    ask_why(&browser, session).await;

    let entries = demo.merchant.all(&format!("/commissions/{id}/entries")).await;
    let amounts: Vec<_> =
        entries.iter().rev().filter_map(|row| row.get("amount_minor").and_then(Value::as_i64)).collect();
    assert_eq!(amounts, [640, -320, -320], "every step stays on record");
}

/// The partner's question "Where is my commission?" on the dashboard.
async fn ask_why(browser: &Browser, session: &str) {
    browser.click("a[href='dashboard/why']").await;
    browser.fill("#id", "nobody@example.com").await;
    browser.click("#ask").await;
    browser.until("document.querySelector('.verdict-broken') !== null").await;
    browser.picture("8-why-nothing").await;
    browser.run("document.getElementById('id').value = ''").await;
    browser.fill("#id", session).await;
    browser.click("#ask").await;
    browser.until("document.querySelector('.verdict-whole') !== null").await;
    browser.picture("9-why").await;
    let story = browser.text("document.body.innerText").await;
    for text in ["Paula Press", "client_reference_id of cs_", "6.40 USD", "-3.20 USD"] {
        assert!(story.contains(text), "{text} is not in the story: {story}");
    }
}
