//! `cargo xtask test`: everything that is tested, with what it needs.

use crate::{Outcome, script, setup};

/// Builds the script, so that the server carries it, looks for a browser, and runs every test.
pub(crate) fn run() -> Outcome {
    script::build()?;
    setup::browser();
    let root = setup::root()?;
    // Two runs: the first is what a bare `cargo test` does, so its tests find the programs it has built.
    setup::run(setup::cargo().args(["test", "--no-fail-fast"]).current_dir(&root))?;
    setup::run(
        setup::cargo().args(["test", "--no-fail-fast", "-p", "trac-js", "-p", "xtask"]).current_dir(&root),
    )
}
