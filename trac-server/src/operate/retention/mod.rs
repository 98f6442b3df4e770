//! Deletes rows that no money rests on, after the days that the operator sets. A few rows are deleted at a time, so
//! that no webhook waits long.

mod clicks;
mod events;

use trac_core::program::Mode;
use trac_core::time::{DAY_SECS, Timestamp};

use crate::store::rows::args;
use crate::store::{Priority, Scope, StoreError};
use crate::trac::Trac;

/// How many rows are read, and deleted at most, by one step.
const STEP: u32 = 200;

/// How many days mails are kept: they contain addresses of people.
const MAILS_DAYS: u32 = 90;

/// How many rows were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Bodies of events.
    pub bodies: usize,
    /// Events without effect.
    pub events: usize,
    /// Clicks.
    pub clicks: usize,
    /// Refused calls.
    pub refusals: usize,
    /// Mails.
    pub mails: usize,
}

/// Deletes the rows of all workspaces that are older than the server keeps them.
///
/// # Errors
/// The store's. What was deleted before stays deleted.
pub async fn run(trac: &Trac) -> Result<Deleted, StoreError> {
    let mut deleted =
        Deleted { refusals: refusals(trac).await?, mails: mails(trac).await?, ..Deleted::default() };
    for scope in scopes(trac).await? {
        let of_events = events::delete(trac, &scope).await?;
        deleted.bodies = deleted.bodies.saturating_add(of_events.bodies);
        deleted.events = deleted.events.saturating_add(of_events.events);
        deleted.clicks = deleted.clicks.saturating_add(clicks::delete(trac, &scope).await?);
    }
    Ok(deleted)
}

/// The time before which rows are deleted that are kept for this many days; `None` if they are kept for ever.
fn until(trac: &Trac, days: u32) -> Option<Timestamp> {
    (days > 0).then(|| trac.clock.now().plus_secs(-i64::from(days).saturating_mul(DAY_SECS)))
}

async fn scopes(trac: &Trac) -> Result<Vec<Scope>, StoreError> {
    let workspaces =
        trac.store.read(|tx| tx.all("SELECT id FROM workspace", &[], |row| row.get::<String>(0)));
    let both = |id: String| [Scope::new(&id, Mode::Test), Scope::new(&id, Mode::Live)];
    Ok(workspaces.await?.into_iter().flat_map(both).collect())
}

async fn refusals(trac: &Trac) -> Result<usize, StoreError> {
    let Some(until) = until(trac, trac.retention.refusals_days) else { return Ok(0) };
    let sql = "DELETE FROM refusal WHERE last_at < ?1";
    trac.store.write(Priority::Click, move |tx| tx.write(sql, args![until])).await
}

async fn mails(trac: &Trac) -> Result<usize, StoreError> {
    let Some(until) = until(trac, MAILS_DAYS) else { return Ok(0) };
    let sql = "DELETE FROM mail WHERE created_at < ?1";
    trac.store.write(Priority::Click, move |tx| tx.write(sql, args![until])).await
}

#[cfg(test)]
mod tests;
