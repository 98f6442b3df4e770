//! `pictures FILE`: photographs every page of the dashboard of the demo, and writes one sheet.

use std::process::ExitCode;

use trac_tests::Browser;
use trac_tests::dashboard::{Busy, contact_sheet};

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let [file] = arguments else {
        eprintln!("pictures FILE");
        return ExitCode::from(2);
    };
    let Some(browser) = Browser::open().await else { return ExitCode::FAILURE };
    let busy = Busy::start().await;
    busy.create_account(&browser).await;
    let sheet = contact_sheet(&busy, &browser, |page| println!("{page}")).await;
    match std::fs::write(file, &sheet) {
        Ok(()) => {
            println!("{file}: {} kB", sheet.len() / 1_000);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}
