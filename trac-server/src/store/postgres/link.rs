//! Runs statements with the driver of PostgreSQL.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;

use postgres::types::{ToSql, Type};

use super::mark;
use super::session::{Session, prepared};
use crate::store::rows::{Arg, Database, Engine, Row, Statement};
use crate::store::{Scope, StoreError, StoreErrorKind};

/// What a transaction may do, and what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// One statement, which needs no transaction.
    LookUp,
    /// One snapshot.
    Read,
    /// Writes, in scopes that are locked before their rows are touched.
    Write,
    /// Writes without such locks.
    Append,
}

/// A transaction, which begins with the first statement.
pub(super) struct Link<'s> {
    session: RefCell<&'s mut Session>,
    access: Access,
    /// The one scope that the job writes in; `None` for a job of several scopes, which locks each when it first names it.
    scope: Option<Scope>,
    has_begun: Cell<bool>,
    /// PostgreSQL rejects every statement after the first that failed.
    has_failed: Cell<bool>,
    /// The scopes whose rows are locked.
    locked: RefCell<Vec<Scope>>,
}

impl<'s> Link<'s> {
    pub(super) fn of(session: &'s mut Session, access: Access, scope: Option<Scope>) -> Self {
        Self {
            session: RefCell::new(session),
            access,
            scope,
            has_begun: Cell::new(false),
            has_failed: Cell::new(false),
            locked: RefCell::default(),
        }
    }

    /// Ends the transaction: commits it, or rolls it back. A transaction that writes leaves a mark, by which its end can be
    /// found out if the answer to the commit is lost.
    pub(super) fn end(&self, commits: bool) -> Result<(), NotCommitted> {
        if !self.has_begun.get() || self.access == Access::LookUp {
            return Ok(());
        }
        let keeps = commits && !self.has_failed.get();
        let mark = mark::new();
        let sql = match (keeps, self.access) {
            (false, _) => "ROLLBACK".to_owned(),
            (true, Access::Write) => format!("{}; COMMIT", mark::insert(&mark)),
            (true, _) => "COMMIT".to_owned(),
        };
        let mut session = self.session.borrow_mut();
        session.count();
        match session.client.batch_execute(&sql).map_err(StoreError::from) {
            Err(error)
                if keeps && self.access == Access::Write && error.kind() == StoreErrorKind::Unavailable =>
            {
                session.is_suspect = true;
                Err(NotCommitted::Unknown { mark, error })
            }
            Err(error) => {
                session.is_suspect = true;
                if keeps { Err(NotCommitted::Failed(error)) } else { Ok(()) }
            }
            Ok(()) if commits && !keeps => Err(NotCommitted::Failed(StoreError::internal(
                "a statement of the transaction failed, and the transaction was rolled back",
            ))),
            Ok(()) => Ok(()),
        }
    }

    /// Begins the transaction if it has not begun, and locks what it needs: both in one round trip.
    fn begin(&self, statement: &Statement<'_>) -> Result<(), StoreError> {
        let begin = match self.access {
            _ if self.has_begun.get() => "",
            Access::LookUp => return Ok(()),
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ",
            Access::Write | Access::Append => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ",
        };
        // A job of one scope may read another, such as that of the other mode, and does not lock it.
        let scope = self.scope.as_ref().or(statement.scope).filter(|scope| {
            self.access == Access::Write && !self.locked.borrow().iter().any(|locked| locked == *scope)
        });
        let lock = scope.map_or_else(String::new, |scope| {
            format!(
                "SELECT 1 FROM scope WHERE workspace_id = {} AND mode = '{}' FOR UPDATE",
                quoted(scope.workspace_id()),
                scope.mode_str()
            )
        });
        if begin.is_empty() && lock.is_empty() {
            return Ok(());
        }
        self.has_begun.set(true);
        let mut session = self.session.borrow_mut();
        session.count();
        session.client.batch_execute(&format!("{begin}{lock}"))?;
        self.locked.borrow_mut().extend(scope.cloned());
        Ok(())
    }

    /// Runs a statement with its arguments.
    fn run<T>(
        &self,
        statement: &Statement<'_>,
        run: impl FnOnce(
            &mut postgres::Client,
            &postgres::Statement,
            &[&(dyn ToSql + Sync)],
        ) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        let ran = self.begin(statement).and_then(|()| {
            let mut session: RefMut<'_, &mut Session> = self.session.borrow_mut();
            let prepared = prepared(&mut session, statement.sql, &types(statement))?;
            let mut args: Vec<&(dyn ToSql + Sync)> = Vec::new();
            for arg in statement.arguments() {
                args.push(arg);
            }
            let named = prepared.params().len();
            if named != args.len() {
                let detail = format!("a statement has {named} parameters but {} arguments", args.len());
                return Err(StoreError::internal(detail));
            }
            session.count();
            Ok(run(&mut session.client, &prepared, &args)?)
        });
        ran.map_err(|error| {
            self.has_failed.set(true);
            let is_internal = error.kind() == StoreErrorKind::Internal;
            if is_internal || error.kind() == StoreErrorKind::Unavailable {
                self.session.borrow_mut().is_suspect = true;
            }
            // One line of the log.
            if is_internal { error.of(&statement.sql.replace('\n', " ")) } else { error }
        })
    }
}

/// Why a transaction is not known to be committed.
pub(super) enum NotCommitted {
    /// It was rolled back.
    Failed(StoreError),
    /// The connection broke before the answer arrived. The mark tells how it ended.
    Unknown { mark: String, error: StoreError },
}

/// A text as a literal. Source: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>, 4.1.2.1, with
/// `standard_conforming_strings`, which is the default.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The types of the parameters. PostgreSQL infers that of a null from its use, if it is used.
fn types(statement: &Statement<'_>) -> Vec<Type> {
    let uses = |place: usize| {
        let named = format!("?{place}");
        let mut found = statement.sql.match_indices(&named).map(|(at, _)| at.saturating_add(named.len()));
        found.any(|end| !statement.sql.as_bytes().get(end).is_some_and(u8::is_ascii_digit))
    };
    let of_arguments = statement.arguments().zip(1..).map(|(arg, place)| match arg {
        Arg::Null if uses(place) => Type::UNKNOWN,
        Arg::Untyped(_) => Type::UNKNOWN,
        Arg::Integer(_) | Arg::Null => Type::INT8,
        Arg::Bool(_) => Type::BOOL,
        Arg::Text(_) => Type::TEXT,
        Arg::Bytes(_) => Type::BYTEA,
    });
    of_arguments.collect()
}

impl Database for Link<'_> {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn read(
        &self,
        statement: &Statement<'_>,
        take: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        for row in self.run(statement, |client, prepared, args| client.query(prepared, args))? {
            if !take(&Row::of(&row))? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, statement: &Statement<'_>) -> Result<usize, StoreError> {
        let changed = self.run(statement, |client, prepared, args| client.execute(prepared, args))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn is_open(&self) -> bool {
        !self.has_failed.get()
    }

    #[cfg(test)]
    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let begun = Statement::plain("SELECT 1");
        self.begin(&begun)?;
        Ok(self.session.borrow_mut().client.batch_execute(sql)?)
    }
}

impl fmt::Debug for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("access", &self.access).finish_non_exhaustive()
    }
}
