//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission, and back, as a person clicks it.
//!
//! With `TRAC_SCREENSHOTS=DIR` every step leaves a picture.

use serde_json::{Value, json};
use trac_tests::{Browser, Demo};

#[tokio::test]
async fn a_partners_reader_buys_the_partner_earns_and_a_refund_takes_it_back() {
    let Some(browser) = Browser::open().await else { return };
    let demo = Demo::start();

    browser.visit(&demo.address("/links/0")).await;
    browser.until("document.querySelector('stripe-pricing-table iframe') !== null").await;
    browser.picture("1-shop").await;
    let click = browser.text("window.trac.getClickId()").await;

    // From another page of the shop, without the click in the address: the cookie remembers.
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

    // The merchant gives half back, then the rest.
    let stripe = format!("{}/dashboard", demo.address("/stripe"));
    browser.visit(&stripe).await;
    browser.click("button.refund-half").await;
    browser.until("document.querySelector('#payments .bad') !== null").await;
    browser.picture("4-merchant").await;
    assert_eq!(demo.merchant.net_minor().await, 320);
    browser.click("button.refund").await;
    browser.until("document.querySelector('button.refund') === null").await;
    assert_eq!(demo.merchant.net_minor().await, 0);

    let id = commission.get("id").and_then(Value::as_str).unwrap_or_default();
    let entries = demo.merchant.all(&format!("/commissions/{id}/entries")).await;
    let amounts: Vec<_> =
        entries.iter().rev().filter_map(|row| row.get("amount_minor").and_then(Value::as_i64)).collect();
    assert_eq!(amounts, [640, -320, -320], "every step stays on record");
    browser.close().await;
}
