//! The schema as the database describes it.

use super::error::StoreError;
use super::rows::{Everywhere, args};

/// The version of the schema. Two stores of the same version have the same columns.
pub(crate) fn version(tx: Everywhere<'_>) -> Result<u32, StoreError> {
    let version = tx.one("PRAGMA user_version", &[], |row| row.get(0))?;
    version.ok_or_else(|| StoreError::internal("the schema has no version"))
}

/// The columns of a table, in their order.
pub(crate) fn columns(tx: Everywhere<'_>, table: &str) -> Result<Vec<String>, StoreError> {
    tx.all("SELECT name FROM pragma_table_info(?1)", args![table], |row| row.get(0))
}

/// The tables that the migrations made.
#[cfg(test)]
pub(crate) fn tables(tx: Everywhere<'_>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    tx.all(sql, &[], |row| row.get(0))
}
