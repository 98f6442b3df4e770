//! The sales of a subscription or customer in the order of time, found without looking through all others.
//!
//! A customer can have thousands of payments, and each asks for those before it. What is asked for most is kept apart: the
//! [`Bindings`] that tie a customer to a click, and the first payment of a subscription that names a click.

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

/// Sales by what they have in common. Those that are another payment's money are left out.
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

/// A time, and the Stripe ID that decides within a second.
pub type Moment = (Timestamp, String);

/// Our IDs of sales, in the order of their times, then their Stripe IDs, then ours.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// All of them.
    pub all: Vec<&'a str>,
    /// Those with a session or an invoice, and their times.
    pub checkouts: Vec<(Timestamp, &'a str)>,
    /// The first of them that names each click by rules (1) to (5), and its time.
    pub first_by_click: BTreeMap<&'a str, (Timestamp, &'a str)>,
    /// What payments tie the customer to.
    pub payments: Bindings<'a>,
    /// What leads and reports that the merchant stands by tie the customer to.
    pub reports: Bindings<'a>,
    /// The first lead with a click for which there is only a page's word; one in the window of its click goes first.
    pub public_lead: Option<Binding<'a>>,
    /// The first two leads that the merchant stands by, with a click or without: their times and our IDs.
    pub trusted_leads: Vec<(Timestamp, &'a str)>,
    /// The time of the first payment, whatever was paid.
    pub first_payment: Option<Timestamp>,
    /// The time of the first payment of which money is left.
    pub first_paid: Option<Timestamp>,
    /// The leads among them.
    pub leads: Vec<&'a str>,
    /// The clicks of the leads that pages reported and the merchant rejected, each with the moment of the first such lead.
    pub rejected_clicks: BTreeMap<&'a str, Moment>,
    /// The Stripe customers of the payments.
    pub stripe_customers: BTreeSet<String>,
    /// The merchant's own IDs of the customer that they name, and when each was first named.
    pub named: BTreeMap<String, Timestamp>,
    /// The buyers' mailboxes, as Stripe or the merchant names them.
    pub mailboxes: BTreeSet<String>,
}

impl<'a> Timeline<'a> {
    /// Puts sales in order.
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
            let rejected = rejected.flat_map(Lead::told_clicks);
            let rejected = rejected.filter_map(|(_, id)| Some(world.clicks.get_key_value(id)?.0.as_str()));
            let rejected: Vec<&str> = rejected.collect();
            timeline.each_line(sale, |line| {
                line.add(&seen);
                for click_id in &rejected {
                    // Sales come in order, so the first is the earliest.
                    line.rejected_clicks.entry(click_id).or_insert_with(|| (*time, sale.named_by.clone()));
                }
            });
        }
        for (time, sale) in &own {
            let bindings = timeline.bindings(*time, sale, world);
            let is_teller = sale.is_lead() || sale.is_reported();
            timeline.each_line(sale, |line| {
                for (binding, is_public) in &bindings {
                    line.bind(binding, *is_public, is_teller);
                }
            });
        }
        timeline.each(|line| {
            line.payments.rank();
            line.reports.rank();
        });
        timeline
    }

    /// What a sale ties its customer to; with each whether there is only a page's word for it.
    fn bindings(&self, time: Timestamp, sale: &Sale<'a>, world: &'a World) -> Vec<(Binding<'a>, bool)> {
        if let Some(lead) = sale.facts.leads.values().next() {
            if lead.is_rejected() {
                return Vec::new();
            }
            let told = lead.told_clicks().iter();
            let bindings = told.filter_map(|(at, click)| {
                let bound = (sale.id, *at);
                Binding::of(world, sale, *at, click, bound)
            });
            // The first known click that pages report is the lead's; a later one never rebinds, also where the merchant approves the lead.
            let most = if lead.vouched_clicks.is_empty() { 1 } else { usize::MAX };
            let bindings =
                bindings.take(most).filter(|binding| !self.is_rejected(sale, lead, binding.click_id));
            return bindings.map(|binding| (binding, !lead.vouches_for_clicks())).collect();
        }
        let Some(found) = sale.direct(world) else { return Vec::new() };
        let (bound_at, bound_by) = self.first_with(sale, &found.value).unwrap_or((time, sale.id));
        let binding = Binding::of(world, sale, time, &found.value, (bound_by, bound_at));
        binding.map(|binding| (binding, false)).into_iter().collect()
    }

    /// Whether the merchant rejected a lead, or an earlier one that pages reported of the same customer with the same click. A lead
    /// that the merchant stands by is not rejected with others.
    #[must_use]
    pub fn is_rejected(&self, sale: &Sale<'_>, lead: &Lead, click_id: &str) -> bool {
        let line = self.external_customers.get(&lead.customer);
        let is_after =
            |(at, name): &Moment| sale.time.is_some_and(|time| (*at, name) <= (time, &sale.named_by));
        let of_click = || line.and_then(|line| line.rejected_clicks.get(click_id)).is_some_and(is_after);
        lead.is_rejected() || (!lead.vouches_for_clicks() && of_click())
    }

    /// The first payment of a sale's subscription that names this click.
    #[must_use]
    pub fn first_with(&self, sale: &Sale<'_>, click_id: &str) -> Option<(Timestamp, &'a str)> {
        let line = self.subscriptions.get(sale.subscription.as_deref()?)?;
        line.first_by_click.get(click_id).copied()
    }

    /// The first payment of a customer whom the merchant knows by this ID, whatever was paid.
    #[must_use]
    pub fn first_payment(&self, external_customer: &str) -> Option<Timestamp> {
        self.first_of(external_customer, |line| line.first_payment)
    }

    /// The first payment of that customer of which money is left.
    #[must_use]
    pub fn first_paid(&self, external_customer: &str) -> Option<Timestamp> {
        self.first_of(external_customer, |line| line.first_paid)
    }

    /// Whether anything was known of a customer when a page reported a lead of it with a click: a payment, metadata, another lead that
    /// the merchant stands by, or the first lead of pages, where that names another click.
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
        let line = self.external_customers.get(external_customer)?;
        let customers = line.stripe_customers.iter().filter_map(|id| self.customers.get(id));
        customers.chain([line]).filter_map(first).min()
    }

    fn each_line(&mut self, sale: &Sale<'a>, mut see: impl FnMut(&mut Line<'a>)) {
        let mut at = |lines: &mut BTreeMap<String, Line<'a>>, id: &String| match lines.get_mut(id) {
            Some(line) => see(line),
            None => see(lines.entry(id.clone()).or_default()),
        };
        sale.subscription.iter().for_each(|id| at(&mut self.subscriptions, id));
        sale.customer.iter().for_each(|id| at(&mut self.customers, id));
        sale.external_customers.iter().for_each(|id| at(&mut self.external_customers, id));
    }

    fn each(&mut self, see: impl FnMut(&mut Line<'a>)) {
        let lines = self.subscriptions.values_mut().chain(self.customers.values_mut());
        lines.chain(self.external_customers.values_mut()).for_each(see);
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

/// A sale as it is put into its lines.
struct Seen<'s, 'a> {
    time: Timestamp,
    sale: &'s Sale<'a>,
    click_id: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// Adds a sale that is no earlier than those before it.
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

    fn bind(&mut self, binding: &Binding<'a>, is_public: bool, is_teller: bool) {
        if !is_public {
            let bindings = if is_teller { &mut self.reports } else { &mut self.payments };
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

/// Whether money came in, and some of it is left.
fn is_paid(sale: &Sale<'_>) -> bool {
    Money::of(&sale.facts).is_ok_and(|money| {
        let lost = Lost::of(&sale.facts, &money);
        lost.total_minor() < lost.whole_minor
    })
}
