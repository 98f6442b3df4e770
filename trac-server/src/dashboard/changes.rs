//! `/dashboard/changes`: a number that changes when a page has new rows to show. The script of an open
//! page requests it every second, and requests the page's changing part only when the number changed.
//!
//! # Guarantees
//! * One statement of bounded work computes the number: it reads the newest row of some tables by key, and the
//!   newest [`ROWS`] rows of the lists that pages show. Clicks of the newest second are counted, because their
//!   IDs have no order within a second. No table is scanned.
//! * All open pages of a scope share a number for a quarter of a second, so that a hundred cost what one costs.
//! * The number changes after a click, an event, a repeated delivery, a ledger entry, a payout, and each
//!   decision about a payment or a lead (a verdict, a dispute, an approved claim), as soon as it is committed
//!   and the shared number is a quarter of a second old, and when a listed commission becomes due.
//! * The number also changes every [`REFRESH_SECS`]. Only then does a page show changes that add no row: a
//!   partner's new name, a link's new slug, an older commission that became due, an event that waited for 72
//!   hours, a click recorded with a time before all listed ones.
//! * Otherwise the number stays the same. Numbers have no order, and the numbers of two scopes are unrelated.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use trac_core::time::Timestamp;

use super::queries::ROWS;
use crate::commission::COMMISSIONS;
use crate::people::Session;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;

/// The number of seconds after which an open page is requested again, even if nothing was recorded.
pub(super) const REFRESH_SECS: i64 = 600;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/dashboard/changes", get(changes))
}

async fn changes(State(trac): State<Trac>, session: Session) -> Result<Response, Problem> {
    let (now, scope) = (trac.clock.now(), session.caller().scope);
    // `read` does not count towards the workspace's limit of queries, so this never waits for its lists and pages.
    let of = scope.clone();
    let read = trac.store.read(move |tx| number(tx.within(&of), now));
    let number = trac.changes.get(&scope, read).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], number.to_string()).into_response())
}

/// The number for the pages of a scope at `now`.
pub(super) fn number(rows: Rows<'_>, now: Timestamp) -> Result<u64, StoreError> {
    let mut hasher = DefaultHasher::new();
    now.unix_secs().div_euclid(REFRESH_SECS).hash(&mut hasher);
    let newest = rows.one(&sql(), args![now], |row| {
        let texts = ["decision", "entry", "payout", "events", "commissions", "clicks"];
        let texts = texts.map(|column| row.get::<Option<String>>(column));
        Ok((texts.into_iter().collect::<Result<Vec<_>, _>>()?, row.get::<i64>("clicks_of_a_second")?))
    })?;
    newest.hash(&mut hasher);
    Ok(hasher.finish())
}

/// The statement that reads the values that the number is hashed from.
pub(super) fn sql() -> String {
    let newest_id = |table: &str| {
        format!("(SELECT id FROM {table} WHERE workspace_id = ?1 AND mode = ?2 ORDER BY id DESC LIMIT 1)")
    };
    let scope = "(SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2)";
    format!(
        "SELECT {} AS decision, {} AS entry, {} AS payout, \
         (SELECT string_agg(id || ' ' || outcome || ' ' || reason || ' ' || deliveries || ' ' || message, '\n' ORDER BY id) FROM (SELECT id, outcome, reason, deliveries, message FROM event WHERE workspace_id = ?1 \
         AND mode = ?2 ORDER BY id DESC LIMIT {ROWS}) AS listed_events) AS events, \
         (SELECT string_agg(id || ' ' || status || ' ' || reason || ' ' || base_minor || ' ' || amount_minor || ' ' || reversed_minor \
         || ' ' || matures_at, '\n' ORDER BY id) FROM (SELECT {} FROM {} WHERE {} \
         ORDER BY c.id DESC LIMIT {ROWS}) AS listed_commissions) AS commissions, \
         (SELECT string_agg(id, '\n' ORDER BY id) FROM (SELECT id FROM click_record WHERE scope = {scope} \
         ORDER BY clicked_at DESC, id DESC LIMIT {ROWS}) AS listed_clicks) AS clicks, \
         (SELECT count(*) FROM click_record WHERE scope = {scope} AND clicked_at = (SELECT clicked_at FROM click_record \
         WHERE scope = {scope} ORDER BY clicked_at DESC LIMIT 1)) AS clicks_of_a_second",
        newest_id("attribution"),
        newest_id("ledger_entry"),
        newest_id("payout"),
        COMMISSIONS.columns,
        COMMISSIONS.from,
        COMMISSIONS.within
    )
}
