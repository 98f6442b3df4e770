//! How much of a payment went back.

use alloc::collections::BTreeMap;

use super::payment::Money;
use super::shared::Shares;
use crate::money::{Currency, share_half_up};
use crate::program::ProgramTerms;
use crate::webhook::charge::Charge;
use crate::webhook::credit_note::CreditNote;
use crate::webhook::facts::Facts;
use crate::webhook::linked::Linked;
use crate::webhook::refund::RefundStatus;
use crate::webhook::report::Report;

/// The money of a payment that went back, in minor units of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Refunds of all charges, and credit notes paid back outside Stripe.
    pub refunded_minor: i64,
    /// Disputes whose money the bank took.
    pub disputed_minor: i64,
    /// The whole payment: the amount paid, or the amount captured if that is larger.
    pub whole_minor: i64,
    /// The part of `whole_minor` that was paid outside Stripe.
    pub outside_minor: i64,
    /// The part of `refunded_minor` that was credited outside Stripe.
    pub credited_minor: i64,
    /// Whether a refund is known to have failed.
    pub refund_failed: bool,
    /// Whether a dispute took money and no object states the amount in the charge's currency: this needs
    /// review.
    pub is_unclear: bool,
}

impl Lost {
    /// Sums the money of a payment that went back.
    ///
    /// Stripe's `amount_refunded` is cumulative, and refunds can fail after they succeeded, so for each
    /// charge `max(largest amount_refunded − Σ failed refunds, Σ succeeded refunds, 0)` counts, less the
    /// amount that a partial capture released. Refunds that name only the PaymentIntent count with its one
    /// charge. Of a charge that paid several invoices, the payment's share counts.
    #[must_use]
    pub fn of(facts: &Facts, money: &Money<'_>) -> Self {
        let paid = Paid::of(facts, money);
        let mut is_unclear = false;
        let disputed = facts.disputes.iter().map(|(id, dispute)| {
            let charge = charge_of(&dispute.charge, &dispute.payment_intent, facts);
            let known = facts.charges.get(charge);
            let charged_in = known.and_then(|charge| charge.captured.as_ref());
            let lost =
                dispute.lost_minor(charged_in.map_or(paid.currency, |captured| captured.value.currency));
            is_unclear |= lost.is_none();
            paid.counted(known, if known.is_some() { charge } else { id }, lost.unwrap_or(0))
        });
        let disputed_minor = disputed.fold(0, i64::saturating_add);
        let credited = facts
            .credit_notes
            .values()
            .filter(|note| facts.of_invoice.as_deref().is_none_or(|invoice| note.invoice.contains(invoice)));
        let credited_minor = credited.map(CreditNote::lost_minor).fold(0, i64::saturating_add);
        let refunded_minor =
            if facts.is_reported_by_stripe() { refunded(facts, &paid) } else { reported(facts, &paid) };
        Self {
            refunded_minor: refunded_minor.saturating_add(credited_minor),
            disputed_minor,
            whole_minor: paid.whole_minor,
            outside_minor: money.outside_minor(),
            credited_minor,
            refund_failed: facts.refunds.values().any(|refund| refund.status == RefundStatus::Failed),
            is_unclear,
        }
    }

    /// The same under the terms of a program. Where these do not count money paid outside Stripe, that money
    /// is subtracted from the whole, and credits for it from the refunds.
    #[must_use]
    pub fn counted_under(self, terms: &ProgramTerms) -> Self {
        if terms.count_out_of_band {
            return self;
        }
        let credited = self.credited_minor.min(self.outside_minor);
        Self {
            refunded_minor: self.refunded_minor.saturating_sub(credited),
            whole_minor: self.whole_minor.saturating_sub(self.outside_minor),
            outside_minor: 0,
            credited_minor: self.credited_minor.saturating_sub(credited),
            ..self
        }
    }

    /// The sum that went back, at most the whole.
    #[must_use]
    pub fn total_minor(&self) -> i64 {
        self.refunded_minor.saturating_add(self.disputed_minor).min(self.whole_minor).max(0)
    }
}

/// The refunds of a payment of which Stripe reported nothing. Where the merchant reported the payment itself,
/// refunds recorded on claims do not count.
fn reported(facts: &Facts, paid: &Paid<'_>) -> i64 {
    refunded_by_report(facts).max(refunded(facts, paid))
}

/// The refunds that the merchant reported, in minor units.
#[must_use]
pub fn refunded_by_report(facts: &Facts) -> i64 {
    let is_counted = counts_refunds(facts);
    let counted = facts.reports.values().filter(|report| is_counted(report));
    counted.map(|report| report.refunded_minor).max().unwrap_or(0)
}

/// Which reports of a payment say how much was refunded: the merchant's, or the claims if there is none.
pub fn counts_refunds(facts: &Facts) -> impl Fn(&Report) -> bool + use<> {
    let has_own = facts.reports.values().any(|report| report.by_merchant);
    move |report| report.by_merchant || !has_own
}

/// The amount paid, and the part of it that was charged in another currency.
struct Paid<'a> {
    whole_minor: i64,
    currency: Currency,
    /// The whole less the charges in the payment's currency: the value of the charges in other currencies.
    foreign_minor: i64,
    shares: Shares<'a>,
}

impl<'a> Paid<'a> {
    fn of(facts: &'a Facts, money: &Money<'_>) -> Self {
        let (currency, shares) = (money.currency(), Shares::of(facts));
        let captured =
            facts.charges.iter().filter_map(|(id, charge)| Some((id, &charge.captured.as_ref()?.value)));
        let own = captured.filter(|(_, captured)| captured.currency == currency);
        let own = own.map(|(id, captured)| shares.split(captured.captured_minor, id));
        let own = own.fold(0_i64, i64::saturating_add);
        let whole_minor = money.gross_minor().max(own);
        Self { whole_minor, currency, foreign_minor: whole_minor.saturating_sub(own), shares }
    }

    /// The amount of a charge that went back, in the payment's currency. Amounts of two currencies are never
    /// added: for a charge in another currency, the same share of `foreign_minor` counts. `id` is the
    /// charge's, or that of an object of the same money.
    fn counted(&self, charge: Option<&Charge>, id: &str, amount_minor: i64) -> i64 {
        match charge.and_then(|charge| charge.captured.as_ref()) {
            Some(captured) if captured.value.currency != self.currency => {
                share_half_up(self.foreign_minor, amount_minor, captured.value.captured_minor)
            }
            _ => self.shares.split(amount_minor, id),
        }
    }
}

fn refunded(facts: &Facts, paid: &Paid<'_>) -> i64 {
    let mut by_charge: BTreeMap<&str, (Option<&Charge>, &str, [i64; 2])> =
        facts.charges.iter().map(|(id, charge)| (id.as_str(), (Some(charge), id.as_str(), [0, 0]))).collect();
    for (id, refund) in &facts.refunds {
        let charge = charge_of(&refund.charge, &refund.payment_intent, facts);
        let (_, _, [succeeded, failed]) = by_charge.entry(charge).or_insert((None, id, [0, 0]));
        match refund.status {
            RefundStatus::Succeeded => *succeeded = succeeded.saturating_add(refund.amount_minor),
            RefundStatus::Failed => *failed = failed.saturating_add(refund.amount_minor),
            RefundStatus::Pending => {}
        }
    }
    let counted = by_charge.into_values().map(|(charge, id, [succeeded, failed])| {
        let cumulative = charge.map_or(0, |charge| charge.refunded_minor).saturating_sub(failed);
        let back = cumulative.max(succeeded).max(0).saturating_sub(charge.map_or(0, released)).max(0);
        paid.counted(charge, id, back)
    });
    counted.fold(0, i64::saturating_add)
}

/// The charge that a refund or dispute belongs to: the one named; if only a PaymentIntent is named, the
/// charge of that PaymentIntent, or else the first charge that names no PaymentIntent; if neither is
/// named, the first charge.
fn charge_of<'a>(charge: &'a Linked, intent: &'a Linked, facts: &'a Facts) -> &'a str {
    let intent = intent.id();
    let first = |is_match: &dyn Fn(&Linked) -> bool| {
        let mut known = facts.charges.iter().filter(|(_, charge)| is_match(&charge.payment_intent));
        known.next().map(|(id, _)| id.as_str())
    };
    let latest = || facts.payment_intents.get(intent?)?.charge.id();
    let of_intent = || first(&|of| intent.is_some_and(|intent| of.contains(intent)));
    let without_intent = || first(&|of| of.is_empty() || intent.is_none());
    charge.id().or_else(latest).or_else(of_intent).or_else(without_intent).or(intent).unwrap_or_default()
}

/// The amount that a partial capture released: it was never paid, but Stripe counts it in `amount_refunded`.
fn released(charge: &Charge) -> i64 {
    let released = charge
        .captured
        .as_ref()
        .map(|captured| captured.value.authorised_minor.saturating_sub(captured.value.captured_minor));
    released.unwrap_or(0).max(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_outside_stripe_that_does_not_count_is_subtracted_from_every_sum() {
        let lost = |refunded_minor, whole_minor, outside_minor, credited_minor| Lost {
            refunded_minor,
            whole_minor,
            outside_minor,
            credited_minor,
            ..Lost::default()
        };
        let check = |counts: bool, before: Lost, want: Lost| {
            let terms =
                json!({"count_out_of_band": counts, "commission": {"type": "percentage", "rate_bps": 1}});
            let terms: ProgramTerms = serde_json::from_value(terms).unwrap();
            let once = before.counted_under(&terms);
            assert_eq!((once, once.counted_under(&terms)), (want, want));
        };
        check(true, lost(5_000, 10_000, 6_000, 4_000), lost(5_000, 10_000, 6_000, 4_000));
        check(false, lost(5_000, 10_000, 6_000, 4_000), lost(1_000, 4_000, 0, 0));
        check(false, lost(8_000, 10_000, 6_000, 7_000), lost(2_000, 4_000, 0, 1_000));
    }
}
