//! The file under the store: made private, opened, brought to the newest schema.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::checkpoints::FILE_BYTES;
use super::error::{StoreError, StoreErrorKind};
use super::sum;

pub(super) const FILE_NAME: &str = "trac.db";
/// How long a connection waits for whoever locks the database.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// SQLite's default, which nothing here changes.
pub(super) const PAGE_BYTES: u64 = 4_096;
/// `trac`, so that a database of another program is refused.
const APPLICATION_ID: i32 = 0x7472_6163;
/// Step `n` brings `user_version` from `n` to `n + 1`. Steps are only appended.
const STEPS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("leads.sql"),
    include_str!("reports.sql"),
    include_str!("keys.sql"),
    include_str!("idempotency.sql"),
    include_str!("statistics.sql"),
    include_str!("links.sql"),
    include_str!("questions.sql"),
    include_str!("refusals.sql"),
    include_str!("promotions.sql"),
    include_str!("clicks.sql"),
    include_str!("standing.sql"),
    include_str!("visitors.sql"),
    include_str!("trust.sql"),
    include_str!("customer_tokens.sql"),
    include_str!("addresses.sql"),
    include_str!("sessions.sql"),
    include_str!("lines.sql"),
];

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

/// Whether an older program made the database, and this one would change its schema.
pub(super) fn is_older(connection: &Connection) -> Result<bool, StoreError> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).is_ok_and(|version| (1..STEPS.len()).contains(&version)))
}

/// Brings the schema to the newest version, one numbered step after the other.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let owner: i32 = tx.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (tables > 0 || version > 0) && owner != APPLICATION_ID {
        let detail = "this is a database of another program";
        return Err(StoreError::new(StoreErrorKind::Corrupt, detail));
    }
    let Some(steps) = usize::try_from(version).ok().and_then(|done| STEPS.get(done..)) else {
        let detail = format!("its schema ({version}) is newer than this program's ({})", STEPS.len());
        return Err(StoreError::new(StoreErrorKind::Corrupt, detail));
    };
    for step in steps {
        tx.execute_batch(step)?;
    }
    if !steps.is_empty() {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        let newest = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
        tx.pragma_update(None, "user_version", newest)?;
    }
    Ok(tx.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_of_an_older_store_are_kept_and_found_by_their_ids() {
        let mut store = Connection::open_in_memory().unwrap();
        let before = STEPS.iter().position(|step| step.contains("click_by_id")).unwrap();
        for step in &STEPS[..before] {
            store.execute_batch(step).unwrap();
        }
        store.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        store.pragma_update(None, "user_version", u32::try_from(before).unwrap()).unwrap();
        let old = "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique, visitor, \
                   landing_url) VALUES \
                   ('ws_1', 'test', 'clk_again', 'prog_1', 'part_1', NULL, 345601, 0, NULL, 'https://shop.example/'), \
                   ('ws_1', 'test', 'clk_today', 'prog_1', 'part_1', 'link_1', 345600, 1, x'04', NULL), \
                   ('ws_1', 'test', 'clk_yesterday', 'prog_1', 'part_1', NULL, 345599, 1, x'03', NULL), \
                   ('ws_1', 'test', 'clk_before', 'prog_1', 'part_1', NULL, 259199, 1, x'02', NULL), \
                   ('ws_1', 'test', 'clk_of_link', 'prog_1', 'part_1', 'link_1', 3, 0, NULL, NULL), \
                   ('ws_1', 'test', 'clk_by_hand', 'prog_1', 'part_1', NULL, 2, 1, NULL, NULL), \
                   ('ws_1', 'test', 'clk_of_code', 'prog_1', 'part_1', NULL, 1, 0, NULL, NULL)";
        store.execute_batch(old).unwrap();
        migrate(&mut store).unwrap();
        let text = |sql: &str| store.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        let kept = "SELECT group_concat(id || ' ' || is_unique || is_visit) FROM (SELECT * FROM click ORDER BY rowid)";
        let want = "clk_of_code 00,clk_by_hand 11,clk_of_link 01,clk_before 11,clk_yesterday 11,clk_today 11,clk_again 01";
        assert_eq!(text(kept), want);
        assert_eq!(text("SELECT group_concat(day || ' ' || hex(mark)) FROM visitor"), "3 03,4 04");
    }

    #[test]
    fn links_of_an_older_store_keep_their_slugs_and_leave_them_free_in_the_other_mode() {
        let mut store = Connection::open_in_memory().unwrap();
        let before = STEPS.iter().position(|step| step.contains("purged_at")).unwrap();
        for step in &STEPS[..before] {
            store.execute_batch(step).unwrap();
        }
        store.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        store.pragma_update(None, "user_version", u32::try_from(before).unwrap()).unwrap();
        let link = |mode: &str, id: &str| {
            format!(
                "INSERT INTO link (workspace_id, mode, id, program_id, partner_id, slug, destination, created_at) \
                 VALUES ('ws_1', '{mode}', '{id}', 'prog_1', 'part_1', 'ada', 'https://shop.example/', 1)"
            )
        };
        store.execute_batch(&link("test", "link_1")).unwrap();
        assert!(store.execute_batch(&link("live", "link_2")).is_err());
        migrate(&mut store).unwrap();
        store.execute_batch(&link("live", "link_2")).unwrap();
        assert!(store.execute_batch(&link("live", "link_3")).is_err());
        let kept = "SELECT group_concat(id || ' ' || mode || ' ' || coalesce(purged_at, deleted_at, 'leads on')) FROM link";
        let kept: String = store.query_row(kept, [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "link_2 live leads on,link_1 test leads on");
    }
}
