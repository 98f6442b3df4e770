//! `grow FOLDER CLICKS EVENTS [PARTNERS [DAYS [SEED]]]`: fills a data folder, which must be empty.

use std::path::Path;
use std::process::ExitCode;

use trac_tests::grow::{Size, grow};

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let size = arguments.get(1..).and_then(Size::read);
    let (Some(folder), Some(size)) = (arguments.first(), size) else {
        eprintln!("grow FOLDER CLICKS EVENTS [PARTNERS [DAYS [SEED]]]");
        return ExitCode::from(2);
    };
    if let Err(error) = trac_server::log::start("warn", false) {
        eprintln!("grow: {error}");
        return ExitCode::FAILURE;
    }
    let seed = arguments.get(5).and_then(|text| text.parse().ok()).unwrap_or(1);
    let grown = grow(Path::new(folder), size, seed, |line| println!("{line}")).await;
    println!("secret key: {}", grown.secret_key);
    ExitCode::SUCCESS
}
