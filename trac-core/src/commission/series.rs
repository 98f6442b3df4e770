//! Which payments of a subscription the program covers.
//!
//! A series is a subscription, or for payments outside a subscription that are credited through the customer,
//! that customer. It begins with its first payment with a positive base, whatever Stripe's
//! `billing_reason` is: the first paid invoice after a trial is number one.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::cell::RefCell;

use crate::conversion::attribution::Attribution;
use crate::conversion::book::Book;
use crate::conversion::candidate::Rule;
use crate::conversion::eligibility::Terms;
use crate::conversion::payment::Money;
use crate::conversion::sale::Sale;
use crate::program::Recurring;
use crate::reason::Reason;
use crate::time::{DAY_SECS, Timestamp};

/// An upper bound for the months of a subscription: 200 years.
const MAX_MONTHS: u32 = 2_400;
/// 31 days.
const LONGEST_MONTH_SECS: i64 = 2_678_400;

/// The place of a payment in its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whether it is the first payment of the series.
    pub is_first: bool,
    /// 1 for the first month; `None` outside a subscription.
    pub recurring_month: Option<u32>,
}

/// The series of a book. The start of each series is computed once, because every payment of the series needs
/// it.
#[derive(Debug)]
pub struct Series<'b, 'a> {
    /// The payments.
    pub book: &'b Book<'a>,
    starts: RefCell<BTreeMap<Key, Option<(Timestamp, &'a str)>>>,
}

impl<'b, 'a> Series<'b, 'a> {
    /// The series of the sales of a book.
    #[must_use]
    pub const fn of(book: &'b Book<'a>) -> Self {
        Self { book, starts: RefCell::new(BTreeMap::new()) }
    }
}

/// The subscription and `None`, or the customer and the click; then the program and the number of its
/// version.
type Key = (String, Option<String>, String, u32);

/// The place of a payment with a positive base, if the terms cover it.
///
/// # Errors
/// [`Reason::RecurringNotCovered`] or [`Reason::RecurringWindowEnded`] if the terms do not cover it.
pub fn place<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    time: Timestamp,
    attribution: &Attribution,
    terms: &Terms<'_>,
) -> Result<Place, Reason> {
    let (start, first) = start(series, sale, attribution, terms).unwrap_or((time, sale.id));
    let is_first = first == sale.id;
    match terms.program.terms.recurring {
        Recurring::FirstPayment if !is_first => return Err(Reason::RecurringNotCovered),
        Recurring::Months(months) if start.plus_months(months).plus_secs(-DAY_SECS) <= time => {
            return Err(Reason::RecurringWindowEnded);
        }
        _ => {}
    }
    let recurring_month = sale.subscription.is_some().then(|| month(start, time));
    Ok(Place { is_first, recurring_month })
}

/// The time and our ID of the first payment of the series with a positive base; `None` for a sale outside any
/// series.
fn start<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    attribution: &Attribution,
    terms: &Terms<'_>,
) -> Option<(Timestamp, &'a str)> {
    let by_customer = matches!(attribution.rule, Rule::Customer | Rule::CustomerMetadata | Rule::Reassigned);
    let Series { book, starts } = series;
    let (holder, click_id) = match &sale.subscription {
        Some(subscription) => (subscription, None),
        None => (sale.customer.as_ref().filter(|_| by_customer)?, Some(&attribution.click_id)),
    };
    let program_id = book.world.clicks.get(&attribution.click_id)?.program_id.clone();
    let key = (holder.clone(), click_id.cloned(), program_id, terms.program.number);
    if let Some(known) = starts.borrow().get(&key) {
        return *known;
    }
    let has_money = |other: &Sale<'_>| {
        let base = Money::of(&other.facts)
            .and_then(|money| money.base_minor(&terms.program.terms, other.payment_link.as_deref()));
        base.is_ok_and(|base| base > 0)
    };
    let is_credited = |other: &Sale<'_>, click_id: &String| {
        // A page's claim applies to its own payment alone.
        book.credits
            .get(other.id)
            .is_some_and(|theirs| theirs.click_id == *click_id && theirs.rule != Rule::Claim)
    };
    let first = match click_id {
        None => book.of_subscription(holder).find(|(_, other)| has_money(other)),
        Some(click_id) => {
            book.of_customer(holder).find(|(_, other)| has_money(other) && is_credited(other, click_id))
        }
    };
    let first = first.map(|((time, _), other)| (time, other.id));
    starts.borrow_mut().insert(key, first);
    first
}

/// 1 + the largest k with start + k months − 24 h ≤ time.
fn month(start: Timestamp, time: Timestamp) -> u32 {
    let reached = |months: u32| start.plus_months(months).plus_secs(-DAY_SECS) <= time;
    // A month has at most 31 days, so at least this many months have passed; only a few more need to be
    // tried.
    let at_least = time.secs_since(start).max(0).div_euclid(LONGEST_MONTH_SECS);
    let at_least = u32::try_from(at_least).unwrap_or(MAX_MONTHS).min(MAX_MONTHS);
    let passed = (at_least..MAX_MONTHS).take_while(|months| reached(*months)).last();
    passed.unwrap_or(at_least).saturating_add(1)
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
