//! The change to a commission: brought to its target, emptied, or closed in favour of another.

use alloc::string::String;
use alloc::vec::Vec;

use super::claim::Claim;
use super::entry::{NewEntry, Reasons, Sums};
use super::target::Target;
use crate::conversion::world::Commission;
use crate::reason::Reason;
use crate::webhook::facts::Topic;

/// The change to one commission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commission; `None` opens a new one.
    pub commission_id: Option<String>,
    /// Its new fields; `None` leaves them unchanged.
    pub claim: Option<Claim>,
    /// Why it earns, or why it no longer earns.
    pub reason: Reason,
    /// Its sums after the entries are appended.
    pub sums: Sums,
    /// Whether another commission replaces it.
    pub closed: bool,
    /// Whether it belonged until now to another payment that is inferred to be the same money.
    pub taken_over: bool,
    /// The entries to append, in order.
    pub entries: Vec<NewEntry>,
}

/// The changes that bring the surviving commission, or a new one, to the target.
pub(super) fn towards(
    target: Result<Target, Reason>,
    survivor: Option<&Commission>,
    news: Option<Topic>,
) -> Vec<Change> {
    match (target, survivor) {
        (Ok(target), Some(commission)) if is_same_claim(&target.claim, commission) => {
            Vec::from([bring(&target, Some(commission), news)])
        }
        (Ok(target), Some(commission)) => {
            Vec::from([close(commission, Reason::AttributionChanged), bring(&target, None, news)])
        }
        (Ok(target), None) => Vec::from([bring(&target, None, news)]),
        (Err(reason), Some(commission)) => Vec::from([empty(commission, reason)]),
        (Err(_), None) => Vec::new(),
    }
}

fn is_same_claim(claim: &Claim, commission: &Commission) -> bool {
    claim.click_id == commission.click_id && claim.currency == commission.currency
}

fn bring(target: &Target, commission: Option<&Commission>, news: Option<Topic>) -> Change {
    let now = commission.map_or_else(Sums::default, sums);
    let lost = target.lost;
    let by_dispute = lost.disputed_minor > 0 && (lost.refunded_minor == 0 || news == Some(Topic::Dispute));
    let reverse_reason = if target.rejected.is_some() {
        Reason::RejectedByMerchant
    } else if target.voided {
        Reason::SubscriptionCanceled
    } else if by_dispute {
        Reason::Dispute
    } else if lost.refunded_minor >= lost.whole_minor {
        Reason::RefundFull
    } else {
        Reason::RefundPartial
    };
    let by_refund = lost.refund_failed && news != Some(Topic::Dispute);
    let is_verdict = news == Some(Topic::Verdict);
    let restore_reason = if target.rejected.is_some() {
        Reason::RejectedByMerchant
    } else if is_verdict {
        Reason::RestoredByMerchant
    } else if by_refund {
        Reason::RefundFailed
    } else {
        Reason::DisputeWon
    };
    let earn_reason = match target.rejected {
        Some(earned_for) => earned_for,
        // An amount below zero that was rejected is not reversed, but adjusted to zero.
        None if is_verdict && commission.is_some() => Reason::RestoredByMerchant,
        None => target.claim.reason,
    };
    let reasons = Reasons { earn: earn_reason, reverse: reverse_reason, restore: restore_reason };
    Change {
        commission_id: commission.map(|commission| commission.id.clone()),
        reason: target.claim.reason,
        claim: Some(target.claim.clone()),
        sums: target.sums,
        closed: false,
        taken_over: false,
        entries: now.entries_towards(target.sums, commission.is_some(), reasons),
    }
}

/// Reduces a commission that earns nothing at present to zero. It stays open, because later facts may restore
/// it.
fn empty(commission: &Commission, reason: Reason) -> Change {
    let reasons = Reasons { earn: reason, reverse: reason, restore: reason };
    Change {
        commission_id: Some(commission.id.clone()),
        claim: None,
        reason,
        sums: Sums::default(),
        closed: false,
        taken_over: false,
        entries: sums(commission).entries_towards(Sums::default(), true, reasons),
    }
}

/// Closes a commission that another one replaces, and takes back what is left of it.
pub(super) fn close(commission: &Commission, reason: Reason) -> Change {
    let now = sums(commission);
    let wanted = Sums { amount_minor: now.reversed_minor, ..now };
    let reasons = Reasons { earn: reason, reverse: reason, restore: reason };
    Change {
        commission_id: Some(commission.id.clone()),
        claim: None,
        reason,
        sums: wanted,
        closed: true,
        taken_over: false,
        entries: now.entries_towards(wanted, true, reasons),
    }
}

const fn sums(commission: &Commission) -> Sums {
    Sums { amount_minor: commission.amount_minor, reversed_minor: commission.reversed_minor }
}
