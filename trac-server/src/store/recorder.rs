//! Records clicks with whichever engine the store has.

use super::click::NewClick;
use super::error::{StoreError, StoreErrorKind};
use super::rows::{Engine, Everywhere, Rows};
use super::{Scope, postgres, sqlite};

/// Records one click.
///
/// # Errors
/// [`StoreErrorKind::Conflict`] if there is a click with this ID.
pub(crate) fn insert(rows: Rows<'_>, click: &NewClick) -> Result<(), StoreError> {
    if insert_if_new(rows, click)? {
        return Ok(());
    }
    Err(StoreError::new(StoreErrorKind::Conflict, "there is a click with this ID"))
}

/// Records one click; `false` if there is one with this ID already.
pub(super) fn insert_if_new(rows: Rows<'_>, click: &NewClick) -> Result<bool, StoreError> {
    Ok(record(rows.everywhere(), &[(rows.scope(), click)])? > 0)
}

/// Records clicks in this transaction and returns how many are new.
fn record(tx: Everywhere<'_>, clicks: &[(&Scope, &NewClick)]) -> Result<usize, StoreError> {
    match tx.engine() {
        Engine::Sqlite => sqlite::record(tx, clicks),
        Engine::Postgres => postgres::record(tx, clicks),
    }
}
