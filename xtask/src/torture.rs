//! `cargo xtask torture [COUNT [SEED]]`: the long form of the battery, on the released server.

use crate::{Outcome, setup};

/// Kills a server under load, 200 times or as often as the command line says, and compares after each.
pub(crate) fn run() -> Outcome {
    let server = setup::released_server()?;
    let torture = ["run", "--release", "-p", "trac-tests", "--bin", "torture", "--"];
    let numbers = std::env::args().skip(2);
    setup::run(setup::cargo().args(torture).args(numbers).env("TRAC_BIN", server).current_dir(setup::root()?))
}
