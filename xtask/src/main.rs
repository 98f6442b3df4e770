//! Tasks beyond cargo's own. `cargo xtask` lists them.

mod bench;
mod browsers;
mod demo;
mod frames;
mod pictures;
mod script;
mod setup;
mod sim;
mod test;
mod torture;
mod vectors;

use std::error::Error;
use std::process::ExitCode;

/// Why a task stopped, as a message for the terminal.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

struct Task {
    name: &'static str,
    description: &'static str,
    run: fn() -> Outcome,
}

const TASKS: [Task; 9] = [
    Task {
        name: "bench",
        description: "measures events and webhooks; with --browser how long a page waits for its links, with --http the server under load, with --neighbours one workspace next to a busy one, with --reads all lists of a large store",
        run: bench::run,
    },
    Task {
        name: "build-script",
        description: "builds dist/trac.js, and writes its size to trac-js/size.txt",
        run: script::build,
    },
    Task {
        name: "demo",
        description: "a merchant, three partners, two shops and a simulator of Stripe, ready to click through",
        run: demo::run,
    },
    Task {
        name: "grow",
        description: "FOLDER CLICKS EVENTS [PARTNERS [DAYS [SEED]]]: fills an empty data folder by the path of real traffic",
        run: bench::grow,
    },
    Task {
        name: "pictures",
        description: "photographs every page of the dashboard, light, dark and on a phone: docs/pictures/dashboard.webp",
        run: pictures::run,
    },
    Task {
        name: "sim",
        description: "SEED [COUNT]: runs random sequences of merchant and Stripe actions, and compares the server's results with a reference model",
        run: sim::run,
    },
    Task {
        name: "test",
        description: "runs every test, in a real browser too; with --all-browsers in Firefox and WebKitGTK as well",
        run: test::run,
    },
    Task {
        name: "test-vectors",
        description: "compiles the core to WebAssembly and runs its test vectors in a headless browser",
        run: vectors::run,
    },
    Task {
        name: "torture",
        description: "runs the long tests: a server killed 200 times under load, 10,000 generated cases for each invariant, 20,000 simulated sequences of actions, 30,000 calls generated from the OpenAPI description. COUNT [SEED] runs only the kills, --schema [CASES] only the generated calls",
        run: torture::run,
    },
];

#[expect(clippy::print_stderr, reason = "a task prints to its terminal")]
fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("cargo xtask TASK, where TASK is one of");
        for task in &TASKS {
            eprintln!("  {:14} {}", task.name, task.description);
        }
        return ExitCode::from(2);
    };
    match (task.run)() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
