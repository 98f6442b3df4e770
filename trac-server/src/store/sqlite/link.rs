//! Runs statements with the driver of SQLite.

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, ToSql};

use crate::store::StoreError;
use crate::store::rows::{Arg, Database, Engine, Index, Row, Statement, Value, Values};

impl Database for Connection {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn read(
        &self,
        statement: &Statement<'_>,
        take: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut prepared = self.prepare_cached(statement.sql)?;
        bind(self, statement, &mut prepared)?;
        let mut found = prepared.raw_query();
        while let Some(row) = found.next()? {
            if !take(&Row::of(row))? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, statement: &Statement<'_>) -> Result<usize, StoreError> {
        let mut prepared = self.prepare_cached(&or_fail(statement.sql))?;
        bind(self, statement, &mut prepared)?;
        Ok(prepared.raw_execute()?)
    }

    fn is_open(&self) -> bool {
        !self.is_autocommit()
    }

    #[cfg(test)]
    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.execute_batch(sql)?)
    }
}

/// Binds the arguments. Returns an error if the statement has fewer or more parameters.
fn bind(
    connection: &Connection,
    statement: &Statement<'_>,
    prepared: &mut rusqlite::Statement<'_>,
) -> Result<(), StoreError> {
    #[cfg(test)]
    super::plan::check(connection, statement.sql, statement.caller);
    #[cfg(not(test))]
    let _ = connection;
    let mut bound = 0_usize;
    for (arg, place) in statement.arguments().zip(1..) {
        prepared.raw_bind_parameter(place, arg)?;
        bound = place;
    }
    let named = prepared.parameter_count();
    if named == bound {
        return Ok(());
    }
    Err(StoreError::internal(format!(
        "a statement has {named} parameters but {bound} arguments: {}",
        statement.sql
    )))
}

/// The statement, so that a row that is rejected does not undo the rows written before it. A job whose statement
/// fails is undone as a whole; to undo one statement of it, SQLite would copy each page before the statement
/// changes it, which is a sixth of the writer's work. Source: <https://www.sqlite.org/lang_conflict.html>.
fn or_fail(sql: &str) -> Cow<'_, str> {
    for (plain, or_fail) in [("INSERT INTO ", "INSERT OR FAIL INTO "), ("UPDATE ", "UPDATE OR FAIL ")] {
        if let Some(rest) = sql.strip_prefix(plain) {
            return Cow::Owned(format!("{or_fail}{rest}"));
        }
    }
    Cow::Borrowed(sql)
}

impl Values for rusqlite::Row<'_> {
    fn value(&self, column: Index<'_>) -> Result<Value<'_>, StoreError> {
        let value = match column {
            Index::At(index) => self.get_ref(index)?,
            Index::Named(name) => self.get_ref(name)?,
        };
        Ok(match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Text(text) => Value::Text(str::from_utf8(text).map_err(|error| {
                StoreError::internal(format!("{column} contains a text that is not UTF-8: {error}"))
            })?),
            ValueRef::Blob(bytes) => Value::Bytes(bytes),
            ValueRef::Real(_) => {
                return Err(StoreError::internal(format!("{column} contains a fraction")));
            }
        })
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Owned::Null),
            Self::Integer(number) | Self::Untyped(number) => ToSqlOutput::Owned(Owned::Integer(*number)),
            Self::Bool(yes) => ToSqlOutput::Owned(Owned::Integer(i64::from(*yes))),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
