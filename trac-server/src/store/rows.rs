//! The only way by which rows are read and written.
//!
//! [`Rows`] is one transaction and its scope. It binds the workspace as `?1` and the mode as `?2` of every
//! statement, so that no statement can omit them; a statement's own arguments begin at `?3`. The few statements
//! that belong to no workspace yet, such as the look-up of a key by its hash, go through [`Everywhere`]. No
//! signature here contains a type of the database driver, so that the rest of the crate does not depend on it.

use std::borrow::Cow;
#[cfg(test)]
use std::panic::Location;
use std::sync::Arc;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, RowIndex, Statement, ToSql};
use serde::de::DeserializeOwned;
use trac_core::time::Timestamp;

use super::{Scope, StoreError};

/// The rows of one workspace and mode, inside one transaction or snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(super) connection: &'a Connection,
    scope: &'a Scope,
}

/// The rows of all workspaces, inside one transaction or snapshot. Nothing is bound implicitly; arguments begin
/// at `?1`.
#[derive(Clone, Copy, Debug)]
pub struct Everywhere<'a> {
    pub(super) connection: &'a Connection,
}

impl<'a> Everywhere<'a> {
    pub(super) const fn of(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// The rows of one workspace and mode.
    pub(crate) const fn within(self, scope: &'a Scope) -> Rows<'a> {
        Rows { connection: self.connection, scope }
    }

    /// Reads the first row, if there is one.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn one<T>(
        self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.call(sql, args).one(read)
    }

    /// Reads every row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn all<T>(
        self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.call(sql, args).all(read)
    }

    /// Passes each row to `take`, without collecting them.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn each(
        self,
        sql: &str,
        args: &[Arg<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.call(sql, args).each(&mut take)
    }

    /// Whether there is any row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn exists(self, sql: &str, args: &[Arg<'_>]) -> Result<bool, StoreError> {
        self.call(sql, args).exists()
    }

    /// Changes rows and returns how many.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn write(self, sql: &str, args: &[Arg<'_>]) -> Result<usize, StoreError> {
        self.call(sql, args).write()
    }

    #[cfg_attr(test, track_caller)]
    const fn call<'c>(self, sql: &'c str, args: &'c [Arg<'c>]) -> Call<'c>
    where
        'a: 'c,
    {
        Call {
            connection: self.connection,
            scope: None,
            sql,
            args,
            #[cfg(test)]
            caller: Location::caller(),
        }
    }

    /// Runs several statements, for the setup of tests.
    #[cfg(test)]
    pub(crate) fn batch(self, sql: &str) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch(sql)?)
    }
}

impl<'a> Rows<'a> {
    /// The workspace and mode of the rows.
    pub(crate) const fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// The rows of all workspaces, in the same transaction.
    pub(crate) const fn everywhere(&self) -> Everywhere<'a> {
        Everywhere { connection: self.connection }
    }

    /// Reads the first row, if there is one.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.call(sql, args).one(read)
    }

    /// Reads every row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.call(sql, args).all(read)
    }

    /// Passes each row to `take`, without collecting them.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn each(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.call(sql, args).each(&mut take)
    }

    /// Whether there is any row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn exists(&self, sql: &str, args: &[Arg<'_>]) -> Result<bool, StoreError> {
        self.call(sql, args).exists()
    }

    /// Changes rows and returns how many; 0 with `ON CONFLICT DO NOTHING` if the row exists.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn write(&self, sql: &str, args: &[Arg<'_>]) -> Result<usize, StoreError> {
        self.call(sql, args).write()
    }

    #[cfg_attr(test, track_caller)]
    const fn call<'c>(&'c self, sql: &'c str, args: &'c [Arg<'c>]) -> Call<'c> {
        Call {
            connection: self.connection,
            scope: Some(self.scope),
            sql,
            args,
            #[cfg(test)]
            caller: Location::caller(),
        }
    }
}

/// A statement with its arguments.
struct Call<'c> {
    connection: &'c Connection,
    scope: Option<&'c Scope>,
    sql: &'c str,
    args: &'c [Arg<'c>],
    #[cfg(test)]
    caller: &'static Location<'static>,
}

impl Call<'_> {
    fn one<T>(self, read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(self.sql)?;
        self.bind(&mut statement)?;
        let mut found = statement.raw_query();
        let row = found.next()?;
        row.map(|row| read(&Row(row))).transpose()
    }

    fn all<T>(self, mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.each(&mut |row| read(row).map(|one| found.push(one)))?;
        Ok(found)
    }

    fn exists(self) -> Result<bool, StoreError> {
        Ok(self.one(|_| Ok(()))?.is_some())
    }

    fn each(self, take: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(self.sql)?;
        self.bind(&mut statement)?;
        let mut found = statement.raw_query();
        while let Some(row) = found.next()? {
            take(&Row(row))?;
        }
        Ok(())
    }

    fn write(self) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached(&or_fail(self.sql))?;
        self.bind(&mut statement)?;
        Ok(statement.raw_execute()?)
    }

    /// Binds the scope, if there is one, and the arguments. Returns an error if the statement has fewer or more
    /// parameters.
    fn bind(&self, statement: &mut Statement<'_>) -> Result<(), StoreError> {
        #[cfg(test)]
        super::plan::check(self.connection, self.sql, self.caller);
        let scope = self
            .scope
            .map(|scope| [Arg::Text(scope.workspace_id().into()), Arg::Text(scope.mode_str().into())]);
        let all = scope.iter().flatten().chain(self.args);
        let mut bound = 0_usize;
        for (arg, place) in all.zip(1..) {
            statement.raw_bind_parameter(place, arg)?;
            bound = place;
        }
        let named = statement.parameter_count();
        if named == bound {
            return Ok(());
        }
        Err(StoreError::internal(format!(
            "a statement has {named} parameters but {bound} arguments: {}",
            self.sql
        )))
    }
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

/// One row that was read.
pub(crate) struct Row<'r>(&'r rusqlite::Row<'r>);

impl Row<'_> {
    /// The value of a column, by its index from 0 or by its name.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`](super::StoreErrorKind::Internal) if there is no such column or its value is
    /// of another type.
    pub(crate) fn get<T: Column>(&self, column: impl Place) -> Result<T, StoreError> {
        let value = self.0.get_ref(column)?;
        T::read(value).map_err(|error| StoreError::internal(format!("a column cannot be read: {error}")))
    }

    /// The text of a column, without a copy.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub(crate) fn text(&self, column: impl Place) -> Result<&str, StoreError> {
        let value = self.0.get_ref(column)?;
        value.as_str().map_err(|error| StoreError::internal(format!("a column cannot be read: {error}")))
    }

    /// A JSON document.
    ///
    /// # Errors
    /// As [`Row::get`], and [`StoreErrorKind::Corrupt`](super::StoreErrorKind::Corrupt) if it is not valid JSON
    /// of the type.
    pub(crate) fn document<T: DeserializeOwned>(&self, column: impl Place) -> Result<T, StoreError> {
        Ok(serde_json::from_str(&self.get::<String>(column)?)?)
    }

    /// The strings that `string_agg` joined with line feeds; an empty list if the column is null.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub(crate) fn words(&self, column: impl Place) -> Result<Vec<String>, StoreError> {
        let joined: Option<String> = self.get(column)?;
        Ok(joined.iter().flat_map(|words| words.split('\n')).map(ToOwned::to_owned).collect())
    }
}

/// The parameters for `count` values from `first` on, for `IN (…)`: `?3, ?4`.
pub(crate) fn places(first: usize, count: usize) -> String {
    let places = (first..first.saturating_add(count)).map(|place| format!("?{place}"));
    places.collect::<Vec<_>>().join(", ")
}

/// A column, by its index from 0 or by its name.
pub(crate) trait Place: RowIndex {}

impl Place for usize {}
impl Place for &str {}

/// A type that a column can contain.
pub(crate) trait Column: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// [`FromSqlError`](rusqlite::types::FromSqlError) if it is of another type or out of range.
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

/// Types that the driver can read.
macro_rules! columns {
    ($($kind:ty),*) => { $(
        impl Column for $kind {
            fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value)
            }
        }
    )* };
}

columns!(i64, u32, u16, bool, String, Vec<u8>, [u8; 16], [u8; 32]);

impl Column for Arc<str> {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Into::into)
    }
}

impl Column for Timestamp {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self::from_unix_secs)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        if value == ValueRef::Null { Ok(None) } else { T::read(value).map(Some) }
    }
}

/// A value of any type, for columns that are known only from the schema (export and import).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Column for Cell {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(_) => return Err(FromSqlError::Other("no column contains a fraction".into())),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_owned()),
        })
    }
}

/// An argument of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arg<'a> {
    /// No value.
    Null,
    /// A whole number, or the seconds of a time.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Bool(yes) => ToSqlOutput::Owned(Value::Integer(i64::from(*yes))),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// A value that can be an argument of a statement.
pub(crate) trait ToArg {
    fn to_arg(&self) -> Arg<'_>;
}

/// Values that are texts, bytes or whole numbers.
macro_rules! arguments {
    ($($kind:ty: $value:ident => $arg:expr),* $(,)?) => { $(
        impl ToArg for $kind {
            fn to_arg(&self) -> Arg<'_> {
                let $value = self;
                $arg
            }
        }
    )* };
}

arguments! {
    str: text => Arg::Text(text.into()),
    String: text => Arg::Text(text.as_str().into()),
    Arc<str>: text => Arg::Text((&**text).into()),
    [u8]: bytes => Arg::Bytes(bytes.into()),
    [u8; 16]: bytes => Arg::Bytes(bytes.into()),
    [u8; 32]: bytes => Arg::Bytes(bytes.into()),
    Vec<u8>: bytes => Arg::Bytes(bytes.into()),
    i64: number => Arg::Integer(*number),
    u32: number => Arg::Integer(i64::from(*number)),
    u16: number => Arg::Integer(i64::from(*number)),
    bool: yes => Arg::Bool(*yes),
    Timestamp: time => Arg::Integer(time.unix_secs()),
}

impl ToArg for Cell {
    fn to_arg(&self) -> Arg<'_> {
        match self {
            Self::Null => Arg::Null,
            Self::Integer(number) => Arg::Integer(*number),
            Self::Text(text) => Arg::Text(text.as_str().into()),
            Self::Bytes(bytes) => Arg::Bytes(bytes.into()),
        }
    }
}

impl<T: ToArg> ToArg for Option<T> {
    fn to_arg(&self) -> Arg<'_> {
        self.as_ref().map_or(Arg::Null, ToArg::to_arg)
    }
}

impl<T: ToArg + ?Sized> ToArg for &T {
    fn to_arg(&self) -> Arg<'_> {
        (**self).to_arg()
    }
}

/// The arguments of a statement, in the order of its parameters.
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::store::rows::ToArg::to_arg(&$value)),*] };
}

pub(crate) use args;

#[cfg(test)]
mod tests {
    use trac_core::program::Mode;

    use super::*;

    fn open() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE thing (workspace_id TEXT, mode TEXT, id TEXT, size INTEGER, is_old INTEGER, note TEXT)",
            )
            .unwrap();
        connection
    }

    #[test]
    fn a_statement_reaches_the_rows_of_its_scope_alone() {
        let connection = open();
        let (test, live) = (Scope::new("ws_1", Mode::Test), Scope::new("ws_1", Mode::Live));
        let everywhere = Everywhere::of(&connection);
        let note: Option<&str> = None;
        for (scope, id) in [(&test, "one"), (&test, "two"), (&live, "three")] {
            let insert = "INSERT INTO thing VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let args = args![id, 7_i64, true, note];
            assert_eq!(everywhere.within(scope).write(insert, args).unwrap(), 1);
        }
        let of = |scope| {
            let sql =
                "SELECT id, size, is_old, note FROM thing WHERE workspace_id = ?1 AND mode = ?2 ORDER BY id";
            let read = |row: &Row<'_>| {
                Ok((
                    row.get::<String>("id")?,
                    row.get::<i64>(1_usize)?,
                    row.get::<bool>(2_usize)?,
                    row.get::<Option<String>>("note")?,
                ))
            };
            everywhere.within(scope).all(sql, &[], read).unwrap()
        };
        assert_eq!(of(&test), [("one".to_owned(), 7, true, None), ("two".to_owned(), 7, true, None)]);
        assert_eq!(of(&live).len(), 1);
        let rows = everywhere.within(&test);
        let by_id = "SELECT 1 FROM thing WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        assert!(rows.exists(by_id, args!["one"]).unwrap());
        assert!(!rows.exists(by_id, args!["three"]).unwrap());
        assert!(everywhere.exists("SELECT 1 FROM thing WHERE id = ?1", args!["three"]).unwrap());
    }

    #[test]
    fn a_cell_is_read_with_the_type_and_value_of_its_column() {
        let connection = open();
        let everywhere = Everywhere::of(&connection);
        let read = |cell: &Cell| everywhere.one("SELECT ?1", args![cell], |row| row.get::<Cell>(0));
        for cell in [Cell::Null, Cell::Integer(-7), Cell::Text("ü".to_owned()), Cell::Bytes(vec![0xff, 0])] {
            assert_eq!(read(&cell).unwrap(), Some(cell));
        }
        for sql in ["SELECT 1.5", "SELECT cast(x'ff' AS TEXT)"] {
            assert!(everywhere.one(sql, &[], |row| row.get::<Cell>(0)).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_statement_that_forgets_its_scope_is_a_mistake() {
        let connection = open();
        let scope = Scope::new("ws_1", Mode::Test);
        let rows = Everywhere::of(&connection).within(&scope);
        for sql in [
            "SELECT 1 FROM thing",
            "SELECT 1 FROM thing WHERE workspace_id = ?1",
            "SELECT 1 FROM thing WHERE id = ?3",
        ] {
            assert!(rows.exists(sql, &[]).is_err(), "{sql}");
        }
        let both = "SELECT 1 FROM thing WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        assert!(rows.exists(both, &[]).is_err(), "an argument is missing");
        assert!(rows.exists(both, args!["a", "b"]).is_err(), "an argument is too many");
    }
}
