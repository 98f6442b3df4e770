//! Which click earns a payment.
//!
//! The first value that resolves to a click ends the search, in the order of [`Rule`]; a value that does not resolve is
//! passed over. A partner's promotion code counts where no click does. Under `first_click` the inherited rules (6) to (8) come before the payment's own. The choice is made
//! from all facts each time, so the order in which events arrive does not matter.

use serde::{Deserialize, Serialize};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use super::candidate::Rule;
use super::eligibility;
use super::payment;
use super::sale::{Book, Moment, Sale};
use crate::program::{AttributionModel, Pins, ProgramTerms};
use crate::time::Timestamp;

/// The click a payment is credited to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The rule that decided.
    pub rule: Rule,
    /// The click.
    pub click_id: String,
    /// The payment that first tied the click to this subscription or customer; often this one itself.
    pub bound_by: String,
    /// The time of that payment: the attribution window is judged there, once.
    pub bound_at: Timestamp,
}

/// The clicks that payments are credited to, by our ID of the payment; one to which nothing resolves is left out.
pub(super) fn credits<'a>(book: &Book<'a>) -> BTreeMap<&'a str, Attribution> {
    book.sales.values().filter_map(|sale| Some((sale.id, attribute(book, sale)?))).collect()
}

fn attribute(book: &Book<'_>, sale: &Sale<'_>) -> Option<Attribution> {
    let time = sale.time?;
    let direct = direct(book, sale, time);
    let inherited = || {
        by_subscription(book, sale, time)
            .or_else(|| by_customer_metadata(book, sale, time))
            .or_else(|| by_customer(book, sale, time))
    };
    let first_click = direct.as_ref().is_some_and(|own| {
        let terms = terms_of(book, sale, &own.click_id, time);
        terms.is_some_and(|terms| terms.attribution_model == AttributionModel::FirstClick)
    });
    if first_click {
        return inherited().or(direct);
    }
    direct.or_else(inherited).or_else(|| promoted(book, sale, time)).or_else(|| claimed(book, sale, time))
}

/// The promotion code that was used is a partner's, and nobody else is named. It ties the subscription to that partner, but not
/// the customer's other payments.
fn promoted(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let click_id = sale.promoted(book.world)?.into();
    Some(Attribution { rule: Rule::PromotionCode, click_id, bound_by: sale.id.into(), bound_at: time })
}

/// What a browser claimed. It speaks for this payment alone and ties nothing else to the click.
fn claimed(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let found = sale.claimed(book.world)?;
    let click_id = found.value.clone();
    Some(Attribution { rule: found.rule, click_id, bound_by: sale.id.into(), bound_at: time })
}

/// Rules (1) to (5).
fn direct(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let found = sale.direct(book.world)?;
    let (bound_at, bound_by) = sale
        .subscription
        .as_deref()
        .and_then(|id| {
            let mut referred = book.referred_of_subscription(id);
            let first = referred.find(|(_, other)| {
                other.direct(book.world).is_some_and(|theirs| theirs.value == found.value)
            });
            first.map(|(moment, other)| (moment, other.id))
        })
        .map_or((time, sale.id), |((at, _), id)| (at, id));
    Some(Attribution { rule: found.rule, click_id: found.value.clone(), bound_by: bound_by.into(), bound_at })
}

/// Rule (6): the payment that first tied a click to this subscription speaks for all of it, but for nothing that was
/// paid before the click. For what was paid by then, and where there is none, a promotion code speaks.
fn by_subscription(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let id = sale.subscription.as_deref()?;
    let by_click = || {
        let (_, binder) =
            book.referred_of_subscription(id).next().filter(|(_, binder)| binder.id != sale.id)?;
        // The binder has no earlier one in its subscription, so this goes no deeper.
        let found = attribute(book, binder)?;
        let click = book.world.clicks.get(&found.click_id)?;
        // A promotion code is always there; what counts is when it was used.
        let came_by = if click.is_standing { found.bound_at <= time } else { click.is_before(time) };
        came_by.then_some(found)
    };
    let by_code = || {
        let (_, binder) =
            book.promoted_of_subscription(id).next().filter(|(_, binder)| binder.id != sale.id)?;
        let at = binder.time.filter(|at| *at <= time)?;
        let of_customer = by_customer_metadata(book, binder, at).or_else(|| by_customer(book, binder, at));
        of_customer.or_else(|| promoted(book, binder, at))
    };
    let found = by_click().or_else(by_code)?;
    Some(Attribution { rule: Rule::Subscription, ..found })
}

/// Rule (7), for payments with a session or an invoice.
fn by_customer_metadata(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let id = checkout_customer(sale)?;
    let references = &book.world.holders.customers.get(id)?.references.as_ref()?.value;
    let (click_id, click) = references
        .clicks
        .iter()
        .find_map(|value| book.world.clicks.get_key_value(value).filter(|(_, click)| !click.is_standing))?;
    let first = book
        .of_customer(id)
        .find(|((at, _), other)| *at <= time && click.is_before(*at) && payment::is_checkout(&other.facts));
    let first = first.map(|(moment, other)| (moment, other.id));
    let (bound_at, bound_by) = first.map_or((time, sale.id), |((at, _), id)| (at, id));
    let click_id = click_id.clone();
    Some(Attribution { rule: Rule::CustomerMetadata, click_id, bound_by: bound_by.into(), bound_at })
}

/// Rule (8), for leads, reports and payments with a session or an invoice: what the customer was attributed to at or before
/// this time, by a payment or a lead. Under `first_click` the earliest, else the latest; one inside its window goes before
/// one outside.
fn by_customer(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    if !sale.inherits() {
        return None;
    }
    let known_as = if book.has_leads { known_as(book, sale, time) } else { BTreeSet::new() };
    let payments = sale.customer.as_deref().into_iter().flat_map(|id| book.referred_of_customer(id));
    let before = |((at, _), other): &(Moment<'_>, &Sale<'_>)| *at <= time && other.id != sale.id;
    // The merchant's own ID of a customer ties by a lead: a lead to what came before it, a payment to its leads.
    let by_lead = book.referred_of_external_customers(&known_as);
    let by_lead = by_lead.filter(|(_, other)| sale.is_lead() || other.is_lead());
    let bound = payments.chain(by_lead).filter(before);
    let bound = bound.filter_map(|((at, name), other)| Some((name, direct(book, other, at)?)));
    let ranked = bound.filter_map(|(name, found)| {
        let click = book.world.clicks.get(&found.click_id)?;
        let terms = terms_of(book, sale, &found.click_id, time)?;
        let in_window = eligibility::is_in_window(click, found.bound_at, terms.attribution_window_days);
        let age = match terms.attribution_model {
            AttributionModel::LastClick => found.bound_at.unix_secs(),
            AttributionModel::FirstClick => found.bound_at.unix_secs().saturating_neg(),
        };
        terms.attribute_by_customer.then_some((in_window, age, name, found))
    });
    let (.., found) = ranked.max_by_key(|(in_window, age, name, _)| (*in_window, *age, *name))?;
    Some(Attribution { rule: Rule::Customer, ..found })
}

/// The merchant's own IDs of the customer: those the payment names, and those that payments of the same `cus_` named at or
/// before this time.
fn known_as<'b>(book: &'b Book<'_>, sale: &'b Sale<'_>, time: Timestamp) -> BTreeSet<&'b str> {
    let before = sale.customer.as_deref().into_iter().flat_map(|id| book.names_of_customer(id, time));
    before.chain(sale.external_customers.iter().map(String::as_str)).collect()
}

fn checkout_customer<'s>(sale: &'s Sale<'_>) -> Option<&'s str> {
    sale.customer.as_deref().filter(|_| payment::is_checkout(&sale.facts))
}

fn terms_of<'b>(
    book: &'b Book<'_>,
    sale: &Sale<'_>,
    click_id: &str,
    time: Timestamp,
) -> Option<&'b ProgramTerms> {
    let id = &book.world.clicks.get(click_id)?.program_id;
    Some(&Pins::program(sale.pins(), id, book.world.programs.get(id)?, time)?.terms)
}
