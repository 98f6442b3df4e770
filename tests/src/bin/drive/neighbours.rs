//! `neighbours [SECONDS [THOUSANDTHS]]`: how one workspace that sends requests of all kinds affects another
//! one's webhooks, in a store of two million clicks and 200,000 events, or this many thousandths of that.

use std::process::ExitCode;

const SECONDS: u64 = 20;
const THOUSANDTHS: usize = 1_000;

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<usize>().ok());
    let seconds = number(0).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(SECONDS);
    let share = number(1).unwrap_or(THOUSANDTHS);
    match trac_tests::load::neighbours(seconds, share, |line| println!("{line}")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
