//! Every e-mail address that a partner ever had: a purchase under a former address of the partner is a
//! self-referral, too.

use trac_core::time::Timestamp;

use crate::store::rows::{Rows, args};
use crate::store::{Everywhere, Scope, StoreError};

/// Records an address of a partner. It is never removed.
pub(super) fn add(rows: Rows<'_>, now: Timestamp, partner_id: &str, email: &str) -> Result<(), StoreError> {
    rows.write(
        "INSERT INTO partner_address (workspace_id, mode, partner_id, email, since) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (workspace_id, mode, partner_id, email) DO NOTHING",
        args![partner_id, email, now],
    )?;
    Ok(())
}

/// Copies all addresses of the partner `from` to the partner `to`.
pub(crate) fn copy(
    tx: Everywhere<'_>,
    (from_scope, from): (&Scope, &str),
    (to_scope, to): (&Scope, &str),
) -> Result<(), StoreError> {
    tx.within(from_scope).write(
        "INSERT INTO partner_address (workspace_id, mode, partner_id, email, since) \
         SELECT ?4, ?5, ?6, email, since FROM partner_address \
         WHERE workspace_id = ?1 AND mode = ?2 AND partner_id = ?3",
        args![from, to_scope.workspace_id(), to_scope.mode_str(), to],
    )?;
    Ok(())
}
