//! The only way by which rows are read and written.
//!
//! [`Rows`] is one transaction and its scope. It binds the workspace as `?1` and the mode as `?2` of every
//! statement, so that no statement can omit them; a statement's own arguments begin at `?3`. The few statements
//! that belong to no workspace yet, such as the look-up of a key by its hash, go through [`Everywhere`]. No type of a
//! database driver is used here: a [`Database`] runs the statements.

use std::borrow::Cow;
use std::fmt;
#[cfg(test)]
use std::panic::Location;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use trac_core::time::Timestamp;

use super::{Scope, StoreError};

/// The kind of a database, for the few statements that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// A file of this machine.
    Sqlite,
    /// A server that several nodes share.
    Postgres,
}

/// A transaction or snapshot of a database.
pub(super) trait Database: fmt::Debug {
    /// The kind of the database.
    fn engine(&self) -> Engine;

    /// Runs a statement and passes its rows to `take`, until that returns `false`.
    ///
    /// # Errors
    /// The database's, and those of `take`.
    fn read(
        &self,
        statement: &Statement<'_>,
        take: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError>;

    /// Runs a statement that changes rows, and returns how many it changed.
    ///
    /// # Errors
    /// The database's.
    fn write(&self, statement: &Statement<'_>) -> Result<usize, StoreError>;

    /// Whether the transaction is open. Some errors, such as those of a full disk, roll back all of it.
    fn is_open(&self) -> bool;

    /// Runs several statements, for the setup of tests.
    #[cfg(test)]
    fn batch(&self, sql: &str) -> Result<(), StoreError>;
}

/// The values of one row.
pub(super) trait Values {
    /// The value of a column.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`](super::StoreErrorKind::Internal) if there is no such column, or if its value
    /// is a fraction or a text that is not UTF-8.
    fn value(&self, column: Index<'_>) -> Result<Value<'_>, StoreError>;
}

/// A statement with its arguments.
pub(super) struct Statement<'c> {
    pub(super) sql: &'c str,
    /// The workspace and mode whose rows it reads or writes, if it belongs to one.
    pub(super) scope: Option<&'c Scope>,
    scope_args: Option<[Arg<'c>; 2]>,
    args: &'c [Arg<'c>],
    /// Where the statement is written, for a check of its plan.
    #[cfg(test)]
    pub(super) caller: &'static Location<'static>,
}

impl<'c> Statement<'c> {
    #[cfg_attr(test, track_caller)]
    fn new(sql: &'c str, scope: Option<&'c Scope>, args: &'c [Arg<'c>]) -> Self {
        let scope_args =
            scope.map(|scope| [Arg::Text(scope.workspace_id().into()), Arg::Text(scope.mode_str().into())]);
        Self {
            sql,
            scope,
            scope_args,
            args,
            #[cfg(test)]
            caller: Location::caller(),
        }
    }

    /// A statement without scope and arguments.
    #[cfg(test)]
    #[track_caller]
    pub(super) fn plain(sql: &'c str) -> Self {
        Self::new(sql, None, &[])
    }

    /// All arguments, in the order of the parameters: `?1` is the first.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &Arg<'c>> {
        self.scope_args.iter().flatten().chain(self.args)
    }
}

/// The rows of one workspace and mode, inside one transaction or snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    database: &'a dyn Database,
    scope: &'a Scope,
}

/// The rows of all workspaces, inside one transaction or snapshot. Nothing is bound implicitly; arguments begin
/// at `?1`.
#[derive(Clone, Copy, Debug)]
pub struct Everywhere<'a> {
    database: &'a dyn Database,
}

impl<'a> Everywhere<'a> {
    pub(super) const fn of(database: &'a dyn Database) -> Self {
        Self { database }
    }

    /// The rows of one workspace and mode.
    pub(crate) const fn within(self, scope: &'a Scope) -> Rows<'a> {
        Rows { database: self.database, scope }
    }

    /// The kind of the database.
    pub(crate) fn engine(self) -> Engine {
        self.database.engine()
    }

    /// Whether the transaction is open.
    pub(super) fn is_open(self) -> bool {
        self.database.is_open()
    }

    /// Reads the first row, if there is one.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn one<T>(
        self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        one(self.database, &Statement::new(sql, None, args), read)
    }

    /// Reads every row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn all<T>(
        self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        all(self.database, &Statement::new(sql, None, args), read)
    }

    /// Passes each row to `take`, without collecting them.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn each(
        self,
        sql: &str,
        args: &[Arg<'_>],
        take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        each(self.database, &Statement::new(sql, None, args), take)
    }

    /// Whether there is any row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn exists(self, sql: &str, args: &[Arg<'_>]) -> Result<bool, StoreError> {
        Ok(one(self.database, &Statement::new(sql, None, args), |_| Ok(()))?.is_some())
    }

    /// Changes rows and returns how many.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn write(self, sql: &str, args: &[Arg<'_>]) -> Result<usize, StoreError> {
        self.database.write(&Statement::new(sql, None, args))
    }

    /// Runs several statements, for the setup of tests.
    #[cfg(test)]
    pub(crate) fn batch(self, sql: &str) -> Result<(), StoreError> {
        self.database.batch(sql)
    }
}

impl<'a> Rows<'a> {
    /// The workspace and mode of the rows.
    pub(crate) const fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// The rows of all workspaces, in the same transaction.
    pub(crate) const fn everywhere(&self) -> Everywhere<'a> {
        Everywhere { database: self.database }
    }

    /// Reads the first row, if there is one.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        one(self.database, &Statement::new(sql, Some(self.scope), args), read)
    }

    /// Reads every row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        all(self.database, &Statement::new(sql, Some(self.scope), args), read)
    }

    /// Passes each row to `take`, without collecting them.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn each(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        each(self.database, &Statement::new(sql, Some(self.scope), args), take)
    }

    /// Whether there is any row.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn exists(&self, sql: &str, args: &[Arg<'_>]) -> Result<bool, StoreError> {
        Ok(one(self.database, &Statement::new(sql, Some(self.scope), args), |_| Ok(()))?.is_some())
    }

    /// Changes rows and returns how many; 0 with `ON CONFLICT DO NOTHING` if the row exists.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn write(&self, sql: &str, args: &[Arg<'_>]) -> Result<usize, StoreError> {
        self.database.write(&Statement::new(sql, Some(self.scope), args))
    }
}

fn one<T>(
    database: &dyn Database,
    statement: &Statement<'_>,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let (mut read, mut found) = (Some(read), None);
    database.read(statement, &mut |row| {
        found = read.take().map(|read| read(row)).transpose()?;
        Ok(false)
    })?;
    Ok(found)
}

fn all<T>(
    database: &dyn Database,
    statement: &Statement<'_>,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    each(database, statement, |row| read(row).map(|one| found.push(one)))?;
    Ok(found)
}

fn each(
    database: &dyn Database,
    statement: &Statement<'_>,
    mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    database.read(statement, &mut |row| take(row).map(|()| true))
}

/// One row that was read.
pub(crate) struct Row<'r>(&'r dyn Values);

impl<'r> Row<'r> {
    pub(super) const fn of(values: &'r dyn Values) -> Self {
        Self(values)
    }

    /// The value of a column, by its index from 0 or by its name.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`](super::StoreErrorKind::Internal) if there is no such column or its value is
    /// of another type.
    pub(crate) fn get<'p, T: Column>(&self, column: impl Place<'p>) -> Result<T, StoreError> {
        let column = column.index();
        let value = self.0.value(column)?;
        T::read(value).ok_or_else(|| of_another_type(column, value, std::any::type_name::<T>()))
    }

    /// The text of a column, without a copy.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub(crate) fn text<'p>(&self, column: impl Place<'p>) -> Result<&str, StoreError> {
        let column = column.index();
        match self.0.value(column)? {
            Value::Text(text) => Ok(text),
            other => Err(of_another_type(column, other, "a text")),
        }
    }

    /// A JSON document.
    ///
    /// # Errors
    /// As [`Row::get`], and [`StoreErrorKind::Corrupt`](super::StoreErrorKind::Corrupt) if it is not valid JSON
    /// of the type.
    pub(crate) fn document<'p, T: DeserializeOwned>(&self, column: impl Place<'p>) -> Result<T, StoreError> {
        Ok(serde_json::from_str(&self.get::<String>(column)?)?)
    }

    /// The strings that `string_agg` joined with line feeds; an empty list if the column is null.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub(crate) fn words<'p>(&self, column: impl Place<'p>) -> Result<Vec<String>, StoreError> {
        let joined: Option<String> = self.get(column)?;
        Ok(joined.iter().flat_map(|words| words.split('\n')).map(ToOwned::to_owned).collect())
    }
}

fn of_another_type(column: Index<'_>, value: Value<'_>, wanted: &str) -> StoreError {
    StoreError::internal(format!("{column} contains {}, not {wanted}", value.kind()))
}

/// The parameters for `count` values from `first` on, for `IN (…)`: `?3, ?4`.
///
/// Without values, `NULL`, which no value is in.
pub(crate) fn places(first: usize, count: usize) -> String {
    if count == 0 {
        return "NULL".to_owned();
    }
    let places = (first..first.saturating_add(count)).map(|place| format!("?{place}"));
    places.collect::<Vec<_>>().join(", ")
}

/// A column, by its index from 0 or by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Index<'p> {
    At(usize),
    Named(&'p str),
}

impl fmt::Display for Index<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(index) => write!(f, "column {index}"),
            Self::Named(name) => write!(f, "column {name}"),
        }
    }
}

/// A type that names a column.
pub(crate) trait Place<'p> {
    fn index(self) -> Index<'p>;
}

impl Place<'_> for usize {
    fn index(self) -> Index<'static> {
        Index::At(self)
    }
}

impl<'p> Place<'p> for &'p str {
    fn index(self) -> Index<'p> {
        Index::Named(self)
    }
}

/// A value as the database returns it. A yes is 1 and a no is 0; no column contains a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    Null,
    Integer(i64),
    Text(&'v str),
    Bytes(&'v [u8]),
}

impl Value<'_> {
    const fn kind(self) -> &'static str {
        match self {
            Self::Null => "a null",
            Self::Integer(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
        }
    }
}

/// A type that a column can contain.
pub(crate) trait Column: Sized {
    /// Reads a value; `None` if it is of another type or out of range.
    fn read(value: Value<'_>) -> Option<Self>;
}

/// Types, each with the values that it is read from.
macro_rules! columns {
    ($($kind:ty: $pattern:pat => $read:expr),* $(,)?) => { $(
        impl Column for $kind {
            fn read(value: Value<'_>) -> Option<Self> {
                match value {
                    $pattern => $read,
                    _ => None,
                }
            }
        }
    )* };
}

columns! {
    i64: Value::Integer(number) => Some(number),
    u32: Value::Integer(number) => number.try_into().ok(),
    u16: Value::Integer(number) => number.try_into().ok(),
    bool: Value::Integer(number) => Some(number != 0),
    Timestamp: Value::Integer(seconds) => Some(Self::from_unix_secs(seconds)),
    String: Value::Text(text) => Some(text.to_owned()),
    Arc<str>: Value::Text(text) => Some(text.into()),
    Vec<u8>: Value::Bytes(bytes) => Some(bytes.to_vec()),
    [u8; 16]: Value::Bytes(bytes) => bytes.try_into().ok(),
    [u8; 32]: Value::Bytes(bytes) => bytes.try_into().ok(),
}

impl<T: Column> Column for Option<T> {
    fn read(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::read(value).map(Some) }
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
    fn read(value: Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer(number),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_owned()),
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
    /// A number, or a yes or no, of a column whose type only the database knows.
    Untyped(i64),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
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
            Self::Integer(number) => Arg::Untyped(*number),
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
    use rusqlite::Connection;
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
