//! What an event states about the objects it names.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::adjustment::Adjustment;
use super::assignment::Assignment;
use super::charge::Charge;
use super::credit_note::CreditNote;
use super::customer::Customer;
use super::dispute::Dispute;
use super::event::Event;
use super::field::Fields;
use super::invoice::{self, Invoice};
use super::invoice_payment::InvoicePayment;
use super::join::{Join, Latest, greatest};
use super::lead::Lead;
use super::linked::Linked;
use super::payment_intent::PaymentIntent;
use super::refund::Refund;
use super::report::Report;
use super::session::Session;
use super::subscription::Subscription;
use super::verdict::{Verdict, Verdicts};
use crate::program::Pins;
use crate::reason::Reason;
use crate::time::Timestamp;

/// Facts about Stripe objects, by their IDs. The facts of one event are a few entries; the facts of a payment
/// are everything known about its money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is named like the objects it holds")]
pub struct Facts {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sessions: BTreeMap<String, Session>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invoices: BTreeMap<String, Invoice>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub payment_intents: BTreeMap<String, PaymentIntent>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub charges: BTreeMap<String, Charge>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, Refund>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<String, Dispute>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subscriptions: BTreeMap<String, Subscription>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub customers: BTreeMap<String, Customer>,
    /// Who earns from the payments of a customer, as the merchant decided, by the customer's ID: `cus_…` or the
    /// merchant's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub assignments: BTreeMap<String, BTreeSet<Assignment>>,
    /// Leads that merchants and pages reported, by our ID of the lead.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leads: BTreeMap<String, Lead>,
    /// Reports of payments by merchants and pages, by our ID of the report.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reports: BTreeMap<String, Report>,
    /// The merchant's adjustments, by our ID of the adjustment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub adjustments: BTreeMap<String, Adjustment>,
    /// The merchant's decisions about the payment's commissions, by the ID of an object of the payment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub verdicts: BTreeMap<String, Verdicts>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invoice_payments: BTreeMap<String, InvoicePayment>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub credit_notes: BTreeMap<String, CreditNote>,
    /// Pairs of IDs that are the same money: those that the merchant linked, and those shown by objects
    /// stored with another payment.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub links: BTreeSet<(String, String)>,
    /// The versions of terms that a replay pinned, and the time of that replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins: Option<Latest<Pins>>,
    /// The payment's own invoice, where its money paid several invoices. The other invoices are named by
    /// these facts and are payments of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_invoice: Option<String>,
}

/// The kind of change that an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Money was paid, or a session shows that it is not paid yet.
    Sale,
    /// Two IDs are the same money.
    Link,
    /// The lines of an invoice, without amounts paid.
    Lines,
    /// Money went back.
    Refund,
    /// A bank took money back, or returned it.
    Dispute,
    /// A subscription ended.
    Cancellation,
    /// A change to a subscription or customer that moves no money.
    Holder,
    /// The merchant decided about a commission.
    Verdict,
}

/// Why an event has no facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFacts {
    /// An event type that is not used here.
    UnsupportedEvent,
    /// A thin (v2) event, which carries no object.
    UnsupportedThinEvent,
    /// `invoice.payment_succeeded`: `invoice.paid` reports the same and more.
    UseInvoicePaid,
    /// A payment that failed, or a session that expired: no money moved.
    NothingPaid(Reason),
    /// A known type whose object has no ID or has amounts that cannot be read.
    Unreadable,
}

impl NoFacts {
    /// The reason that the log shows.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::UnsupportedEvent => Reason::UnsupportedEvent,
            Self::UnsupportedThinEvent => Reason::UnsupportedThinEvent,
            Self::UseInvoicePaid => Reason::UseInvoicePaid,
            Self::NothingPaid(reason) => reason,
            Self::Unreadable => Reason::Unreadable,
        }
    }
}

/// The type of the thin event that tests a destination: it shows that deliveries arrive.
pub const PING: &str = "v2.core.event_destination.ping";

impl Topic {
    /// The topic of an event type; `None` for types that carry no facts.
    ///
    /// # Examples
    /// ```
    /// use trac_core::webhook::facts::Topic;
    ///
    /// assert_eq!(Topic::of("charge.refunded"), Some(Topic::Refund));
    /// assert_eq!(Topic::of("payout.paid"), None);
    /// ```
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "checkout.session.completed"
            | "checkout.session.async_payment_succeeded"
            | "checkout.session.async_payment_failed"
            | "invoice.paid"
            | "payment_intent.succeeded"
            | "charge.succeeded"
            | "charge.captured" => Self::Sale,
            "invoice_payment.paid" | "credit_note.created" | "credit_note.voided" => Self::Link,
            "charge.refunded"
            | "charge.refund.updated"
            | "refund.created"
            | "refund.updated"
            | "refund.failed" => Self::Refund,
            "charge.dispute.created"
            | "charge.dispute.updated"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated"
            | "charge.dispute.closed" => Self::Dispute,
            "customer.subscription.deleted" => Self::Cancellation,
            invoice::LINES_LISTED => Self::Lines,
            "customer.subscription.created"
            | "customer.subscription.updated"
            | "customer.created"
            | "customer.updated" => Self::Holder,
            _ => return None,
        })
    }
}

impl Facts {
    /// Reads the facts of an event. `received_at` is used if the event has no `created`.
    ///
    /// # Errors
    /// [`NoFacts`] if the event has no facts.
    pub fn read(event: &Event, received_at: Timestamp) -> Result<Self, NoFacts> {
        if event.is_thin {
            let is_ping = event.kind == PING;
            return Err(if is_ping { NoFacts::UnsupportedEvent } else { NoFacts::UnsupportedThinEvent });
        }
        match event.kind.as_str() {
            "invoice.payment_succeeded" => return Err(NoFacts::UseInvoicePaid),
            "checkout.session.expired" => return Err(NoFacts::NothingPaid(Reason::UnpaidSession)),
            "invoice.payment_failed" | "payment_intent.payment_failed" | "charge.failed" => {
                return Err(NoFacts::NothingPaid(Reason::PaymentFailed));
            }
            _ => {}
        }
        Topic::of(&event.kind).ok_or(NoFacts::UnsupportedEvent)?;
        let at = event.created.unwrap_or(received_at);
        Self::of_object(&event.kind, Fields(&event.object), at).ok_or(NoFacts::Unreadable)
    }

    fn of_object(kind: &str, fields: Fields<'_>, at: Timestamp) -> Option<Self> {
        let mut facts = Self::default();
        let id = || fields.id("id").map(String::from);
        if kind == invoice::LINES_LISTED {
            facts.invoices.insert(id()?, Invoice::read_listed(fields, at).ok()?);
            return Some(facts);
        }
        match kind.rsplit_once('.').map_or(kind, |(object, _)| object) {
            "checkout.session" => {
                facts.sessions.insert(id()?, Session::read(fields, kind, at).ok()?);
            }
            "invoice" => {
                facts.invoices.insert(id()?, Invoice::read(fields, at).ok()?);
            }
            "invoice_payment" => {
                facts.invoice_payments.extend(InvoicePayment::read(fields, at).ok()?);
            }
            "credit_note" => {
                facts.credit_notes.extend(CreditNote::read(fields, kind).ok()?);
            }
            "payment_intent" => {
                facts.payment_intents.insert(id()?, PaymentIntent::read(fields, at).ok()?);
            }
            "charge" => {
                facts.charges.insert(id()?, Charge::read(fields, at).ok()?);
            }
            "refund" | "charge.refund" => {
                facts.refunds.insert(id()?, Refund::read(fields).ok()?);
            }
            "charge.dispute" => {
                facts.disputes.insert(id()?, Dispute::read(fields, kind, at).ok()?);
            }
            "customer.subscription" => {
                facts.subscriptions.insert(id()?, Subscription::read(fields, kind, at));
            }
            _ => {
                facts.customers.insert(id()?, Customer::read(fields, at));
            }
        }
        Some(facts)
    }

    /// The IDs of all objects that these facts show to be the same money: `cs_`, `in_`, `pi_`, `ch_`, payment
    /// records, and their refunds and disputes; never `sub_` or `cus_`. A lead has only our ID of it. Of
    /// several invoices that the same money paid, only the payment's own is included.
    #[must_use]
    pub fn payment_ids(&self) -> BTreeSet<&str> {
        let of = self.of_invoice.as_deref();
        self.every_payment_id().filter(|id| of.is_none_or(|own| own == *id || !is_invoice(id))).collect()
    }

    /// The other invoices that the payment's money paid, or that its objects named at any time. Each is a
    /// payment of its own.
    #[must_use]
    pub fn other_invoices(&self) -> BTreeSet<&str> {
        let Some(own) = self.of_invoice.as_deref() else { return BTreeSet::new() };
        self.every_payment_id().filter(|id| is_invoice(id) && *id != own).collect()
    }

    /// Whether one of these IDs is named by these facts.
    #[must_use]
    pub fn names_any(&self, ids: &BTreeSet<&str>) -> bool {
        self.every_payment_id().any(|id| ids.contains(id))
    }

    /// Like [`Facts::payment_ids`], but with all invoices; some IDs occur more than once.
    pub(crate) fn every_payment_id(&self) -> impl Iterator<Item = &str> {
        let keys = self.sessions.keys().chain(self.invoices.keys()).chain(self.payment_intents.keys());
        let keys = keys.chain(self.charges.keys()).chain(self.refunds.keys()).chain(self.disputes.keys());
        let keys =
            keys.chain(self.leads.keys()).chain(self.reports.values().map(|report| &report.transaction));
        let keys = keys.chain(self.adjustments.keys()).chain(self.verdicts.keys());
        let own = self.of_invoice.iter();
        let tied = self.ties().flat_map(|(one, other)| [one, other]);
        let session_invoices = self.sessions.values().flat_map(|session| session.invoice.iter());
        keys.chain(own).map(String::as_str).chain(tied).chain(session_invoices)
    }

    /// The pairs of IDs that these facts show to be the same money. A session with an invoice is part of that
    /// invoice's payment; its PaymentIntent is linked to the invoice.
    pub(crate) fn ties(&self) -> impl Iterator<Item = (&str, &str)> {
        let sessions = self.sessions.iter().flat_map(|(id, session)| {
            let own = session.invoice.is_empty().then_some(id.as_str());
            let owners = session.invoice.iter().chain(own);
            let intents =
                owners.flat_map(|owner| session.payment_intent.iter().map(move |intent| (owner, intent)));
            intents.chain(session.invoice.id().map(|invoice| (invoice, id.as_str())))
        });
        let invoices = self.invoices.iter().flat_map(|(id, it)| pairs(id, [&it.payment_intent, &it.charge]));
        let intents = self.payment_intents.iter();
        let intents = intents
            .flat_map(|(id, it)| pairs(id, [&it.charge, &it.invoice]).chain(pairs(id, [&it.payment_record])));
        let charges = self.charges.iter().flat_map(|(id, it)| pairs(id, [&it.payment_intent, &it.invoice]));
        let refunds = self.refunds.iter().flat_map(|(id, it)| pairs(id, [&it.charge, &it.payment_intent]));
        let disputes = self.disputes.iter().flat_map(|(id, it)| pairs(id, [&it.charge, &it.payment_intent]));
        let paid = self.invoice_payments.values();
        let paid = paid.flat_map(|it| it.invoice.iter().flat_map(|invoice| pairs(invoice, [&it.payer])));
        let notes = self.credit_notes.values().flat_map(|note| {
            note.invoice
                .iter()
                .flat_map(|invoice| note.refunds.iter().map(move |refund| (invoice, refund.as_str())))
        });
        let notes =
            notes.chain(self.credit_notes.values().flat_map(|note| note.invoice.iter().map(|id| (id, id))));
        let links = self.links.iter().map(|(one, other)| (one.as_str(), other.as_str()));
        sessions
            .chain(invoices)
            .chain(intents)
            .chain(charges)
            .chain(refunds)
            .chain(disputes)
            .chain(paid)
            .chain(notes)
            .chain(links)
    }

    /// Removes and returns the facts about subscriptions and customers.
    #[must_use]
    pub fn take_holders(&mut self) -> Self {
        Self {
            subscriptions: core::mem::take(&mut self.subscriptions),
            customers: core::mem::take(&mut self.customers),
            assignments: core::mem::take(&mut self.assignments),
            ..Self::default()
        }
    }

    /// Whether these facts have an object in common with others.
    #[must_use]
    pub fn has_object_of(&self, other: &Self) -> bool {
        self.sessions.keys().any(|id| other.sessions.contains_key(id))
            || self.invoices.keys().any(|id| other.invoices.contains_key(id))
            || self.payment_intents.keys().any(|id| other.payment_intents.contains_key(id))
            || self.charges.keys().any(|id| other.charges.contains_key(id))
            || self.refunds.keys().any(|id| other.refunds.contains_key(id))
            || self.disputes.keys().any(|id| other.disputes.contains_key(id))
            || self.leads.keys().any(|id| other.leads.contains_key(id))
            || self.reports.keys().any(|id| other.reports.contains_key(id))
            || self.adjustments.keys().any(|id| other.adjustments.contains_key(id))
            || self.invoice_payments.keys().any(|id| other.invoice_payments.contains_key(id))
            || self.credit_notes.keys().any(|id| other.credit_notes.contains_key(id))
            || self.links.iter().any(|link| other.links.contains(link))
    }

    /// Whether Stripe reported anything about the money. If so, amounts are read only from Stripe's objects.
    #[must_use]
    pub fn is_reported_by_stripe(&self) -> bool {
        !(self.sessions.is_empty()
            && self.invoices.values().all(|invoice| invoice.amounts.is_none())
            && self.payment_intents.is_empty()
            && self.charges.is_empty())
    }

    /// The merchant's latest decision about the commission for a click.
    #[must_use]
    pub fn verdict(&self, click_id: &str) -> Option<&Verdict> {
        let latest = self.verdicts.values().filter_map(|verdicts| verdicts.0.get(click_id)).max();
        latest.map(|latest| &latest.value)
    }

    /// Whether there are no facts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Join for Facts {
    fn join(&mut self, other: Self) {
        self.sessions.join(other.sessions);
        self.invoices.join(other.invoices);
        self.payment_intents.join(other.payment_intents);
        self.charges.join(other.charges);
        self.refunds.join(other.refunds);
        self.disputes.join(other.disputes);
        self.subscriptions.join(other.subscriptions);
        self.customers.join(other.customers);
        self.assignments.join(other.assignments);
        self.leads.join(other.leads);
        self.reports.join(other.reports);
        self.adjustments.join(other.adjustments);
        self.verdicts.join(other.verdicts);
        self.invoice_payments.join(other.invoice_payments);
        self.credit_notes.join(other.credit_notes);
        self.links.join(other.links);
        greatest(&mut self.pins, other.pins);
        greatest(&mut self.of_invoice, other.of_invoice);
    }
}

/// Whether an ID is that of an invoice.
pub(crate) fn is_invoice(id: &str) -> bool {
    id.starts_with("in_")
}

fn pairs<'a, const N: usize>(
    id: &'a str,
    linked: [&'a Linked; N],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    linked.into_iter().flat_map(Linked::iter).map(move |other| (id, other))
}
