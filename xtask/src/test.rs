//! `cargo xtask test`: all tests, with the tools they need, and `ESLint` on all JavaScript. With
//! `--all-browsers` the script's pages are opened in Firefox and `WebKitGTK` too.

use std::path::Path;

use crate::{Outcome, browsers, script, setup, vectors};

/// How many sequences of actions are simulated: `tests/tests/end_to_end/simulation.rs`.
const SEEDS: &str = "400";

/// Builds the script, so that the server contains it, looks for a browser, and runs every test.
pub(crate) fn run() -> Outcome {
    script::build()?;
    let mut first = setup::cargo();
    first.env("TRAC_SEEDS", SEEDS);
    if setup::browser() {
        // From here on, a browser that does not start is a failure, not a reason to skip.
        first.env("TRAC_TEST_BROWSER", "must");
    }
    setup::postgres();
    let root = setup::root()?;
    // Separate runs: the first is the same as a bare `cargo test`, so its tests find the binaries it built. A
    // failure in one does not stop the others.
    let rest = ["test", "--no-fail-fast", "-p", "trac-js", "-p", "xtask"];
    let mut outcomes = vec![
        script::lint(),
        setup::run(first.args(["test", "--no-fail-fast"]).current_dir(&root)),
        setup::run(setup::cargo().args(rest).current_dir(&root)),
        vectors::run(),
    ];
    outcomes.extend(postgres(&root));
    if std::env::args().any(|argument| argument == "--all-browsers") {
        outcomes.extend([browsers::firefox(), browsers::webkit()]);
    }
    outcomes.into_iter().collect()
}

/// The end-to-end tests that also run on PostgreSQL. The others are about files, pages or the command line.
const ON_POSTGRES: [&str; 7] = [
    "scenarios::",
    "genuine_events::",
    "isolation::",
    "payouts::",
    "conversion_to_commission::",
    "webhook_to_conversion::",
    "asking_stripe::",
];

/// Runs the tests of the server, and those of the API, on a PostgreSQL of their own.
fn postgres(root: &Path) -> [Outcome; 2] {
    let with = |arguments: &[&str]| {
        let mut wrapped = setup::cargo();
        wrapped
            .args(["run", "--quiet", "--bin", "drive", "--", "with_postgres"])
            .arg(setup::cargo().get_program());
        setup::run(wrapped.args(arguments).current_dir(root))
    };
    let mut of_api = vec!["test", "--test", "end_to_end", "--"];
    of_api.extend(ON_POSTGRES);
    // The same packages as a bare `cargo test`, so that nothing is compiled again.
    [with(&["test", "--no-fail-fast", "--lib"]), with(&of_api)]
}
