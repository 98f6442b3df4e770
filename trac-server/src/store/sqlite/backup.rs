//! Backups: the database copied to one file, and a data folder created from such a file.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::bring_in::Database;
use super::file::{self, Check};
use super::original::is_at;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::folder_lock::FolderLock;
use crate::store::thread::lower_priority;
use crate::store::{private, spool};

/// How many pages are copied together: 2 MB.
const TOGETHER: i32 = 512;
/// After how many bytes the copy is written to the disk, so that a commit of the server never waits for much of it.
const SYNC_BYTES: u64 = 32 << 20;
/// After how many steps the check of the copy rests: some megabytes.
const CHECKED_TOGETHER: i32 = 1_000;
/// How long a backup rests after each part of its work, as a multiple of the time that the part took. So it uses a
/// quarter of one processor and of the disk.
const REST: u32 = 3;

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
/// folder: the copy contains the state after one commit, and is made by a thread of low priority that rests most of the
/// time, so that the server's requests hardly wait. The master key is not part of it. The progress is passed to `report`
/// after each part.
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
    let locked = private::open(&draft).map_err(|error| cannot(&draft, &error))?;
    let is_taken = matches!(locked.try_lock(), Err(TryLockError::WouldBlock));
    // Another backup may have ended between these lines; then this is its file, under its new name.
    if is_taken || !is_at(&locked, &draft) {
        let detail = format!("{} is written by another backup", draft.display());
        return Err(StoreError::new(StoreErrorKind::Conflict, detail));
    }
    let copied = locked.set_len(0).map_err(|error| cannot(&draft, &error));
    let copied = copied.and_then(|()| watched(&from, &draft, report)).map_err(|error| match error.kind() {
        StoreErrorKind::Corrupt => error.at(&from),
        _ => error.at(&draft),
    });
    let copied = copied.and_then(|()| name(&draft, to));
    if copied.is_err() {
        let _ = fs::remove_file(&draft);
    }
    copied
}

/// Gives a complete copy its name, which no other file may have meanwhile. A file system without hard links renames it.
fn name(draft: &Path, to: &Path) -> Result<(), StoreError> {
    let named = match fs::hard_link(draft, to) {
        Ok(()) => fs::remove_file(draft),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(already_exists(to)),
        Err(_) if to.exists() => return Err(already_exists(to)),
        Err(_) => fs::rename(draft, to),
    };
    named.map_err(|error| cannot(to, &error))
}

/// Copies on a thread of low priority and reports its progress.
fn watched(from: &Path, to: &Path, report: impl FnMut(BackupProgress)) -> Result<(), StoreError> {
    let (progress, parts) = mpsc::channel();
    thread::scope(|scope| {
        let copying = scope.spawn(move || {
            lower_priority();
            copy(from, to, &progress)
        });
        parts.into_iter().for_each(report);
        copying.join().unwrap_or_else(|_| Err(StoreError::internal("the backup panicked")))
    })
}

fn copy(from: &Path, to: &Path, progress: &Sender<BackupProgress>) -> Result<(), StoreError> {
    let mut source = file::connect(from).map_err(|error| error.at(from))?;
    spool::bring_in_left(file::folder_of(from), &mut Database::alone(&mut source));
    // Open until the end: when a process closes a file, SQLite's locks on it are released.
    let written = File::options().write(true).open(to).map_err(|error| cannot(to, &error))?;
    let sync = || written.sync_data().map_err(|error| cannot(to, &error));
    copy_pages(&source, to, progress, sync)?;
    let copied = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    copied.pragma_update(None, "journal_mode", "DELETE")?;
    copied.pragma_update(None, "secure_delete", true)?;
    empty_free_pages(&copied)?;
    // With the day's salt, a reader of the backup could find out who made that day's visits. The marks are
    // useless without it.
    copied.execute("DELETE FROM setting WHERE name = 'visitor_salt'", [])?;
    // A database of an older trac that was not migrated yet has no such table.
    if copied.table_exists(None, "visitor")? {
        copied.execute("DELETE FROM visitor", [])?;
    }
    drop(copied);
    let mut copied = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut begun = Instant::now();
    copied.progress_handler(
        CHECKED_TOGETHER,
        Some(move || {
            rest_after(begun.elapsed());
            begun = Instant::now();
            false
        }),
    )?;
    file::check(&copied, Check::Pages)?;
    sync()
}

/// Copies all pages of one snapshot.
fn copy_pages(
    source: &Connection,
    to: &Path,
    progress: &Sender<BackupProgress>,
    sync: impl Fn() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut copied = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    copied.pragma_update(None, "journal_mode", "OFF")?;
    copied.pragma_update(None, "synchronous", "OFF")?;
    // Without a snapshot, which begins with the first row that is read, the backup would begin again after each
    // commit of the server.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    let page_bytes: i64 = snapshot.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let bytes = |pages: i32| u64::from(pages.unsigned_abs()).saturating_mul(page_bytes.unsigned_abs());
    let backup = Backup::new(&snapshot, &mut copied)?;
    let mut synced_bytes = 0_u64;
    loop {
        let begun = Instant::now();
        let step = backup.step(TOGETHER)?;
        let (pages, left) = (backup.progress().pagecount, backup.progress().remaining);
        let expected_bytes = bytes(pages);
        let written_bytes = expected_bytes.saturating_sub(bytes(left));
        if written_bytes.saturating_sub(synced_bytes) >= SYNC_BYTES {
            sync()?;
            synced_bytes = written_bytes;
        }
        let _ = progress.send(BackupProgress { written_bytes, expected_bytes });
        if step == StepResult::Done {
            return Ok(());
        }
        rest_after(begun.elapsed());
    }
}

fn rest_after(work: Duration) {
    thread::sleep(work.saturating_mul(REST));
}

/// Overwrites what the unused pages still contain of deleted rows: a table takes them all, and is dropped with
/// `secure_delete`.
fn empty_free_pages(copied: &Connection) -> Result<(), StoreError> {
    /// The bytes of one page that are left for a row, rounded down.
    const ROW_BYTES: i64 = 4_000;
    const PAGES_MAX: i64 = 100_000;
    copied.pragma_update(None, "synchronous", "OFF")?;
    let free = || copied.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    if free()? > 0 {
        copied.execute_batch("CREATE TABLE unused (bytes BLOB)")?;
        while free()? > 0 {
            let bytes = free()?.min(PAGES_MAX).saturating_mul(ROW_BYTES);
            copied.execute("INSERT INTO unused (bytes) VALUES (zeroblob(?1))", [bytes])?;
        }
        copied.execute_batch("DROP TABLE unused")?;
    }
    Ok(())
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
    let backup = backup.map_err(StoreError::from).and_then(|backup| file::check(&backup, Check::Everything));
    backup.map_err(|error| error.at(from))?;
    let _lock = FolderLock::on(data)?;
    // Written under another name until it is complete, so that a partial copy is never used as a database.
    let draft = data.join("restoring.db");
    let copied = (|| {
        private::open(&draft)?;
        io::copy(&mut File::open(from)?, &mut File::options().write(true).open(&draft)?)?;
        File::open(&draft)?.sync_all()?;
        fs::rename(&draft, &to)?;
        File::open(data)?.sync_all()
    })();
    copied.map_err(|error: io::Error| cannot(&to, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::args;
    use crate::store::{Priority, Store};

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
    async fn a_backup_is_of_one_moment_and_ends_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
        let store = Store::open(&data).unwrap();
        add(&store, "a").await;
        let fill = "CREATE TABLE heap (bytes BLOB); INSERT INTO heap VALUES (zeroblob(20000000))";
        store.write(Priority::Api, move |tx| tx.batch(fill)).await.unwrap();
        let other = Connection::open(data.join(file::FILE_NAME)).unwrap();
        let (mut written, mut commits) = (Vec::new(), 0);
        back_up(&data, &copy, |progress| {
            written.push(progress.written_bytes);
            // After that many commits, a backup that begins again each time could end all the same.
            if commits < 1_000 {
                commits += 1;
                let insert = "INSERT INTO workspace (id, name, created_at) VALUES (?1, ?1, 0)";
                other.execute(insert, [format!("b{commits}")]).unwrap();
            }
        })
        .unwrap();
        assert!(written.is_sorted() && written.len() < 20, "{written:?}");
        assert!(commits > 5, "{commits}");
        let copied = Connection::open(&copy).unwrap();
        let workspaces: i64 =
            copied.query_row("SELECT count(*) FROM workspace", [], |row| row.get(0)).unwrap();
        assert_eq!(workspaces, 1);
    }

    #[tokio::test]
    async fn two_backups_do_not_write_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
        let store = Store::open(&data).unwrap();
        add(&store, "a").await;
        let mut second = None;
        back_up(&data, &copy, |_| second = Some(back_up(&data, &copy, |_| ()).unwrap_err())).unwrap();
        let second = second.unwrap();
        assert_eq!(second.kind(), StoreErrorKind::Conflict, "{second}");
        file::check(&Connection::open(&copy).unwrap(), Check::Everything).unwrap();
        // A file that was made meanwhile is not replaced.
        let other = folder.path().join("other.db");
        let made = back_up(&data, &other, |_| fs::write(&other, "mine").unwrap());
        assert_eq!(made.unwrap_err().kind(), StoreErrorKind::Conflict);
        assert_eq!(fs::read(&other).unwrap(), b"mine");
        assert!(!folder.path().join("other.db.draft").exists());
        // The draft of an interrupted backup is overwritten.
        let third = folder.path().join("third.db");
        fs::write(folder.path().join("third.db.draft"), "the draft of a backup that was killed").unwrap();
        back_up(&data, &third, |_| ()).unwrap();
        assert_eq!(count(&store).await, 1);
    }

    #[tokio::test]
    async fn a_backup_contains_neither_the_days_salt_nor_visitor_marks() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
        let store = Store::open(&data).unwrap();
        let salt = "20777:0123456789abcdef-the-salt";
        let set = store.write(Priority::Api, move |tx| crate::store::set_setting(tx, "visitor_salt", salt));
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
    async fn a_backup_contains_no_deleted_rows() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
        let store = Store::open(&data).unwrap();
        let text = "deleted words ".repeat(20_000);
        let filled = format!("CREATE TABLE heap (words TEXT); INSERT INTO heap VALUES ('{text}')");
        store.write(Priority::Api, move |tx| tx.batch(&filled)).await.unwrap();
        store.write(Priority::Api, move |tx| tx.batch("DROP TABLE heap")).await.unwrap();
        back_up(&data, &copy, |_| ()).unwrap();
        let count = |file: &Path| {
            let bytes = fs::read(file).unwrap();
            bytes.windows(14).filter(|window| *window == b"deleted words ").count()
        };
        assert_eq!(count(&copy), 0);
        let copied = Connection::open(&copy).unwrap();
        assert!(!copied.table_exists(None, "unused").unwrap());
        let free: i64 = copied.pragma_query_value(None, "freelist_count", |row| row.get(0)).unwrap();
        assert!(free > 60, "{free} pages of the deleted row are free");
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
