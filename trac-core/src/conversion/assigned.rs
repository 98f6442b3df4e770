//! Which payments and leads belong to a customer whom the merchant assigned.
//!
//! An assignment replaces the result of the rules for the payments it covers, and is not an attribution from
//! which others follow: what a payment before it, or of another customer, is credited to does not change.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

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

/// Every ID of the sale's customer, `cus_…` and the merchant's own: those that the sale names, and those that
/// other payments or metadata tie to its customer and subscription, at any time.
fn names<'b>(book: &'b Book<'_>, sale: &'b Sale<'_>) -> BTreeSet<&'b str> {
    let (timeline, holders) = (&book.timeline, &book.world.holders);
    let subscription = sale.subscription.as_deref();
    let of_subscription = subscription.and_then(|id| timeline.subscriptions.get(id));
    let mut customers: BTreeSet<&str> = sale.customer.as_deref().into_iter().collect();
    let mut own: BTreeSet<&str> = sale.external_customers.iter().map(String::as_str).collect();
    if let Some(line) = of_subscription {
        own.extend(line.named.keys().map(String::as_str));
        if customers.is_empty() {
            customers.extend(line.stripe_customers.iter().map(String::as_str));
        }
    }
    if let Some(known) = subscription.and_then(|id| holders.subscriptions.get(id)) {
        own.extend(known.references.iter().filter_map(|(_, references)| references.customer.as_deref()));
    }
    if customers.is_empty() {
        // A lead or report names only the merchant's own ID.
        let lines = own.iter().filter_map(|id| timeline.external_customers.get(*id));
        customers.extend(lines.flat_map(|line| line.stripe_customers.iter().map(String::as_str)));
    }
    for id in &customers {
        let line = timeline.customers.get(*id);
        own.extend(line.into_iter().flat_map(|line| line.named.keys().map(String::as_str)));
        if let Some(known) = holders.customers.get(*id) {
            own.extend(known.references.iter().filter_map(|(_, references)| references.customer.as_deref()));
        }
    }
    own.into_iter().chain(customers).collect()
}
