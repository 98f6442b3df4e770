//! Whether any click names a link, a partner or a program.
//!
//! No index finds clicks by these: each click would have to be written into it, and the answer is wanted once in a while. A reader
//! looks through all clicks there are, and the writer, who must not be kept, through those that came since.

use rusqlite::{Connection, params};

use super::{Scope, Store, StoreError};

/// What a reader found, for the writer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Followed {
    column: &'static str,
    found: bool,
    /// The newest click that was looked at.
    newest: i64,
}

impl Followed {
    /// The column that names a link.
    pub(crate) const LINK: &'static str = "link_id";
    /// The column that names a partner.
    pub(crate) const PARTNER: &'static str = "partner_id";
    /// The column that names a program.
    pub(crate) const PROGRAM: &'static str = "program_id";

    /// Looks through the clicks there are.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn look(
        store: &Store,
        column: &'static str,
        scope: &Scope,
        id: &str,
    ) -> Result<Self, StoreError> {
        let (scope, id) = (scope.clone(), id.to_owned());
        let looked = store.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT coalesce(max(rowid), 0) FROM click")?;
            let newest = statement.query_row([], |row| row.get(0))?;
            let found = since(connection, column, 0, &scope, &id)?;
            Ok(Self { column, found, newest })
        });
        looked.await
    }

    /// Whether a click names it, those included that came since.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn now(&self, tx: &Connection, scope: &Scope, id: &str) -> Result<bool, StoreError> {
        Ok(self.found || since(tx, self.column, self.newest, scope, id)?)
    }
}

/// Whether a click after this one names it.
fn since(
    connection: &Connection,
    column: &'static str,
    rowid: i64,
    scope: &Scope,
    id: &str,
) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT 1 FROM click NOT INDEXED WHERE rowid > ?1 AND workspace_id = ?2 AND mode = ?3 AND {column} = ?4 \
         ORDER BY rowid DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.exists(params![rowid, scope.workspace_id(), scope.mode_str(), id])?)
}
