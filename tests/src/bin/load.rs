//! `load [SECONDS]`: how much one processor does, by redirects and webhooks, measured for so many seconds each.
#![expect(clippy::print_stdout, reason = "a program that talks to whoever started it")]

const SECONDS: u64 = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    trac_tests::load::measure(seconds, |line| println!("{line}")).await;
}
