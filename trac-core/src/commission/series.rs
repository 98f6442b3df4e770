//! Which payments of a subscription are covered.
//!
//! A series is a subscription, or the customer for payments that are credited through the customer alone. It begins at
//! its first payment with money in it, whatever Stripe's `billing_reason` says: a trial's first money is number one.

use crate::conversion::attribution::Attribution;
use crate::conversion::candidate::Rule;
use crate::conversion::payment::Money;
use crate::conversion::reason::Reason;
use crate::conversion::sale::{Book, Sale};
use crate::program::{ProgramTerms, Recurring};
use crate::time::{DAY_SECS, Timestamp};

/// More months than any subscription lives.
const MOST_MONTHS: u32 = 2_400;
/// 31 days.
const LONGEST_MONTH_SECS: i64 = 2_678_400;

/// Where a payment stands in its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whether the series begins with it.
    pub is_first: bool,
    /// 1 for the first month; `None` outside a subscription.
    pub recurring_month: Option<u32>,
}

/// Finds the place of a payment with money in it, and whether the terms cover it.
///
/// # Errors
/// [`Reason::RecurringNotCovered`] and [`Reason::RecurringWindowEnded`].
pub fn place(
    book: &Book<'_>,
    sale: &Sale<'_>,
    time: Timestamp,
    attribution: &Attribution,
    terms: &ProgramTerms,
) -> Result<Place, Reason> {
    let (start, first) = start(book, sale, attribution, terms).unwrap_or((time, sale.id));
    let is_first = first == sale.id;
    match terms.recurring {
        Recurring::FirstPayment if !is_first => return Err(Reason::RecurringNotCovered),
        Recurring::Months(months) if start.plus_months(months).plus_secs(-DAY_SECS) <= time => {
            return Err(Reason::RecurringWindowEnded);
        }
        _ => {}
    }
    let recurring_month = sale.subscription.is_some().then(|| month(start, time));
    Ok(Place { is_first, recurring_month })
}

/// The smallest (time, Stripe ID) of the series' payments with money in them; `None` for a sale outside any series.
fn start<'s>(
    book: &'s Book<'_>,
    sale: &'s Sale<'_>,
    attribution: &Attribution,
    terms: &ProgramTerms,
) -> Option<(Timestamp, &'s str)> {
    let has_money = |other: &Sale<'_>| {
        let base =
            Money::of(&other.facts).and_then(|money| money.base_minor(terms, other.payment_link.as_deref()));
        base.is_ok_and(|base| base > 0)
    };
    if let Some(subscription) = &sale.subscription {
        let first = book.of_subscription(subscription).find(|(_, other)| has_money(other));
        return first.map(|((time, _), other)| (time, other.id));
    }
    let by_customer = matches!(attribution.rule, Rule::Customer | Rule::CustomerMetadata);
    let customer = sale.customer.as_deref().filter(|_| by_customer)?;
    let first = book.of_customer(customer).find(|(_, other)| {
        has_money(other)
            && book.credits.get(other.id).is_some_and(|theirs| theirs.click_id == attribution.click_id)
    });
    first.map(|((time, _), other)| (time, other.id))
}

/// 1 + the largest k with start + k months − 24 h ≤ time.
fn month(start: Timestamp, time: Timestamp) -> u32 {
    let reached = |months: u32| start.plus_months(months).plus_secs(-DAY_SECS) <= time;
    // A month has at most 31 days, so this many have passed for certain; few are left to try.
    let certain = time.secs_since(start).max(0).div_euclid(LONGEST_MONTH_SECS);
    let certain = u32::try_from(certain).unwrap_or(MOST_MONTHS).min(MOST_MONTHS);
    let passed = (certain..MOST_MONTHS).take_while(|months| reached(*months)).last();
    passed.unwrap_or(certain).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_a_day_early() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let start = at("2025-01-31T12:00:00Z");
        let check = |time, want| assert_eq!(month(start, at(time)), want, "{time}");
        check("2025-01-31T12:00:00Z", 1);
        check("2025-02-27T11:59:59Z", 1);
        check("2025-02-27T12:00:00Z", 2);
        check("2025-03-30T12:00:00Z", 3);
        check("2026-01-30T12:00:00Z", 13);
        check("2045-01-31T12:00:00Z", 241);
    }
}
