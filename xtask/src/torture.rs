//! `cargo xtask torture [COUNT [SEED]]`: the long form of the battery. With a count it only kills; with `--schema` it only holds
//! the API against its description.

use crate::{Outcome, script, setup, sim};

/// How many lives each law is held against.
const LIVES: &str = "10000";
/// From this seed on, so many merchants' lives: others than the tests live.
const SEEDS: [&str; 2] = ["10001", "20000"];

/// How many generated cases each operation of the API is asked, of some seventy, beside those at the edges: more than 30,000 in all.
const CASES: &str = "420";

/// Kills a released server under load, 200 times or as often as the command line says, and compares after each. Then
/// holds the ledger's laws against generated lives, the server against the simulation's model, and its answers against what it says of
/// itself.
pub(crate) fn run() -> Outcome {
    let numbers: Vec<String> = std::env::args().skip(2).collect();
    if numbers.first().is_some_and(|first| first == "--schema") {
        return schema(numbers.get(1).map_or(CASES, String::as_str));
    }
    let root = setup::root()?;
    let server = setup::released_server()?;
    let kills = ["run", "--release", "-p", "trac-tests", "--bin", "torture", "--"];
    setup::run(setup::cargo().args(kills).args(&numbers).env("TRAC_BIN", server).current_dir(&root))?;
    if !numbers.is_empty() {
        return Ok(());
    }
    let laws = ["test", "--release", "-p", "trac-core", "--test", "laws"];
    setup::run(setup::cargo().args(laws).env("PROPTEST_CASES", LIVES).current_dir(&root))?;
    sim::live(&SEEDS.map(ToOwned::to_owned))?;
    schema(CASES)
}

/// Asks each operation so many cases that schemathesis makes of the description, and checks every answer against it.
#[expect(clippy::print_stderr, reason = "a task talks to whoever started it")]
fn schema(cases: &str) -> Outcome {
    let Ok(schemathesis) = setup::schemathesis() else {
        eprintln!(
            "The API is not held against its description. To do so, install Python 3 with venv and pip."
        );
        return Ok(());
    };
    script::build()?;
    let server = setup::released_server()?;
    let check = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "schema", "--", cases];
    let mut cargo = setup::cargo();
    cargo.args(check).env("TRAC_BIN", server).env("TRAC_SCHEMATHESIS", schemathesis);
    setup::run(cargo.current_dir(setup::root()?))
}
