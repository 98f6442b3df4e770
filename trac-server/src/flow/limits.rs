//! Limits how many leads of one customer are settled, and how many claims of one transaction are recorded.
//!
//! A lead is settled with all the customer's other leads and payments, so its cost grows with their number.
//! Pages report with a publishable key that anyone can read: without a limit, a caller could keep the server
//! busy with a hundred thousand leads of one customer.

use trac_core::click::ClickId;
use trac_core::webhook::report::transaction_id;

use crate::click;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// The most leads of one customer that are settled when pages report them, each with another event name.
const LEADS_OF_PAGES: u32 = 200;
/// The most leads of one customer that the merchant's own server can report.
const LEADS_OF_MERCHANTS: u32 = 1_000;

/// Whether a new lead is settled. Beyond the limit, a page's lead is recorded only, unless it is its
/// customer's first with a known click: two hundred leads without a click do not hide the customer's real
/// one.
///
/// # Errors
/// `422` with the field `eventName` for a lead that the merchant reports beyond its limit.
pub(super) fn settles_lead(
    rows: Rows<'_>,
    customer: &str,
    click: Option<&ClickId>,
    is_vouched: bool,
) -> Result<bool, Problem> {
    let limit = if is_vouched { LEADS_OF_MERCHANTS } else { LEADS_OF_PAGES };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM lead \
               WHERE workspace_id = ?1 AND mode = ?2 AND customer_external_id = ?3 LIMIT ?4) AS counted";
    if is_below(rows, sql, customer, limit)? {
        return Ok(true);
    }
    if is_vouched {
        let message = format!(
            "must be an event that was reported before: this customer has {limit} leads with other names"
        );
        return Err(Problem::field("eventName", &message));
    }
    let Some(click) = click else { return Ok(false) };
    let with_click = "SELECT count(*) FROM (SELECT 1 FROM lead AS l \
         JOIN payment_object AS o ON o.workspace_id = l.workspace_id AND o.mode = l.mode AND o.stripe_id = l.id \
         JOIN payment AS p ON p.workspace_id = o.workspace_id AND p.mode = o.mode AND p.id = o.payment_id \
         WHERE l.workspace_id = ?1 AND l.mode = ?2 AND l.customer_external_id = ?3 \
         AND p.rule = 'lead' AND p.reason <> 'rejected_by_merchant' LIMIT ?4) AS counted";
    Ok(is_below(rows, with_click, customer, 1)? && click::is_known(rows, click.as_str())?)
}

/// The most clicks with which pages can claim one transaction.
const CLAIMS_OF_PAGES: u32 = 50;

/// Whether one more claim of a transaction is recorded.
pub(super) fn records_claim(rows: Rows<'_>, transaction: &str) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM report WHERE workspace_id = ?1 AND mode = ?2 AND transaction_id = ?3 LIMIT ?4) AS counted";
    is_below(rows, sql, &transaction_id(transaction), CLAIMS_OF_PAGES)
}

/// Whether `sql` counts fewer than `limit` rows. Its own `LIMIT` must stop the count there.
fn is_below(rows: Rows<'_>, sql: &str, subject: &str, limit: u32) -> Result<bool, StoreError> {
    let count = rows.one(sql, args![subject, limit], |row| row.get::<u32>(0))?;
    Ok(count.unwrap_or_default() < limit)
}
