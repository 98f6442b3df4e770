//! `cargo xtask torture [COUNT [SEED]]`: the long tests. With a count, only the kills; with `--schema`,
//! only the calls that are generated from the API's description; with `--postgres [CUSTOMERS [SEED]]`, only the races
//! of two servers on PostgreSQL, which must fail with `--without-lock`.

use crate::{Outcome, script, setup, sim};

/// How many generated cases each invariant of `trac-core/tests/laws.rs` is checked with.
const LAW_CASES: &str = "10000";
/// The first seed of the simulation and the number of seeds, others than those of `cargo xtask test`.
const SEEDS: [&str; 2] = ["10001", "20000"];

/// How many generated cases each of the API's some seventy operations is called with, besides the edge cases:
/// more than 30,000 in all.
const CASES: &str = "420";

/// Kills a release server under load, 200 times or as often as given, and compares its data each time. Then
/// checks the ledger's invariants with generated cases, the server against the simulation's model, and its
/// responses against its `OpenAPI` description.
pub(crate) fn run() -> Outcome {
    let numbers: Vec<String> = std::env::args().skip(2).collect();
    if numbers.first().is_some_and(|first| first == "--schema") {
        return schema(numbers.get(1).map_or(CASES, String::as_str));
    }
    if numbers.first().is_some_and(|first| first == "--postgres") {
        return races(numbers.get(1..).unwrap_or_default());
    }
    let root = setup::root()?;
    let server = setup::released_server()?;
    let kills = ["run", "--release", "-p", "trac-tests", "--bin", "drive", "--", "torture"];
    setup::run(setup::cargo().args(kills).args(&numbers).env("TRAC_BIN", server).current_dir(&root))?;
    if !numbers.is_empty() {
        return Ok(());
    }
    let laws = ["test", "--release", "-p", "trac-core", "--test", "laws"];
    setup::run(setup::cargo().args(laws).env("PROPTEST_CASES", LAW_CASES).current_dir(&root))?;
    sim::run_seeds(&SEEDS.map(ToOwned::to_owned))?;
    schema(CASES)
}

/// Two servers on one PostgreSQL, which receive the events of each customer at once while all are killed.
fn races(arguments: &[String]) -> Outcome {
    setup::postgres();
    let server = setup::released_server()?;
    let races = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "drive", "--", "races"];
    setup::run(setup::cargo().args(races).args(arguments).env("TRAC_BIN", server).current_dir(setup::root()?))
}

/// Calls each operation with `cases` cases that schemathesis generates from the description, and checks every
/// response against it.
#[expect(clippy::print_stderr, reason = "a task prints to its terminal")]
fn schema(cases: &str) -> Outcome {
    let Ok(schemathesis) = setup::schemathesis() else {
        eprintln!(
            "The API is not checked against its description. To do so, install Python 3 with venv and pip."
        );
        return Ok(());
    };
    script::build()?;
    let server = setup::released_server()?;
    let check = ["run", "--release", "--quiet", "-p", "trac-tests", "--bin", "drive", "--", "schema", cases];
    let mut cargo = setup::cargo();
    cargo.args(check).env("TRAC_BIN", server).env("TRAC_SCHEMATHESIS", schemathesis);
    setup::run(cargo.current_dir(setup::root()?))
}
