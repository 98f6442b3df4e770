//! How much of a payment went back.

use alloc::collections::BTreeMap;

use super::payment::Money;
use crate::money::{Currency, share_half_up};
use crate::webhook::charge::Charge;
use crate::webhook::facts::Facts;
use crate::webhook::refund::RefundStatus;

/// What went back of a payment, in minor units of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Refunds, over all charges.
    pub refunded_minor: i64,
    /// Disputes whose money is gone.
    pub disputed_minor: i64,
    /// The whole: what was paid, or captured if that is more.
    pub whole_minor: i64,
    /// Whether a refund is known to have failed.
    pub refund_failed: bool,
}

impl Lost {
    /// Adds up what went back of a payment.
    ///
    /// Stripe's `amount_refunded` is cumulative, and refunds can fail after they succeeded, so for each charge
    /// `max(largest amount_refunded − Σ failed refunds, Σ succeeded refunds, 0)` counts, less what a partial capture
    /// released. Refunds that name only the PaymentIntent count with its one charge.
    #[must_use]
    pub fn of(facts: &Facts, money: &Money<'_>) -> Self {
        let paid = Paid::of(facts, money);
        let disputed = facts.disputes.values().map(|dispute| {
            let (charge, intent) = (dispute.charge.as_deref(), dispute.payment_intent.as_deref());
            paid.counted(facts.charges.get(charge_of(charge, intent, facts)), dispute.lost_minor())
        });
        Self {
            refunded_minor: if facts.is_told_by_stripe() {
                refunded(facts, &paid)
            } else {
                reported(facts, &paid)
            },
            disputed_minor: disputed.fold(0, i64::saturating_add),
            whole_minor: paid.whole_minor,
            refund_failed: facts.refunds.values().any(|refund| refund.status == RefundStatus::Failed),
        }
    }

    /// What went back, never more than the whole.
    #[must_use]
    pub fn total_minor(&self) -> i64 {
        self.refunded_minor.saturating_add(self.disputed_minor).min(self.whole_minor).max(0)
    }
}

/// What the merchant says went back of a payment that Stripe knows nothing of.
fn reported(facts: &Facts, paid: &Paid) -> i64 {
    facts.reports.values().map(|report| report.refunded_minor).max().unwrap_or(0).max(refunded(facts, paid))
}

/// What was paid, and how much of it in another currency.
struct Paid {
    whole_minor: i64,
    currency: Currency,
    /// What the charges in the payment's own currency leave for those in another.
    foreign_minor: i64,
}

impl Paid {
    fn of(facts: &Facts, money: &Money<'_>) -> Self {
        let currency = money.currency();
        let captured = facts.charges.values().filter_map(|charge| charge.captured.as_ref());
        let own = captured.filter(|captured| captured.value.currency == currency);
        let own = own.fold(0_i64, |sum, captured| sum.saturating_add(captured.value.captured_minor));
        let whole_minor = money.gross_minor().max(own);
        Self { whole_minor, currency, foreign_minor: whole_minor.saturating_sub(own) }
    }

    /// What went back of a charge, in the payment's currency. Two currencies are never added: of a charge in another one, its
    /// share counts.
    fn counted(&self, charge: Option<&Charge>, amount_minor: i64) -> i64 {
        match charge.and_then(|charge| charge.captured.as_ref()) {
            Some(captured) if captured.value.currency != self.currency => {
                share_half_up(self.foreign_minor, amount_minor, captured.value.captured_minor)
            }
            _ => amount_minor,
        }
    }
}

fn refunded(facts: &Facts, paid: &Paid) -> i64 {
    let mut by_charge: BTreeMap<&str, (Option<&Charge>, [i64; 2])> =
        facts.charges.iter().map(|(id, charge)| (id.as_str(), (Some(charge), [0, 0]))).collect();
    for refund in facts.refunds.values() {
        let charge = charge_of(refund.charge.as_deref(), refund.payment_intent.as_deref(), facts);
        let (_, [succeeded, failed]) = by_charge.entry(charge).or_default();
        match refund.status {
            RefundStatus::Succeeded => *succeeded = succeeded.saturating_add(refund.amount_minor),
            RefundStatus::Failed => *failed = failed.saturating_add(refund.amount_minor),
            RefundStatus::Pending => {}
        }
    }
    let counted = by_charge.into_values().map(|(charge, [succeeded, failed])| {
        let cumulative = charge.map_or(0, |charge| charge.refunded_minor).saturating_sub(failed);
        let back = cumulative.max(succeeded).max(0).saturating_sub(charge.map_or(0, released)).max(0);
        paid.counted(charge, back)
    });
    counted.fold(0, i64::saturating_add)
}

/// The charge that money went back of: the one named; where only a PaymentIntent is named, that one's charge, or one of
/// which nobody says whose it is.
fn charge_of<'a>(charge: Option<&'a str>, intent: Option<&'a str>, facts: &'a Facts) -> &'a str {
    let first = |is_it: &dyn Fn(Option<&str>) -> bool| {
        let mut known = facts.charges.iter().filter(|(_, charge)| is_it(charge.payment_intent.as_deref()));
        known.next().map(|(id, _)| id.as_str())
    };
    let latest = || facts.payment_intents.get(intent?)?.charge.as_deref();
    let of_intent = || first(&|of| of.is_some() && of == intent);
    let of_nobody = || first(&|of| of.is_none() || intent.is_none());
    charge.or_else(latest).or_else(of_intent).or_else(of_nobody).or(intent).unwrap_or_default()
}

/// What a partial capture gave back: it was never paid, but Stripe counts it as refunded.
fn released(charge: &Charge) -> i64 {
    let released = charge
        .captured
        .as_ref()
        .map(|captured| captured.value.authorised_minor.saturating_sub(captured.value.captured_minor));
    released.unwrap_or(0).max(0)
}
