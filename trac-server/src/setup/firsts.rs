//! The steps `first_click` and `first_sale`: whether a visitor of a partner was counted, and a sale credited.

use trac_core::program::Mode;
use trac_core::time::{DAY_SECS, Timestamp};

use super::step::Step;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};

/// How many of the oldest, and how many of the newest clicks are looked at.
const LOOKED_AT: usize = 200;

/// The time of the first click of a visitor. A click that the merchant recorded by the API has no landing page. If
/// retention has deleted the clicks, the day of the first visit.
pub(super) fn first_visit(rows: Rows<'_>) -> Result<Option<Timestamp>, StoreError> {
    for order in ["", " DESC"] {
        let sql = format!(
            "SELECT min(c.clicked_at) FROM (SELECT r.clicked_at, r.landing_url, r.is_visit FROM click_record AS r \
             WHERE r.scope = (SELECT s.no FROM scope AS s WHERE s.workspace_id = ?1 AND s.mode = ?2) \
             ORDER BY r.clicked_at{order} LIMIT {LOOKED_AT}) AS c WHERE c.is_visit AND c.landing_url IS NOT NULL"
        );
        let found = rows.one(&sql, &[], |row| row.get::<Option<Timestamp>>(0))?.flatten();
        if found.is_some() {
            return Ok(found);
        }
    }
    let deleted = "SELECT day FROM deleted_visit WHERE workspace_id = ?1 AND mode = ?2 ORDER BY day LIMIT 1";
    let day = rows.one(deleted, &[], |row| row.get::<i64>(0))?;
    Ok(day.map(|day| Timestamp::from_unix_secs(day.saturating_mul(DAY_SECS))))
}

/// The step `first_click`.
pub(super) fn first_click(first_visit: Option<Timestamp>) -> Step {
    const ID: &str = "first_click";
    match first_visit {
        Some(at) => Step::done(ID, Some(at), "A visitor followed a partner's link and was counted."),
        None => Step::waiting(
            ID,
            "No visitor has followed a partner's link yet.",
            "Open one of your links in a browser. Search engines, previews and images are not counted.",
        ),
    }
}

/// The step `first_sale`: the first payment, not a lead, that was credited to a partner.
pub(super) fn first_sale(rows: Rows<'_>) -> Result<Step, StoreError> {
    const ID: &str = "first_sale";
    let sql = "SELECT min((SELECT min(p.id) FROM payment AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.is_conversion \
               AND coalesce(p.program_id, '') = coalesce(c.program_id, '') AND coalesce(p.source, '') = coalesce(c.source, '') \
               AND coalesce(p.reason, '') = coalesce(c.reason, '') AND coalesce(p.currency, '') = coalesce(c.currency, '') \
               AND p.is_credited = c.is_credited)) FROM payment_count AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 \
               AND c.is_credited AND c.source IN ('sale', 'recurring') AND c.rows > 0";
    let first = rows.one(sql, &[], |row| row.get::<Option<String>>(0))?.flatten();
    let Some(id) = first else {
        let buy = match rows.scope().mode() {
            Mode::Test => {
                "Follow one of your links, and buy something with the test card 4242 4242 4242 4242."
            }
            Mode::Live => "It appears here with the first customer of a partner.",
        };
        let remedy = format!("{buy} If a sale is missing, search for its e-mail address under “Why?”.");
        return Ok(Step::waiting(ID, "No sale has been credited to a partner yet.", remedy));
    };
    let sql = "SELECT created_at FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    let at = rows.one(sql, args![id], |row| row.get(0))?;
    Ok(Step::done(ID, at, "A sale was credited to a partner."))
}
