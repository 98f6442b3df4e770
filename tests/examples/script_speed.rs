//! How long a page waits for its links: `cargo xtask bench --browser`.
//!
//! Each figure is the median of 25 cold loads of one page with 50 Payment Links in Chromium, from the moment
//! when the script is loaded until the last link is rewritten.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::float_arithmetic,
    reason = "a benchmark prints, measures time, and may fail"
)]

use std::path::Path;

use trac_tests::{Browser, Pages, Way};

const LOADS: usize = 25;
const LINKS: usize = 50;

/// The code that rewrites the links, and its page. Each loads its script from a URL of its own, so that
/// nothing is cached.
const PAGES: [(&str, &str); 4] = [
    ("trac.js", "trac.html"),
    ("the same work by hand, in plain JavaScript", "plain.html"),
    ("trac.compat.js in its place", "compat.html"),
    ("the WebAssembly as a second request", "second.html"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages/speed");
    let Some(browser) = Browser::open().await else { return };
    println!("script loaded → all {LINKS} links rewritten, ms, median of {LOADS} cold loads");
    let Some(pages) = Pages::serve(&folder, "", Way::Plain) else { return };
    let mut times = [const { Vec::new() }; PAGES.len()];
    let mut navigations = Vec::new();
    // In turns, so that the machine's other load affects all of them.
    for load in 0..LOADS {
        for ((_, page), times) in PAGES.iter().zip(&mut times) {
            let id = format!("clk_{}_0123456789abcdef", 1_764_000_000 + load);
            browser.visit(&pages.address("localhost", &format!("{page}?trac_click_id={id}"))).await;
            let took = browser.until("window.took").await;
            assert_eq!(
                browser.js("document.querySelectorAll('a[href*=client_reference_id]').length").await,
                LINKS
            );
            times.push(took.as_f64().expect("a number"));
            if *page == "trac.html" {
                navigations.push(browser.js("window.navigated()").await.as_f64().expect("a number"));
            }
        }
    }
    let medians = times.map(median);
    let [own, ..] = medians;
    for ((name, _), median) in PAGES.iter().zip(medians) {
        println!("{median:8.2}  {:4.2} × trac.js  {name}", median / own);
    }
    println!("{:8.2}  pushState with another click → all links rewritten", median(navigations));
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().expect("at least one time")
}
