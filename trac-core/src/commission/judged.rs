//! The merchant's decision about a commission, applied to what the ledger should contain.

use super::target::Target;
use crate::conversion::sale::Sale;
use crate::reason::Reason;
use crate::webhook::verdict::Ruling;

/// Applies the merchant's decision, if there is one. An approval takes the place of the hold and of the wait for
/// an open dispute, but not of the decision about a claim.
///
/// # Errors
/// [`Reason::RejectedByMerchant`] for a rejected amount below zero: nothing of it is reversed, it no longer counts.
pub(super) fn judged(mut target: Target, sale: &Sale<'_>) -> Result<Target, Reason> {
    let Some(verdict) = sale.facts.verdict(&target.claim.click_id) else { return Ok(target) };
    let claim = &mut target.claim;
    match verdict.ruling {
        Ruling::Restored => {}
        Ruling::Held => claim.held = true,
        Ruling::Approved => {
            claim.held &= claim.reason == Reason::ClientReported;
            claim.matures_at = claim.matures_at.min(verdict.made_at);
        }
        Ruling::Rejected if target.sums.amount_minor < 0 => return Err(Reason::RejectedByMerchant),
        Ruling::Rejected => {
            target.rejected = Some(claim.reason);
            claim.reason = Reason::RejectedByMerchant;
            target.sums.reversed_minor = target.sums.amount_minor;
        }
    }
    Ok(target)
}
