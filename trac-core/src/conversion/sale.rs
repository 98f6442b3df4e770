//! The payments of a world side by side: what each is, and which are inferred to be the same money.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::attribution::{self, Attribution};
use super::payment::{self, Money};
use super::world::World;
use crate::money::Currency;
use crate::time::Timestamp;
use crate::webhook::facts::Facts;
use crate::webhook::join::Join;

/// How far a charge may lie from the payment it is inferred to be, in seconds.
const INFERENCE_SECS: u64 = 3_600;
/// A session can be paid for a day after it was opened; an hour is left for the invoice.
const SESSION_SECS: i64 = 25 * 3_600;

/// Where a candidate for the click was found, in the order of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// (1) metadata of the Checkout Session.
    SessionMetadata,
    /// (2) `client_reference_id`.
    ClientReferenceId,
    /// (3) metadata of the subscription.
    SubscriptionMetadata,
    /// (4) metadata of the invoice.
    InvoiceMetadata,
    /// (5) metadata of the PaymentIntent or charge.
    PaymentMetadata,
    /// (6) the subscription was attributed before.
    Subscription,
    /// (7) metadata of the customer.
    CustomerMetadata,
    /// (8) the customer was attributed before, by a payment or a lead.
    Customer,
    /// The click that was told with a lead; it speaks for the lead itself.
    Lead,
    /// The click that the merchant reported with the payment, after (5).
    Report,
    /// The click that a browser claimed with the payment, where nothing else resolves.
    Claim,
}

/// A value that may be a click ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Where it stood.
    pub rule: Rule,
    /// The Stripe object that carried it.
    pub object: String,
    /// The value.
    pub value: String,
}

/// Whether a payment without an exact link is some other payment's money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Inference {
    /// It stands alone.
    #[default]
    Alone,
    /// It is the same money as the payment of that ID.
    SameAs(String),
    /// It could be several.
    Ambiguous,
}

/// Where a payment stands among others: its time, then its Stripe ID ([`payment::named_by`]).
pub type Moment<'s> = (Timestamp, &'s str);

/// One payment of a world.
#[derive(Clone, Debug)]
pub struct Sale<'a> {
    /// Our ID of the payment.
    pub id: &'a str,
    /// The Stripe ID that decides between payments of the same second.
    pub named_by: String,
    /// Its facts, with those of payments inferred to be the same money.
    pub facts: Cow<'a, Facts>,
    /// When it happened; `None` for facts that are no payment yet.
    pub time: Option<Timestamp>,
    /// `sub_…`
    pub subscription: Option<String>,
    /// `cus_…`
    pub customer: Option<String>,
    /// The merchant's own IDs of the customer, in metadata of the payment, its subscription or customer, or of the lead.
    pub external_customers: BTreeSet<String>,
    /// Rules (1) to (5): every value found, in order.
    pub candidates: Vec<Candidate>,
    /// `plink_…`: the Payment Link it was bought through, or its subscription was.
    pub payment_link: Option<String>,
    /// Whether it is inferred to be another payment's money.
    pub inference: Inference,
}

/// All payments of a world, ready to be asked about each other.
#[derive(Clone, Debug)]
pub struct Book<'a> {
    /// Where they come from.
    pub world: &'a World,
    /// By our ID.
    pub sales: BTreeMap<&'a str, Sale<'a>>,
    /// Whether any of them is a lead.
    pub has_leads: bool,
    /// The click each payment is credited to, by our ID of the payment; worked out once, because a customer's payments ask
    /// for each other's.
    pub credits: BTreeMap<&'a str, Attribution>,
}

impl<'a> Book<'a> {
    /// Reads a world.
    #[must_use]
    pub fn open(world: &'a World) -> Self {
        let inferred = infer(world);
        let links = payment_links(world);
        let mut facts: BTreeMap<&str, Cow<'_, Facts>> =
            world.payments.iter().map(|(id, known)| (id.as_str(), Cow::Borrowed(&known.facts))).collect();
        for (id, inference) in &inferred {
            let (Inference::SameAs(other), Some(known)) = (inference, world.payments.get(*id)) else {
                continue;
            };
            if let Some(whole) = facts.get_mut(other.as_str()) {
                whole.to_mut().join(known.facts.clone());
            }
        }
        let sale = |(id, facts): (&'a str, Cow<'a, Facts>)| {
            let of_subscription = payment::subscription(&facts).and_then(|id| links.get(id).copied());
            let sale = Sale {
                id,
                named_by: payment::named_by(&facts).unwrap_or_default().into(),
                time: payment::time(&facts),
                subscription: payment::subscription(&facts).map(Into::into),
                customer: payment::customer(&facts).map(Into::into),
                external_customers: external_customers(&facts, &world.holders),
                candidates: candidates(&facts, &world.holders),
                payment_link: payment::payment_link(&facts).or(of_subscription).map(Into::into),
                inference: inferred.get(id).cloned().unwrap_or_default(),
                facts,
            };
            (id, sale)
        };
        let sales = facts.into_iter().map(sale).collect();
        let has_leads = world.payments.values().any(|known| !known.facts.leads.is_empty());
        let mut book = Self { world, sales, has_leads, credits: BTreeMap::new() };
        book.credits = attribution::credits(&book);
        book
    }

    /// Payments of a subscription that are their own money.
    pub fn of_subscription<'s>(&'s self, id: &'s str) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> {
        self.own().filter(move |(_, sale)| sale.subscription.as_deref() == Some(id))
    }

    /// Payments of a customer that are their own money.
    pub fn of_customer<'s>(&'s self, id: &'s str) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> {
        self.own().filter(move |(_, sale)| sale.customer.as_deref() == Some(id))
    }

    /// Leads and payments of a customer whom the merchant knows by any of these IDs.
    pub fn of_external_customers<'s>(
        &'s self,
        ids: &'s BTreeSet<&str>,
    ) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> {
        self.own().filter(|(_, sale)| sale.external_customers.iter().any(|id| ids.contains(id.as_str())))
    }

    fn own(&self) -> impl Iterator<Item = (Moment<'_>, &Sale<'a>)> {
        let own = self.sales.values().filter(|sale| !matches!(sale.inference, Inference::SameAs(_)));
        own.filter_map(|sale| Some(((sale.time?, sale.named_by.as_str()), sale)))
    }
}

impl Sale<'_> {
    /// The first claimed value that is a known click.
    #[must_use]
    pub fn claimed<'s>(&'s self, world: &World) -> Option<&'s Candidate> {
        let mut claims = self.candidates.iter().filter(|candidate| candidate.rule == Rule::Claim);
        claims.find(|candidate| world.clicks.contains_key(&candidate.value))
    }

    /// Whether rule (8) looks at it: a lead, a report, or a payment with a session or an invoice.
    #[must_use]
    pub fn inherits(&self) -> bool {
        self.is_lead() || !self.facts.reports.is_empty() || payment::is_checkout(&self.facts)
    }

    /// Whether it is a lead, which moves no money.
    #[must_use]
    pub fn is_lead(&self) -> bool {
        !self.facts.leads.is_empty()
    }

    /// The first value that is a known click. What a subscription says of itself is its latest word, not a snapshot of the
    /// payment's time, so a click it names is passed over for what was paid before.
    #[must_use]
    pub fn direct<'s>(&'s self, world: &World) -> Option<&'s Candidate> {
        let is_snapshot = |candidate: &Candidate| Some(&candidate.object) != self.subscription.as_ref();
        self.candidates.iter().filter(|candidate| candidate.rule != Rule::Claim).find(|candidate| {
            let click = world.clicks.get(&candidate.value);
            click.is_some_and(|click| {
                is_snapshot(candidate) || self.time.is_none_or(|time| click.is_before(time))
            })
        })
    }
}

/// Every value that may be a click ID, by rules (1) to (5).
#[must_use]
pub fn candidates(facts: &Facts, holders: &Facts) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut add = |rule, object: &str, values: &mut dyn Iterator<Item = &String>| {
        found.extend(values.map(|value| Candidate { rule, object: object.into(), value: value.clone() }));
    };
    for (id, session) in &facts.sessions {
        let references = session.references.iter();
        add(Rule::SessionMetadata, id, &mut references.flat_map(|latest| &latest.value.clicks));
    }
    for (id, session) in &facts.sessions {
        let reference = session.client_reference.iter();
        add(Rule::ClientReferenceId, id, &mut reference.map(|latest| &latest.value));
    }
    for (id, invoice) in &facts.invoices {
        let references = invoice.subscription_references.iter();
        add(Rule::SubscriptionMetadata, id, &mut references.flat_map(|latest| &latest.value.clicks));
    }
    if let Some((id, subscription)) =
        payment::subscription(facts).and_then(|id| holders.subscriptions.get_key_value(id))
    {
        let references = subscription.references.iter();
        add(Rule::SubscriptionMetadata, id, &mut references.flat_map(|latest| &latest.value.clicks));
    }
    for (id, invoice) in &facts.invoices {
        let references = invoice.references.iter();
        add(Rule::InvoiceMetadata, id, &mut references.flat_map(|latest| &latest.value.clicks));
    }
    let intents = facts.payment_intents.iter().map(|(id, intent)| (id, &intent.references));
    let charges = facts.charges.iter().map(|(id, charge)| (id, &charge.references));
    for (id, references) in intents.chain(charges) {
        add(Rule::PaymentMetadata, id, &mut references.iter().flat_map(|latest| &latest.value.clicks));
    }
    for (id, lead) in &facts.leads {
        add(Rule::Lead, id, &mut lead.clicks.iter().map(|(_, click)| click));
    }
    for (id, report) in facts.reports.iter().filter(|(_, report)| !report.is_refused()) {
        let rule = if report.is_trusted() { Rule::Report } else { Rule::Claim };
        add(rule, id, &mut report.click.iter());
    }
    found
}

/// The merchant's own IDs of whoever paid: in the payment's own metadata, and in that of its subscription and customer.
fn external_customers(facts: &Facts, holders: &Facts) -> BTreeSet<String> {
    let subscription = payment::subscription(facts).and_then(|id| holders.subscriptions.get(id));
    let customer = payment::customer(facts).and_then(|id| holders.customers.get(id));
    let references = [
        subscription.and_then(|known| known.references.as_ref()),
        customer.and_then(|known| known.references.as_ref()),
    ];
    let of_holders = references.into_iter().flatten().filter_map(|latest| latest.value.customer.as_deref());
    payment::external_customers(facts).into_iter().chain(of_holders).map(Into::into).collect()
}

/// Values that may be click IDs anywhere in a world, for the store to look up.
#[must_use]
pub fn values_to_resolve(world: &World) -> Vec<String> {
    let of_payments = world
        .payments
        .values()
        .flat_map(|known| candidates(&known.facts, &world.holders))
        .map(|found| found.value);
    let of_customers = world.holders.customers.values().filter_map(|customer| customer.references.as_ref());
    let mut values: Vec<_> =
        of_payments.chain(of_customers.flat_map(|latest| latest.value.clicks.iter().cloned())).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The Payment Links that subscriptions were bought through.
fn payment_links(world: &World) -> BTreeMap<&str, &str> {
    let mut links = BTreeMap::new();
    for known in world.payments.values() {
        let bought = payment::subscription(&known.facts).zip(payment::payment_link(&known.facts));
        if let Some((subscription, link)) = bought {
            let first = links.entry(subscription).or_insert(link);
            *first = link.min(first);
        }
    }
    links
}

/// Payments that can only be told apart by amount and time.
fn infer(world: &World) -> BTreeMap<&str, Inference> {
    let of_sessions: BTreeMap<&str, &str> = world
        .payments
        .iter()
        .filter_map(|(id, known)| Some((id.as_str(), first_invoice_of_session(&known.facts, world)?)))
        .collect();
    let own = world.payments.iter().filter(|(id, _)| !of_sessions.contains_key(id.as_str()));
    let whole: Vec<_> = own.filter_map(|(id, known)| Whole::of(id, &known.facts)).collect();
    let mut matches: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, known) in &world.payments {
        let found = same_money_by_charge(&known.facts, &whole);
        if !found.is_empty() {
            matches.insert(id, found);
        }
    }
    let claims = |other: &str| matches.values().filter(|found| found.contains(&other)).count();
    let mut inferred: BTreeMap<&str, Inference> = matches
        .iter()
        .map(|(id, found)| match found.as_slice() {
            [only] if claims(only) == 1 => (*id, Inference::SameAs(String::from(*only))),
            _ => (*id, Inference::Ambiguous),
        })
        .collect();
    inferred.extend(of_sessions.into_iter().map(|(id, invoice)| (id, Inference::SameAs(invoice.into()))));
    inferred
}

/// A payment with a session or invoice to which no event has tied a charge yet.
struct Whole<'a> {
    id: &'a str,
    customer: &'a str,
    amount: (i64, Currency),
    time: Timestamp,
}

impl<'a> Whole<'a> {
    fn of(id: &'a str, facts: &'a Facts) -> Option<Self> {
        let money = Money::of(facts).ok()?;
        let is_charge = |id: &str| ["pi_", "ch_", "py_"].iter().any(|prefix| id.starts_with(prefix));
        if !payment::is_checkout(facts) || facts.payment_ids().into_iter().any(is_charge) {
            return None;
        }
        let amount = (money.gross_minor(), money.currency());
        Some(Self { id, customer: payment::customer(facts)?, amount, time: payment::time(facts)? })
    }
}

/// A charge that names no session or invoice may be the money of a payment of the same customer, currency and amount
/// within one hour.
fn same_money_by_charge<'a>(facts: &Facts, whole: &[Whole<'a>]) -> Vec<&'a str> {
    let bare = || {
        let money = Money::of(facts).ok()?;
        let amount = (money.gross_minor(), money.currency());
        Some((payment::customer(facts)?, amount, payment::time(facts)?))
    };
    let is_named = |id: &str| ["cs_", "in_"].iter().any(|prefix| id.starts_with(prefix));
    let is_linked = payment::is_checkout(facts) || facts.payment_ids().into_iter().any(is_named);
    let Some((customer, amount, time)) = (!is_linked).then(bare).flatten() else {
        return Vec::new();
    };
    let is_same = |other: &&Whole<'_>| {
        other.customer == customer
            && other.amount == amount
            && other.time.unix_secs().abs_diff(time.unix_secs()) <= INFERENCE_SECS
    };
    whole.iter().filter(is_same).map(|other| other.id).collect()
}

/// Before 2022-11-15 a session in subscription mode did not name its invoice. It is then the first invoice of that
/// subscription, if that was made within a day of the session.
fn first_invoice_of_session<'a>(facts: &Facts, world: &'a World) -> Option<&'a str> {
    let session = facts.sessions.values().next()?;
    let unnamed = session.is_mode("subscription") && session.invoice.is_none() && facts.invoices.is_empty();
    let (subscription, opened) = (session.subscription.as_deref()?, session.created?);
    let invoices = world.payments.iter().filter(|(_, known)| {
        !known.facts.invoices.is_empty() && payment::subscription(&known.facts) == Some(subscription)
    });
    let first = invoices
        .filter_map(|(id, known)| {
            Some(((payment::time(&known.facts)?, payment::named_by(&known.facts)?), id, known))
        })
        .min_by_key(|(moment, ..)| *moment);
    let ((time, _), id, known) = first.filter(|_| unnamed)?;
    let near = (-300..=SESSION_SECS).contains(&time.secs_since(opened));
    (near && known.facts.sessions.is_empty()).then_some(id.as_str())
}
