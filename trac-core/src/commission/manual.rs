//! The commission of an adjustment: the amount that the merchant named, due at once.

use super::claim::{Claim, Source};
use super::entry::Sums;
use super::target::Target;
use crate::conversion::book::Book;
use crate::conversion::clawback::Lost;
use crate::conversion::eligibility::Terms;
use crate::conversion::sale::Sale;
use crate::conversion::world::{Click, Commission};
use crate::reason::Reason;
use crate::webhook::adjustment::Adjustment;

/// What the ledger should contain for an adjustment. There is no click: its own ID takes the place of the click's.
/// `settled` is the commission whose versions it keeps.
///
/// # Errors
/// [`Reason::ZeroAmount`] without an amount, and the errors of [`Terms::of`].
pub(super) fn target(
    book: &Book<'_>,
    sale: &Sale<'_>,
    (id, adjustment): (&str, &Adjustment),
    settled: Option<&Commission>,
) -> Result<Target, Reason> {
    let (amount_minor, currency) = adjustment.amount.ok_or(Reason::ZeroAmount)?;
    let at = adjustment.at.ok_or(Reason::ZeroAmount)?;
    let party = Click {
        program_id: adjustment.program_id.clone(),
        partner_id: adjustment.partner_id.clone(),
        clicked_at: at,
        is_promotion: false,
    };
    let terms = Terms::of(book, sale, &party, at, settled)?;
    let claim = Claim {
        click_id: id.into(),
        program_id: party.program_id,
        program_version: terms.program.number,
        partner_id: party.partner_id,
        enrollment_id: terms.enrollment_id.into(),
        enrollment_version: terms.enrollment.number,
        source: Source::Manual,
        recurring_month: None,
        currency,
        base_minor: 0,
        matures_at: at,
        payment_time: at,
        held: false,
        reason: Reason::ManualAdjustment,
    };
    let sums = Sums { amount_minor, reversed_minor: 0 };
    Ok(Target { claim, sums, lost: Lost::default(), voided: false, rejected: None })
}
