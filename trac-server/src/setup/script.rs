//! The step `script`: whether the script runs on the merchant's pages.
//!
//! It is shown by the report of a check, or by what only the script or the merchant's server can do: a click by a
//! partner's code in the page's URL, a lead or claim of a page, a sale that named its click although the partner's link
//! did not lead to Stripe itself.

use trac_core::checkout::link::is_payment_link;
use trac_core::conversion::candidate::Rule;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;

use super::check::{Check, VALID_SECS, latest_check, latest_report};
use super::step::{Step, ago};
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;

const ID: &str = "script";

/// How long a page may take to open.
const OPENING_SECS: i64 = 60;
/// How many of the newest clicks and payments are looked at.
const LOOKED_AT: usize = 100;

/// The step.
pub(super) fn step(rows: Rows<'_>, trac: &Trac) -> Result<Step, StoreError> {
    let now = trac.clock.now();
    let reported = latest_report(rows)?;
    let problem = reported.as_ref().and_then(problem_of);
    let proof = proof(rows)?;
    let is_older =
        |at: Timestamp| reported.as_ref().and_then(|check| check.reported_at).is_none_or(|then| then < at);
    match (&reported, &problem, proof) {
        (Some(check), None, _) => {
            let what = check.report.as_ref().map(super::report::Report::summary).unwrap_or_default();
            return Ok(Step::done(ID, check.reported_at, what));
        }
        (_, _, Some((at, what))) if is_older(at) => return Ok(Step::done(ID, Some(at), what)),
        _ => {}
    }
    let tag = format!("<script src=\"{}/trac.js\" defer></script>", trac.public_url);
    let waiting = latest_check(rows)?.filter(|check| is_open(check, now));
    Ok(match (waiting, reported, problem) {
        (Some(check), ..) if check.created_at.plus_secs(OPENING_SECS) > now => Step::waiting(
            ID,
            format!("Waiting for {} to open in your browser and report.", check.page),
            "Open the page by the link that was made for this check.",
        ),
        (Some(check), ..) => Step::waiting(
            ID,
            format!("{} was to be opened {} and has not reported.", check.page, ago(now, check.created_at)),
            format!(
                "Check that the page contains {tag}, that no Content-Security-Policy or ad blocker blocks it, and that it is \
                 the script of this server. Then start another check."
            ),
        ),
        (None, Some(check), Some((what, remedy))) => Step::failed(ID, check.reported_at, what, remedy),
        _ => Step::waiting(
            ID,
            "It is not known yet whether the script is on the pages of your shop.",
            format!("Put {tag} on every page of your shop, and then check one of them here."),
        ),
    })
}

fn problem_of(check: &Check) -> Option<(String, String)> {
    check.report.as_ref()?.problem()
}

/// Whether a check waits for its report.
fn is_open(check: &Check, now: Timestamp) -> bool {
    check.reported_at.is_none() && check.created_at.plus_secs(VALID_SECS) > now
}

/// The newest evidence without a check, with its time.
fn proof(rows: Rows<'_>) -> Result<Option<(Timestamp, &'static str)>, StoreError> {
    let found = [click_by_code(rows)?, report_of_page(rows)?, sale_with_click(rows)?];
    Ok(found.into_iter().flatten().max_by_key(|(at, _)| *at))
}

/// A click by a partner's code, which has no link, at the URL of a page.
fn click_by_code(rows: Rows<'_>) -> Result<Option<(Timestamp, &'static str)>, StoreError> {
    let sql = format!(
        "SELECT max(c.clicked_at) FROM (SELECT r.clicked_at, r.landing_url, r.is_visit, r.link FROM click_record AS r \
         WHERE r.scope = (SELECT s.no FROM scope AS s WHERE s.workspace_id = ?1 AND s.mode = ?2) \
         ORDER BY r.clicked_at DESC LIMIT {LOOKED_AT}) AS c \
         WHERE c.is_visit AND c.landing_url IS NOT NULL AND c.link IS NULL"
    );
    let at = rows.one(&sql, &[], |row| row.get::<Option<Timestamp>>(0))?.flatten();
    Ok(at
        .map(|at| (at, "The script runs: it counted a visitor with a partner's code in the page's address.")))
}

/// A lead that a page reported.
fn report_of_page(rows: Rows<'_>) -> Result<Option<(Timestamp, &'static str)>, StoreError> {
    let sql = "SELECT created_at FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND reason = ?3 AND lead_id IS NOT NULL \
               ORDER BY lead_id DESC LIMIT 1";
    let at = rows.one(sql, args![Reason::ClientReported.as_str()], |row| row.get(0))?;
    Ok(at.map(|at| (at, "The script runs: a page reported a sign-up.")))
}

/// A sale that named the click of a visitor, if the link that the visitor followed did not lead to Stripe itself.
fn sale_with_click(rows: Rows<'_>) -> Result<Option<(Timestamp, &'static str)>, StoreError> {
    let sql = format!(
        "SELECT x.created_at, l.destination, x.rule FROM (SELECT p.id, p.created_at, p.rule, p.click_id, p.link_id FROM payment AS p \
         WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.is_conversion ORDER BY p.id DESC LIMIT {LOOKED_AT}) AS x \
         JOIN link AS l ON l.workspace_id = ?1 AND l.mode = ?2 AND l.id = x.link_id \
         JOIN click_record AS r ON r.id = x.click_id \
         AND r.scope = (SELECT s.no FROM scope AS s WHERE s.workspace_id = ?1 AND s.mode = ?2) \
         WHERE r.landing_url IS NOT NULL ORDER BY x.id DESC"
    );
    let carried = [
        Rule::SessionMetadata,
        Rule::ClientReferenceId,
        Rule::SubscriptionMetadata,
        Rule::InvoiceMetadata,
        Rule::PaymentMetadata,
        Rule::Claim,
    ];
    let sales = rows.all(&sql, &[], |row| {
        let rule: Option<String> = row.get(2)?;
        Ok((row.get::<Timestamp>(0)?, row.get::<String>(1)?, rule.unwrap_or_default()))
    })?;
    let found = sales.into_iter().find(|(_, destination, rule)| {
        carried.iter().any(|carried| carried.as_str() == rule) && !is_payment_link(destination, "")
    });
    Ok(found
        .map(|(at, ..)| (at, "Visitors' clicks reach the checkout: a sale named the click it came from.")))
}
