//! `load [SECONDS]`: the throughput of one processor in redirects and webhooks, each measured for this many
//! seconds.
#![expect(clippy::print_stdout, reason = "a program prints to its terminal")]

const SECONDS: u64 = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    trac_tests::load::measure(seconds, |line| println!("{line}")).await;
}
