//! The file under the store: made private, opened, checked, and its write-ahead log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{StoreError, StoreErrorKind};
use super::migrate::APPLICATION_ID;
use super::sum;

pub(super) const FILE_NAME: &str = "trac.db";
/// How long a connection waits for whoever locks the database.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// SQLite's default, which nothing here changes.
const PAGE_BYTES: u64 = 4_096;
/// How large the file may stay, once it is started again.
pub(super) const FILE_BYTES: u64 = 256 << 20;
/// Makes folder and file, readable by their owner alone. SQLite gives its side files the same permissions.
pub(super) fn prepare(data: &Path) -> Result<PathBuf, StoreError> {
    let file = data.join(FILE_NAME);
    let cannot = |path: &Path, error: &io::Error| {
        StoreError::new(StoreErrorKind::Unavailable, format!("{} cannot be written: {error}", path.display()))
    };
    make_folder(data).map_err(|error| cannot(data, &error))?;
    open_private(&file).map_err(|error| cannot(&file, &error))?;
    Ok(file)
}

/// Makes sure that there is a store in a folder.
pub(super) fn must_be_there(data: &Path) -> Result<(), StoreError> {
    let file = data.join(FILE_NAME);
    if file.is_file() {
        return Ok(());
    }
    let detail =
        format!("there is no store in {}: --data names the folder that trac serve keeps", data.display());
    Err(StoreError::new(StoreErrorKind::Unavailable, detail))
}

#[cfg(unix)]
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Makes a file that is not there yet, readable by its owner alone.
pub(crate) fn new_private(file: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Opens a file at its end, making it where it is missing, readable by its owner alone.
pub(super) fn open_private(file: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// The write-ahead log of a database.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut log = database.to_owned();
    log.as_mut_os_string().push("-wal");
    log
}

/// Opens a connection with everything every connection needs.
pub(super) fn connect(file: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Else SQLite looks at what is bound and plans a kept statement anew each time that differs: a third of all it did.
    // Source: https://www.sqlite.org/c3ref/c_dbconfig_defensive.html, SQLITE_DBCONFIG_ENABLE_QPSG.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Checkpoints belong to a thread of their own, never to a commit someone waits for.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", FILE_BYTES.cast_signed())?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is written over where that costs nothing: yesterday's salt, for one.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    sum::teach(&connection)?;
    Ok(connection)
}

/// Whether a file is a whole database of this program, of this version or an older one.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let corrupt = |detail: String| StoreError::new(StoreErrorKind::Corrupt, detail);
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if owner != APPLICATION_ID {
        return Err(corrupt("this is no database of this program".to_owned()));
    }
    let found: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(corrupt(found)) }
}

/// Looks through a whole database for damage, on a connection of its own: nobody waits for that.
pub(super) fn quick_check(file: &Path) -> Result<(), StoreError> {
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_LIMIT)?;
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::new(StoreErrorKind::Corrupt, found)) }
}

/// What is in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) bytes: u64,
    /// Not in the database yet.
    pub(super) rest_bytes: u64,
}

/// Copies what can be copied now, so that the log is written from its beginning again.
pub(super) fn copy_log(connection: &Connection) {
    let _ = checkpoint(connection, "PASSIVE");
}

/// Copies the log into the database: `PASSIVE`, `RESTART` or `TRUNCATE`.
pub(super) fn checkpoint(connection: &Connection, how: &str) -> Result<Log, StoreError> {
    let sql = format!("PRAGMA wal_checkpoint({how})");
    let (pages, copied) = connection.query_row(&sql, [], |row| Ok((row.get(1)?, row.get(2)?)))?;
    // Both are -1 where there is no log.
    let bytes = |pages: i64| u64::try_from(pages).unwrap_or_default().saturating_mul(PAGE_BYTES);
    Ok(Log { bytes: bytes(pages), rest_bytes: bytes(pages).saturating_sub(bytes(copied)) })
}
