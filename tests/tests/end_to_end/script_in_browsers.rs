//! The script in situations that only a browser creates: policies, https, real clicks, back and forward,
//! prerendered pages.

use std::path::Path;

use serde_json::json;
use trac_tests::{Browser, HttpsFolder, Pages, Way, say};

const CLICK: &str = "clk_1764000000_0123456789abcdef";

fn own_pages() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pages")
}

fn landing(page: &str) -> String {
    format!("{page}?trac_click_id={CLICK}")
}

#[tokio::test]
async fn strict_policies_are_obeyed_and_the_fallback_is_loaded() {
    let Some(browser) = Browser::open().await else { return };
    for (way, falls_back) in [(Way::Nonce, true), (Way::Trusted, true), (Way::TrustedWasm, false)] {
        let Some(pages) = Pages::serve(&own_pages(), "", way) else { return };
        browser.visit(&pages.address("localhost", &landing("policy.html"))).await;
        let href = browser.until("trac.getClickId() && document.querySelector('a').href").await;
        assert_eq!(href, format!("https://buy.stripe.com/test_1?client_reference_id={CLICK}"), "{way:?}");
        let fallback =
            "(document.querySelector('script[src$=\"/trac.compat.js\"]') || { dataset: {} }).dataset";
        let attributes = if falls_back { json!({ "attributionModel": "first-click" }) } else { json!({}) };
        assert_eq!(browser.js(fallback).await, attributes, "{way:?}: with the attributes of the tag");
        let refused = browser.js("(window.refused || []).filter((one) => !/wasm-eval/.test(one))").await;
        assert_eq!(refused, json!([]), "{way:?}: nothing but WebAssembly was refused");
        if !falls_back {
            assert_eq!(
                browser.js("window.refused || []").await,
                json!([]),
                "{way:?}: WebAssembly is not refused either"
            );
        }
    }
}

#[tokio::test]
async fn a_script_that_sets_the_location_passes_the_click_on() {
    let Some(pages) = Pages::serve(&own_pages(), "", Way::Plain) else { return };
    let Some(browser) = Browser::open().await else { return };
    let want = format!("https://buy.stripe.com/test_1?a=b&client_reference_id={CLICK}#c");
    for statement in ["href = url", "assign(url)", "replace(url)"] {
        browser.visit(&pages.address("localhost", &format!("location.html?trac_click_id={CLICK}"))).await;
        if browser.js("typeof navigation").await == "undefined" {
            say("this browser has no Navigation API");
            assert_eq!(browser.text("trac.link('https://buy.stripe.com/test_1?a=b#c')").await, want);
            continue;
        }
        browser
            .run(&format!(
                "const url = 'https://buy.stripe.com/test_1?a=b#c'; setTimeout(() => location.{statement})"
            ))
            .await;
        browser.arrives(&want).await;
    }
}

#[tokio::test]
async fn a_link_that_is_made_when_it_is_clicked_carries_the_click() {
    let Some(pages) = Pages::serve(&own_pages(), "", Way::Plain) else { return };
    let Some(browser) = Browser::open().await else { return };
    for place in ["#early", "#late", "#submit", "#path"] {
        browser.visit(&pages.address("localhost", &landing("act.html"))).await;
        browser.until("trac.getClickId()").await;
        browser.leave_by(place).await;
        browser.arrives(&format!("https://buy.stripe.com/test_1?client_reference_id={CLICK}")).await;
    }
}

#[tokio::test]
async fn a_page_that_is_restored_by_the_back_button_uses_the_newer_click() {
    let Some(pages) = Pages::serve(&own_pages(), "", Way::Plain) else { return };
    let Some(browser) = Browser::open().await else { return };
    browser.visit(&pages.address("localhost", "back.html")).await;
    assert_eq!(browser.text("document.querySelector('a').href").await, "https://buy.stripe.com/test_1");
    browser.visit(&pages.address("localhost", &landing("back.html"))).await;
    browser.until("trac.getClickId()").await;
    browser.back().await;
    let href =
        browser.until("!location.search && trac.getClickId() && document.querySelector('a').href").await;
    assert_eq!(href, format!("https://buy.stripe.com/test_1?client_reference_id={CLICK}"));
    assert_eq!(browser.js("[trac.debug().source, trac.debug().errors]").await, json!(["cookie", []]));
    if browser.js("shows.includes(true)").await == false {
        say("this browser loaded the page again, not from the back/forward cache");
    }
}

#[tokio::test]
async fn a_prerendered_page_reads_the_click_when_it_is_shown() {
    let Some(pages) = Pages::serve(&own_pages(), "", Way::Plain) else { return };
    let Some(browser) = Browser::open().await else { return };
    browser.visit(&pages.address("localhost", &landing("prerender.html"))).await;
    // A browser without prerendering, or that skips it, reports nothing.
    browser.until("messages.length > 0 || performance.now() > 3000").await;
    browser.run("setTimeout(go)").await;
    let click = browser.until("window.clickBefore !== undefined && trac.getClickId()").await;
    assert_eq!(click, CLICK);
    if browser.js("wasPrerendering").await == true {
        let before = browser.js("[clickBefore, linkBefore]").await;
        assert_eq!(
            before,
            json!([null, "https://buy.stripe.com/test_1"]),
            "no click before the page is shown"
        );
    } else {
        say("this browser has prerendered no page");
    }
    let href = browser.text("document.querySelector('a').href").await;
    assert_eq!(href, format!("https://buy.stripe.com/test_1?client_reference_id={CLICK}"));
}

#[tokio::test]
async fn a_link_without_a_scheme_has_that_of_the_page() {
    let Some(browser) = Browser::open().await else { return };
    let link = "<!doctype html><a href='//buy.stripe.com/test_1'>x</a><script src='/trac.js'></script>";
    let Some(site) = HttpsFolder::serve(&[("page.html", link)]) else { return };
    browser.visit(&site.address(&landing("page.html"))).await;
    browser.until("trac.getClickId()").await;
    let href = browser.text("document.querySelector('a').getAttribute('href')").await;
    assert_eq!(href, format!("//buy.stripe.com/test_1?client_reference_id={CLICK}"));
    assert_eq!(browser.js("trac.debug().stored").await, json!(["cookie", "localStorage"]), "a Secure cookie");
    let Some(plain) = Pages::serve(&own_pages(), "", Way::Plain) else { return };
    browser.visit(&plain.address("localhost", &landing("location.html"))).await;
    browser.until("trac.getClickId()").await;
    assert_eq!(
        browser.text("trac.link('//buy.stripe.com/test_1')").await,
        "//buy.stripe.com/test_1",
        "a Payment Link needs https"
    );
}
