//! How much can be told of one customer.
//!
//! A lead or claim is settled with everything known of the customer it names, so each costs as much as there is of them.
//! Pages tell with a key that anybody can read: without a limit, whoever sends a hundred thousand leads of one customer keeps
//! the server from everybody else's.

use rusqlite::{Connection, params};

use crate::problem::Problem;
use crate::store::{Scope, StoreError};

/// The most leads of one customer that pages can tell, each under another event name.
const LEADS_OF_PAGES: u32 = 200;
/// The most that the merchant's own server can tell.
const LEADS_OF_MERCHANTS: u32 = 1_000;
/// How much may be known of a customer for pages to claim one payment more: leads, claims and payments together.
const KNOWN_TO_CLAIMS: u32 = 500;

/// Refuses a lead of a customer who has very many.
///
/// # Errors
/// `422`, which names the event: no other of this customer is taken.
pub(super) fn admit_lead(
    tx: &Connection,
    scope: &Scope,
    customer: &str,
    is_merchant: bool,
) -> Result<(), Problem> {
    let most = if is_merchant { LEADS_OF_MERCHANTS } else { LEADS_OF_PAGES };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM lead \
               WHERE workspace_id = ?1 AND mode = ?2 AND customer_external_id = ?3 LIMIT ?4)";
    if is_below(tx, sql, scope, customer, most)? {
        return Ok(());
    }
    let message = format!("must be one told before: this customer has {most} leads of other names");
    Err(Problem::field("eventName", &message))
}

/// Refuses a page's claim about a customer of whom very much is known.
///
/// # Errors
/// `422`, which names the customer: the merchant's own server can still tell of the payment.
pub(super) fn admit_claim(tx: &Connection, scope: &Scope, customer: &str) -> Result<(), Problem> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM external_customer \
               WHERE workspace_id = ?1 AND mode = ?2 AND customer_external_id = ?3 LIMIT ?4)";
    if is_below(tx, sql, scope, customer, KNOWN_TO_CLAIMS)? {
        return Ok(());
    }
    let message = "has too many payments for a page to claim another: tell it from your server";
    Err(Problem::field("customerExternalId", message))
}

/// Whether there are fewer rows than so many; no more than those are looked at.
fn is_below(
    tx: &Connection,
    sql: &str,
    scope: &Scope,
    customer: &str,
    most: u32,
) -> Result<bool, StoreError> {
    let mut statement = tx.prepare_cached(sql)?;
    let key = params![scope.workspace_id(), scope.mode_str(), customer, most];
    Ok(statement.query_row(key, |row| row.get::<_, u32>(0))? < most)
}
