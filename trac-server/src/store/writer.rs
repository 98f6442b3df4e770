//! The one thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::alone::Original;
use super::error::{StoreError, StoreErrorKind};
use super::queue::Queue;
use super::spool::Spool;

/// The transaction in which many jobs are written.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) tx: &'a Transaction<'a>,
    /// Which transaction of this store it is, from 1.
    pub(crate) number: u64,
}

/// Something to write.
pub(super) struct Job {
    undo: Undo,
    write: Write,
}

/// It is given the transaction, or the reason why there is none.
type Write = Box<dyn FnOnce(Result<&Group<'_>, StoreError>) -> Ran + Send>;

/// How what a failed job wrote is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// By a savepoint before it: for each, SQLite puts every page aside that is changed after it.
    Savepoint,
    /// Nothing is to be undone: one statement that fails leaves nothing behind.
    Nothing,
}

/// Tells whoever waits for a job how the commit went.
type Tell = Box<dyn FnOnce(Result<(), StoreError>)>;

/// A job that ran: whether its savepoint is to be kept, and who is to be told once the commit is known.
pub(super) struct Ran {
    keep: bool,
    tell: Tell,
}

/// Wraps a job so that its answer travels back after the commit.
pub(super) fn job<T, E, F>(undo: Undo, job: F) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&Group<'_>) -> Result<T, E> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let write: Write = Box::new(move |group| {
        let result = match group {
            Ok(group) => job(group),
            Err(error) => Err(error.into()),
        };
        Ran {
            keep: result.is_ok(),
            tell: Box::new(move |committed| {
                // A job that failed by itself keeps its own answer; nobody listening any more is no matter.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value).map_err(E::from)));
            }),
        }
    });
    (Job { undo, write }, receiver)
}

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
        let (mut failed_before, mut number) = (false, 0_u64);
        while let Some(jobs) = queue.take(|| spool.waiting() > 0) {
            let drained = original.is_in_place().and_then(|()| spool.drain(&mut connection));
            if let (Err(error), false) = (&drained, failed_before) {
                tracing::warn!(%error, "clicks wait in the spool");
            }
            failed_before = drained.is_err();
            if drained.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Unavailable) {
                // On a full disk the log cannot grow; copied into the database, it is written from its beginning again.
                let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            }
            match drained {
                // Whoever locks the store out has been waited for; the jobs need not wait as long again.
                Err(error) if error.kind() == StoreErrorKind::Busy => refuse(jobs, &error),
                _ => {
                    number = number.wrapping_add(1);
                    commit(&mut connection, &original, jobs, number);
                }
            }
        }
    })
}

fn refuse(jobs: Vec<Job>, error: &StoreError) {
    for job in jobs {
        ((job.write)(Err(error.clone())).tell)(Err(error.clone()));
    }
}

/// Runs jobs in one transaction, commits, then tells each how it went.
fn commit(connection: &mut Connection, original: &Original, jobs: Vec<Job>, number: u64) {
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
        told.extend(run(&Group { tx: &tx, number }, job));
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

/// Runs one job, so that one bad job fails alone. `None` if it panicked: dropping its sender tells.
fn run(group: &Group<'_>, Job { undo, write }: Job) -> Option<Tell> {
    let tx = group.tx;
    // A full disk can make SQLite roll the whole transaction back; nothing may then be written outside of one.
    let begun = match undo {
        _ if tx.is_autocommit() => Err(rolled_back()),
        Undo::Savepoint => execute(tx, "SAVEPOINT job"),
        Undo::Nothing => Ok(()),
    };
    if let Err(error) = begun {
        return Some(write(Err(error)).tell);
    }
    let ran = catch_unwind(AssertUnwindSafe(|| write(Ok(group)))).ok();
    if ran.is_none() {
        tracing::error!("a write panicked and was undone");
    }
    let ended = match undo {
        Undo::Nothing => Ok(()),
        Undo::Savepoint if ran.as_ref().is_some_and(|ran| ran.keep) => execute(tx, "RELEASE job"),
        Undo::Savepoint => execute(tx, "ROLLBACK TO job").and_then(|()| execute(tx, "RELEASE job")),
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

/// Starts a thread of the store.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map_err(|error| StoreError::internal(format!("the thread {name} did not start: {error}")))
}
