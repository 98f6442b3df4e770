//! `cargo xtask sim SEED [COUNT]`: simulated merchants' lives, in release.

use crate::{Outcome, setup};

/// Builds the simulation and lives one seed, or so many from it on.
pub(crate) fn run() -> Outcome {
    let seeds: Vec<String> = std::env::args().skip(2).collect();
    if seeds.is_empty() || seeds.iter().any(|seed| seed.parse::<u64>().is_err()) {
        return Err("say which: cargo xtask sim SEED [COUNT]".into());
    }
    let simulate = ["run", "--release", "-p", "trac-tests", "--bin", "simulate", "--"];
    setup::run(setup::cargo().args(simulate).args(seeds).current_dir(setup::root()?))
}
