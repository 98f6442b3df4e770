//! Simulates random sequences of merchant and Stripe actions and compares each result with the model. `cargo
//! xtask test` runs 400 seeds, `cargo xtask sim SEED` repeats one.

use trac_tests::say;
use trac_tests::simulation::live_all;

/// `TRAC_SEEDS=2000` runs more.
const SEEDS: u64 = 40;

#[test]
fn every_simulated_seed_results_in_the_models_ledger() {
    let count = std::env::var("TRAC_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(SEEDS);
    match live_all(1, count) {
        Ok(tally) => {
            assert!(
                tally.entries > 0 && tally.payments > tally.merchants,
                "something was simulated: {tally:?}"
            );
            say(&format!("{count} seeds: {tally:?}"));
        }
        Err(why) => panic!("{why}"),
    }
}
