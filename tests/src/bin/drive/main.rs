//! `drive PROGRAM ARGUMENTS…`: the programs that `cargo xtask` starts to measure, to simulate and to break the server.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints to its terminal")]

mod grow;
mod load;
mod neighbours;
mod pictures;
mod races;
mod reads;
mod schema;
mod simulate;
mod torture;
mod with_postgres;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    match program.as_str() {
        "grow" => grow::run(&arguments),
        "load" => load::run(&arguments),
        "neighbours" => neighbours::run(&arguments),
        "pictures" => pictures::run(&arguments),
        "races" => races::run(&arguments),
        "reads" => reads::run(&arguments),
        "schema" => schema::run(&arguments),
        "simulate" => simulate::run(&arguments),
        "torture" => torture::run(&arguments),
        "with_postgres" => with_postgres::run(&arguments),
        _ => {
            eprintln!(
                "drive grow|load|neighbours|pictures|races|reads|schema|simulate|torture|with_postgres ARGUMENTS…"
            );
            ExitCode::from(2)
        }
    }
}
