//! Backups: the database copied to one file, and a data folder created from such a file.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{StoreError, StoreErrorKind};
use super::folder_lock::FolderLock;
use super::thread::lower_priority;
use super::{file, spool};

/// How often the progress of a backup is reported.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// The bytes written until now.
    pub written_bytes: u64,
    /// The bytes that will be written. Once they are, the copy is checked.
    pub expected_bytes: u64,
}

fn cannot(path: &Path, error: &io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", path.display()))
}

fn already_exists(path: &Path) -> StoreError {
    let detail = format!("{} exists already and is left unchanged", path.display());
    StoreError::new(StoreErrorKind::Conflict, detail)
}

/// Copies the database of a data folder to a new file, readable by its owner alone. A server may run on the
/// folder: the copy contains the state after one commit, and is made by a thread of low priority, so that the server's
/// requests hardly wait. The master key is not part of it. The progress is passed to `report` four times a second.
///
/// # Errors
/// [`StoreErrorKind::Conflict`] if the file exists, [`StoreErrorKind::Unavailable`] if there is no database or
/// the copy cannot be written, [`StoreErrorKind::Corrupt`] if the database is damaged.
pub fn back_up(data: &Path, to: &Path, report: impl FnMut(BackupProgress)) -> Result<(), StoreError> {
    let from = data.join(file::FILE_NAME);
    if !from.is_file() {
        return Err(cannot(&from, &io::Error::from(io::ErrorKind::NotFound)));
    }
    if to.exists() {
        return Err(already_exists(to));
    }
    // Written under another name until it is complete: a partial copy is never taken for a backup.
    let mut draft = to.to_owned();
    draft.as_mut_os_string().push(".draft");
    let _ = fs::remove_file(&draft);
    file::open_private(&draft).map_err(|error| cannot(&draft, &error))?;
    let copied = watched(&from, &draft, report);
    let copied = copied.and_then(|()| fs::rename(&draft, to).map_err(|error| cannot(to, &error)));
    if copied.is_err() {
        let _ = fs::remove_file(&draft);
    }
    copied.map_err(|error| error.at(&from))
}

/// Copies on a thread of low priority and reports its progress.
fn watched(from: &Path, to: &Path, mut report: impl FnMut(BackupProgress)) -> Result<(), StoreError> {
    let expected_bytes = used_bytes(from)?;
    let (done, ended) = mpsc::channel();
    thread::scope(|scope| {
        let copying = scope.spawn(move || {
            lower_priority();
            let copied = copy(from, to);
            drop(done);
            copied
        });
        while ended.recv_timeout(REPORT_INTERVAL) == Err::<(), _>(RecvTimeoutError::Timeout) {
            let written_bytes = fs::metadata(to).map_or(0, |file| file.len()).min(expected_bytes);
            report(BackupProgress { written_bytes, expected_bytes });
        }
        copying.join().unwrap_or_else(|_| Err(StoreError::internal("the backup panicked")))
    })
}

/// The size of the pages in use: unused ones are not copied.
fn used_bytes(from: &Path) -> Result<u64, StoreError> {
    let connection = file::read_only(from)?;
    let sql = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// SQLite writes into an existing file only if it is empty. Source: <https://sqlite.org/lang_vacuum.html>.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let name = to.to_str().ok_or_else(|| cannot(to, &io::Error::from(io::ErrorKind::InvalidFilename)))?;
    let mut connection = file::connect(from)?;
    spool::bring_in_left(from, &mut connection);
    connection.execute("VACUUM INTO ?1", [name])?;
    let copied = Connection::open(to)?;
    // With the day's salt, a reader of the backup could find out who made that day's visits. The marks are
    // useless without it.
    copied.pragma_update(None, "secure_delete", true)?;
    copied.execute("DELETE FROM setting WHERE name = 'visitor_salt'", [])?;
    // A database of an older trac that was not migrated yet has no such table.
    if copied.table_exists(None, "visitor")? {
        copied.execute("DELETE FROM visitor", [])?;
    }
    drop(copied);
    let copied = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    file::check(&copied)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|error| cannot(to, &error))
}

/// Creates a data folder from a backup. A folder that contains a database or its log, or on which a server
/// runs, is left unchanged.
///
/// # Errors
/// [`StoreErrorKind::Conflict`] if there is a database, a log or a server, [`StoreErrorKind::Corrupt`] if the
/// backup is damaged, [`StoreErrorKind::Unavailable`] if it cannot be read or the folder cannot be written.
pub fn restore(from: &Path, data: &Path) -> Result<(), StoreError> {
    let to = data.join(file::FILE_NAME);
    if to.exists() {
        return Err(already_exists(&to));
    }
    // SQLite would apply a log to any database next to it.
    let log = file::log_of(&to);
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let detail = format!(
            "{} is the log of a database that is no longer here, and may contain its newest writes: \
             move it to that database, or delete it",
            log.display()
        );
        return Err(StoreError::new(StoreErrorKind::Conflict, detail));
    }
    let backup = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let backup = backup.map_err(StoreError::from).and_then(|backup| file::check(&backup));
    backup.map_err(|error| error.at(from))?;
    let _lock = FolderLock::on(data)?;
    // Written under another name until it is complete, so that a partial copy is never used as a database.
    let draft = data.join("restoring.db");
    let copied = (|| {
        file::open_private(&draft)?;
        io::copy(&mut File::open(from)?, &mut File::options().write(true).open(&draft)?)?;
        File::open(&draft)?.sync_all()?;
        fs::rename(&draft, &to)?;
        File::open(data)?.sync_all()
    })();
    copied.map_err(|error: io::Error| cannot(&to, &error))
}

#[cfg(test)]
mod tests {
    use super::super::rows::args;
    use super::super::{Priority, Store};
    use super::*;

    async fn add(store: &Store, id: &'static str) {
        let sql = "INSERT INTO workspace (id, name, created_at) VALUES (?1, ?1, 0)";
        store.write(Priority::Api, move |tx| tx.write(sql, args![id])).await.unwrap();
    }

    async fn count(store: &Store) -> i64 {
        let counted = store.read(|tx| tx.one("SELECT count(*) FROM workspace", &[], |row| row.get(0)));
        counted.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_backup_of_a_running_store_can_be_restored() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy, other) =
            (folder.path().join("data"), folder.path().join("copy.db"), folder.path().join("other"));
        let store = Store::open(&data).unwrap();
        add(&store, "a").await;
        back_up(&data, &copy, |_| ()).unwrap();
        add(&store, "b").await;
        assert_eq!(back_up(&data, &copy, |_| ()).unwrap_err().kind(), StoreErrorKind::Conflict);
        assert_eq!(restore(&copy, &data).unwrap_err().kind(), StoreErrorKind::Conflict);
        restore(&copy, &other).unwrap();
        assert_eq!(count(&Store::open(&other).unwrap()).await, 1);
        assert_eq!(count(&store).await, 2);
        #[cfg(unix)]
        for file in [&copy, &other.join(file::FILE_NAME)] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
    }

    #[tokio::test]
    async fn a_backup_contains_neither_the_days_salt_nor_visitor_marks() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
        let store = Store::open(&data).unwrap();
        let salt = "20777:0123456789abcdef-the-salt";
        let set = store.write(Priority::Api, move |tx| super::super::set_setting(tx, "visitor_salt", salt));
        set.await.unwrap();
        let mark = b"the mark of one.";
        let visit = "INSERT INTO visitor (day, mark) VALUES (20777, ?1)";
        let left = store.write(Priority::Api, move |tx| tx.write(visit, args![mark]));
        left.await.unwrap();
        back_up(&data, &copy, |_| ()).unwrap();
        let bytes = fs::read(&copy).unwrap();
        for secret in [salt.as_bytes(), mark] {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!is_there, "{} is in the backup", String::from_utf8_lossy(secret));
        }
        assert!(
            !folder.path().join("copy.db-wal").exists() && !folder.path().join("copy.db-journal").exists()
        );
    }

    #[tokio::test]
    async fn a_store_of_an_older_trac_is_backed_up_without_migration() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
        let store = Store::open(&data).unwrap();
        let older = store.write(Priority::Api, |tx| tx.batch("DROP TABLE visitor"));
        older.await.unwrap();
        back_up(&data, &copy, |_| ()).unwrap();
        assert!(!Connection::open(&copy).unwrap().table_exists(None, "visitor").unwrap());
    }

    #[tokio::test]
    async fn a_backup_is_not_restored_next_to_the_log_of_another_database() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy, other) =
            (folder.path().join("data"), folder.path().join("copy.db"), folder.path().join("other"));
        let store = Store::open(&data).unwrap();
        add(&store, "a").await;
        back_up(&data, &copy, |_| ()).unwrap();
        for id in ["b", "c", "d"] {
            add(&store, id).await;
        }
        // The log that a killed process leaves behind; its database is gone.
        fs::create_dir(&other).unwrap();
        let log = other.join("trac.db-wal");
        fs::copy(data.join("trac.db-wal"), &log).unwrap();
        let before = fs::read(&log).unwrap();
        assert_eq!(restore(&copy, &other).unwrap_err().kind(), StoreErrorKind::Conflict);
        assert_eq!((fs::read(&log).unwrap(), other.join("trac.db").exists()), (before, false));
        // An empty log does not matter.
        fs::write(&log, "").unwrap();
        restore(&copy, &other).unwrap();
        assert_eq!(count(&Store::open(&other).unwrap()).await, 1);
    }

    #[test]
    fn a_file_that_is_not_a_backup_is_refused_and_leaves_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let (data, nothing) = (folder.path().join("data"), folder.path().join("nothing"));
        fs::write(&nothing, "no database at all, but long enough to have a header of that kind of file")
            .unwrap();
        assert!(restore(&nothing, &data).is_err());
        assert!(restore(&folder.path().join("missing"), &data).is_err());
        assert!(!data.exists());
        assert!(back_up(&data, &folder.path().join("copy.db"), |_| ()).is_err());
        assert!(!folder.path().join("copy.db").exists());
    }
}
