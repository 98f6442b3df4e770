//! Test material that may be next to the repository, in `../shared`. The tests pass without it and print so.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A path under `../shared`, if it exists.
#[must_use]
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let path = root.parent()?.join("shared").join(name);
    path.exists().then_some(path)
}

/// Every recorded event in `../shared/stripe-events` with its file name, sorted by name.
#[must_use]
pub fn stripe_events() -> Option<Vec<(String, Value)>> {
    let folder = shared("stripe-events")?;
    let mut events: Vec<_> = fs::read_dir(folder)
        .expect("a readable folder")
        .filter_map(|entry| {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name()?.to_str()?.to_owned();
            let is_event = name != "INDEX.json" && path.extension().is_some_and(|end| end == "json");
            is_event.then(|| {
                let text = fs::read_to_string(&path).expect("a readable file");
                (name, serde_json::from_str(&text).expect("an event is JSON"))
            })
        })
        .collect();
    events.sort_by(|a, b| a.0.cmp(&b.0));
    Some(events)
}

/// The folder of merchants' pages, and the file and kind of each page.
#[must_use]
pub fn merchants_pages() -> Option<(PathBuf, Vec<(String, String)>)> {
    let folder = shared("pages")?;
    let index = fs::read(folder.join("INDEX.json")).expect("an index");
    let index: Vec<Value> = serde_json::from_slice(&index).expect("a list");
    let text = |entry: &Value, field: &str| entry[field].as_str().expect("a text").to_owned();
    let pages = index.iter().map(|entry| (text(entry, "file"), text(entry, "kind"))).collect();
    Some((folder, pages))
}

/// Prints past the test harness, which captures the output of passing tests: a skipped test must be visible.
pub fn say(text: &str) {
    // A closed standard output is not a failure.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints why a browser test is skipped. Panics if `TRAC_TEST_BROWSER` is set, as by `cargo xtask test`.
pub(crate) fn skipped(why: &str) {
    assert!(env::var_os("TRAC_TEST_BROWSER").is_none(), "the browser tests are required, but: {why}");
    say(&format!("skipped: {why}"));
}
