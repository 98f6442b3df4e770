//! Clicks that were brought in late: a payment that names one of them may be settled already, at another node.

use crate::store::rows::{Everywhere, args};
use crate::store::spool::Spooled;
use crate::store::{StoreError, lease};

/// Locks the scopes of clicks, in an order that all nodes keep.
pub(super) fn lock_scopes(tx: Everywhere<'_>, clicks: &[Spooled]) -> Result<(), StoreError> {
    let mut scopes: Vec<_> = clicks.iter().map(|spooled| &spooled.scope).collect();
    scopes.sort_by_key(|scope| (scope.workspace_id(), scope.mode_str()));
    scopes.dedup();
    lease::lock(tx, scopes.into_iter())
}

/// Notes the clicks that a payment names, so that the payment is settled again.
pub(super) fn note(tx: Everywhere<'_>, clicks: &[Spooled]) -> Result<(), StoreError> {
    let named: Vec<_> = clicks
        .iter()
        .map(|Spooled { scope, click }| [scope.workspace_id(), scope.mode_str(), click.id.as_str()])
        .collect();
    tx.write(
        "INSERT INTO late_click (workspace_id, mode, click_id) \
         SELECT DISTINCT c.workspace_id, c.mode, c.value FROM json_array_elements(CAST(?1 AS JSON)) AS g (click) \
         JOIN candidate AS c ON c.workspace_id = g.click ->> 0 AND c.mode = g.click ->> 1 AND c.value = g.click ->> 2 \
         ON CONFLICT DO NOTHING",
        args![serde_json::to_string(&named)?],
    )?;
    Ok(())
}
