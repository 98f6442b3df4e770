//! The script on pages of every kind, in a real browser: the project's own, each with its checks in it, and those of
//! merchants where they are at hand.

use std::path::Path;

use serde_json::Value;
use trac_tests::{Browser, Pages, Way, shared};

const CLICK: &str = "clk_1764000000_0123456789abcdef";

fn own_pages() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pages")
}

async fn check(page: &str) {
    let Some(browser) = Browser::open().await else { return };
    for way in Way::ALL {
        let Some(pages) = Pages::serve(&own_pages(), "", way) else { return };
        for host in ["127.0.0.1", "localhost", "www.shop.localhost"] {
            browser.visit(&pages.address(host, page)).await;
            let result = browser.until("(document.getElementById('result') || {}).textContent").await;
            let result = result.as_str().unwrap_or_default();
            assert!(result.starts_with("ok, "), "{page} on {host}, {way:?}:\n{result}");
        }
    }
}

#[tokio::test]
async fn the_click_is_read_from_the_url_and_the_pages_history() {
    check("click.html").await;
}

#[tokio::test]
async fn the_click_is_kept_twice_and_either_repairs_the_other() {
    check("cookie.html").await;
}

#[tokio::test]
async fn everything_that_leads_to_stripe_is_decorated_and_nothing_else() {
    check("checkout.html").await;
}

#[tokio::test]
async fn a_hostile_page_is_left_in_peace() {
    check("guest.html").await;
}

#[tokio::test]
async fn a_partners_code_asks_for_a_click_and_a_lead_is_told() {
    check("talk.html").await;
}

#[tokio::test]
async fn the_package_does_the_same_when_it_is_called() {
    check("module.html").await;
}

#[test]
fn the_package_may_be_imported_on_a_server() {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/npm/index.js");
    let Ok(module) = module.canonicalize() else { return };
    let code = format!(
        "const trac = await import('file://{}'); trac.init({{ key: 'pk' }}); trac.consent(true); \
         console.log(trac.getClickId(), trac.link('a'), trac.debug(), \
         await trac.trackLead({{}}).catch((error) => error.message), Object.keys(globalThis).includes('trac'))",
        module.display()
    );
    let node = std::process::Command::new("node").args(["--input-type=module", "-e", &code]).output();
    let Ok(node) = node else { return };
    let said = String::from_utf8_lossy(&node.stdout).into_owned();
    assert_eq!(
        said.trim(),
        "null a null trac: call init() first false",
        "{}",
        String::from_utf8_lossy(&node.stderr)
    );
}

#[tokio::test]
async fn under_a_nonce_and_trusted_types_the_fallback_comes_by_itself() {
    let Some(pages) = Pages::serve(&own_pages(), "", Way::Nonce) else { return };
    let Some(browser) = Browser::open().await else { return };
    browser.visit(&pages.address("localhost", &format!("policy.html?trac_click_id={CLICK}"))).await;
    let href = browser.until("trac.getClickId() && document.querySelector('a').href").await;
    assert_eq!(href, format!("https://buy.stripe.com/test_1?client_reference_id={CLICK}"));
    let fallback = "document.querySelector('script[src$=\"/trac.compat.js\"]').dataset.attributionModel";
    assert_eq!(browser.text(fallback).await, "first-click", "with the attributes of the tag");
    let refused = browser.js("(window.refused || []).filter((one) => !/wasm-eval/.test(one))").await;
    assert_eq!(refused, serde_json::json!([]), "nothing but WebAssembly was refused");
}

#[tokio::test]
async fn a_script_that_sets_the_location_takes_the_click_along() {
    let Some(pages) = Pages::serve(&own_pages(), "", Way::Plain) else { return };
    let Some(browser) = Browser::open().await else { return };
    for way in ["href = url", "assign(url)", "replace(url)"] {
        browser.visit(&pages.address("localhost", &format!("location.html?trac_click_id={CLICK}"))).await;
        browser
            .run(&format!(
                "const url = 'https://buy.stripe.com/test_1?a=b#c'; setTimeout(() => location.{way})"
            ))
            .await;
        let want = format!("https://buy.stripe.com/test_1?a=b&client_reference_id={CLICK}#c");
        browser.arrives(&want).await;
    }
}

#[tokio::test]
async fn merchants_pages_are_decorated_or_left_as_they_say() {
    let Some(folder) = shared("pages") else { return };
    let Some(browser) = Browser::open().await else { return };
    let index = std::fs::read(folder.join("INDEX.json")).expect("an index");
    let index: Vec<Value> = serde_json::from_slice(&index).expect("a list");
    for way in Way::ALL {
        let tag = "<script src='/trac.js'></script>";
        let Some(pages) = Pages::serve(&folder, tag, way) else { return };
        let mut seen = 0;
        for entry in &index {
            let word = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
            let (file, kind) = (word("file"), word("kind"));
            browser.visit(&pages.address("localhost", &format!("{file}?trac_click_id={CLICK}"))).await;
            browser.until("trac.getClickId()").await;
            let marked = format!("document.documentElement.outerHTML.includes('{CLICK}')");
            match kind {
                "rewrite" | "form" | "element" | "dynamic" => {
                    browser.until(&format!("{marked} && trac.debug().rewritten > 0")).await;
                }
                "leave" => assert_eq!(browser.js(&marked).await, false, "{file}, {way:?}"),
                // What leads to Stripe in its script alone is for the test above.
                _ => continue,
            }
            assert_eq!(browser.js("trac.debug().errors").await, serde_json::json!([]), "{file}, {way:?}");
            seen += 1;
        }
        assert!(seen > 0, "the index names no page");
    }
}
