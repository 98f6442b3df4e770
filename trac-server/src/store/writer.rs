//! The one thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::alone::Original;
use super::error::{StoreError, StoreErrorKind};
use super::file::copy_log;
use super::queue::{Job, Queue, Tell};
use super::spool::Spool;
use super::thread::spawn;

/// Starts the writer.
///
/// What waits in the spool is written before the jobs that were pushed after it: they may name those clicks.
pub(super) fn start(
    mut connection: Connection,
    original: Original,
    queue: Arc<Queue>,
    spool: Arc<Spool>,
) -> Result<JoinHandle<()>, StoreError> {
    spawn("trac-writer", move || {
        while let Some(jobs) = queue.take(|| spool.due()) {
            let drained = spool.drain(&mut connection, &original);
            if drained.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unavailable) {
                // On a full disk the log cannot grow.
                copy_log(&connection);
            }
            match drained {
                // Whoever locks the store out has been waited for; the jobs need not wait as long again. And a payment that finds a
                // little room on a full disk where its click finds none would be credited to nobody: it is told to come again.
                Err(error) if matches!(error.kind(), StoreErrorKind::Busy | StoreErrorKind::Unavailable) => {
                    refuse(jobs, &error);
                }
                _ => commit(&mut connection, &original, jobs),
            }
        }
        // What visitors carry is in the store when the process has ended well.
        spool.finish(&mut connection, &original);
    })
}

fn refuse(jobs: Vec<Job>, error: &StoreError) {
    for Job(write) in jobs {
        (write(Err(error.clone())).tell)(Err(error.clone()));
    }
}

/// Runs jobs in one transaction, commits, then tells each how it went.
fn commit(connection: &mut Connection, original: &Original, jobs: Vec<Job>) {
    if jobs.is_empty() {
        return;
    }
    let begun = original.is_in_place().and_then(|()| {
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)
    });
    let tx = match begun {
        Ok(tx) => tx,
        Err(error) => return refuse(jobs, &error),
    };
    let mut told = Vec::with_capacity(jobs.len());
    for job in jobs {
        told.extend(run(&tx, job));
    }
    let committed =
        if tx.is_autocommit() { Err(rolled_back()) } else { tx.commit().map_err(StoreError::from) };
    if let Err(error) = &committed {
        tracing::error!(%error, "a commit failed");
    }
    for tell in told {
        tell(committed.clone());
    }
}

/// Runs one job in a savepoint of its own, so that one bad job fails alone. `None` if it panicked: dropping its sender tells.
fn run(tx: &Transaction<'_>, Job(write): Job) -> Option<Tell> {
    // A full disk can make SQLite roll the whole transaction back; nothing may then be written outside of one.
    let begun = if tx.is_autocommit() { Err(rolled_back()) } else { execute(tx, "SAVEPOINT job") };
    if let Err(error) = begun {
        return Some(write(Err(error)).tell);
    }
    let ran = catch_unwind(AssertUnwindSafe(|| write(Ok(tx)))).ok();
    if ran.is_none() {
        tracing::error!("a write panicked and was undone");
    }
    let ended = if ran.as_ref().is_some_and(|ran| ran.keep) {
        execute(tx, "RELEASE job")
    } else {
        execute(tx, "ROLLBACK TO job").and_then(|()| execute(tx, "RELEASE job"))
    };
    match (ended, ran) {
        (Ok(()), ran) => ran.map(|ran| ran.tell),
        (Err(error), Some(ran)) => {
            (ran.tell)(Err(error));
            None
        }
        (Err(_), None) => None,
    }
}

/// Runs a statement that stays prepared.
fn execute(tx: &Transaction<'_>, sql: &str) -> Result<(), StoreError> {
    tx.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn rolled_back() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the transaction was rolled back")
}
