//! `simulate SEED [COUNT]`: runs `COUNT` seeds from `SEED` on, on every core, and stops at the first that
//! differs from the model.

use std::process::ExitCode;
use std::time::Instant;

use trac_tests::simulation::live_all;

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let mut arguments = arguments.iter().map(|argument| argument.parse::<u64>());
    let (Some(Ok(first)), count) = (arguments.next(), arguments.next()) else {
        eprintln!("simulate SEED [COUNT]");
        return ExitCode::from(2);
    };
    let begun = Instant::now();
    let count = count.and_then(Result::ok).unwrap_or(1);
    match live_all(first, count) {
        Ok(tally) => {
            let secs = begun.elapsed().as_secs();
            println!("{count} seeds agree with the model: {tally:?} in {secs} s");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
