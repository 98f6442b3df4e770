//! A contact sheet: every page light, dark and on a phone, in one picture.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::busy::Busy;
use super::tour::{Stop, Tour};
use crate::browser::Browser;
use crate::chrome::Colours;

/// A window and its colours, and the width of its picture on the sheet.
const VIEWS: [(u32, u32, Colours, u32); 3] =
    [(1280, 900, Colours::Light, 384), (1280, 900, Colours::Dark, 384), (390, 844, Colours::Light, 125)];

/// The width of the sheet: two pages in a row.
const WIDTH: u32 = 1_880;

/// The start of the sheet's page.
const HEAD: &str = "<!doctype html><meta charset=\"utf-8\"><style>body { background: #d9d6cf; display: grid; \
    font: 15px system-ui, sans-serif; gap: 14px 20px; grid-template-columns: 1fr 1fr; margin: 18px; } \
    figcaption { padding-bottom: 4px; } figure { margin: 0; } div { display: flex; gap: 6px; } \
    img { border-radius: 4px; }</style>";

/// Photographs every page, and returns the sheet as a picture of the format WebP. The forms are on it, except those that
/// only ask for a confirmation.
pub async fn contact_sheet(busy: &Busy, browser: &Browser, mut log: impl FnMut(&str)) -> Vec<u8> {
    let mut html = HEAD.to_owned();
    let mut tour = Tour::of(&busy.demo.merchant.origin);
    tour.add(&busy.invitation);
    while let Some(Stop { url, kind }) = tour.next_stop() {
        browser.visit(&url).await;
        tour.look_around(browser).await;
        let title = browser.text("document.querySelector('h1')?.textContent ?? document.title").await;
        if is_small(&kind) {
            continue;
        }
        log(&kind);
        write!(
            html,
            "<figure><figcaption>{} <code>/dashboard{kind}</code></figcaption><div>",
            escaped(&title)
        )
        .expect("a text");
        for (width, height, colours, shown) in VIEWS {
            browser.resize(width, height).await;
            browser.colours(colours).await;
            browser.visit(&url).await;
            let picture = BASE64_STANDARD.encode(browser.photograph("jpeg", 90, false).await);
            write!(html, "<img width=\"{shown}\" alt=\"\" src=\"data:image/jpeg;base64,{picture}\">")
                .expect("a text");
        }
        html.push_str("</div></figure>");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("sheet.html");
    fs::write(&file, html).expect("a writable folder");
    browser.colours(Colours::Light).await;
    browser.resize(WIDTH, 900).await;
    browser.visit(&format!("file://{}", file.display())).await;
    browser.until("[...document.images].every((image) => image.complete)").await;
    browser.photograph("webp", 60, true).await
}

/// Whether the page is a form with hardly more than a button, an error, or the same as another.
fn is_small(kind: &str) -> bool {
    let ends =
        ["-delete", "-archive", "-reopen", "-purge", "-revoke", "-roll", "-approve", "-reject", "-suspend"];
    ends.iter().any(|end| kind.ends_with(end))
        || ["/enter", "/welcome"].contains(&kind)
        || kind.contains("none")
        || kind.ends_with("?page")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
