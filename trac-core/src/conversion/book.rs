//! All sales of a world: which are inferred to be the same money, and how each relates to the others of its
//! subscription and customer.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::attribution::{Assigned, Attribution, Binder};
use super::inference::{Inference, infer};
use super::payment;
use super::sale::{Moment, Sale};
use super::timeline::Timeline;
use super::world::World;
use crate::time::Timestamp;
use crate::webhook::facts::Facts;
use crate::webhook::join::Join;

/// All sales of a world, indexed for queries about each other.
#[derive(Clone, Debug)]
pub struct Book<'a> {
    /// The world that was read.
    pub world: &'a World,
    /// The sales, by our ID of the payment or lead.
    pub sales: BTreeMap<&'a str, Sale<'a>>,
    /// The sales of each subscription and customer.
    pub timeline: Timeline<'a>,
    /// What each subscription is attributed to, by `sub_…`: rule (6).
    pub binders: BTreeMap<&'a str, Binder<'a>>,
    /// The payments and leads of customers whom the merchant assigned, by our IDs.
    pub assigned: BTreeMap<&'a str, Assigned<'a>>,
    /// The click each payment is credited to, by our ID of the payment; computed once, because decisions
    /// about a customer's payments read each other's credits.
    pub credits: BTreeMap<&'a str, Attribution>,
}

impl<'a> Book<'a> {
    /// Reads a world, without attributions: `binders`, `assigned` and `credits` stay empty.
    pub(super) fn read(world: &'a World) -> Self {
        let inferred = infer(world);
        let links = payment_links(world);
        let mut facts: BTreeMap<&str, Cow<'_, Facts>> =
            world.payments.iter().map(|(id, known)| (id.as_str(), Cow::Borrowed(&known.facts))).collect();
        for (id, inference) in &inferred {
            let (Inference::SameAs(other), Some(known)) = (inference, world.payments.get(*id)) else {
                continue;
            };
            if let Some(merged) = facts.get_mut(other.as_str()) {
                merged.to_mut().join(known.facts.clone());
            }
        }
        let sale = |(id, facts): (&'a str, Cow<'a, Facts>)| {
            let of_subscription = payment::subscription(&facts).and_then(|id| links.get(id).copied());
            let inference = inferred.get(id).cloned().unwrap_or_default();
            let sale = Sale::of(id, facts, world, of_subscription, inference);
            (id, sale)
        };
        let sales: BTreeMap<&str, Sale<'_>> = facts.into_iter().map(sale).collect();
        let timeline = Timeline::of(sales.values(), world);
        Self {
            world,
            sales,
            timeline,
            binders: BTreeMap::new(),
            assigned: BTreeMap::new(),
            credits: BTreeMap::new(),
        }
    }

    /// The payments of a subscription, without those inferred to be another payment's money; the earliest
    /// first.
    pub fn of_subscription<'s>(
        &'s self,
        id: &str,
    ) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> + use<'s, 'a> {
        self.with_moments(self.timeline.subscriptions.get(id).map(|line| &line.all))
    }

    /// The payments of a customer, without those inferred to be another payment's money; the earliest first.
    pub fn of_customer<'s>(
        &'s self,
        id: &str,
    ) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> + use<'s, 'a> {
        self.with_moments(self.timeline.customers.get(id).map(|line| &line.all))
    }

    /// The merchant's own IDs of a customer that payments of the same `cus_…` had named by that time.
    pub fn names_of_customer<'s>(
        &'s self,
        id: &str,
        time: Timestamp,
    ) -> impl Iterator<Item = &'s str> + use<'s, 'a> {
        let named = self.timeline.customers.get(id).into_iter().flat_map(|line| &line.named);
        named.filter(move |(_, first)| **first <= time).map(|(id, _)| id.as_str())
    }

    /// Whether the buyer entered the promotion code at this payment. Later invoices of a subscription repeat
    /// the discount of its first payment.
    #[must_use]
    pub fn is_code_typed(&self, sale: &Sale<'_>) -> bool {
        let is_first =
            |id: &str| self.of_subscription(id).next().is_some_and(|(_, first)| first.id == sale.id);
        !sale.facts.sessions.is_empty() || sale.subscription.as_deref().is_none_or(is_first)
    }

    fn with_moments<'s>(
        &'s self,
        ids: Option<&'s Vec<&'a str>>,
    ) -> impl Iterator<Item = (Moment<'s>, &'s Sale<'a>)> + use<'s, 'a> {
        let sales = ids.into_iter().flatten().filter_map(|id| self.sales.get(id));
        sales.filter_map(|sale| Some(((sale.time?, sale.named_by.as_str()), sale)))
    }
}

/// The Payment Link that each subscription was bought through, by `sub_…`.
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
