//! Money that paid several invoices.
//!
//! A payment has at most one invoice. A PaymentIntent or charge that paid several invoices is part of the
//! payment of each, with the share that `invoice_payment.amount_paid` states; refunds and disputes of it are
//! split in the same proportion.
//!
//! ```text
//! in_1 ── pi_1 ── in_2          payment of in_1: in_1, pi_1, ch_1
//!          │                    payment of in_2: in_2, pi_1, ch_1
//!         ch_1
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::money::share_half_up;
use crate::webhook::facts::{Facts, is_invoice};

/// Objects other than invoices, grouped into sets that are the same money, and the invoices that each set
/// paid.
struct Parts<'a> {
    /// A union-find forest over the IDs; the root is the ID that names the set.
    sets: BTreeMap<&'a str, &'a str>,
    /// The invoices of each set, by the ID that names the set.
    invoices: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Parts<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut parts = Self { sets: BTreeMap::new(), invoices: BTreeMap::new() };
        for (one, other) in facts.ties().filter(|(one, other)| !is_invoice(one) && !is_invoice(other)) {
            let (one, other) = (parts.set_of(one), parts.set_of(other));
            parts.sets.insert(one.max(other), one.min(other));
        }
        for (one, other) in facts.ties() {
            let (invoice, id) = if is_invoice(one) { (one, other) } else { (other, one) };
            if is_invoice(invoice) && !is_invoice(id) {
                let set = parts.set_of(id);
                parts.invoices.entry(set).or_default().insert(invoice);
            }
        }
        parts
    }

    fn set_of<'b>(&self, id: &'b str) -> &'b str
    where
        'a: 'b,
    {
        let mut set = id;
        while let Some(next) = self.sets.get(set).filter(|next| **next != set) {
            set = next;
        }
        set
    }

    fn invoices_of(&self, id: &str) -> impl Iterator<Item = &'a str> {
        self.invoices.get(self.set_of(id)).into_iter().flatten().copied()
    }
}

/// Splits facts that name several invoices into a payment for each invoice; [`None`] if they name fewer
/// than two.
pub(super) fn by_invoice(facts: &Facts) -> Option<Vec<Facts>> {
    let named: BTreeSet<&str> = facts.every_payment_id().filter(|id| is_invoice(id)).collect();
    if named.len() < 2 {
        return None;
    }
    let parts = Parts::of(facts);
    let first = named.iter().copied().find(|id| facts.invoices.contains_key(*id));
    let first = first.or_else(|| parts.invoices.values().flatten().min().copied());
    let of_invoice = |invoice: &str| {
        // Objects that no tie connects to an invoice belong to the first one.
        let is_own = |id: &str| {
            let mut paid = parts.invoices_of(id).peekable();
            if paid.peek().is_none() { first == Some(invoice) } else { paid.any(|it| it == invoice) }
        };
        restricted(facts, invoice, is_own)
    };
    Some(named.iter().copied().map(of_invoice).filter(|part| !is_bare_name(part)).collect())
}

/// The facts about an invoice and the objects that are its money. Ties of these objects to other invoices are
/// stored in `links`.
fn restricted<'a>(facts: &'a Facts, invoice: &str, is_own: impl Fn(&'a str) -> bool) -> Facts {
    fn filtered<'a, V: Clone>(
        all: &'a BTreeMap<String, V>,
        is_wanted: impl Fn(&'a str) -> bool,
    ) -> BTreeMap<String, V> {
        all.iter().filter(|(id, _)| is_wanted(id)).map(|(id, one)| (id.clone(), one.clone())).collect()
    }
    let is_tied = |one: &'a str, other: &'a str| {
        let is_part = |id: &'a str| if is_invoice(id) { id == invoice } else { is_own(id) };
        is_part(one) || is_part(other)
    };
    let mut links: BTreeSet<(String, String)> =
        facts.links.iter().filter(|(one, other)| is_tied(one, other)).cloned().collect();
    let elsewhere = facts.ties().filter(|(one, other)| {
        let (known, id) = if is_invoice(one) { (*one, *other) } else { (*other, *one) };
        is_invoice(known) && known != invoice && !is_invoice(id) && is_own(id)
    });
    links.extend(elsewhere.map(|(one, other)| (one.into(), other.into())));
    let mut part = Facts {
        sessions: filtered(&facts.sessions, &is_own),
        invoices: filtered(&facts.invoices, |id| id == invoice),
        payment_intents: filtered(&facts.payment_intents, &is_own),
        charges: filtered(&facts.charges, &is_own),
        refunds: filtered(&facts.refunds, &is_own),
        disputes: filtered(&facts.disputes, &is_own),
        leads: filtered(&facts.leads, &is_own),
        adjustments: filtered(&facts.adjustments, &is_own),
        verdicts: filtered(&facts.verdicts, |id| if is_invoice(id) { id == invoice } else { is_own(id) }),
        links,
        of_invoice: Some(invoice.into()),
        ..Facts::default()
    };
    for (id, payment) in &facts.invoice_payments {
        if payment.invoice.contains(invoice) || payment.payer.iter().any(&is_own) {
            part.invoice_payments.insert(id.clone(), payment.clone());
        }
    }
    for (id, note) in &facts.credit_notes {
        if note.invoice.contains(invoice) || note.refunds.iter().any(|refund| is_own(refund)) {
            part.credit_notes.insert(id.clone(), note.clone());
        }
    }
    for (id, report) in &facts.reports {
        let about = report.transaction.as_str();
        if if is_invoice(about) { about == invoice } else { is_own(about) } {
            part.reports.insert(id.clone(), report.clone());
        }
    }
    part
}

/// Whether the facts contain nothing about the invoice except that an object once named it.
fn is_bare_name(facts: &Facts) -> bool {
    let named = Facts { of_invoice: facts.of_invoice.clone(), ..Facts::default() };
    *facts == named
}

/// The share of each object's money that belongs to a payment.
pub(super) struct Shares<'a> {
    /// By set. Sets that are not a key here belong to the payment as a whole.
    of_sets: BTreeMap<&'a str, Share>,
    parts: Option<Parts<'a>>,
}

/// A payment's weight in a set: `own` of `whole`, with `before` the sum of the weights of the invoices that
/// sort before it.
#[derive(Clone, Copy)]
struct Share {
    before: i64,
    own: i64,
    whole: i64,
}

impl<'a> Shares<'a> {
    /// Computes the shares of the payment that these facts belong to.
    pub(super) fn of(facts: &'a Facts) -> Self {
        let Some(own) = facts.of_invoice.as_deref() else {
            return Self { of_sets: BTreeMap::new(), parts: None };
        };
        let parts = Parts::of(facts);
        let shared = parts.invoices.iter().filter(|(_, invoices)| invoices.len() > 1);
        let of_sets =
            shared.map(|(set, invoices)| (*set, share(facts, &parts, set, invoices, own))).collect();
        Self { of_sets, parts: Some(parts) }
    }

    /// The payment's part of an amount of the object `id`. The parts of all payments add up to the amount.
    pub(super) fn split(&self, amount_minor: i64, id: &str) -> i64 {
        let share = self.parts.as_ref().and_then(|parts| self.of_sets.get(parts.set_of(id)));
        let Some(Share { before, own, whole }) = share else { return amount_minor };
        let until = |weight: i64| share_half_up(amount_minor, weight, *whole);
        until(before.saturating_add(*own)).saturating_sub(until(*before))
    }
}

/// An invoice's share of a set, by `invoice_payment.amount_paid`. Invoices without that figure share the rest
/// of the money equally.
fn share(facts: &Facts, parts: &Parts<'_>, set: &str, invoices: &BTreeSet<&str>, own: &str) -> Share {
    let in_set = |id: &str| parts.set_of(id) == set;
    let paid = |invoice: &str| {
        let payments = facts
            .invoice_payments
            .values()
            .filter(|payment| payment.invoice.contains(invoice) && payment.payer.iter().any(in_set));
        let amounts = payments.filter_map(|payment| payment.paid_minor.as_ref());
        amounts.map(|latest| latest.value.max(0)).reduce(i64::saturating_add)
    };
    let paid_by: Vec<(&str, Option<i64>)> =
        invoices.iter().map(|invoice| (*invoice, paid(invoice))).collect();
    let sum = |amounts: &mut dyn Iterator<Item = i64>| amounts.fold(0_i64, i64::saturating_add);
    let known = sum(&mut paid_by.iter().filter_map(|(_, paid)| *paid));
    let unknown = i64::try_from(paid_by.iter().filter(|(_, paid)| paid.is_none()).count()).unwrap_or(1);
    let captured =
        facts.charges.iter().filter(|(id, _)| in_set(id)).filter_map(|(_, charge)| charge.captured.as_ref());
    let captured = sum(&mut captured.map(|latest| latest.value.captured_minor));
    let received =
        facts.payment_intents.iter().filter(|(id, _)| in_set(id)).filter_map(|(_, it)| it.received.as_ref());
    let money = captured.max(sum(&mut received.map(|latest| latest.value.0)));
    let rest = money.saturating_sub(known).max(0);
    // Weights are integers, so known amounts are multiplied by the number of invoices that share the rest.
    let weight = |paid: Option<i64>| paid.map_or(rest, |paid| paid.saturating_mul(unknown.max(1)));
    let has_weight = paid_by.iter().any(|(_, paid)| weight(*paid) > 0);
    let weighed =
        paid_by.iter().map(|(invoice, paid)| (*invoice, if has_weight { weight(*paid) } else { 1 }));
    let mut share = Share { before: 0, own: 0, whole: 0 };
    for (invoice, weight) in weighed {
        share.whole = share.whole.saturating_add(weight);
        if invoice < own {
            share.before = share.before.saturating_add(weight);
        } else if invoice == own {
            share.own = weight;
        }
    }
    share
}
