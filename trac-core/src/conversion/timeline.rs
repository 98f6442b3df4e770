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
    /// Those that name the customer by the merchant's own ID.
    pub named: Vec<&'a str>,
    /// The buyers' e-mail addresses.
    pub emails: BTreeSet<String>,
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
        for (_, sale) in own {
            let named =
                Named { referred: sale.direct(world).is_some(), promoted: sale.promoted(world).is_some() };
            let add = |lines: &mut BTreeMap<String, Line<'a>>, id: &String| match lines.get_mut(id) {
                Some(line) => line.add(sale, named),
                None => lines.entry(id.clone()).or_default().add(sale, named),
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
struct Named {
    referred: bool,
    promoted: bool,
}

impl<'a> Line<'a> {
    fn add(&mut self, sale: &Sale<'a>, named: Named) {
        self.all.push(sale.id);
        if named.referred {
            self.referred.push(sale.id);
        }
        if named.promoted {
            self.promoted.push(sale.id);
        }
        if !sale.external_customers.is_empty() {
            self.named.push(sale.id);
        }
        for address in payment::emails(&sale.facts) {
            if !self.emails.contains(address) {
                self.emails.insert(address.into());
            }
        }
    }
}
