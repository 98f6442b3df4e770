//! The script on pages of every kind, in a real browser; each page contains its checks.

use std::path::Path;

use trac_tests::{Browser, Pages, Way, node_modules, say};

fn own_pages() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pages")
}

/// Opens a page under each host name of this machine, with each way to load the script.
async fn check(page: &str) {
    check_on(page, &["127.0.0.1", "localhost", "www.shop.localhost"]).await;
}

async fn check_on(page: &str, hosts: &[&str]) {
    let Some(browser) = Browser::open().await else { return };
    for way in Way::ALL {
        let Some(pages) = Pages::serve(&own_pages(), "", way) else { return };
        for host in hosts {
            browser.visit(&pages.address(host, page)).await;
            let result = browser.until("(document.getElementById('result') || {}).textContent").await;
            let result = result.as_str().unwrap_or_default();
            assert!(result.starts_with("ok, "), "{page} on {host}, {way:?}:\n{result}");
            browser.picture(&format!("{page}-{way:?}")).await;
        }
    }
}

#[tokio::test]
async fn the_click_is_read_from_the_url_and_the_pages_history() {
    check("click.html").await;
}

#[tokio::test]
async fn the_click_is_stored_twice_and_each_copy_repairs_the_other() {
    check("cookie.html").await;
}

#[tokio::test]
async fn everything_that_leads_to_stripe_is_decorated_and_nothing_else() {
    check("checkout.html").await;
}

#[tokio::test]
async fn navigations_of_a_router_and_restored_pages_are_followed() {
    check("follow.html").await;
}

#[tokio::test]
async fn the_script_works_with_a_stub_with_a_second_tag_and_without_webassembly() {
    check("guest.html").await;
}

#[tokio::test]
async fn frozen_prototypes_and_broken_functions_are_tolerated() {
    check_on("frozen.html", &["localhost"]).await;
}

#[tokio::test]
async fn overridden_functions_are_tolerated() {
    check_on("overridden.html", &["localhost"]).await;
}

#[tokio::test]
async fn storage_that_throws_is_tolerated() {
    check("storage.html").await;
}

#[tokio::test]
async fn a_page_that_resets_its_links_each_time_causes_no_endless_loop() {
    check_on("fight.html", &["localhost"]).await;
}

#[tokio::test]
async fn twenty_thousand_links_and_ten_thousand_in_a_burst_are_decorated() {
    check_on("many.html", &["localhost"]).await;
}

#[tokio::test]
async fn nothing_is_stored_before_consent_if_the_merchant_requires_it() {
    check("consent.html").await;
}

#[tokio::test]
async fn global_privacy_control_is_honoured_by_option() {
    check("gpc.html").await;
}

#[tokio::test]
async fn a_sandboxed_frame_is_attributed_while_its_page_is_open() {
    check_on("sandbox.html", &["localhost"]).await;
}

#[tokio::test]
async fn a_partners_code_requests_a_click_and_a_lead_is_reported() {
    check("talk.html").await;
}

#[tokio::test]
async fn the_package_does_the_same_after_init() {
    check("module.html").await;
}

#[tokio::test]
async fn the_react_hook_follows_the_click() {
    if !node_modules().join("react").is_dir() {
        say("skipped: no React; `cargo xtask build-script` installs it");
        return;
    }
    let Some(browser) = Browser::open().await else { return };
    let Some(pages) = Pages::serve(&own_pages(), "", Way::Plain) else { return };
    browser.visit(&pages.address("localhost", "react.html")).await;
    let result = browser.until("(document.getElementById('result') || {}).textContent").await;
    assert!(result.as_str().unwrap_or_default().starts_with("ok, "), "{result}");
}
