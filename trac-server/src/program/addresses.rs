//! Every e-mail address that a partner ever had. What a partner buys under an address of before is still the partner's own
//! purchase.

use rusqlite::{Connection, params};
use trac_core::time::Timestamp;

use crate::store::{Scope, StoreError};

/// Keeps an address for good, from now on.
pub(super) fn keep(
    tx: &Connection,
    now: Timestamp,
    scope: &Scope,
    partner_id: &str,
    email: &str,
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO partner_address (workspace_id, mode, partner_id, email, since) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (workspace_id, mode, partner_id, email) DO NOTHING",
    )?;
    let key = params![scope.workspace_id(), scope.mode_str(), partner_id, email, now.unix_secs()];
    statement.execute(key)?;
    Ok(())
}

/// Gives the partner `to` all addresses that `from` had.
pub(crate) fn copy(
    tx: &Connection,
    (from_scope, from): (&Scope, &str),
    (to_scope, to): (&Scope, &str),
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO partner_address (workspace_id, mode, partner_id, email, since) \
         SELECT ?4, ?5, ?6, email, since FROM partner_address \
         WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3",
    )?;
    let [read, written] = [from_scope, to_scope].map(|scope| (scope.workspace_id(), scope.mode_str()));
    statement.execute(params![read.0, read.1, from, written.0, written.1, to])?;
    Ok(())
}
