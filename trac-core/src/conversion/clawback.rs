//! How much of a payment went back.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::payment::Money;
use crate::webhook::charge::Charge;
use crate::webhook::facts::Facts;
use crate::webhook::refund::{Refund, RefundStatus};

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
        let captured = facts.charges.values().filter_map(|charge| charge.captured.as_ref());
        let captured = captured.fold(0_i64, |sum, charge| sum.saturating_add(charge.value.captured_minor));
        let disputed = facts.disputes.values().fold(0_i64, |sum, one| sum.saturating_add(one.lost_minor()));
        Self {
            refunded_minor: if facts.is_told_by_stripe() { refunded(facts) } else { reported(facts) },
            disputed_minor: disputed,
            whole_minor: money.gross_minor().max(captured),
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
fn reported(facts: &Facts) -> i64 {
    facts.reports.values().map(|report| report.refunded_minor).max().unwrap_or(0).max(refunded(facts))
}

fn refunded(facts: &Facts) -> i64 {
    let mut by_charge: BTreeMap<&str, (Option<&Charge>, [i64; 2])> =
        facts.charges.iter().map(|(id, charge)| (id.as_str(), (Some(charge), [0, 0]))).collect();
    for refund in facts.refunds.values() {
        let (_, [succeeded, failed]) = by_charge.entry(charge_of(refund, facts)).or_default();
        match refund.status {
            RefundStatus::Succeeded => *succeeded = succeeded.saturating_add(refund.amount_minor),
            RefundStatus::Failed => *failed = failed.saturating_add(refund.amount_minor),
            RefundStatus::Pending => {}
        }
    }
    let counted = by_charge.into_values().map(|(charge, [succeeded, failed])| {
        let cumulative = charge.map_or(0, |charge| charge.refunded_minor).saturating_sub(failed);
        cumulative.max(succeeded).max(0).saturating_sub(charge.map_or(0, released)).max(0)
    });
    counted.fold(0, i64::saturating_add)
}

/// The charge a refund belongs to; where it names only a PaymentIntent, that one's charge.
fn charge_of<'a>(refund: &'a Refund, facts: &'a Facts) -> &'a str {
    let intent = refund.payment_intent.as_deref();
    let of_intent = || {
        let named = facts.payment_intents.get(intent?)?.charge.as_deref();
        named.or_else(|| {
            let mut of_intent =
                facts.charges.iter().filter(|(_, charge)| charge.payment_intent.as_deref() == intent);
            of_intent.next().map(|(id, _)| id.as_str())
        })
    };
    let any = || facts.charges.keys().next().map(String::as_str);
    refund.charge.as_deref().or_else(of_intent).or_else(any).or(intent).unwrap_or_default()
}

/// What a partial capture gave back: it was never paid, but Stripe counts it as refunded.
fn released(charge: &Charge) -> i64 {
    let released = charge
        .captured
        .as_ref()
        .map(|captured| captured.value.authorised_minor.saturating_sub(captured.value.captured_minor));
    released.unwrap_or(0).max(0)
}
