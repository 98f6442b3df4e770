//! The thread that copies the write-ahead log into the database, so that no commit does it.
//!
//! It also measures the [free space](super::room) of the disk.
//!
//! Copying needs no lock that a commit waits for. Only a restart of the log from its beginning blocks writers. It is
//! due when almost nothing is left to copy, so that it takes milliseconds, and the writer does it: a thread of low
//! priority that held the lock on a busy machine would block the writer for seconds. Source:
//! <https://sqlite.org/wal.html>, section 6.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::file::{LOG_LIMIT_BYTES, Restart, checkpoint, log_of};
use super::queue::Queue;
use super::room::Room;
use crate::store::error::StoreError;
use crate::store::thread::{lower_priority, spawn};

const INTERVAL: Duration = Duration::from_millis(250);
/// The log file is copied from this size on.
const COPY_BYTES: u64 = 4 << 20;
/// The log is restarted from this size on.
const RESTART_BYTES: u64 = 48 << 20;
/// How much may be left to copy when the log is restarted.
const REST_BYTES: u64 = 2 << 20;
/// How often the log is copied, to catch up with new commits, before writers are blocked.
const PASSES: usize = 8;
/// Starts the thread.
pub(super) fn start(
    connection: Connection,
    file: &Path,
    (queue, room): (Arc<Queue>, Arc<Room>),
) -> Result<JoinHandle<()>, StoreError> {
    let log = log_of(file);
    spawn("trac-checkpoints", move || {
        lower_priority();
        while queue.is_open_after(INTERVAL) {
            room.measure();
            let file_bytes = std::fs::metadata(&log).map(|log| log.len()).unwrap_or_default();
            if file_bytes < COPY_BYTES {
                continue;
            }
            match copy(&connection, file_bytes) {
                Ok(Some(restart)) => queue.request_restart(restart),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a checkpoint failed"),
            }
        }
    })
}

/// Copies the log, and returns whether it should be restarted.
fn copy(connection: &Connection, file_bytes: u64) -> Result<Option<Restart>, StoreError> {
    let mut log = checkpoint(connection, "PASSIVE")?;
    for _ in 1..PASSES {
        if log.bytes < RESTART_BYTES || log.rest_bytes <= REST_BYTES {
            break;
        }
        log = checkpoint(connection, "PASSIVE")?;
    }
    Ok(if file_bytes >= LOG_LIMIT_BYTES {
        Some(Restart::Truncate)
    } else {
        (log.bytes >= RESTART_BYTES).then_some(Restart::Keep)
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    /// Copies the log and restarts it if that is due.
    fn copy_all(connection: &Connection, file_bytes: u64) -> Result<(), StoreError> {
        copy(connection, file_bytes)?.map_or(Ok(()), |how| file::restart_log(connection, how))
    }

    #[test]
    fn the_log_restarts_at_its_limit_and_its_file_stops_growing() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("trac.db");
        let (writer, copier) = (file::connect(&database).unwrap(), file::connect(&database).unwrap());
        writer.pragma_update(None, "synchronous", "OFF").unwrap();
        writer.execute_batch("CREATE TABLE heap (bytes BLOB)").unwrap();
        let file_bytes = || std::fs::metadata(log_of(&database)).unwrap().len();
        for _ in 0..3 {
            let insert = "DELETE FROM heap; INSERT INTO heap SELECT zeroblob(50331648)";
            writer.execute_batch(insert).unwrap();
            copy_all(&copier, file_bytes()).unwrap();
            assert!((RESTART_BYTES..RESTART_BYTES * 5 / 4).contains(&file_bytes()), "{}", file_bytes());
        }
        // While a transaction reads an old snapshot, the log keeps growing; afterwards it is restarted.
        let reader = file::connect(&database).unwrap();
        let count = "SELECT count(*) FROM heap";
        reader.execute_batch("BEGIN").unwrap();
        reader.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
        for _ in 0..2 {
            writer.execute_batch("DELETE FROM heap; INSERT INTO heap SELECT zeroblob(50331648)").unwrap();
            let _ = copy_all(&copier, file_bytes());
        }
        let grown = file_bytes();
        assert!(grown > RESTART_BYTES * 3 / 2, "{grown}");
        reader.execute_batch("COMMIT").unwrap();
        copy_all(&copier, file_bytes()).unwrap();
        writer.execute_batch("DELETE FROM heap; INSERT INTO heap SELECT zeroblob(50331648)").unwrap();
        assert_eq!(file_bytes(), grown, "the log is written from its beginning");
    }
}
