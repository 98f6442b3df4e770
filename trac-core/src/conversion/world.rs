//! Everything one event can affect, loaded before any decision.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::shared;
use crate::money::Currency;
use crate::program::{EnrollmentTerms, History, ProgramTerms};
use crate::time::{DAY_SECS, Timestamp};
use crate::webhook::facts::{Facts, is_invoice};
use crate::webhook::join::{Join, greatest};

/// The data around an event in one workspace and mode: its payment, the payments of the same subscription and
/// customer, and everything needed to decide them.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Payments by our ID.
    pub payments: BTreeMap<String, Known>,
    /// The facts about the subscriptions and customers themselves.
    pub holders: Facts,
    /// The clicks that candidates resolve to, by click ID. A value that is not a key here is not a click.
    pub clicks: BTreeMap<String, Click>,
    /// The assignments of each promotion code to partners, the earliest first.
    pub promotions: BTreeMap<String, Vec<Promotion>>,
    /// Programs of those clicks and of existing commissions.
    pub programs: BTreeMap<String, History<ProgramTerms>>,
    /// Enrollments by (program, partner).
    pub enrollments: BTreeMap<(String, String), Enrollment>,
    /// Every e-mail address that the partners of those clicks ever had, each with the time from which it was
    /// theirs, the oldest first.
    pub partner_emails: BTreeMap<String, Vec<(Timestamp, String)>>,
}

/// A payment as it is stored: its facts and its commissions.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All facts about its objects.
    pub facts: Facts,
    /// Oldest first.
    pub commissions: Vec<Commission>,
}

/// The fields of a recorded click that decisions need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// The program whose link was clicked.
    pub program_id: String,
    /// The partner whose link was clicked.
    pub partner_id: String,
    /// The time of the click.
    pub clicked_at: Timestamp,
    /// Whether it represents a promotion code. No visitor carries such a click; its time is that of the
    /// code's use, so it has no window.
    pub is_promotion: bool,
}

/// The assignment of a promotion code to a partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The click that represents it.
    pub click_id: String,
    /// The start of the assignment. The first assignment of a code also covers all earlier times.
    pub from: Timestamp,
    /// The end of the assignment.
    pub until: Option<Timestamp>,
}

/// How many seconds before its click a payment may be dated, because clocks differ.
pub const CLOCK_SKEW_SECS: i64 = 300;

impl Click {
    /// Whether a payment of that time can result from this click: the payment is later than the click, or
    /// earlier by at most [`CLOCK_SKEW_SECS`].
    ///
    /// # Examples
    /// ```
    /// use trac_core::conversion::world::Click;
    /// use trac_core::time::Timestamp;
    ///
    /// let clicked_at = Timestamp::from_unix_secs(1_000);
    /// let (program_id, partner_id) = ("prog_1".into(), "part_1".into());
    /// let click = Click { program_id, partner_id, clicked_at, is_promotion: false };
    /// assert!(click.is_before(Timestamp::from_unix_secs(700)));
    /// assert!(!click.is_before(Timestamp::from_unix_secs(699)));
    /// ```
    #[must_use]
    pub const fn is_before(&self, time: Timestamp) -> bool {
        time.secs_since(self.clicked_at) >= -CLOCK_SKEW_SECS
    }

    /// Whether a time is within the window of this click: `−300 s ≤ time − clicked_at ≤ days × 86,400 s`. A
    /// promotion code has no window.
    #[must_use]
    pub fn is_in_window(&self, time: Timestamp, days: u32) -> bool {
        let in_time = || time.secs_since(self.clicked_at) <= i64::from(days).saturating_mul(DAY_SECS);
        self.is_promotion || (self.is_before(time) && in_time())
    }
}

/// An enrollment with all its versions.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// Our ID.
    pub id: String,
    /// Its versions.
    pub history: History<EnrollmentTerms>,
}

/// One commission as the ledger has it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commission {
    /// Our ID.
    pub id: String,
    /// The click it is credited to.
    pub click_id: String,
    /// The program whose terms apply.
    pub program_id: String,
    /// The partner who earns.
    pub partner_id: String,
    /// The version of the program it was settled by.
    pub program_version: u32,
    /// The version of the enrollment it was settled by.
    pub enrollment_version: u32,
    /// The time of its payment when it was last settled. The versions apply to that time: if a later fact
    /// changes the payment's time, they are looked up again. If two commissions turn out to belong to the
    /// same payment, the older one survives.
    pub payment_time: Timestamp,
    /// Its currency.
    pub currency: Currency,
    /// Σ(earn, adjust).
    pub amount_minor: i64,
    /// −Σ(reverse, restore).
    pub reversed_minor: i64,
    /// Whether another commission replaced it.
    pub closed: bool,
    /// Whether it is part of a payout.
    pub paid: bool,
}

/// The effect of adding facts to a world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The payment that the facts are about; `None` for facts about a subscription or customer alone.
    pub payment_id: Option<String>,
    /// The payments whose facts may have changed: that one, and those that share money with it.
    pub changed: Vec<String>,
    /// Payments that turned out to be the same money and were removed, each with the payment that absorbed
    /// it.
    pub absorbed: Vec<(String, String)>,
    /// Whether every fact was known before.
    pub nothing_new: bool,
    /// Whether the facts change nothing about refunds and credit notes.
    pub refunds_unchanged: bool,
    /// Whether an object with the same ID was known before.
    pub object_known: bool,
}

impl World {
    /// The click that represents a promotion code used at that time, if the code was assigned to a partner
    /// then.
    ///
    /// # Examples
    /// ```
    /// use trac_core::conversion::world::{Promotion, World};
    /// use trac_core::time::Timestamp;
    ///
    /// let at = Timestamp::from_unix_secs;
    /// let ada = Promotion { click_id: "clk_ada".into(), from: at(100), until: Some(at(200)) };
    /// let grace = Promotion { click_id: "clk_grace".into(), from: at(300), until: None };
    /// let world = World { promotions: [("SUMMER".into(), vec![ada, grace])].into(), ..World::default() };
    /// assert_eq!(world.promoted_by("SUMMER", at(50)), Some("clk_ada"));
    /// assert_eq!(world.promoted_by("SUMMER", at(250)), None);
    /// assert_eq!(world.promoted_by("SUMMER", at(300)), Some("clk_grace"));
    /// ```
    #[must_use]
    pub fn promoted_by(&self, code: &str, used_at: Timestamp) -> Option<&str> {
        let assigned = self.promotions.get(code)?;
        let last = assigned.iter().rev().find(|promotion| promotion.from <= used_at).or(assigned.first())?;
        last.until.is_none_or(|until| used_at < until).then_some(last.click_id.as_str())
    }

    /// Adds facts: joins them to the payment that shares an ID with them, or creates a payment under an ID of
    /// `fresh_id`. If the facts link several payments, the one with the smallest ID absorbs the others.
    /// If they link several invoices, each invoice stays, or becomes, a payment of its own that contains
    /// the shared money.
    ///
    /// # Examples
    /// ```
    /// use trac_core::conversion::world::World;
    /// use trac_core::webhook::facts::Facts;
    ///
    /// let link = Facts { links: [("in_1".into(), "pi_1".into())].into(), ..Facts::default() };
    /// let mut world = World::default();
    /// assert_eq!(world.admit(link.clone(), || "a".into()).payment_id.as_deref(), Some("a"));
    /// let again = world.admit(link, || "b".into());
    /// assert_eq!((again.payment_id.as_deref(), again.nothing_new), (Some("a"), true));
    /// let other = Facts { links: [("in_2".into(), "pi_1".into())].into(), ..Facts::default() };
    /// assert_eq!(world.admit(other, || "c".into()).changed, ["a", "c"]);
    /// ```
    pub fn admit(&mut self, mut facts: Facts, fresh_id: impl FnMut() -> String) -> Admitted {
        let holders = facts.take_holders();
        let known = self.holders.clone();
        self.holders.join(holders.clone());
        let mut admitted = Admitted {
            nothing_new: self.holders == known,
            object_known: holders.subscriptions.keys().any(|id| known.subscriptions.contains_key(id))
                || holders.customers.keys().any(|id| known.customers.contains_key(id)),
            ..Admitted::default()
        };
        if facts.payment_ids().is_empty() {
            return admitted;
        }
        let touched = self.take_touched(&facts);
        let mut before = Facts::default();
        for known in touched.values() {
            before.join(known.facts.clone());
        }
        before.of_invoice = None;
        let mut joined = before.clone();
        joined.join(facts.clone());
        admitted.object_known |= facts.has_object_of(&before);
        admitted.nothing_new &= joined == before;
        let refunded = |facts: &Facts| facts.charges.values().map(|charge| charge.refunded_minor).max();
        admitted.refunds_unchanged = joined.refunds == before.refunds
            && refunded(&joined) == refunded(&before)
            && joined.credit_notes == before.credit_notes;
        let parts = shared::by_invoice(&joined).unwrap_or_else(|| Vec::from([joined]));
        self.put_parts(parts, touched, fresh_id, &mut admitted);
        let about: BTreeSet<&str> = facts.every_payment_id().collect();
        let named = |id: &&String| {
            let part = self.payments.get(*id).and_then(|known| known.facts.of_invoice.as_deref());
            part.is_none_or(|invoice| about.contains(invoice))
        };
        let shares = |id: &&String| self.payments.get(*id).is_some_and(|known| known.facts.names_any(&about));
        let changed = &admitted.changed;
        let own = changed.iter().find(named).or_else(|| changed.iter().find(shares)).or(changed.first());
        admitted.payment_id = own.cloned();
        admitted
    }

    /// Removes and returns the payments that share an ID with these facts, and those that share money with
    /// them.
    fn take_touched(&mut self, facts: &Facts) -> BTreeMap<String, Known> {
        let mut ids: BTreeSet<String> = facts.every_payment_id().map(Into::into).collect();
        let mut touched = BTreeMap::new();
        while !ids.is_empty() {
            let wanted: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
            let found: Vec<String> = self
                .payments
                .iter()
                .filter(|(_, known)| known.facts.names_any(&wanted))
                .map(|(id, _)| id.clone())
                .collect();
            let mut next = BTreeSet::new();
            for id in found {
                if let Some(known) = self.payments.remove(&id) {
                    next.extend(known.facts.other_invoices().into_iter().map(Into::into));
                    touched.insert(id, known);
                }
            }
            ids = next;
        }
        touched
    }

    /// Inserts the new payments in place of the old ones. Each keeps the ID of the old payment of the same
    /// invoice, or else of one that shares an object with it.
    fn put_parts(
        &mut self,
        parts: Vec<Facts>,
        mut touched: BTreeMap<String, Known>,
        mut fresh_id: impl FnMut() -> String,
        admitted: &mut Admitted,
    ) {
        let mut places: Vec<(Facts, Vec<String>)> = Vec::new();
        let mut unplaced: Vec<String> = touched.keys().cloned().collect();
        for part in parts {
            let invoice = part.of_invoice.as_deref();
            let is_same =
                |known: &Known| invoice.is_none_or(|invoice| invoice_of(&known.facts) == Some(invoice));
            let same = unplaced.extract_if(.., |id| touched.get(id).is_some_and(is_same)).collect();
            places.push((part, same));
        }
        for id in unplaced {
            let Some(known) = touched.get(&id) else { continue };
            let ids = known.facts.payment_ids();
            let place = places.iter().position(|(part, _)| part.names_any(&ids)).unwrap_or(0);
            if let Some((_, same)) = places.get_mut(place) {
                same.push(id);
            }
        }
        for (mut facts, same) in places {
            // A payment that was split off keeps the pinned versions by which it was decided before.
            for known in same.iter().filter_map(|id| touched.get(id)).filter(|_| facts.of_invoice.is_some()) {
                greatest(&mut facts.pins, known.facts.pins.clone());
            }
            let mut same = same.into_iter();
            let survivor = same.next();
            let mut commissions = Vec::new();
            if let Some(known) = survivor.as_ref().and_then(|id| touched.remove(id)) {
                commissions.extend(known.commissions);
            }
            let id = survivor.unwrap_or_else(&mut fresh_id);
            for merged in same {
                commissions.extend(touched.remove(&merged).into_iter().flat_map(|known| known.commissions));
                admitted.absorbed.push((merged, id.clone()));
            }
            admitted.changed.push(id.clone());
            self.payments.insert(id, Known { facts, commissions });
        }
    }
}

/// The invoice of a payment, if one is known.
fn invoice_of(facts: &Facts) -> Option<&str> {
    let named = || facts.every_payment_id().filter(|id| is_invoice(id)).min();
    let known = facts.of_invoice.as_deref().or_else(|| facts.invoices.keys().next().map(String::as_str));
    known.or_else(named)
}
