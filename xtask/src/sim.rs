//! `cargo xtask sim SEED [COUNT]`: simulated merchants' lives, compiled to run fast and to notice every overflow.

use crate::{Outcome, setup};

/// How many lives `cargo xtask test` lives.
const SEEDS: &str = "1000";

/// Builds the simulation and lives one seed, or so many from it on.
pub(crate) fn run() -> Outcome {
    let seeds: Vec<String> = std::env::args().skip(2).collect();
    if seeds.is_empty() || seeds.iter().any(|seed| seed.parse::<u64>().is_err()) {
        return Err("say which: cargo xtask sim SEED [COUNT]".into());
    }
    live(&seeds)
}

/// Lives the lives that every change is checked against.
pub(crate) fn many() -> Outcome {
    live(&["1".to_owned(), SEEDS.to_owned()])
}

/// Lives one seed, or so many from it on.
pub(crate) fn live(seeds: &[String]) -> Outcome {
    let simulate = ["run", "--quiet", "--profile", "sim", "-p", "trac-tests", "--bin", "simulate", "--"];
    setup::run(setup::cargo().args(simulate).args(seeds).current_dir(setup::root()?))
}
