//! What a lead earns: the amount its program names, once, held for as long as the program says.

use super::claim::{Claim, Source};
use super::entry::Sums;
use super::target::Target;
use crate::conversion::attribution::Attribution;
use crate::conversion::candidate::Rule;
use crate::conversion::clawback::Lost;
use crate::conversion::eligibility::{self, Terms};
use crate::conversion::reason::Reason;
use crate::conversion::sale::{Book, Sale};
use crate::conversion::world::Commission;
use crate::webhook::lead::Lead;

/// What the ledger should hold for a lead. Its window is judged when it was first told, its hold begins when it counts.
/// `settled` is the commission whose terms it keeps.
///
/// # Errors
/// Why it earns nothing: [`Reason::NoClick`], [`Reason::Noted`] for a deferred lead, [`Reason::ZeroCommission`] where
/// leads earn nothing in the program, and what stands against the click itself.
pub(super) fn target(
    book: &Book<'_>,
    sale: &Sale<'_>,
    lead: &Lead,
    attribution: Option<&Attribution>,
    settled: Option<&Commission>,
) -> Result<Target, Reason> {
    let attribution = attribution.ok_or(Reason::NoClick)?;
    let click = book.world.clicks.get(&attribution.click_id).ok_or(Reason::NoClick)?;
    let time = sale.time.ok_or(Reason::NoClick)?;
    let settled = settled.filter(|commission| commission.click_id == attribution.click_id);
    let terms = Terms::of(book, sale, click, time, settled)?;
    eligibility::judge(book, sale, attribution, click, &terms, settled.is_some())?;
    let counted_at = lead.counted_at.ok_or(Reason::Noted)?;
    let program = &terms.program.terms;
    let (amount_minor, currency) = match program.lead_currency {
        Some(currency) if program.lead_amount_minor > 0 => (program.lead_amount_minor, currency),
        _ => return Err(Reason::ZeroCommission),
    };
    let by_customer = matches!(attribution.rule, Rule::Customer | Rule::CustomerMetadata);
    let claim = Claim {
        click_id: attribution.click_id.clone(),
        program_id: click.program_id.clone(),
        program_version: terms.program.number,
        partner_id: click.partner_id.clone(),
        enrollment_id: terms.enrollment_id.into(),
        enrollment_version: terms.enrollment.number,
        source: Source::Lead,
        recurring_month: None,
        currency,
        base_minor: 0,
        matures_at: counted_at.plus_days(program.hold_days.lead),
        payment_time: time,
        held: false,
        reason: if by_customer { Reason::OkCustomerLookup } else { Reason::Ok },
    };
    let sums = Sums { amount_minor, reversed_minor: 0 };
    Ok(Target { claim, sums, lost: Lost::default(), voided: false })
}

/// The click that a paid-out commission stays with.
pub(super) fn own_attribution(sale: &Sale<'_>, commission: &Commission) -> Option<Attribution> {
    Some(Attribution {
        rule: Rule::Lead,
        click_id: commission.click_id.clone(),
        bound_by: sale.id.into(),
        bound_at: sale.time?,
    })
}
