//! Every page of the dashboard, in a real browser: for readers who need a keyboard or a screen reader, on a phone, in
//! light and dark colours, and under the pages' own policy.

use std::time::Instant;

use trac_tests::dashboard::{Busy, Faults, Stop, Tour, axe};
use trac_tests::{Browser, Colours, say};

/// A desk and a phone.
const WINDOWS: [(u32, u32); 2] = [(1280, 900), (390, 844)];

/// The fewest kinds of pages: lists, objects, forms.
const FEWEST: usize = 75;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_fit_for_every_reader() {
    let Some(axe) = axe() else {
        say("skipped: no axe-core, run npm ci in trac-js");
        assert!(std::env::var_os("TRAC_TEST_BROWSER").is_none(), "axe-core is required");
        return;
    };
    let (Some(wide), Some(narrow)) = tokio::join!(Browser::open(), Browser::open()) else { return };
    let begun = Instant::now();
    let busy = Busy::start().await;
    busy.create_account(&wide).await;
    let (mut faults, more) =
        tokio::join!(walk(&busy, &wide, WINDOWS[0], &axe), walk(&busy, &narrow, WINDOWS[1], &axe));
    faults.join(more);
    faults.paints.sort_by(f64::total_cmp);
    let middle = faults.paints.get(faults.paints.len() / 2).copied().unwrap_or_default();
    let last = faults.paints.last().copied().unwrap_or_default();
    say(&format!(
        "{} pages, first paint after {middle:.0} ms (middle), {last:.0} ms (last), {} s",
        faults.paints.len(),
        begun.elapsed().as_secs()
    ));
    assert!(faults.found.is_empty(), "{} faults:\n{}", faults.found.len(), faults.found.join("\n"));
}

/// Opens every page in a window of this size.
async fn walk(busy: &Busy, browser: &Browser, (width, height): (u32, u32), axe: &str) -> Faults {
    let mut faults = Faults::default();
    Faults::watch(browser).await;
    Faults::bring(browser, axe).await;
    browser.resize(width, height).await;
    browser.colours(Colours::Light).await;
    if browser.js("document.querySelector('.frame') === null").await == true {
        // What a visitor sees who is not signed in.
        for url in [busy.page("/login"), busy.invitation.clone(), busy.page("/enter?token=none")] {
            browser.visit(&url).await;
            faults.look(browser, &format!("{width} visitor {url}")).await;
            faults.examine(browser, &format!("{width} visitor {url}")).await;
        }
        busy.sign_in(browser).await;
    }
    let mut tour = Tour::of(&busy.demo.merchant.origin);
    tour.add(&busy.invitation);
    while let Some(Stop { url, kind }) = tour.next_stop() {
        browser.visit(&url).await;
        tour.look_around(browser).await;
        let name = format!("{width} {kind}");
        faults.look(browser, &name).await;
        faults.examine(browser, &name).await;
    }
    let kinds = tour.seen();
    assert!(kinds.len() >= FEWEST, "{} kinds of pages: {kinds:#?}", kinds.len());
    faults
}
