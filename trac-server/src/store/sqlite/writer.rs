//! The one thread that writes to the database.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::bring_in::Database;
use super::file::{copy_log, restart_log};
use super::original::Original;
use super::queue::{Job, Queue, Reply};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::rows::Everywhere;
use crate::store::spool::Spool;
use crate::store::thread::spawn;

/// Starts the writer.
///
/// Spooled clicks are written before the jobs that were pushed after them: those may name the clicks.
pub(super) fn start(
    mut connection: Connection,
    original: Original,
    queue: Arc<Queue>,
    spool: Arc<Spool>,
) -> Result<JoinHandle<()>, StoreError> {
    spawn("trac-writer", move || {
        while let Some(jobs) = queue.take(|| spool.due()) {
            if let Some(how) = queue.take_restart()
                && let Err(error) = restart_log(&connection, how)
            {
                tracing::warn!(%error, "the log could not be restarted");
            }
            let drained =
                spool.drain(&mut Database { connection: &mut connection, original: Some(&original) });
            if drained.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unavailable) {
                // On a full disk the log cannot grow, so it is copied to be written from its beginning again.
                copy_log(&connection);
            }
            match drained {
                // The drain has waited for the lock already, so the jobs do not wait as long again. And on a
                // full disk a payment may fit where its click does not, and would then be credited to no
                // partner: its delivery is rejected, so that Stripe retries.
                Err(error) if matches!(error.kind(), StoreErrorKind::Busy | StoreErrorKind::Unavailable) => {
                    reject(jobs, &error);
                }
                _ => commit(&mut connection, &original, jobs),
            }
        }
        // After a clean shutdown, every click ID that a visitor carries is in the database.
        spool.finish(&mut Database { connection: &mut connection, original: Some(&original) });
    })
}

fn reject(jobs: Vec<Job>, error: &StoreError) {
    for Job(write) in jobs {
        (write(Err(error.clone())).reply)(Err(error.clone()));
    }
}

/// Runs jobs in one transaction, commits, then sends each its result.
fn commit(connection: &mut Connection, original: &Original, jobs: Vec<Job>) {
    if jobs.is_empty() {
        return;
    }
    let begun = original.is_in_place().and_then(|()| {
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)
    });
    let tx = match begun {
        Ok(tx) => tx,
        Err(error) => return reject(jobs, &error),
    };
    let mut replies = Vec::with_capacity(jobs.len());
    for job in jobs {
        replies.extend(run(&tx, job));
    }
    let committed =
        if tx.is_autocommit() { Err(rolled_back()) } else { tx.commit().map_err(StoreError::from) };
    if let Err(error) = &committed {
        tracing::error!(%error, "a commit failed");
    }
    for reply in replies {
        reply(committed.clone());
    }
}

/// Runs one job in its own savepoint, so that a failing job fails alone. `None` if it panicked: its sender is
/// dropped, and the caller gets an error.
fn run(tx: &Transaction<'_>, Job(write): Job) -> Option<Reply> {
    // A full disk can make SQLite roll back the whole transaction; after that, nothing may be written outside
    // of one.
    let begun = if tx.is_autocommit() { Err(rolled_back()) } else { execute(tx, "SAVEPOINT job") };
    if let Err(error) = begun {
        return Some(write(Err(error)).reply);
    }
    let ran = catch_unwind(AssertUnwindSafe(|| write(Ok(Everywhere::of(&**tx))))).ok();
    if ran.is_none() {
        tracing::error!("a write panicked and was rolled back");
    }
    let ended = if ran.as_ref().is_some_and(|ran| ran.keep) {
        execute(tx, "RELEASE job")
    } else {
        execute(tx, "ROLLBACK TO job").and_then(|()| execute(tx, "RELEASE job"))
    };
    match (ended, ran) {
        (Ok(()), ran) => ran.map(|ran| ran.reply),
        (Err(error), Some(ran)) => {
            (ran.reply)(Err(error));
            None
        }
        (Err(_), None) => None,
    }
}

/// Runs a cached statement.
fn execute(tx: &Transaction<'_>, sql: &str) -> Result<(), StoreError> {
    tx.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn rolled_back() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the transaction was rolled back")
}
