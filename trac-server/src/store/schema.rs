//! The schema as the database describes it.

use super::error::StoreError;
use super::rows::{Engine, Everywhere, args};

/// The version of the schema. Stores of the same version have the same tables and columns of exported rows, in a file and in
/// PostgreSQL.
pub(crate) fn version(tx: Everywhere<'_>) -> Result<u32, StoreError> {
    let sql = match tx.engine() {
        Engine::Sqlite => "PRAGMA user_version",
        Engine::Postgres => "SELECT version FROM trac_schema",
    };
    let version = tx.one(sql, &[], |row| row.get(0))?;
    version.ok_or_else(|| StoreError::internal("the schema has no version"))
}

/// The columns of a table, in their order.
pub(crate) fn columns(tx: Everywhere<'_>, table: &str) -> Result<Vec<String>, StoreError> {
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT name FROM pragma_table_info(?1)",
        Engine::Postgres => {
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(?1)) AND attnum > 0 AND NOT attisdropped \
             AND attgenerated = '' ORDER BY attnum"
        }
    };
    tx.all(sql, args![table], |row| row.get(0))
}

/// The tables that the migrations made.
#[cfg(test)]
pub(crate) fn tables(tx: Everywhere<'_>) -> Result<Vec<String>, StoreError> {
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Engine::Postgres => {
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname <> 'trac_schema' \
             AND relnamespace = CAST(current_schema AS regnamespace)"
        }
    };
    tx.all(sql, &[], |row| row.get(0))
}
