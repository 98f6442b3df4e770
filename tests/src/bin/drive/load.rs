//! `load [SECONDS]`: the throughput of one processor in redirects and webhooks, each measured for this many
//! seconds.

use std::process::ExitCode;

const SECONDS: u64 = 10;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let seconds = arguments.first().and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    trac_tests::load::measure(seconds, |line| println!("{line}")).await;
    ExitCode::SUCCESS
}
