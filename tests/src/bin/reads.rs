//! `reads FOLDER CLICKS EVENTS [PARTNERS]`: the times of all reads on a store of this size, which is made in the
//! folder if there is none, beside a small one.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

use std::path::Path;
use std::process::ExitCode;

use trac_tests::grow::Size;
use trac_tests::load::reads;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = arguments.get(1..).and_then(Size::read);
    let (Some(folder), Some(size)) = (arguments.first(), size) else {
        eprintln!("reads FOLDER CLICKS EVENTS [PARTNERS]");
        return ExitCode::from(2);
    };
    reads(Path::new(folder), size, |line| println!("{line}")).await;
    ExitCode::SUCCESS
}
