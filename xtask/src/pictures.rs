//! `cargo xtask pictures`: photographs every page of the dashboard of the demo.

use crate::{Outcome, script, setup};

/// Where the sheet is written.
const SHEET: &str = "docs/pictures/dashboard.webp";

/// Builds the script and the server, and writes every page, light, dark and on a phone, to one picture.
pub(crate) fn run() -> Outcome {
    script::build()?;
    if !setup::browser() {
        return Err("Chromium and chromedriver are needed".into());
    }
    let root = setup::root()?;
    std::fs::create_dir_all(root.join("docs/pictures"))?;
    let pictures = ["run", "--quiet", "-p", "trac-tests", "--bin", "drive", "--", "pictures", SHEET];
    setup::run(setup::cargo().args(pictures).current_dir(root))
}
