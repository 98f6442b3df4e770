//! `cargo xtask sim SEED [COUNT]`: simulates random sequences of merchant and Stripe actions, in a cargo
//! profile with optimizations and overflow checks.

use crate::{Outcome, setup};

/// Builds the simulation and runs one seed, or `COUNT` seeds from it on.
pub(crate) fn run() -> Outcome {
    let seeds: Vec<String> = std::env::args().skip(2).collect();
    if seeds.is_empty() || seeds.iter().any(|seed| seed.parse::<u64>().is_err()) {
        return Err("give a seed: cargo xtask sim SEED [COUNT]".into());
    }
    run_seeds(&seeds)
}

/// Runs one seed, or `COUNT` seeds from it on.
pub(crate) fn run_seeds(seeds: &[String]) -> Outcome {
    let simulate =
        ["run", "--quiet", "--profile", "sim", "-p", "trac-tests", "--bin", "drive", "--", "simulate"];
    setup::run(setup::cargo().args(simulate).args(seeds).current_dir(setup::root()?))
}
