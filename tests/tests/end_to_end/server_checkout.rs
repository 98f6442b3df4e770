//! cookie ─▶ checkout on the merchant's own server: the axum-shop example, without a browser and without a script.
#![expect(clippy::expect_used, reason = "a failed precondition of a test panics")]

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;
use trac_tests::{AxumShop, Demo};

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap_or_default()
}

fn header(answer: &Response, name: reqwest::header::HeaderName) -> String {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Orders an item with these cookies and returns the URL of Stripe's page.
async fn order(shop: &AxumShop, cookies: &str, item: &str) -> String {
    let order = client().post(format!("{}/checkout", shop.url)).header(COOKIE, cookies);
    let answer = order.form(&[("item", item)]).send().await.expect("the shop answers");
    assert_eq!(answer.status(), 303);
    header(&answer, LOCATION)
}

/// The session of such a URL.
async fn session(demo: &Demo, page: &str) -> Value {
    let id = page.rsplit('/').next().unwrap_or_default();
    let url = format!("{}/v1/checkout/sessions/{id}", demo.address("/stripe"));
    let answer = client().get(url).bearer_auth("sk_test_x").send().await.expect("the simulator answers");
    answer.json().await.expect("a session")
}

async fn pay(demo: &Demo, page: &str) {
    let id = page.rsplit('/').next().unwrap_or_default();
    let url = format!("{}/pay/{id}", demo.address("/stripe"));
    let answer = client().post(url).form(&[("email", "ada@example.com")]).send().await;
    assert_eq!(answer.expect("the simulator answers").status(), 303);
}

#[tokio::test]
async fn the_server_sets_the_cookie_and_puts_the_click_on_the_session() {
    let demo = Demo::start();
    let shop = AxumShop::start(&demo);
    let click = demo.click().await;
    let visit = client().get(format!("{}/?trac_click_id={click}", shop.url)).send().await;
    let cookie = header(&visit.expect("the shop answers"), SET_COOKIE);
    assert!(cookie.starts_with(&format!("trac_click_id={click};")), "{cookie}");

    let page = order(&shop, &format!("theme=dark; trac_click_id={click}"), "teapot").await;
    let made = session(&demo, &page).await;
    assert_eq!(made.pointer("/metadata/tracClickId"), Some(&Value::from(click.as_str())), "{made}");
    pay(&demo, &page).await;
    assert_eq!(demo.merchant.net_minor().await, 1_300, "20 % of 65.00");
}

#[tokio::test]
async fn renewals_of_a_subscription_are_credited_to_its_click() {
    let demo = Demo::start();
    let shop = AxumShop::start(&demo);
    let click = demo.click().await;
    let page = order(&shop, &format!("trac_click_id={click}"), "tea_of_the_month").await;
    pay(&demo, &page).await;
    let payments = demo.stripe_list("payments").await;
    let subscription = payments.first().and_then(|row| row.get("subscription")).and_then(Value::as_str);
    let subscription = subscription.expect("a subscription");
    demo.stripe(&format!("renew/{subscription}"), serde_json::json!({})).await;
    assert_eq!(demo.merchant.net_minor().await, 2 * 440, "20 % of 22.00, twice");
}

#[tokio::test]
async fn a_buyer_without_a_click_can_buy() {
    let demo = Demo::start();
    let shop = AxumShop::start(&demo);
    for cookies in ["", "trac_click_id=<script>; x", "trac_click_id="] {
        let page = order(&shop, cookies, "teapot").await;
        let made = session(&demo, &page).await;
        assert_eq!(made.pointer("/metadata"), Some(&serde_json::json!({})), "{cookies:?}");
        pay(&demo, &page).await;
    }
    assert_eq!(demo.merchant.all("/conversions").await.len(), 3);
    assert_eq!(demo.merchant.net_minor().await, 0);
}
