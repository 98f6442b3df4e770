//! The thread that copies the write-ahead log into the database, off the path of any commit.
//!
//! It also looks how much [room](super::room) the disk has.
//!
//! Copying needs no lock that a commit waits for. Only to begin the log anew must writers be kept out, and that is done
//! when next to nothing is left to copy, so that it takes milliseconds. Source: <https://sqlite.org/wal.html>, section 6.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::error::StoreError;
use super::file::{FILE_BYTES, checkpoint, log_of};
use super::queue::Queue;
use super::room::Room;
use super::thread::spawn;

const PAUSE: Duration = Duration::from_millis(250);
/// How large the file of the log is before there is anything to do.
const COPY_BYTES: u64 = 4 << 20;
/// How much the log holds before it is begun anew.
const RESTART_BYTES: u64 = 48 << 20;
/// What may be left to copy when it is.
const REST_BYTES: u64 = 2 << 20;
/// How often what was written meanwhile is copied before writers are kept out.
const PASSES: usize = 8;
/// How long writers may be kept out because somebody still reads what is in the log. Then it is begun anew another time.
const PATIENCE: Duration = Duration::from_millis(50);

/// Starts the thread.
pub(super) fn start(
    connection: Connection,
    file: &Path,
    (queue, room): (Arc<Queue>, Arc<Room>),
) -> Result<JoinHandle<()>, StoreError> {
    connection.busy_timeout(PATIENCE)?;
    let log = log_of(file);
    spawn("trac-checkpoints", move || {
        step_back();
        while queue.is_open_after(PAUSE) {
            room.look();
            let file_bytes = std::fs::metadata(&log).map(|log| log.len()).unwrap_or_default();
            if file_bytes < COPY_BYTES {
                continue;
            }
            if let Err(error) = copy(&connection, file_bytes) {
                tracing::warn!(%error, "a checkpoint failed");
            }
        }
    })
}

/// Lets the other threads have the processor first: a copy takes some milliseconds of it, and a visitor none too many. Linux knows a
/// priority of a thread, and gives the last one a hundredth at the least, which copies more than traffic writes.
/// Source: setpriority(2).
#[cfg(target_os = "linux")]
fn step_back() {
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "checkpoints have the priority of all else");
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

fn copy(connection: &Connection, file_bytes: u64) -> Result<(), StoreError> {
    let mut log = checkpoint(connection, "PASSIVE")?;
    for _ in 1..PASSES {
        if log.bytes < RESTART_BYTES || log.rest_bytes <= REST_BYTES {
            break;
        }
        log = checkpoint(connection, "PASSIVE")?;
    }
    if file_bytes >= FILE_BYTES {
        checkpoint(connection, "TRUNCATE")?;
    } else if log.bytes >= RESTART_BYTES {
        checkpoint(connection, "RESTART")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file;

    #[test]
    fn the_log_is_begun_anew_once_it_holds_so_much_and_its_file_grows_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("trac.db");
        let (writer, copier) = (file::connect(&database).unwrap(), file::connect(&database).unwrap());
        writer.pragma_update(None, "synchronous", "OFF").unwrap();
        writer.execute_batch("CREATE TABLE heap (bytes BLOB)").unwrap();
        let file_bytes = || std::fs::metadata(log_of(&database)).unwrap().len();
        for _ in 0..3 {
            let insert = "DELETE FROM heap; INSERT INTO heap SELECT zeroblob(50331648)";
            writer.execute_batch(insert).unwrap();
            copy(&copier, file_bytes()).unwrap();
            assert!((RESTART_BYTES..RESTART_BYTES * 5 / 4).contains(&file_bytes()), "{}", file_bytes());
        }
        // Somebody reads one state of the database meanwhile: the log keeps all that is written, and then it is begun anew again.
        let reader = file::connect(&database).unwrap();
        let count = "SELECT count(*) FROM heap";
        reader.execute_batch("BEGIN").unwrap();
        reader.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
        copier.busy_timeout(Duration::ZERO).unwrap();
        for _ in 0..2 {
            writer.execute_batch("DELETE FROM heap; INSERT INTO heap SELECT zeroblob(50331648)").unwrap();
            let _ = copy(&copier, file_bytes());
        }
        let grown = file_bytes();
        assert!(grown > RESTART_BYTES * 3 / 2, "{grown}");
        reader.execute_batch("COMMIT").unwrap();
        copy(&copier, file_bytes()).unwrap();
        writer.execute_batch("DELETE FROM heap; INSERT INTO heap SELECT zeroblob(50331648)").unwrap();
        assert_eq!(file_bytes(), grown, "it is written from its beginning");
    }
}
