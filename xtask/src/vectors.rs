//! Runs the core's vectors as the script runs the core: compiled to WebAssembly, in a headless browser.

use crate::Outcome;
use crate::setup::{self, WASM_TARGET};

#[expect(clippy::print_stderr, reason = "a task prints to its terminal")]
pub(crate) fn run() -> Outcome {
    let Some(driver) = setup::program(&["chromedriver"]) else {
        eprintln!("skipped: no browser (chromedriver is not on the path)");
        return Ok(());
    };
    setup::wasm_target()?;
    let runner = setup::browser_test_runner()?;
    // The runner reads `webdriver.json` from the package's folder, where cargo starts it.
    setup::run(
        setup::cargo()
            .current_dir(setup::root()?)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
            .env("CHROMEDRIVER", driver)
            .args(["test", "--package=trac-core", "--test=vectors", "--target", WASM_TARGET]),
    )
}
