//! Whether any click names a link, a partner or a program.
//!
//! There is no index for this: it would slow down the write of every click, for a rare question. A reader scans
//! all existing clicks; the writer, which must not be delayed, only those recorded since then.

use super::rows::{Rows, args};
use super::{Scope, Store, StoreError};

/// The result of the scan by a reader, for the writer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Followed {
    column: &'static str,
    found: bool,
    /// The `rowid` of the newest click that was scanned.
    newest: i64,
}

impl Followed {
    /// The column that names a link.
    pub(crate) const LINK: &'static str = "link_id";
    /// The column that names a partner.
    pub(crate) const PARTNER: &'static str = "partner_id";
    /// The column that names a program.
    pub(crate) const PROGRAM: &'static str = "program_id";

    /// Scans all existing clicks.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn read(
        store: &Store,
        column: &'static str,
        scope: &Scope,
        id: &str,
    ) -> Result<Self, StoreError> {
        let (scope, id) = (scope.clone(), id.to_owned());
        let scanned = store.read(move |tx| {
            let newest = tx.one("SELECT coalesce(max(rowid), 0) FROM click", &[], |row| row.get(0))?;
            let found = exists_after(tx.within(&scope), column, 0, &id)?;
            Ok(Self { column, found, newest: newest.unwrap_or_default() })
        });
        scanned.await
    }

    /// Whether a click names it, including clicks recorded after the scan.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn has_clicks_now(&self, rows: Rows<'_>, id: &str) -> Result<bool, StoreError> {
        Ok(self.found || exists_after(rows, self.column, self.newest, id)?)
    }
}

/// Whether a click after this `rowid` names it.
fn exists_after(rows: Rows<'_>, column: &'static str, rowid: i64, id: &str) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT 1 FROM click NOT INDEXED WHERE workspace_id = ?1 AND mode = ?2 AND rowid > ?3 AND {column} = ?4 \
         ORDER BY rowid DESC LIMIT 1"
    );
    rows.exists(&sql, args![rowid, id])
}
