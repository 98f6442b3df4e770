//! What is wrong with a page: for readers who need a keyboard or a screen reader, on a phone, and for its own policy.

use std::fs;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::chrome::Colours;
use crate::react::node_modules;

/// Runs before the page's own scripts, and notes what they do.
const WATCH: &str = include_str!("../../pages/dashboard/watch.js");

/// The most bytes of a page.
const MOST_BYTES: u64 = 100_000;

/// The most layout shift: what moves no line of text.
const MOST_SHIFT: f64 = 0.01;

/// What the page in front did since it was opened.
const SEEN: &str = "({ shift: seen.shift, shifted: seen.shifted, \
    wide: document.documentElement.scrollWidth - document.body.offsetWidth, \
    bytes: performance.getEntriesByType('navigation')[0].decodedBodySize, \
    paint: performance.getEntriesByType('paint').map((paint) => paint.startTime)[0] || null })";

/// The program `axe-core`, if npm has installed it.
#[must_use]
pub fn axe() -> Option<String> {
    fs::read_to_string(node_modules().join("axe-core/axe.min.js")).ok()
}

/// What is wrong with the pages that were opened.
#[derive(Debug, Default)]
pub struct Faults {
    /// A line for each fault.
    pub found: Vec<String>,
    /// The first paint of each page, in milliseconds.
    pub paints: Vec<f64>,
}

impl Faults {
    /// Watches every page that the browser opens from now on.
    pub async fn watch(browser: &Browser) {
        browser.begin_with(WATCH).await;
    }

    /// Gives `axe` to every page that the browser opens from now on, for [`Faults::examine`]. It runs when it is called.
    pub async fn bring(browser: &Browser, axe: &str) {
        browser.begin_with(&format!("window.startAxe = () => {{ {axe} }};")).await;
    }

    /// Adds what is wrong with the page in front. `name` is the page in the report.
    pub async fn look(&mut self, browser: &Browser, name: &str) {
        // A layout shift is reported with the frame after it.
        browser.until("document.readyState === 'complete'").await;
        browser.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))").await;
        let seen = browser.js(SEEN).await;
        let value = |field: &str| seen.get(field).cloned().unwrap_or_default();
        let number = |field: &str| value(field).as_f64().unwrap_or_default();
        if number("shift") > MOST_SHIFT {
            self.add(name, &format!("moves by {}: {}", number("shift"), value("shifted")));
        }
        if number("wide") > 0.0 {
            self.add(name, &format!("is {} pixels too wide", number("wide")));
        }
        if value("bytes").as_u64().is_none_or(|bytes| bytes > MOST_BYTES) {
            self.add(name, &format!("has {} bytes", value("bytes")));
        }
        self.listen(browser, name).await;
        self.paints.extend(value("paint").as_f64());
    }

    /// Adds what the scripts of the page in front did that they should not, and what its policy refused.
    pub async fn listen(&mut self, browser: &Browser, name: &str) {
        for noted in browser.js("[...seen.refused, ...seen.errors]").await.as_array().into_iter().flatten() {
            self.add(name, &noted.to_string());
        }
        for error in browser.console_errors().await {
            self.add(name, &error);
        }
    }

    /// Adds what axe finds on the page in front: every rule in light colours, and the contrast in dark ones.
    pub async fn examine(&mut self, browser: &Browser, name: &str) {
        browser.run("startAxe()").await;
        for (colours, rules) in [
            (Colours::Light, json!({ "resultTypes": ["violations"], "preload": false })),
            (
                Colours::Dark,
                json!({ "resultTypes": ["violations"], "preload": false, "runOnly": ["color-contrast"] }),
            ),
        ] {
            browser.colours(colours).await;
            let violations = browser
                .js(&format!(
                    "axe.run(document, {rules}).then((found) => found.violations.map((rule) => `${{rule.id}}: \
                     ${{rule.nodes.map((node) => `${{node.html}} ${{node.failureSummary}}`).slice(0, 3).join(' | ')}}`))"
                ))
                .await;
            for violation in violations.as_array().expect("axe reports").iter().filter_map(Value::as_str) {
                self.add(name, &format!("{colours:?} {violation}"));
            }
        }
        browser.colours(Colours::Light).await;
    }

    /// Adds a fault.
    pub fn add(&mut self, name: &str, fault: &str) {
        self.found.push(format!("{name} {fault}"));
    }

    /// Adds the faults of another browser.
    pub fn join(&mut self, other: Self) {
        self.found.extend(other.found);
        self.paints.extend(other.paints);
    }
}
