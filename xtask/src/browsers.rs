//! The script's pages in other engines than Chromium's.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::{Outcome, setup};

/// The tests that open the script's pages.
const TESTS: [&str; 3] = ["script_on_pages::", "script_on_merchants_pages::", "script_in_browsers::"];

/// Runs them in Firefox.
pub(crate) fn firefox() -> Outcome {
    let driver = setup::geckodriver()?;
    setup::run(tests("firefox")?.env("GECKODRIVER", driver))
}

/// Runs them in `WebKitGTK`, the engine of Safari on Linux. Its driver runs one session at a time and needs a
/// display.
pub(crate) fn webkit() -> Outcome {
    let driver = setup::webkit_driver()?;
    let display = Display::start()?;
    setup::run(
        tests("webkit")?.env("WEBKITDRIVER", driver).env("DISPLAY", &display.name).arg("--test-threads=1"),
    )
}

fn tests(engine: &str) -> Outcome<Command> {
    let mut command = setup::cargo();
    command
        .current_dir(setup::root()?)
        .env("TRAC_TEST_BROWSER", "must")
        .env("TRAC_TEST_ENGINE", engine)
        .args(["test", "--no-fail-fast", "--package=trac-tests", "--test=end_to_end", "--"])
        .args(TESTS);
    Ok(command)
}

/// A virtual display, ended on drop.
struct Display {
    name: String,
    server: Child,
}

impl Display {
    /// Starts Xvfb, which takes the first free display number and prints it.
    fn start() -> Outcome<Self> {
        let mut command = Command::new(setup::display_server()?);
        command.args(["-displayfd", "1", "-screen", "0", "1200x900x24"]);
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut number = String::new();
        if let Some(stdout) = server.stdout.take() {
            BufReader::new(stdout).read_line(&mut number)?;
        }
        Ok(Self { name: format!(":{}", number.trim()), server })
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // It may have ended by itself, which is not a failure.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
