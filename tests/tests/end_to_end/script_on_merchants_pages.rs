//! The script on merchants' pages, if they are available: links are decorated, left unchanged, or opened
//! by the page's own scripts with the click.

use serde_json::json;
use trac_tests::{Browser, Pages, Way, merchants_pages};

const CLICK: &str = "clk_1764000000_0123456789abcdef";

/// Records what the page would have opened, before the script loads.
const TAG: &str = "<script>opened = []; open = (...args) => (opened.push(args), args[2] ? null : 'window')</script>\
    <script src='/trac.js'></script>";

#[tokio::test]
async fn merchants_pages_are_decorated_or_left_as_their_index_says() {
    let Some((folder, index)) = merchants_pages() else { return };
    let Some(browser) = Browser::open().await else { return };
    for way in Way::ALL {
        let Some(pages) = Pages::serve(&folder, TAG, way) else { return };
        let mut seen = 0;
        for (file, kind) in &index {
            browser.visit(&pages.address("localhost", &format!("{file}?trac_click_id={CLICK}"))).await;
            browser.until("trac.getClickId()").await;
            let marked = format!("document.documentElement.outerHTML.includes('{CLICK}')");
            match kind.as_str() {
                "rewrite" | "form" | "element" | "dynamic" => {
                    browser.until(&format!("{marked} && trac.debug().rewritten > 0")).await;
                }
                "leave" => assert_eq!(browser.js(&marked).await, false, "{file}, {way:?}"),
                // The tests below cover pages that lead to Stripe only in their scripts.
                _ => continue,
            }
            assert_eq!(browser.js("trac.debug().errors").await, json!([]), "{file}, {way:?}");
            seen += 1;
        }
        assert!(seen > 0, "the index names no page");
    }
}

#[tokio::test]
async fn merchants_scripts_open_windows_with_the_click() {
    let Some((folder, index)) = merchants_pages() else { return };
    let Some(browser) = Browser::open().await else { return };
    let link = |path: &str| format!("https://{path}?client_reference_id={CLICK}");
    let once = json!([link("donate.stripe.com/5kA9BD2gJ19abj0000"), "_blank"]);
    let monthly = json!([link("buy.stripe.com/5kAeVX8F7dVWcn0000"), "_blank", "noopener"]);
    let table = [
        ("42_window_open_handler.html", json!([[link("buy.stripe.com/test_eVq4gz9Xb7FK6c0000"), "_blank"]])),
        ("43_window_open_multi.html", json!([once, monthly])),
        ("50_custom_attr_data_href.html", json!([[link("buy.stripe.com/9AQ7sWemT48u1L0000")]])),
    ];
    for way in Way::ALL {
        let Some(pages) = Pages::serve(&folder, TAG, way) else { return };
        for (file, want) in &table {
            assert!(index.contains(&((*file).to_owned(), "script".to_owned())), "{file} is in the index");
            browser.visit(&pages.address("localhost", &format!("{file}?trac_click_id={CLICK}"))).await;
            browser.until("trac.getClickId()").await;
            browser
                .run("document.querySelectorAll('button, [data-href]').forEach((one) => one.click())")
                .await;
            assert_eq!(browser.js("opened").await, *want, "{file}, {way:?}");
            assert_eq!(browser.js("trac.debug().errors").await, json!([]), "{file}, {way:?}");
        }
    }
}

#[tokio::test]
async fn merchants_scripts_set_the_location_with_the_click() {
    let Some((folder, _)) = merchants_pages() else { return };
    let Some(browser) = Browser::open().await else { return };
    let table = [
        ("40_onclick_location_href.html", "buy.stripe.com/5kQ6oI6HHefh5b0000"),
        ("41_onclick_submit_input.html", "buy.stripe.com/test_00g9Dq5gPbJU5d0000"),
        ("44_location_replace.html", "buy.stripe.com/dR601T3kp6b9dd0000"),
    ];
    for way in Way::ALL {
        let Some(pages) = Pages::serve(&folder, TAG, way) else { return };
        for (file, path) in &table {
            browser.visit(&pages.address("localhost", &format!("{file}?trac_click_id={CLICK}"))).await;
            browser.until("trac.getClickId()").await;
            if browser.js("typeof navigation").await == "undefined" {
                // Without the Navigation API, the destination stays unchanged.
                continue;
            }
            browser.leave_by("button, input").await;
            browser.arrives(&format!("https://{path}?client_reference_id={CLICK}")).await;
        }
    }
}
