//! The sales of a subscription or customer in the order of time, found without looking through all others.
//!
//! A customer may have thousands of payments, and each asks for those before it. What is asked for most, the ones that name a
//! click themselves, is kept apart.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::inference::Inference;
use super::payment;
use super::sale::Sale;
use super::world::World;
use crate::time::Timestamp;

/// Sales by what they have in common. Those that are another payment's money are left out.
#[derive(Clone, Debug, Default)]
pub struct Timeline<'a> {
    /// By `sub_…`.
    pub subscriptions: BTreeMap<String, Line<'a>>,
    /// By `cus_…`.
    pub customers: BTreeMap<String, Line<'a>>,
    /// By the merchant's own ID of the customer.
    pub external_customers: BTreeMap<String, Line<'a>>,
}

/// Sales in order: their time, then their Stripe ID, then ours. Each is our ID.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// All of them.
    pub all: Vec<&'a str>,
    /// Those with a click of their own, by rules (1) to (5).
    pub referred: Vec<&'a str>,
    /// Those that a partner's promotion code was used for.
    pub promoted: Vec<&'a str>,
    /// The merchant's own IDs of the customer that they name, and when each was first named.
    pub named: BTreeMap<String, Timestamp>,
    /// The buyers' e-mail addresses, as Stripe or the merchant tells them.
    pub emails: BTreeSet<String>,
    /// The merchant's own IDs of the buyers.
    pub known_as: BTreeSet<String>,
}

impl<'a> Timeline<'a> {
    /// Puts sales in order.
    pub(super) fn of<'s>(sales: impl Iterator<Item = &'s Sale<'a>>, world: &World) -> Self
    where
        'a: 's,
    {
        let own = sales.filter(|sale| !matches!(sale.inference, Inference::SameAs(_)));
        let mut own: Vec<_> = own.filter_map(|sale| Some((sale.time?, sale))).collect();
        own.sort_by_key(|(time, sale)| (*time, &sale.named_by, sale.id));
        let mut timeline = Self::default();
        for (time, sale) in own {
            let by = By { click: sale.direct(world).is_some(), code: sale.promoted(world).is_some() };
            let add = |lines: &mut BTreeMap<String, Line<'a>>, id: &String| match lines.get_mut(id) {
                Some(line) => line.add(time, sale, by),
                None => lines.entry(id.clone()).or_default().add(time, sale, by),
            };
            sale.subscription.iter().for_each(|id| add(&mut timeline.subscriptions, id));
            sale.customer.iter().for_each(|id| add(&mut timeline.customers, id));
            sale.external_customers.iter().for_each(|id| add(&mut timeline.external_customers, id));
        }
        timeline
    }
}

/// How a sale names a partner by itself.
#[derive(Clone, Copy)]
struct By {
    click: bool,
    code: bool,
}

impl<'a> Line<'a> {
    /// Adds a sale that is no earlier than those before it.
    fn add(&mut self, time: Timestamp, sale: &Sale<'a>, by: By) {
        self.all.push(sale.id);
        if by.click {
            self.referred.push(sale.id);
        }
        if by.code {
            self.promoted.push(sale.id);
        }
        for id in &sale.external_customers {
            if !self.named.contains_key(id) {
                self.named.insert(id.clone(), time);
            }
        }
        for address in payment::vouched_emails(&sale.facts) {
            if !self.emails.contains(address) {
                self.emails.insert(address.into());
            }
        }
        for id in &sale.external_customers {
            if !self.known_as.contains(id) {
                self.known_as.insert(id.clone());
            }
        }
    }
}
