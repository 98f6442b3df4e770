//! `cargo xtask torture [COUNT [SEED]]`: the long form of the battery. With a count it only kills.

use crate::{Outcome, setup, sim};

/// How many lives each law is held against.
const LIVES: &str = "10000";
/// From this seed on, so many merchants' lives: others than the tests live.
const SEEDS: [&str; 2] = ["10001", "20000"];

/// Kills a released server under load, 200 times or as often as the command line says, and compares after each. Then
/// holds the ledger's laws against generated lives, and the server against the simulation's model.
pub(crate) fn run() -> Outcome {
    let numbers: Vec<String> = std::env::args().skip(2).collect();
    let root = setup::root()?;
    let server = setup::released_server()?;
    let kills = ["run", "--release", "-p", "trac-tests", "--bin", "torture", "--"];
    setup::run(setup::cargo().args(kills).args(&numbers).env("TRAC_BIN", server).current_dir(&root))?;
    if !numbers.is_empty() {
        return Ok(());
    }
    let laws = ["test", "--release", "-p", "trac-core", "--test", "laws"];
    setup::run(setup::cargo().args(laws).env("PROPTEST_CASES", LIVES).current_dir(&root))?;
    sim::live(&SEEDS.map(ToOwned::to_owned))
}
