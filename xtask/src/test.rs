//! `cargo xtask test`: all tests, with the tools they need, and `ESLint` on all JavaScript. With
//! `--all-browsers` the script's pages are opened in Firefox and `WebKitGTK` too.

use crate::{Outcome, browsers, script, setup, sim, vectors};

/// Builds the script, so that the server contains it, looks for a browser, and runs every test.
pub(crate) fn run() -> Outcome {
    script::build()?;
    let mut first = setup::cargo();
    if setup::browser() {
        // From here on, a browser that does not start is a failure, not a reason to skip.
        first.env("TRAC_TEST_BROWSER", "must");
    }
    let root = setup::root()?;
    // Separate runs: the first is the same as a bare `cargo test`, so its tests find the binaries it built. A
    // failure in one does not stop the others.
    let rest = ["test", "--no-fail-fast", "-p", "trac-js", "-p", "xtask"];
    let mut outcomes = vec![
        script::lint(),
        setup::run(first.args(["test", "--no-fail-fast"]).current_dir(&root)),
        setup::run(setup::cargo().args(rest).current_dir(&root)),
        vectors::run(),
        sim::run_default_seeds(),
    ];
    if std::env::args().any(|argument| argument == "--all-browsers") {
        outcomes.extend([browsers::firefox(), browsers::webkit()]);
    }
    outcomes.into_iter().collect()
}
