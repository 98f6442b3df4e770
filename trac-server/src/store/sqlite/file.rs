//! The database file: creating it private, opening and checking it, and its write-ahead log.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate::APPLICATION_ID;
use super::sum;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::private;

pub(in crate::store) const FILE_NAME: &str = "trac.db";
/// How long a connection waits for a lock on the database.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// SQLite's default page size, which is not changed.
const PAGE_BYTES: u64 = 4_096;
/// How long writers may be blocked because a reader still uses the log. After that, the restart is put off.
const BLOCK_LIMIT: Duration = Duration::from_millis(3);
/// The same for a log that has become too large.
const LONG_BLOCK_LIMIT: Duration = Duration::from_millis(50);
/// The size to which the log file is truncated, once it is written from its beginning again.
pub(super) const LOG_LIMIT_BYTES: u64 = 256 << 20;

/// Creates folder and file, readable by their owner alone. SQLite gives its side files the same permissions.
pub(super) fn prepare(data: &Path) -> Result<PathBuf, StoreError> {
    let file = data.join(FILE_NAME);
    let cannot = |path: &Path, error: &io::Error| {
        StoreError::new(StoreErrorKind::Unavailable, format!("{} cannot be written: {error}", path.display()))
    };
    private::make_folder(data).map_err(|error| cannot(data, &error))?;
    private::open(&file).map_err(|error| cannot(&file, &error))?;
    Ok(file)
}

/// Returns an error if there is no store in a folder.
pub(in crate::store) fn must_be_there(data: &Path) -> Result<(), StoreError> {
    let file = data.join(FILE_NAME);
    if file.is_file() {
        return Ok(());
    }
    let detail =
        format!("there is no store in {}: --data names the data folder of trac serve", data.display());
    Err(StoreError::new(StoreErrorKind::Unavailable, detail))
}

/// The folder of a database.
pub(super) fn folder_of(database: &Path) -> &Path {
    database.parent().unwrap_or(Path::new("."))
}

/// The write-ahead log of a database.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut log = database.to_owned();
    log.as_mut_os_string().push("-wal");
    log
}

/// The cache of a connection.
pub(super) const CACHE_KIB: i64 = 16_000;

/// Opens a connection with the settings that every connection needs.
pub(super) fn connect(file: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Otherwise SQLite plans a cached statement again whenever the bound values differ, which was a third of all
    // its work.
    // Source: https://www.sqlite.org/c3ref/c_dbconfig_defensive.html, SQLITE_DBCONFIG_ENABLE_QPSG.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Checkpoints run on their own thread (`checkpoints`), so that no caller waits for one during a commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES.cast_signed())?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Overwrites deleted rows, such as yesterday's salt, where that costs no extra I/O.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB.saturating_neg())?;
    sum::register(&connection)?;
    Ok(connection)
}

/// How thoroughly a database is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Whether all pages and rows can be read.
    Pages,
    /// Also whether each index has exactly the rows of its table, which takes several times as long.
    Everything,
}

/// Checks that a file is an undamaged database of this program, of this version or an older one.
pub(super) fn check(connection: &Connection, depth: Check) -> Result<(), StoreError> {
    let corrupt = |detail: String| StoreError::new(StoreErrorKind::Corrupt, detail);
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if owner != APPLICATION_ID {
        return Err(corrupt("this is not a database of this program".to_owned()));
    }
    let pragma = match depth {
        Check::Pages => "quick_check",
        Check::Everything => "integrity_check",
    };
    let found: String = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(corrupt(found)) }
}

/// Opens a connection of its own for a read that takes long.
pub(super) fn read_only(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    Ok(connection)
}

/// Checks a whole database for damage, on its own connection, so that no other call waits.
pub(super) fn quick_check(file: &Path) -> Result<(), StoreError> {
    let found: String = read_only(file)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::new(StoreErrorKind::Corrupt, found)) }
}

/// The size of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) bytes: u64,
    /// The part that is not in the database yet.
    pub(super) rest_bytes: u64,
}

/// Copies as much of the log as possible now, so that the log can be written from its beginning again.
pub(super) fn copy_log(connection: &Connection) {
    let _ = checkpoint(connection, "PASSIVE");
}

/// Copies the log into the database; `how` is `PASSIVE`, `RESTART` or `TRUNCATE`.
pub(super) fn checkpoint(connection: &Connection, how: &str) -> Result<Log, StoreError> {
    let sql = format!("PRAGMA wal_checkpoint({how})");
    let (pages, copied) = connection.query_row(&sql, [], |row| Ok((row.get(1)?, row.get(2)?)))?;
    // Both are -1 if there is no log.
    let bytes = |pages: i64| u64::try_from(pages).unwrap_or_default().saturating_mul(PAGE_BYTES);
    Ok(Log { bytes: bytes(pages), rest_bytes: bytes(pages).saturating_sub(bytes(copied)) })
}

/// How the log is written from its beginning again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// The file keeps its size.
    Keep,
    /// The file is emptied.
    Truncate,
}

/// Restarts the log, on the writer's connection and between its transactions.
pub(super) fn restart_log(connection: &Connection, how: Restart) -> Result<(), StoreError> {
    let (limit, mode) = match how {
        Restart::Keep => (BLOCK_LIMIT, "RESTART"),
        Restart::Truncate => (LONG_BLOCK_LIMIT, "TRUNCATE"),
    };
    connection.busy_timeout(limit)?;
    let restarted = checkpoint(connection, mode);
    connection.busy_timeout(BUSY_LIMIT)?;
    restarted.map(|_| ())
}
