//! `reads FOLDER CLICKS EVENTS [PARTNERS]`: the times of all reads on a store of this size, which is made in the
//! folder if there is none, beside a small one.

use std::path::Path;
use std::process::ExitCode;

use trac_tests::grow::Size;
use trac_tests::load::reads;

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let size = arguments.get(1..).and_then(Size::read);
    let (Some(folder), Some(size)) = (arguments.first(), size) else {
        eprintln!("reads FOLDER CLICKS EVENTS [PARTNERS]");
        return ExitCode::from(2);
    };
    reads(Path::new(folder), size, |line| println!("{line}")).await;
    ExitCode::SUCCESS
}
