//! How many leads of one customer are settled, and how many claims of one transaction are recorded.
//!
//! A lead is settled with everything known of the customer it names, so each costs as much as there is of them. Pages report with
//! a key that anybody can read: without a limit, a caller that reports a hundred thousand leads of one customer keeps the server
//! from all others.

use trac_core::click::ClickId;
use trac_core::webhook::report::transaction_id;

use crate::click;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// The most leads of one customer that pages can have settled, each under another event name.
const LEADS_OF_PAGES: u32 = 200;
/// The most that the merchant's own server can report.
const LEADS_OF_MERCHANTS: u32 = 1_000;

/// Whether a new lead is settled. Beyond the limit a page's lead is recorded and changes nothing, unless it is the first of its
/// customer with a click: two hundred leads without one hide no customer's true click.
///
/// # Errors
/// `422` for a lead that the merchant reports beyond its limit, which names the event.
pub(super) fn settles_lead(
    rows: Rows<'_>,
    customer: &str,
    click: Option<&ClickId>,
    is_vouched: bool,
) -> Result<bool, Problem> {
    let most = if is_vouched { LEADS_OF_MERCHANTS } else { LEADS_OF_PAGES };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM lead \
               WHERE workspace_id = ?1 AND mode = ?2 AND customer_external_id = ?3 LIMIT ?4)";
    if is_below(rows, sql, customer, most)? {
        return Ok(true);
    }
    if is_vouched {
        let message = format!("must be one reported before: this customer has {most} leads of other names");
        return Err(Problem::field("eventName", &message));
    }
    let Some(click) = click else { return Ok(false) };
    let with_click = "SELECT count(*) FROM (SELECT 1 FROM lead AS l \
         JOIN payment_object AS o ON o.workspace_id = l.workspace_id AND o.mode = l.mode AND o.stripe_id = l.id \
         JOIN payment AS p ON p.workspace_id = o.workspace_id AND p.mode = o.mode AND p.id = o.payment_id \
         WHERE l.workspace_id = ?1 AND l.mode = ?2 AND l.customer_external_id = ?3 \
         AND p.rule = 'lead' AND p.reason <> 'rejected_by_merchant' LIMIT ?4)";
    Ok(is_below(rows, with_click, customer, 1)? && click::is_known(rows, click.as_str())?)
}

/// The most clicks with which pages can claim one transaction.
const CLAIMS_OF_PAGES: u32 = 50;

/// Whether one more claim of a transaction is recorded.
pub(super) fn takes_claim(rows: Rows<'_>, transaction: &str) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM report WHERE workspace_id = ?1 AND mode = ?2 AND transaction_id = ?3 LIMIT ?4)";
    is_below(rows, sql, &transaction_id(transaction), CLAIMS_OF_PAGES)
}

/// Whether there are fewer rows than so many; no more than those are looked at.
fn is_below(rows: Rows<'_>, sql: &str, subject: &str, most: u32) -> Result<bool, StoreError> {
    let count = rows.one(sql, args![subject, most], |row| row.get::<u32>(0))?;
    Ok(count.unwrap_or_default() < most)
}
