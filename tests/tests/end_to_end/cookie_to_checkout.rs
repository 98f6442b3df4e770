//! cookie ─▶ checkout: the click is added to Payment Links, Buy Buttons and Pricing Tables.

use trac_tests::Browser;

const LINK: &str = "document.querySelector('#payment-link').href";

#[tokio::test]
async fn every_way_to_pay_carries_the_click() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&demo.address("/links/0")).await;
    let id = browser.click_id().await;

    let want = format!("https://buy.stripe.com/test_teachest?locale=en&client_reference_id={id}");
    assert_eq!(browser.text(LINK).await, want, "existing parameters stay");
    for element in ["stripe-buy-button", "stripe-pricing-table"] {
        let attribute = format!("document.querySelector('{element}').getAttribute('client-reference-id')");
        assert_eq!(browser.text(&attribute).await, id, "{element}");
        let frame = format!("(document.querySelector('{element} iframe') || {{}}).src");
        let source = browser.until(&frame).await;
        let source = source.as_str().unwrap_or_default();
        assert!(source.contains(&format!("client_reference_id={id}")), "{element} was shown with {source}");
    }
}

#[tokio::test]
async fn links_added_later_are_decorated_and_the_merchants_references_stay() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&demo.address("/links/0")).await;
    let id = browser.click_id().await;
    browser
        .run(
            "document.body.insertAdjacentHTML('beforeend', `
                <a id=own href='https://buy.stripe.com/test_giftbox?client_reference_id=user_7'>own</a>
                <a id=other href='https://buy.stripe.com.evil.example/test_giftbox'>other</a>
                <a id=late href='https://buy.stripe.com/test_giftbox#x'>late</a>`)",
        )
        .await;
    let want = format!("https://buy.stripe.com/test_giftbox?client_reference_id={id}#x");
    let late = "document.querySelector('#late').href";
    browser.until(&format!("{late}.includes('client_reference_id') && {late}")).await;
    assert_eq!(browser.text(late).await, want);
    let href = |name: &str| format!("document.querySelector('#{name}').getAttribute('href')");
    assert_eq!(
        browser.text(&href("own")).await,
        "https://buy.stripe.com/test_giftbox?client_reference_id=user_7"
    );
    assert_eq!(browser.text(&href("other")).await, "https://buy.stripe.com.evil.example/test_giftbox");
}

#[tokio::test]
async fn without_a_click_every_link_stays_unchanged() {
    let Some((browser, demo)) = Browser::with_demo().await else { return };
    browser.visit(&format!("{}/", demo.address("/shop"))).await;
    assert_eq!(browser.text(LINK).await, "https://buy.stripe.com/test_teachest?locale=en");
    let marked = "document.querySelector('[client-reference-id]') === null";
    assert_eq!(browser.js(marked).await, true);
}
