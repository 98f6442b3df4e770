//! Promo codes: a customer who uses a partner's code is credited to that partner, as if the customer had
//! followed a link.

use std::sync::Arc;

use trac_core::click::ClickId;
use trac_core::time::Timestamp;
use trac_core::webhook::promotion;

use crate::id::random_bits;
use crate::store::click::NewClick;
use crate::store::rows::{Row, Rows, args};
use crate::store::{StoreError, recorder};

/// The program and partner of a partner's code, in any case, by the newest enrollment; an approved enrollment
/// in an active program goes first.
const BY_CODE: &str = "SELECT e.program_id, e.partner_id FROM partner AS p \
    JOIN enrollment AS e ON e.workspace_id = p.workspace_id AND e.mode = p.mode AND e.partner_id = p.id \
    WHERE p.workspace_id = ?1 AND p.mode = ?2 AND lower(p.code) = lower(?3) \
    ORDER BY p.code = ?3 DESC, \
    ((SELECT v.status FROM enrollment_version AS v WHERE v.workspace_id = e.workspace_id \
      AND v.mode = e.mode AND v.enrollment_id = e.id ORDER BY v.number DESC LIMIT 1) = 'approved' \
     AND (SELECT v.status FROM program_version AS v WHERE v.workspace_id = e.workspace_id \
      AND v.mode = e.mode AND v.program_id = e.program_id ORDER BY v.number DESC LIMIT 1) = 'active') DESC, \
    e.id DESC LIMIT 1";

/// The program and partner of the enrollment that held one of Stripe's promotion codes at a time. The first
/// enrollment that held the code counts as its holder before that, too.
const BY_PROMOTION: &str = "SELECT c.program_id, c.partner_id FROM promotion_code AS p \
    JOIN click AS c ON c.workspace_id = p.workspace_id AND c.mode = p.mode AND c.id = p.click_id \
    WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.code = ?3 AND (p.taken_at IS NULL OR p.taken_at > ?4) \
    AND p.taken_at IS DISTINCT FROM p.given_at AND (p.given_at <= ?4 OR NOT EXISTS (SELECT 1 FROM promotion_code AS q WHERE q.workspace_id = p.workspace_id \
    AND q.mode = p.mode AND q.code = p.code AND q.given_at < p.given_at AND q.taken_at IS DISTINCT FROM q.given_at)) ORDER BY p.given_at DESC LIMIT 1";

/// Records a click for the use of a code: a partner's own code, or a promotion code that one of its
/// enrollments holds. `None` if no partner has the code. The click does not count as a visit.
pub(crate) fn click_by_promo_code(
    rows: Rows<'_>,
    code: &str,
    used_at: Timestamp,
) -> Result<Option<ClickId>, StoreError> {
    let own = rows.one(BY_CODE, args![code], program_and_partner)?;
    let found = match (own, promotion::normal(code)) {
        (None, Some(code)) => rows.one(BY_PROMOTION, args![code, used_at], program_and_partner)?,
        (own, _) => own,
    };
    let Some((program_id, partner_id)) = found else { return Ok(None) };
    let id = ClickId::new(used_at.unix_secs(), random_bits());
    let click = NewClick {
        id: id.clone(),
        program_id,
        partner_id,
        link_id: None,
        clicked_at: used_at,
        is_unique: Some(false),
        visitor: None,
        last_click: None,
        referrer: None,
        landing_url: None,
    };
    recorder::insert(rows, &click)?;
    Ok(Some(id))
}

fn program_and_partner(row: &Row<'_>) -> Result<(Arc<str>, Arc<str>), StoreError> {
    Ok((row.get::<String>(0)?.into(), row.get::<String>(1)?.into()))
}
