//! `races [CUSTOMERS [SEED]] [--without-lock]`: two servers on one PostgreSQL receive the events of each customer at
//! once, each event twice and in any order, while nodes and database are killed. Stops with an error if a commission is
//! missing, wrong or booked twice.
//!
//! With `--without-lock`, a policy of the database hides the rows that jobs lock. Then the races must end wrong: if they
//! do not, they prove nothing.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use trac_tests::nodes::{Nodes, Races, race, take_out_the_lock};
use trac_tests::postgres::{Postgres, new_database};

const CUSTOMERS: usize = 2_500;

#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> ExitCode {
    let is_locked = !arguments.iter().any(|argument| argument == "--without-lock");
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let customers = numbers.next().and_then(|number| usize::try_from(number).ok()).unwrap_or(CUSTOMERS);
    let seed = numbers.next().unwrap_or(1);
    let Some(postgres) = Postgres::start(true) else { return ExitCode::from(2) };
    let database = new_database(&postgres.url());
    let (kills, restarts) = if is_locked { (20, 20) } else { (0, 0) };
    let nodes = Arc::new(Nodes::start([database.clone(), database.clone()]).await);
    if !is_locked {
        take_out_the_lock(&database);
    }
    let begun = Instant::now();
    let report = race(&postgres, &nodes, Races { customers, together: 16, kills, restarts, seed }).await;
    let seconds = begun.elapsed().as_secs();
    println!(
        "{customers} customers, {} webhooks acknowledged, {} requests repeated, {} kills of a node, {} of PostgreSQL in {seconds} s",
        report.acknowledged, report.repeated, report.killed.0, report.killed.1
    );
    for line in report.wrong.iter().take(20) {
        println!("wrong: {line}");
    }
    match (report.wrong.len(), is_locked) {
        (0, true) => println!("0 wrong, 0 lost, 0 doubled"),
        (0, false) => {
            eprintln!("without the lock nothing was wrong: the races prove nothing");
            return ExitCode::FAILURE;
        }
        (count, true) => {
            eprintln!("{count} things are wrong");
            return ExitCode::FAILURE;
        }
        (count, false) => println!("without the lock {count} things are wrong, as they should be"),
    }
    ExitCode::SUCCESS
}
