//! `grow FOLDER CLICKS EVENTS [PARTNERS [DAYS [SEED]]]`: fills a data folder, which must be empty.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::path::Path;
use std::process::ExitCode;

use trac_tests::grow::{Size, grow};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(folder), Some(clicks), Some(events)) = (arguments.first(), number(1), number(2)) else {
        eprintln!("grow FOLDER CLICKS EVENTS [PARTNERS [DAYS [SEED]]]");
        return ExitCode::from(2);
    };
    let days = number(4).and_then(|days| i64::try_from(days).ok()).unwrap_or(3 * 365);
    let size = Size { clicks, events, partners: number(3).unwrap_or(1_000), days };
    let grown = grow(Path::new(folder), size, number(5).unwrap_or(1), |line| println!("{line}")).await;
    println!("secret key: {}", grown.secret_key);
    ExitCode::SUCCESS
}
