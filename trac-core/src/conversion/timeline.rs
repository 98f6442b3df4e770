//! The sales of each subscription and customer in order of time, indexed so that no query scans all sales.
//!
//! A customer can have thousands of payments, and each depends on those before it. The most frequent queries
//! have an index: the [`Bindings`] that link a customer to a click, and the first payment of a subscription
//! that names a click.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::binding::{Binding, Bindings};
use super::clawback::Lost;
use super::email;
use super::inference::Inference;
use super::payment::{self, Money};
use super::sale::Sale;
use super::world::World;
use crate::time::Timestamp;
use crate::webhook::join::Dated;
use crate::webhook::lead::Lead;

/// Sales grouped by subscription and customer, without those inferred to be another payment's money.
#[derive(Clone, Debug, Default)]
pub struct Timeline<'a> {
    /// By `sub_…`.
    pub subscriptions: BTreeMap<String, Line<'a>>,
    /// By `cus_…`.
    pub customers: BTreeMap<String, Line<'a>>,
    /// By the merchant's own ID of the customer.
    pub external_customers: BTreeMap<String, Line<'a>>,
    /// When metadata of a subscription or customer first named each of the merchant's own IDs.
    pub in_metadata: BTreeMap<String, Timestamp>,
}

/// A time, and the Stripe ID that orders sales of the same second.
pub type Moment = (Timestamp, String);

/// The sales of one subscription or customer, by our IDs, in order of time, then Stripe ID, then our ID.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// All sales.
    pub all: Vec<&'a str>,
    /// The sales with a session or an invoice, and their times.
    pub checkouts: Vec<(Timestamp, &'a str)>,
    /// For each click, the first sale that names it by rules (1) to (5), by a report or by a lead, and the
    /// time of that sale.
    pub first_by_click: BTreeMap<&'a str, (Timestamp, &'a str)>,
    /// The bindings made by payments.
    pub payments: Bindings<'a>,
    /// The bindings made by the merchant's reports, and by leads whose click the merchant reported or
    /// approved.
    pub reports: Bindings<'a>,
    /// The first lead whose click only a page reported; a lead in the window of its click goes before one
    /// outside.
    pub public_lead: Option<Binding<'a>>,
    /// The first two leads that the merchant reported or approved, with or without a click: their times and
    /// our IDs.
    pub trusted_leads: Vec<(Timestamp, &'a str)>,
    /// The time of the first payment, even if its amount is zero.
    pub first_payment: Option<Timestamp>,
    /// The time of the first payment that is not fully refunded or lost to a dispute.
    pub first_paid: Option<Timestamp>,
    /// The sales that are leads.
    pub leads: Vec<&'a str>,
    /// The clicks of leads that pages reported and the merchant rejected, each with the moment of the first
    /// such lead.
    pub rejected_clicks: BTreeMap<&'a str, Moment>,
    /// The Stripe customers (`cus_…`) of the payments.
    pub stripe_customers: BTreeSet<String>,
    /// The merchant's own IDs of the customer that the sales name, and when each was first named.
    pub named: BTreeMap<String, Timestamp>,
    /// The buyers' mailboxes that Stripe or the merchant reported.
    pub mailboxes: BTreeSet<String>,
}

impl<'a> Timeline<'a> {
    /// Sorts the sales and builds the indices.
    pub(super) fn of<'s>(sales: impl Iterator<Item = &'s Sale<'a>>, world: &'a World) -> Self
    where
        'a: 's,
    {
        let own = sales.filter(|sale| !matches!(sale.inference, Inference::SameAs(_)));
        let mut own: Vec<_> = own.filter_map(|sale| Some((sale.time?, sale))).collect();
        own.sort_by_key(|(time, sale)| (*time, &sale.named_by, sale.id));
        let mut timeline = Self { in_metadata: named_in_metadata(world), ..Self::default() };
        for (time, sale) in &own {
            let click_id = sale.direct(world).and_then(|found| world.clicks.get_key_value(&found.value));
            let seen = Seen { time: *time, sale, click_id: click_id.map(|(id, _)| id.as_str()) };
            let rejected = sale.facts.leads.values().filter(|lead| lead.is_rejected());
            let rejected = rejected.flat_map(Lead::reported_clicks);
            let rejected = rejected.filter_map(|(_, id)| Some(world.clicks.get_key_value(id)?.0.as_str()));
            let rejected: Vec<&str> = rejected.collect();
            timeline.each_line(sale, |line| {
                line.add(&seen);
                for click_id in &rejected {
                    // Sales are visited in order of time, so the first entry is the earliest.
                    line.rejected_clicks.entry(click_id).or_insert_with(|| (*time, sale.named_by.clone()));
                }
            });
        }
        for (time, sale) in &own {
            let bindings = timeline.bindings(*time, sale, world);
            let is_lead_or_report = sale.is_lead() || sale.is_reported();
            timeline.each_line(sale, |line| {
                for (binding, is_public) in &bindings {
                    line.bind(binding, *is_public, is_lead_or_report);
                }
            });
        }
        timeline.each(|line| {
            line.payments.rank();
            line.reports.rank();
        });
        timeline
    }

    /// The bindings that a sale makes, each with whether only a page reported it.
    fn bindings(&self, time: Timestamp, sale: &Sale<'a>, world: &'a World) -> Vec<(Binding<'a>, bool)> {
        if let Some(lead) = sale.facts.leads.values().next() {
            if lead.is_rejected() {
                return Vec::new();
            }
            let clicks = lead.reported_clicks().iter();
            let bindings = clicks.filter_map(|(at, click)| {
                let bound = (sale.id, *at);
                Binding::of(world, sale, *at, click, bound)
            });
            // Of the clicks that pages report, only the first known one counts. A later one never rebinds the
            // customer, even if the merchant approves the lead.
            let limit = if lead.vouched_clicks.is_empty() { 1 } else { usize::MAX };
            let bindings =
                bindings.take(limit).filter(|binding| !self.is_rejected(sale, lead, binding.click_id));
            return bindings.map(|binding| (binding, !lead.vouches_for_clicks())).collect();
        }
        let Some(found) = sale.direct(world) else { return Vec::new() };
        let (bound_at, bound_by) = self.first_with(sale, &found.value).unwrap_or((time, sale.id));
        let binding = Binding::of(world, sale, time, &found.value, (bound_by, bound_at));
        binding.map(|binding| (binding, false)).into_iter().collect()
    }

    /// Whether the merchant rejected this lead, or an earlier lead that pages reported for the same customer
    /// with the same click. A lead whose click the merchant reported or approved is never rejected together
    /// with others.
    #[must_use]
    pub fn is_rejected(&self, sale: &Sale<'_>, lead: &Lead, click_id: &str) -> bool {
        let line = self.external_customers.get(&lead.customer);
        let is_after =
            |(at, name): &Moment| sale.time.is_some_and(|time| (*at, name) <= (time, &sale.named_by));
        let of_click = || line.and_then(|line| line.rejected_clicks.get(click_id)).is_some_and(is_after);
        lead.is_rejected() || (!lead.vouches_for_clicks() && of_click())
    }

    /// The first sale of the same subscription that names this click, and its time.
    #[must_use]
    pub fn first_with(&self, sale: &Sale<'_>, click_id: &str) -> Option<(Timestamp, &'a str)> {
        let line = self.subscriptions.get(sale.subscription.as_deref()?)?;
        line.first_by_click.get(click_id).copied()
    }

    /// The time of the first payment of the customer with this ID of the merchant's, even if its amount is
    /// zero.
    #[must_use]
    pub fn first_payment(&self, external_customer: &str) -> Option<Timestamp> {
        self.first_of(external_customer, |line| line.first_payment)
    }

    /// The time of that customer's first payment that is not fully refunded or lost to a dispute.
    #[must_use]
    pub fn first_paid(&self, external_customer: &str) -> Option<Timestamp> {
        self.first_of(external_customer, |line| line.first_paid)
    }

    /// Whether a customer was known already when a page reported a lead with a click: by a payment, by
    /// metadata, by another lead that the merchant reported or approved, or by a first lead of pages that
    /// names another click.
    #[must_use]
    pub fn was_known(&self, external_customer: &str, lead: (Timestamp, &str, &str), click_id: &str) -> bool {
        let line = self.external_customers.get(external_customer);
        let trusted = line.into_iter().flat_map(|line| &line.trusted_leads).find(|(_, id)| *id != lead.2);
        let in_metadata = self.in_metadata.get(external_customer).copied();
        let known = [self.first_payment(external_customer), in_metadata, trusted.map(|(at, _)| *at)];
        let public = line.and_then(|line| line.public_lead.as_ref()).filter(|first| first.sale_id != lead.2);
        known.into_iter().flatten().any(|at| at <= lead.0)
            || public.is_some_and(|first| first.click_id != click_id)
    }

    fn first_of(
        &self,
        external_customer: &str,
        first: impl Fn(&Line<'a>) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        self.lines_of(external_customer).filter_map(first).min()
    }

    /// The sales of the customer with this ID of the merchant's, and the sales of its Stripe customers.
    pub fn lines_of<'s>(
        &'s self,
        external_customer: &str,
    ) -> impl Iterator<Item = &'s Line<'a>> + use<'s, 'a> {
        let own = self.external_customers.get(external_customer).into_iter();
        let customers = own.clone().flat_map(|line| &line.stripe_customers);
        own.chain(customers.filter_map(|id| self.customers.get(id)))
    }

    fn each_line(&mut self, sale: &Sale<'a>, mut visit: impl FnMut(&mut Line<'a>)) {
        let mut at = |lines: &mut BTreeMap<String, Line<'a>>, id: &String| match lines.get_mut(id) {
            Some(line) => visit(line),
            None => visit(lines.entry(id.clone()).or_default()),
        };
        sale.subscription.iter().for_each(|id| at(&mut self.subscriptions, id));
        sale.customer.iter().for_each(|id| at(&mut self.customers, id));
        sale.external_customers.iter().for_each(|id| at(&mut self.external_customers, id));
    }

    fn each(&mut self, visit: impl FnMut(&mut Line<'a>)) {
        let lines = self.subscriptions.values_mut().chain(self.customers.values_mut());
        lines.chain(self.external_customers.values_mut()).for_each(visit);
    }
}

fn named_in_metadata(world: &World) -> BTreeMap<String, Timestamp> {
    let subscriptions = world.holders.subscriptions.values().map(|subscription| &subscription.references);
    let customers = world.holders.customers.values().map(|customer| &customer.references);
    let mut named: BTreeMap<String, Timestamp> = BTreeMap::new();
    for (at, references) in subscriptions.chain(customers).flat_map(Dated::iter) {
        if let Some(id) = &references.customer {
            let first = named.entry(id.clone()).or_insert(at);
            *first = at.min(*first);
        }
    }
    named
}

/// A sale to add to its lines.
struct Seen<'s, 'a> {
    time: Timestamp,
    sale: &'s Sale<'a>,
    click_id: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// Adds a sale, which must not be earlier than those added before.
    fn add(&mut self, seen: &Seen<'_, 'a>) {
        let Seen { time, sale, click_id } = *seen;
        self.all.push(sale.id);
        if let Some(click_id) = click_id {
            self.first_by_click.entry(click_id).or_insert((time, sale.id));
        }
        if payment::is_checkout(&sale.facts) {
            self.checkouts.push((time, sale.id));
        }
        if let Some(lead) = sale.facts.leads.values().next() {
            self.leads.push(sale.id);
            if lead.is_trusted() && self.trusted_leads.len() < 2 {
                self.trusted_leads.push((time, sale.id));
            }
        } else {
            self.first_payment.get_or_insert(time);
            if self.first_paid.is_none() && is_paid(sale) {
                self.first_paid = Some(time);
            }
        }
        self.stripe_customers.extend(sale.customer.clone());
        for id in &sale.external_customers {
            if !self.named.contains_key(id) {
                self.named.insert(id.clone(), time);
            }
        }
        self.mailboxes.extend(payment::vouched_emails(&sale.facts).into_iter().filter_map(email::mailbox));
    }

    fn bind(&mut self, binding: &Binding<'a>, is_public: bool, is_lead_or_report: bool) {
        if !is_public {
            let bindings = if is_lead_or_report { &mut self.reports } else { &mut self.payments };
            bindings.add(binding.clone());
            return;
        }
        let place = |binding: &Binding<'_>| (!binding.is_in_window, binding.at);
        let is_first =
            |first: &Binding<'_>| (place(binding), binding.moment()) < (place(first), first.moment());
        if self.public_lead.as_ref().is_none_or(is_first) {
            self.public_lead = Some(binding.clone());
        }
    }
}

/// Whether money was paid and not all of it went back.
fn is_paid(sale: &Sale<'_>) -> bool {
    Money::of(&sale.facts).is_ok_and(|money| {
        let lost = Lost::of(&sale.facts, &money);
        lost.total_minor() < lost.whole_minor
    })
}
