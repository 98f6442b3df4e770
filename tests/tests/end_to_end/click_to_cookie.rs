//! click ─▶ cookie: a visitor follows a partner's link, and the shop's page stores the click.

use trac_tests::Browser;

const COOKIE: &str = r"(document.cookie.match(/(?:^|; )trac_click_id=([^;]*)/) || [])[1] || ''";
const STORED: &str = "localStorage.getItem('trac_click_id') || ''";

#[tokio::test]
async fn a_tracked_link_leads_to_the_shop_which_stores_its_click_in_cookie_and_storage() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&demo.address("/links/0")).await;

    let address = browser.address().await;
    assert!(address.starts_with(&demo.address("/shop")), "{address}");
    let (_, id) = address.split_once("trac_click_id=").expect("the address carries the click");
    assert!(id.starts_with("clk_"), "{id}");
    assert_eq!(browser.click_id().await, id);
    assert_eq!(browser.until(COOKIE).await, id);
    assert_eq!(browser.until(STORED).await, id);

    let stored = demo.merchant.get(&format!("/clicks/{id}")).await;
    assert_eq!(stored.text("/click_id"), id, "the click in the URL is stored");
}

#[tokio::test]
async fn cookie_and_storage_repair_each_other() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&demo.address("/links/0")).await;
    // The script may start after the page is loaded, so each value is waited for.
    let id = browser.until(COOKIE).await;
    assert_eq!(browser.until(STORED).await, id);
    let shop = format!("{}/", demo.address("/shop"));

    browser.run("localStorage.clear()").await;
    browser.visit(&shop).await;
    assert_eq!(browser.until(STORED).await, id, "storage, from the cookie");

    browser.run("document.cookie = 'trac_click_id=; path=/; max-age=0'").await;
    assert_eq!(browser.text(COOKIE).await, "");
    browser.visit(&shop).await;
    assert_eq!(browser.until(COOKIE).await, id, "the cookie, from storage");
}

#[tokio::test]
async fn the_last_partners_click_counts_and_a_visitor_without_a_link_has_none() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&format!("{}/", demo.address("/shop"))).await;
    browser.until("window.trac.getClickId && window.trac.getClickId() === null").await;
    assert_eq!((browser.text(COOKIE).await, browser.text(STORED).await), (String::new(), String::new()));

    browser.visit(&demo.address("/links/0")).await;
    let paulas = browser.until(COOKIE).await;
    browser.visit(&demo.address("/links/1")).await;
    let petes = browser.until(&format!("({COOKIE}) !== {paulas} && ({COOKIE})")).await;
    assert!(petes.as_str().is_some_and(|id| id.starts_with("clk_")), "{paulas} {petes}");
    assert_eq!(demo.merchant.all("/clicks").await.len(), 2);
}
