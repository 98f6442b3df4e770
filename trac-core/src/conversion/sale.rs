//! One payment or lead of a world: its IDs, its time, its click candidates and its buyer.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::candidate::{Candidate, Rule, candidates, holder_time};
use super::inference::Inference;
use super::payment;
use super::world::World;
use crate::program::Pins;
use crate::time::Timestamp;
use crate::webhook::facts::Facts;

/// The place of a payment in the order of sales: its time, then its Stripe ID ([`payment::named_by`]).
pub type Moment<'s> = (Timestamp, &'s str);

/// One payment or lead of a world.
#[derive(Clone, Debug)]
pub struct Sale<'a> {
    /// Our ID of the payment or lead.
    pub id: &'a str,
    /// The Stripe ID that orders payments of the same second.
    pub named_by: String,
    /// Its facts, with those of payments inferred to be the same money.
    pub facts: Cow<'a, Facts>,
    /// When it happened; `None` while the facts contain no payment, lead or report.
    pub time: Option<Timestamp>,
    /// `sub_…`
    pub subscription: Option<String>,
    /// `cus_…`
    pub customer: Option<String>,
    /// The merchant's own IDs of the customer: in metadata of the payment, its subscription or its customer,
    /// or of the lead or report.
    pub external_customers: BTreeSet<String>,
    /// Every value that may be a click ID, in the order of [`candidates`].
    pub candidates: Vec<Candidate>,
    /// `plink_…`: the Payment Link through which it, or its subscription, was bought.
    pub payment_link: Option<String>,
    /// Whether it is inferred to be another payment's money.
    pub inference: Inference,
}

impl<'a> Sale<'a> {
    /// Reads a payment from its facts; `of_subscription` is the Payment Link through which its subscription
    /// was bought.
    pub(super) fn of(
        id: &'a str,
        facts: Cow<'a, Facts>,
        world: &World,
        of_subscription: Option<&str>,
        inference: Inference,
    ) -> Self {
        Self {
            id,
            named_by: payment::named_by(&facts).unwrap_or_default().into(),
            time: payment::time(&facts),
            subscription: payment::subscription(&facts).map(Into::into),
            customer: payment::customer(&facts).map(Into::into),
            external_customers: external_customers(&facts, &world.holders),
            candidates: relevant(candidates(&facts, &world.holders), world),
            payment_link: payment::payment_link(&facts).or(of_subscription).map(Into::into),
            inference,
            facts,
        }
    }
}

impl Sale<'_> {
    /// Its place in the order of sales: time, Stripe ID, our ID.
    #[must_use]
    pub fn moment(&self) -> (Option<Timestamp>, &str, &str) {
        (self.time, &self.named_by, self.id)
    }

    /// The first claimed value that is a known click, approved or not. It applies to this payment alone, and
    /// only if no other rule resolves.
    #[must_use]
    pub fn claimed<'s>(&'s self, world: &World) -> Option<&'s Candidate> {
        let mut claims = self.candidates.iter().filter(|candidate| candidate.rule == Rule::Claim);
        claims.find(|candidate| world.clicks.get(&candidate.value).is_some_and(|click| !click.is_promotion))
    }

    /// The click that represents the first promotion code used that was assigned to a partner at the time.
    #[must_use]
    pub fn promoted<'w>(&self, world: &'w World) -> Option<&'w str> {
        let mut used = self.candidates.iter().filter(|candidate| candidate.rule == Rule::PromotionCode);
        used.find_map(|candidate| world.promoted_by(&candidate.value, self.time?))
    }

    /// Whether rule (8) applies to it: a lead, a report by the merchant, or a payment with a session or an
    /// invoice.
    #[must_use]
    pub fn inherits(&self) -> bool {
        self.is_lead() || self.is_reported() || payment::is_checkout(&self.facts)
    }

    /// Whether the merchant reported it with a secret key.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.facts.reports.values().any(|report| report.by_merchant)
    }

    /// Whether the merchant approved a page's claim that names this click.
    #[must_use]
    pub fn is_approved_claim(&self, click_id: &str) -> bool {
        let mut claims =
            self.facts.reports.values().filter(|report| !report.by_merchant && report.is_trusted());
        claims.any(|claim| claim.click.as_deref() == Some(click_id))
    }

    /// The versions that a replay pinned for it, in place of those in force at its time.
    #[must_use]
    pub fn pins(&self) -> Option<&Pins> {
        self.facts.pins.as_ref().map(|pins| &pins.value)
    }

    /// Whether it is a lead, which moves no money.
    #[must_use]
    pub fn is_lead(&self) -> bool {
        !self.facts.leads.is_empty()
    }

    /// The first value by rules (1) to (5), of a report or of a lead, that is a known click.
    #[must_use]
    pub fn direct<'s>(&'s self, world: &World) -> Option<&'s Candidate> {
        let last_resort = |rule| matches!(rule, Rule::Claim | Rule::PromotionCode);
        let mut own = self.candidates.iter().filter(|candidate| !last_resort(candidate.rule));
        own.find(|candidate| world.clicks.get(&candidate.value).is_some_and(|click| !click.is_promotion))
    }
}

/// Removes the promotion codes that were never assigned to a partner: most discounts are the merchant's own.
fn relevant(mut candidates: Vec<Candidate>, world: &World) -> Vec<Candidate> {
    candidates.retain(|one| one.rule != Rule::PromotionCode || world.promotions.contains_key(&one.value));
    candidates
}

/// The merchant's own IDs of the buyer: from the payment's own facts, and from the metadata of its
/// subscription and customer as it was at the payment's time.
fn external_customers(facts: &Facts, holders: &Facts) -> BTreeSet<String> {
    let subscription = payment::subscription(facts).and_then(|id| holders.subscriptions.get(id));
    let customer = payment::customer(facts).and_then(|id| holders.customers.get(id));
    let time = holder_time(facts);
    let references = [
        subscription.and_then(|known| known.references.at(time?)),
        customer.and_then(|known| known.references.at(time?)),
    ];
    let of_holders = references.into_iter().flatten().filter_map(|it| it.customer.as_deref());
    payment::external_customers(facts).into_iter().chain(of_holders).map(Into::into).collect()
}
