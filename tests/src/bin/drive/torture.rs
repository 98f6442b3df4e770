//! `torture [COUNT [SEED]]`: kills a server under load `COUNT` times, and stops at the first record that is
//! lost or duplicated.

use std::process::ExitCode;
use std::time::Instant;

use trac_tests::battery::kill_and_compare;

const COUNT: u64 = 200;

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let numbers: Result<Vec<u64>, _> = arguments.iter().map(|argument| argument.parse()).collect();
    let (count, seed) = match numbers.as_deref() {
        Ok([]) => (COUNT, 1),
        Ok([count]) => (*count, 1),
        Ok([count, seed]) => (*count, *seed),
        _ => {
            eprintln!("torture [COUNT [SEED]]");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let survived = kill_and_compare(count, seed).await;
    println!("{survived:?} in {} s, nothing lost, nothing doubled", begun.elapsed().as_secs());
    ExitCode::SUCCESS
}
