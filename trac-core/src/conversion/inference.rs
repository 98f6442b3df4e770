//! Payments that are the same money although no event links them.
//!
//! An inference is computed from all facts each time and never stored: once an event links the payments, it
//! is gone.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::payment::{self, Money};
use super::world::World;
use crate::money::Currency;
use crate::time::Timestamp;
use crate::webhook::facts::Facts;

/// The largest difference between the time of a charge and the time the matching payment was paid, in
/// seconds.
const INFERENCE_SECS: u64 = 3_600;
/// The longest time from a session's creation to its first invoice, in seconds: a session can be paid for 24
/// hours, plus one hour for the invoice.
const SESSION_SECS: i64 = 25 * 3_600;

/// Whether a payment without a link is the same money as another payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Inference {
    /// It matches no other payment.
    #[default]
    Alone,
    /// It is the same money as the payment with that ID.
    SameAs(String),
    /// It matches several payments, or a payment that another one matches too.
    Ambiguous,
}

/// Infers which payments are the same money, by customer, amount, currency and time. Payments without a match
/// have no entry.
pub(super) fn infer(world: &World) -> BTreeMap<&str, Inference> {
    let first_invoices = first_invoices(world);
    let of_sessions: BTreeMap<&str, &str> = world
        .payments
        .iter()
        .filter_map(|(id, known)| {
            Some((id.as_str(), first_invoice_of_session(&known.facts, &first_invoices)?))
        })
        .collect();
    let own = world.payments.iter().filter(|(id, _)| !of_sessions.contains_key(id.as_str()));
    let mut checkouts = Checkouts::new();
    for (id, known) in own {
        if let Some((key, checkout)) = Checkout::of(id, &known.facts) {
            checkouts.entry(key).or_default().push(checkout);
        }
    }
    let mut matches: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, known) in &world.payments {
        let found = same_money_by_charge(&known.facts, &checkouts);
        if !found.is_empty() {
            matches.insert(id, found);
        }
    }
    let mut match_counts: BTreeMap<&str, u32> = BTreeMap::new();
    for other in matches.values().flatten() {
        let count = match_counts.entry(other).or_default();
        *count = count.saturating_add(1);
    }
    let mut inferred: BTreeMap<&str, Inference> = matches
        .iter()
        .map(|(id, found)| match found.as_slice() {
            [only] if match_counts.get(only) == Some(&1) => (*id, Inference::SameAs(String::from(*only))),
            _ => (*id, Inference::Ambiguous),
        })
        .collect();
    inferred.extend(of_sessions.into_iter().map(|(id, invoice)| (id, Inference::SameAs(invoice.into()))));
    inferred
}

/// A payment with a session or invoice to which no event has linked a charge yet.
struct Checkout<'a> {
    id: &'a str,
    paid_at: Timestamp,
}

/// By customer, amount and currency.
type Checkouts<'a> = BTreeMap<(&'a str, i64, Currency), Vec<Checkout<'a>>>;

impl<'a> Checkout<'a> {
    fn of(id: &'a str, facts: &'a Facts) -> Option<((&'a str, i64, Currency), Self)> {
        let money = Money::of(facts).ok()?;
        let is_charge = |id: &str| ["pi_", "ch_", "py_"].iter().any(|prefix| id.starts_with(prefix));
        if !payment::is_checkout(facts) || facts.payment_ids().into_iter().any(is_charge) {
            return None;
        }
        // Money paid outside Stripe is not on a charge.
        let charged_minor = money.gross_minor().saturating_sub(money.outside_minor());
        let key = (payment::customer(facts)?, charged_minor, money.currency());
        Some((key, Self { id, paid_at: payment::paid_at(facts)? }))
    }
}

/// The payments that a charge without session or invoice may be the money of: same customer, currency and
/// amount, paid within one hour of it.
fn same_money_by_charge<'a>(facts: &Facts, checkouts: &Checkouts<'a>) -> Vec<&'a str> {
    let bare = || {
        let money = Money::of(facts).ok()?;
        let key = (payment::customer(facts)?, money.gross_minor(), money.currency());
        Some((key, payment::paid_at(facts)?))
    };
    let is_named = |id: &str| ["cs_", "in_"].iter().any(|prefix| id.starts_with(prefix));
    let is_linked = payment::is_checkout(facts) || facts.payment_ids().into_iter().any(is_named);
    let Some((key, paid_at)) = (!is_linked).then(bare).flatten() else {
        return Vec::new();
    };
    let is_near =
        |other: &&Checkout<'_>| other.paid_at.unix_secs().abs_diff(paid_at.unix_secs()) <= INFERENCE_SECS;
    checkouts.get(&key).into_iter().flatten().filter(is_near).map(|other| other.id).collect()
}

/// The payment of the first invoice of a subscription.
struct FirstInvoice<'a> {
    moment: (Timestamp, &'a str),
    id: &'a str,
    has_session: bool,
}

/// The first invoices of all subscriptions, by `sub_…`.
fn first_invoices(world: &World) -> BTreeMap<&str, FirstInvoice<'_>> {
    let mut firsts: BTreeMap<&str, FirstInvoice<'_>> = BTreeMap::new();
    for (id, known) in world.payments.iter().filter(|(_, known)| !known.facts.invoices.is_empty()) {
        let moment = payment::time(&known.facts).zip(payment::named_by(&known.facts));
        let Some((subscription, moment)) = payment::subscription(&known.facts).zip(moment) else { continue };
        if firsts.get(subscription).is_none_or(|first| moment < first.moment) {
            let has_session = !known.facts.sessions.is_empty();
            firsts.insert(subscription, FirstInvoice { moment, id, has_session });
        }
    }
    firsts
}

/// The payment of a session's invoice if the session does not name it, as in subscription mode before
/// 2022-11-15: the first invoice of the subscription, if created at most 300 s before and [`SESSION_SECS`]
/// after the session.
fn first_invoice_of_session<'a>(
    facts: &Facts,
    first_invoices: &BTreeMap<&str, FirstInvoice<'a>>,
) -> Option<&'a str> {
    let session = facts.sessions.values().next()?;
    if !session.is_mode("subscription") || !session.invoice.is_empty() || !facts.invoices.is_empty() {
        return None;
    }
    let (subscription, opened) = (session.subscription.as_deref()?, session.created?);
    let first = first_invoices.get(subscription)?;
    let near = (-300..=SESSION_SECS).contains(&first.moment.0.secs_since(opened));
    (near && !first.has_session).then_some(first.id)
}
