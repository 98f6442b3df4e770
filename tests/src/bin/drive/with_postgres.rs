//! `with_postgres PROGRAM ARGUMENTS…`: runs a program with a server of PostgreSQL for its tests, in a temporary folder.
//! Without PostgreSQL the program is not run, and a line says so.

use std::process::{Command, ExitCode};

use trac_tests::postgres::{Postgres, SERVER};

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let mut arguments = arguments.iter();
    let Some(program) = arguments.next() else { return ExitCode::from(2) };
    let Some(server) = Postgres::start(false) else { return ExitCode::SUCCESS };
    let status = Command::new(program).args(arguments).env(SERVER, server.url()).status();
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
