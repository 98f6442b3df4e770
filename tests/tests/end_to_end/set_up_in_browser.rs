//! From an empty folder to the first credited test sale, in the browser alone.
//!
//! With `TRAC_SCREENSHOTS=DIR` every step saves a screenshot.

use std::time::Instant;

use serde_json::Value;
use tokio::net::TcpListener;
use trac_stand_in::{Catalogue, Config, Shop, ShopOrigins, StandIn};
use trac_tests::{Browser, Server, Setup, say, shop_address};

/// A person at the browser, who counts the clicks.
struct Person {
    browser: Browser,
    clicks: usize,
}

impl Person {
    async fn click(&mut self, selector: &str) {
        self.clicks += 1;
        self.browser.click(selector).await;
    }

    async fn type_over(&self, selector: &str, text: &str) {
        self.browser.run(&format!("document.querySelector({selector:?}).value = ''")).await;
        self.browser.fill(selector, text).await;
    }

    /// Waits until a step of the set-up is done, without loading the page again.
    async fn step_is_done(&self, id: &str) {
        self.browser.until(&format!("document.querySelector('#{id}.step-done') !== null")).await;
    }
}

/// Serves Stripe, and the pages of a merchant who has pasted the line that the set-up shows.
fn serve_shop(
    server: &Server,
    (stripe_socket, stripe): (TcpListener, &str),
    (shop_socket, shop): (TcpListener, &str),
) {
    let account = StandIn::new(Config {
        origin: stripe.to_owned(),
        after_payment: Some(format!("{shop}/thanks.html")),
        catalogue: Catalogue::tea_shop(),
        webhook: None,
    });
    tokio::spawn(account.serve(stripe_socket));
    let pages = Shop::new(&ShopOrigins { tracker: server.origin(), stripe: stripe.to_owned() }).router();
    tokio::spawn(async move { axum::serve(shop_socket, pages).await });
}

#[tokio::test]
async fn a_merchant_sets_everything_up_without_documentation() {
    let Some(browser) = Browser::open().await else { return };
    let (stripe_socket, stripe) = shop_address().await;
    let (shop_socket, shop) = shop_address().await;
    let variables = vec![("TRAC_STRIPE_API_URL", stripe.clone())];
    let server = Server::start_as(Setup { variables, ..Setup::default() }).await;
    if !reqwest::get(format!("{}/trac.js", server.origin())).await.is_ok_and(|answer| answer.status() == 200)
    {
        say("skipped: no script, run cargo xtask build-script");
        return;
    }
    serve_shop(&server, (stripe_socket, &stripe), (shop_socket, &shop));
    let merchant = server.merchant("Kettle & Leaf");
    let link = merchant.workspace.pointer("/dashboard_url").and_then(Value::as_str).unwrap_or_default();
    let begun = Instant::now();
    let mut person = Person { browser, clicks: 0 };
    person.browser.visit(link).await;
    person.click("#enter").await;
    person.click("a[href$='dashboard/welcome']").await;
    person.browser.fill("#name", "Mara Merchant").await;
    person.browser.fill("#email", "mara@kettle.example").await;
    person.browser.fill("#password", "correct horse battery").await;
    person.browser.picture("setup-1-account").await;
    person.click("main button[type=submit]").await;
    person.browser.picture("setup-2-steps").await;

    person.browser.fill("#f-restricted_key", "rk_test_51KettleAndLeaf000000000000").await;
    person.click("#signing_secret button[type=submit]").await;
    person.step_is_done("signing_secret").await;
    person.step_is_done("event_types").await;

    person.type_over("#f-commission-rate_bps", "25").await;
    person.browser.fill("#f-partner-name", "Paula Press").await;
    person.browser.fill("#f-partner-email", "paula@press.example").await;
    person.browser.fill("#f-link-destination", &format!("{shop}/")).await;
    person.click("#program button[type=submit]").await;
    for step in ["program", "partner", "link"] {
        person.step_is_done(step).await;
    }
    person.browser.picture("setup-3-link").await;

    person.browser.fill("#f-page", &format!("{shop}/")).await;
    person.click("#script button[type=submit]").await;
    // The link opens another tab; the test opens the page in this one.
    let page = person.browser.text("document.querySelector('main a[target=_blank]').href").await;
    person.clicks += 1;
    person.browser.visit(&page).await;
    person.browser.until("document.querySelector('trac-verify') !== null").await;
    person.browser.picture("setup-4-overlay").await;
    person.browser.visit(&format!("{}/dashboard/setup", server.origin())).await;
    person.step_is_done("script").await;

    // The test sale: the partner's link, the shop, the payment.
    let link = person.browser.text("document.querySelector('#open-link').href").await;
    person.clicks += 1;
    person.browser.visit(&link).await;
    let click = person.browser.click_id().await;
    person.browser.enter("stripe-buy-button iframe").await;
    person.click(".offer .button").await;
    person.browser.until("location.pathname === '/test_giftbox'").await;
    person.click("#pay").await;
    person.browser.until("location.pathname === '/thanks.html'").await;
    person.browser.visit(&format!("{}/dashboard/setup", server.origin())).await;
    person.step_is_done("first_sale").await;
    let story = person.browser.text("document.querySelector('#test-sale').innerText").await;
    for text in [click.as_str(), "Paula Press", "8.00 USD"] {
        assert!(story.contains(text), "{text} is not in the story: {story}");
    }
    person.browser.picture("setup-5-sale").await;
    assert_eq!(person.browser.js("document.querySelectorAll('.step-done').length").await, 11);

    let rows = merchant.all("/commissions").await;
    let amount = rows.first().and_then(|row| row.get("amount_minor")).and_then(Value::as_i64);
    assert_eq!((rows.len(), amount), (1, Some(800)), "{rows:?}");
    assert!(person.clicks <= 10, "{} clicks", person.clicks);
    say(&format!("{} clicks, {} s", person.clicks, begun.elapsed().as_secs()));
}
