//! What the server remembers of itself.

use rusqlite::{Connection, OptionalExtension as _};

use super::error::StoreError;

/// How the server was last reached from outside, for `workspace create` beside it.
pub(crate) const PUBLIC_URL: &str = "public_url";

/// Reads a setting.
pub(crate) fn setting(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Takes a setting away.
pub(crate) fn forget_setting(connection: &Connection, name: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM setting WHERE name = ?1")?.execute([name])?;
    Ok(())
}

/// Writes a setting.
pub(crate) fn set_setting(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        )?
        .execute([name, value])?;
    Ok(())
}
