//! Which payments and leads belong to a customer whom the merchant assigned.
//!
//! An assignment replaces the result of the rules for the payments it covers, and is not an attribution from
//! which others follow: what a payment before it, or of another customer, is credited to does not change.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::attribution::Assigned;
use super::book::Book;
use super::sale::Sale;
use crate::webhook::assignment::{Assignee, Assignment};

/// The assignment of each payment and lead, by our ID. Those that the rules decide are left out.
pub(super) fn assigned<'a>(book: &Book<'a>) -> BTreeMap<&'a str, Assigned<'a>> {
    if book.world.holders.assignments.is_empty() {
        return BTreeMap::new();
    }
    book.sales.values().filter_map(|sale| Some((sale.id, of_sale(book, sale)?))).collect()
}

/// The latest statement about any of the sale's customer IDs. A charge or PaymentIntent alone may be the money
/// of an invoice that is not known yet, so it is credited to a partner only if it names a click itself.
fn of_sale<'a>(book: &Book<'a>, sale: &Sale<'a>) -> Option<Assigned<'a>> {
    let (time, assignments) = (sale.time?, &book.world.holders.assignments);
    let names = names(book, sale);
    let known = names.iter().filter_map(|name| assignments.get_key_value(*name));
    let all = known.clone().flat_map(|(_, all)| all);
    let assignment = Assignment::in_force(all, time)?;
    let customer = known.into_iter().find(|(_, all)| all.contains(assignment))?.0.as_str();
    let applies = match &assignment.to {
        Assignee::Usual => false,
        Assignee::Nobody => true,
        Assignee::Click { click_id, .. } => {
            book.world.clicks.contains_key(click_id) && (sale.inherits() || sale.direct(book.world).is_some())
        }
    };
    applies.then_some(Assigned { customer, assignment })
}

/// Every ID of the sale's customer, `cus_…` and the merchant's own: those that the sale and its subscription name, and
/// those that other payments or metadata tie to them, directly or by further IDs, at any time.
fn names<'b>(book: &'b Book<'_>, sale: &'b Sale<'_>) -> BTreeSet<&'b str> {
    let (timeline, holders) = (&book.timeline, &book.world.holders);
    let mut names: BTreeSet<&str> = sale.customer.as_deref().into_iter().collect();
    names.extend(sale.external_customers.iter().map(String::as_str));
    if let Some(subscription) = sale.subscription.as_deref() {
        if let Some(line) = timeline.subscriptions.get(subscription) {
            names.extend(line.named.keys().map(String::as_str));
            names.extend(line.stripe_customers.iter().map(String::as_str));
        }
        let known = holders.subscriptions.get(subscription);
        let references = known.into_iter().flat_map(|known| known.references.iter());
        names.extend(references.filter_map(|(_, references)| references.customer.as_deref()));
    }
    let mut new: Vec<&str> = names.iter().copied().collect();
    while let Some(name) = new.pop() {
        let of_customer = timeline.customers.get(name).into_iter().flat_map(|line| line.named.keys());
        let of_own =
            timeline.external_customers.get(name).into_iter().flat_map(|line| &line.stripe_customers);
        let stated = holders.customers.get(name).into_iter().flat_map(|known| known.references.iter());
        let stated = stated.filter_map(|(_, references)| references.customer.as_deref());
        for tied in of_customer.map(String::as_str).chain(of_own.map(String::as_str)).chain(stated) {
            if names.insert(tied) {
                new.push(tied);
            }
        }
    }
    names
}
