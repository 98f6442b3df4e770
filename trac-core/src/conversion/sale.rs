//! The payments of a world side by side: what each is, and which are inferred to be the same money.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::attribution::{self, Attribution, Binder};
use super::candidate::{Candidate, Rule, candidates, holder_time};
use super::inference::{Inference, infer};
use super::payment;
use super::timeline::Timeline;
use super::world::World;
use crate::program::Pins;
use crate::time::Timestamp;
use crate::webhook::facts::Facts;
use crate::webhook::join::Join;

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
    /// The sales of each subscription and customer.
    pub timeline: Timeline<'a>,
    /// What each subscription is attributed to, by `sub_…`: rule (6).
    pub binders: BTreeMap<&'a str, Binder<'a>>,
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
                candidates: relevant(candidates(&facts, &world.holders), world),
                payment_link: payment::payment_link(&facts).or(of_subscription).map(Into::into),
                inference: inferred.get(id).cloned().unwrap_or_default(),
                facts,
            };
            (id, sale)
        };
        let sales: BTreeMap<&str, Sale<'_>> = facts.into_iter().map(sale).collect();
        let timeline = Timeline::of(sales.values(), world);
        let mut book = Self { world, sales, timeline, binders: BTreeMap::new(), credits: BTreeMap::new() };
        book.binders = attribution::binders(&book);
        book.credits = attribution::credits(&book);
        book
    }

    /// Payments of a subscription that are their own money, the earliest first.
    pub fn of_subscription<'s>(
        &'s self,
        id: &str,
    ) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> + use<'s, 'a> {
        self.found(self.timeline.subscriptions.get(id).map(|line| &line.all))
    }

    /// Payments of a customer that are their own money, the earliest first.
    pub fn of_customer<'s>(
        &'s self,
        id: &str,
    ) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> + use<'s, 'a> {
        self.found(self.timeline.customers.get(id).map(|line| &line.all))
    }

    /// The merchant's own IDs that a customer's payments had named by that time.
    pub fn names_of_customer<'s>(
        &'s self,
        id: &str,
        time: Timestamp,
    ) -> impl Iterator<Item = &'s str> + use<'s, 'a> {
        let named = self.timeline.customers.get(id).into_iter().flat_map(|line| &line.named);
        named.filter(move |(_, first)| **first <= time).map(|(id, _)| id.as_str())
    }

    fn found<'s>(
        &'s self,
        ids: Option<&'s Vec<&'a str>>,
    ) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> + use<'s, 'a> {
        let sales = ids.into_iter().flatten().filter_map(|id| self.sales.get(id));
        sales.filter_map(|sale| Some(((sale.time?, sale.named_by.as_str()), sale)))
    }
}

impl Sale<'_> {
    /// Where it stands among others: its time, its Stripe ID, our ID.
    #[must_use]
    pub fn moment(&self) -> (Option<Timestamp>, &str, &str) {
        (self.time, &self.named_by, self.id)
    }

    /// The first claimed value that is a known click.
    #[must_use]
    pub fn claimed<'s>(&'s self, world: &World) -> Option<&'s Candidate> {
        let mut claims = self.candidates.iter().filter(|candidate| candidate.rule == Rule::Claim);
        claims.find(|candidate| world.clicks.get(&candidate.value).is_some_and(|click| !click.is_standing))
    }

    /// The click that stands for the first promotion code used that a partner held then.
    #[must_use]
    pub fn promoted<'w>(&self, world: &'w World) -> Option<&'w str> {
        let mut used = self.candidates.iter().filter(|candidate| candidate.rule == Rule::PromotionCode);
        used.find_map(|candidate| world.promoted_by(&candidate.value, self.time?))
    }

    /// Whether rule (8) looks at it: a lead, a report of the merchant's own, or a payment with a session or an invoice.
    #[must_use]
    pub fn inherits(&self) -> bool {
        self.is_lead() || self.is_reported() || payment::is_checkout(&self.facts)
    }

    /// Whether the merchant reported it by a secret key.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.facts.reports.values().any(|report| report.by_merchant)
    }

    /// Whether a candidate is the click of a claim, approved or not: it speaks for this payment alone.
    #[must_use]
    pub fn is_claimed(&self, found: &Candidate) -> bool {
        self.facts.reports.get(&found.object).is_some_and(|report| !report.by_merchant)
    }

    /// Whether a promotion code was typed at this very payment. Later invoices of a subscription repeat the discount that was
    /// typed at its first payment.
    #[must_use]
    pub fn is_code_typed(&self, book: &Book<'_>) -> bool {
        let is_first =
            |id: &str| book.of_subscription(id).next().is_some_and(|(_, first)| first.id == self.id);
        !self.facts.sessions.is_empty() || self.subscription.as_deref().is_none_or(is_first)
    }

    /// The versions it is judged by in place of those of its time.
    #[must_use]
    pub fn pins(&self) -> Option<&Pins> {
        self.facts.pins.as_ref().map(|pins| &pins.value)
    }

    /// Whether it is a lead, which moves no money.
    #[must_use]
    pub fn is_lead(&self) -> bool {
        !self.facts.leads.is_empty()
    }

    /// The first value by rules (1) to (5), of a report or of a lead that is a known click.
    #[must_use]
    pub fn direct<'s>(&'s self, world: &World) -> Option<&'s Candidate> {
        let last_resort = |rule| matches!(rule, Rule::Claim | Rule::PromotionCode);
        let mut own = self.candidates.iter().filter(|candidate| !last_resort(candidate.rule));
        own.find(|candidate| world.clicks.get(&candidate.value).is_some_and(|click| !click.is_standing))
    }
}

/// Candidates without the promotion codes that no partner ever held: most discounts are the merchant's own.
fn relevant(mut candidates: Vec<Candidate>, world: &World) -> Vec<Candidate> {
    candidates.retain(|one| one.rule != Rule::PromotionCode || world.promotions.contains_key(&one.value));
    candidates
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

/// The merchant's own IDs of the buyer: in the payment's own metadata, and in what that of its subscription and customer said
/// at its time.
fn external_customers(facts: &Facts, holders: &Facts) -> BTreeSet<String> {
    let subscription = payment::subscription(facts).and_then(|id| holders.subscriptions.get(id));
    let customer = payment::customer(facts).and_then(|id| holders.customers.get(id));
    let time = holder_time(facts);
    let references = [
        subscription.and_then(|known| known.references.at(time?)),
        customer.and_then(|known| known.references.at(time?)),
    ];
    let of_holders = references.into_iter().flatten().filter_map(|said| said.customer.as_deref());
    payment::external_customers(facts).into_iter().chain(of_holders).map(Into::into).collect()
}
