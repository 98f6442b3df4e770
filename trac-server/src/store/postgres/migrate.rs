//! The schema and its migrations, applied once, by one node.

use postgres::Client;

use crate::store::{Opening, StoreError, StoreErrorKind};

/// `trac` in ASCII: the lock under which one node migrates.
const LOCK: i64 = 0x7472_6163;
/// The version of the first schema, which is that of a file of the same version.
const FIRST: i64 = 35;
/// Migration `n` brings the schema from version `FIRST + n - 2` to `FIRST + n - 1`; the first makes it. New ones are only
/// appended, together with those of a file.
const MIGRATIONS: &[&str] =
    &[include_str!("schema.sql"), include_str!("0036_accounts.sql"), include_str!("0037_mails.sql")];

/// Applies the missing migrations in order, in one transaction.
pub(super) fn migrate(client: &mut Client, opening: Opening) -> Result<(), StoreError> {
    let mut tx = client.transaction()?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
    let exists: bool = tx.query_one("SELECT to_regclass('trac_schema') IS NOT NULL", &[])?.get(0);
    let version: Option<i64> = if exists {
        tx.query_opt("SELECT version FROM trac_schema", &[])?.map(|row| row.get(0))
    } else {
        None
    };
    let newest = FIRST.saturating_add(i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)).saturating_sub(1);
    let done = version.map_or(0, |version| version.saturating_sub(FIRST).saturating_add(1));
    let Some(steps) = usize::try_from(done).ok().and_then(|done| MIGRATIONS.get(done..)) else {
        let version = version.unwrap_or_default();
        let detail =
            format!("the schema of the database ({version}) is newer than this program's ({newest})");
        return Err(StoreError::new(StoreErrorKind::Corrupt, detail));
    };
    if steps.is_empty() {
        return Ok(());
    }
    match (version, opening) {
        (None, Opening::Known | Opening::Unchanged) => {
            let detail =
                "there is no store in this database: --database-url names the database of trac serve";
            return Err(StoreError::new(StoreErrorKind::Unavailable, detail));
        }
        (Some(_), Opening::Unchanged) => {
            let detail =
                "an older trac made the store: make a backup, then start trac serve, which converts it";
            return Err(StoreError::new(StoreErrorKind::Conflict, detail));
        }
        _ => {}
    }
    for step in steps {
        tx.batch_execute(step)?;
    }
    tx.batch_execute(&format!(
        "CREATE TABLE IF NOT EXISTS trac_schema (version BIGINT NOT NULL); DELETE FROM trac_schema; \
         INSERT INTO trac_schema (version) VALUES ({newest})"
    ))?;
    Ok(tx.commit()?)
}
