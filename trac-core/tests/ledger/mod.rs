//! A minimal store: one world in memory, settled after each event.
#![allow(dead_code, clippy::indexing_slicing, reason = "each file of tests needs some of it")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use trac_core::commission::change::Change;
use trac_core::commission::entry::Kind;
use trac_core::commission::settle::{Occasion, settle};
use trac_core::conversion::payment;
use trac_core::conversion::world::{Click, Commission, Enrollment, Known, Promotion, World};
use trac_core::program::{EnrollmentStatus, EnrollmentTerms, History, Pins, ProgramTerms, Version};
use trac_core::time::{DAY_SECS, Timestamp};
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, sign};

pub(crate) const T0: i64 = 1_760_000_000;
/// Forty days, in seconds.
pub(crate) const LATE: i64 = 40 * 86_400;

/// The ledger after the events delivered so far.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) world: World,
    pub(crate) entries: Vec<(String, Kind, i64, &'static str)>,
    next_id: u32,
}

impl Ledger {
    /// A ledger with two partners in one program. Each partner has a click one hour before `T0` and one
    /// [`LATE`] after it.
    pub(crate) fn new(terms: Value) -> Self {
        let terms: ProgramTerms = serde_json::from_value(terms).unwrap();
        let from = Timestamp::from_unix_secs(0);
        let mut world = World::default();
        world.programs.insert("prog".into(), History::new([Version { number: 1, valid_from: from, terms }]));
        for (n, late) in [("1", "clk_late"), ("2", "clk_late_2")] {
            let partner_id = format!("part{n}");
            for (id, at) in [(format!("clk_{n}"), T0 - 3_600), (late.into(), T0 + LATE)] {
                let clicked_at = Timestamp::from_unix_secs(at);
                let click = Click {
                    program_id: "prog".into(),
                    partner_id: partner_id.clone(),
                    clicked_at,
                    is_promotion: false,
                };
                world.clicks.insert(id, click);
            }
            let first = Version { number: 1, valid_from: from, terms: EnrollmentTerms::default() };
            let enrollment = Enrollment { id: format!("enr{n}"), history: History::new([first]) };
            world.enrollments.insert(("prog".into(), partner_id.clone()), enrollment);
            world.partner_emails.insert(partner_id, vec![(from, format!("partner.{n}@gmail.com"))]);
        }
        Self { world, entries: Vec::new(), next_id: 0 }
    }

    /// Assigns promotion codes to partners: `(code, partner, first day, last day)`.
    pub(crate) fn assign_codes(&mut self, codes: &[(&str, &str, i64, Option<i64>)]) {
        let at = |days: i64| Timestamp::from_unix_secs(T0 + days * DAY_SECS);
        for (code, partner, from, until) in codes {
            let click_id = format!("clk_{code}_{partner}");
            let click = Click {
                program_id: "prog".into(),
                partner_id: (*partner).into(),
                clicked_at: Timestamp::default(),
                is_promotion: true,
            };
            self.world.clicks.insert(click_id.clone(), click);
            let promotion = Promotion { click_id, from: at(*from), until: until.map(at) };
            self.world.promotions.entry((*code).into()).or_default().push(promotion);
        }
    }

    /// Changes the terms of the program from `at` on.
    pub(crate) fn revise(&mut self, terms: Value, at: i64) {
        let valid_from = Timestamp::from_unix_secs(T0 + at);
        let second = Version { number: 2, valid_from, terms: serde_json::from_value(terms).unwrap() };
        let first = self.world.programs["prog"].number(1).unwrap().clone();
        self.world.programs.insert("prog".into(), History::new([first, second]));
    }

    /// Changes a partner's status in the program from `at` on.
    pub(crate) fn enroll(&mut self, partner: &str, status: EnrollmentStatus, at: i64) {
        let enrollment = self.world.enrollments.get_mut(&("prog".into(), partner.into())).unwrap();
        let first = enrollment.history.number(1).unwrap().clone();
        let terms = EnrollmentTerms { status, ..EnrollmentTerms::default() };
        let second = Version { number: 2, valid_from: Timestamp::from_unix_secs(T0 + at), terms };
        enrollment.history = History::new([first, second]);
    }

    /// Delivers one event, with only that part of the world that a store would load. Returns the number of
    /// entries that it caused.
    pub(crate) fn deliver(&mut self, event: &Value) -> usize {
        let now = Timestamp::from_unix_secs(T0);
        let body = event.to_string();
        let header = sign(body.as_bytes(), "whsec", now);
        let verified =
            Unverified::new(&header, body.as_bytes()).verify(["whsec"], now, TOLERANCE_SECS).unwrap();
        let event = Event::read(verified).unwrap();
        let Ok(facts) = Facts::read(&event, now) else { return 0 };
        self.add_facts(facts, Topic::of(&event.kind))
    }

    /// Adds facts and settles. Returns the number of entries that they caused.
    pub(crate) fn add_facts(&mut self, facts: Facts, news: Option<Topic>) -> usize {
        self.next_id += 1;
        let far = self.remove_unrelated(&facts);
        let next_id = self.next_id;
        let mut made = 0;
        let fresh_id = || {
            made += 1;
            format!("pay{next_id:04}{}", if made == 1 { String::new() } else { format!("_{made}") })
        };
        self.world.admit(facts, fresh_id);
        let caused = self.settle(news);
        self.world.payments.extend(far);
        caused
    }

    /// Removes and returns the payments that share no ID, subscription or customer with these facts, not even
    /// indirectly.
    fn remove_unrelated(&mut self, facts: &Facts) -> BTreeMap<String, Known> {
        let holders = |facts: &Facts| -> BTreeSet<String> {
            let own = facts.subscriptions.keys().chain(facts.customers.keys()).map(String::as_str);
            let own = own.chain(facts.subscriptions.values().filter_map(|it| it.customer.as_deref()));
            let own = own.chain(payment::external_customers(facts));
            let own = own.chain(facts.assignments.keys().map(String::as_str));
            own.chain(payment::subscription(facts)).chain(payment::customer(facts)).map(Into::into).collect()
        };
        let known: Vec<BTreeSet<String>> =
            each_holder(&self.world.holders).map(|one| holders(&one)).collect();
        let mut ids: BTreeSet<String> = facts.payment_ids().into_iter().map(Into::into).collect();
        let mut near = holders(facts);
        let mut far = std::mem::take(&mut self.world.payments);
        loop {
            for names in known.iter().chain(&known) {
                if !names.is_disjoint(&near) {
                    near.extend(names.iter().cloned());
                }
            }
            let is_near = |_: &String, known: &mut Known| {
                let names_one = known.facts.payment_ids().into_iter().any(|id| ids.contains(id));
                names_one || !holders(&known.facts).is_disjoint(&near)
            };
            let found: BTreeMap<String, Known> = far.extract_if(.., is_near).collect();
            if found.is_empty() {
                return far;
            }
            near.extend(found.values().flat_map(|known| holders(&known.facts)));
            ids = found.values().flat_map(|known| known.facts.other_invoices()).map(Into::into).collect();
            self.world.payments.extend(found);
        }
    }

    /// Settles the world. Returns the number of new entries.
    pub(crate) fn settle(&mut self, news: Option<Topic>) -> usize {
        self.settle_for(Occasion { news, redecide: false })
    }

    /// Decides everything again by the terms of its time. Returns the number of new entries.
    pub(crate) fn replay(&mut self) -> usize {
        for known in self.world.payments.values_mut() {
            known.facts.pins = None;
        }
        self.settle_for(Occasion { news: None, redecide: true })
    }

    /// Decides everything again by the newest terms. Returns the number of new entries.
    pub(crate) fn replay_now(&mut self) -> usize {
        let programs = self.world.programs.iter().map(|(id, all)| (id.clone(), all.latest().unwrap().number));
        let enrollments =
            self.world.enrollments.values().map(|one| (one.id.clone(), one.history.latest().unwrap().number));
        let pins = Pins { programs: programs.collect(), enrollments: enrollments.collect() };
        for known in self.world.payments.values_mut() {
            known.facts.pins = Latest::stated(Timestamp::from_unix_secs(T0), Some(pins.clone()));
        }
        self.settle(None)
    }

    fn settle_for(&mut self, occasion: Occasion) -> usize {
        let before = self.entries.len();
        for (payment_id, settlement) in settle(&self.world, occasion) {
            for change in settlement.changes {
                self.apply(&payment_id, change);
            }
        }
        self.entries.len() - before
    }

    fn apply(&mut self, payment_id: &str, change: Change) {
        self.next_id += 1;
        let fresh_id = format!("com{:04}", self.next_id);
        self.move_to(payment_id, change.commission_id.as_deref());
        let commissions = &mut self.world.payments.get_mut(payment_id).unwrap().commissions;
        let id = change.commission_id.clone().unwrap_or_else(|| {
            let claim = change.claim.clone().unwrap();
            commissions.push(Commission {
                id: fresh_id.clone(),
                click_id: claim.click_id,
                program_id: claim.program_id,
                partner_id: claim.partner_id,
                program_version: claim.program_version,
                enrollment_version: claim.enrollment_version,
                payment_time: claim.payment_time,
                currency: claim.currency,
                amount_minor: 0,
                reversed_minor: 0,
                closed: false,
                paid: false,
            });
            fresh_id
        });
        let commission = commissions.iter_mut().find(|commission| commission.id == id).unwrap();
        if let Some(claim) = &change.claim {
            commission.payment_time = claim.payment_time;
            commission.program_version = claim.program_version;
            commission.enrollment_version = claim.enrollment_version;
        }
        for entry in change.entries {
            assert_ne!(entry.amount_minor, 0, "an entry of zero");
            match entry.kind {
                Kind::Earn | Kind::Adjust => commission.amount_minor += entry.amount_minor,
                Kind::Reverse | Kind::Restore => commission.reversed_minor -= entry.amount_minor,
            }
            self.entries.push((id.clone(), entry.kind, entry.amount_minor, entry.reason.as_str()));
        }
        assert_eq!(commission.amount_minor, change.sums.amount_minor, "the entries add up to the sums");
        assert_eq!(commission.reversed_minor, change.sums.reversed_minor, "the entries add up to the sums");
        // An adjustment can be below zero. Nothing of it is reversed.
        assert!((0..=commission.amount_minor.max(0)).contains(&commission.reversed_minor), "{commission:?}");
        commission.closed |= change.closed;
    }

    /// Moves a commission here from a payment that was inferred to be the same money.
    fn move_to(&mut self, payment_id: &str, commission_id: Option<&str>) {
        let Some(wanted) = commission_id else { return };
        let is_wanted = |commission: &mut Commission| commission.id == wanted;
        let moved: Vec<Commission> = self
            .world
            .payments
            .values_mut()
            .flat_map(|known| known.commissions.extract_if(.., is_wanted).collect::<Vec<_>>())
            .collect();
        self.world.payments.get_mut(payment_id).unwrap().commissions.extend(moved);
    }

    /// Pays every commission with a positive net amount, and returns their IDs.
    pub(crate) fn pay_out(&mut self) -> BTreeSet<String> {
        let all = self.world.payments.values_mut().flat_map(|known| &mut known.commissions);
        let due = all.filter(|commission| commission.amount_minor > commission.reversed_minor);
        due.map(|commission| {
            commission.paid = true;
            commission.id.clone()
        })
        .collect()
    }

    /// The net amount of each partner in each currency.
    pub(crate) fn sums(&self) -> BTreeMap<(String, String), i64> {
        let mut sums = BTreeMap::new();
        for commission in self.world.payments.values().flat_map(|known| &known.commissions) {
            let key = (commission.partner_id.clone(), commission.currency.to_string());
            *sums.entry(key).or_default() += commission.amount_minor - commission.reversed_minor;
        }
        sums.retain(|_, net| *net != 0);
        sums
    }

    /// The net amounts of the first and the second partner, if there is only one currency.
    pub(crate) fn left(&self) -> [i64; 2] {
        let sums = self.sums();
        ["part1", "part2"]
            .map(|partner| sums.iter().filter(|((known, _), _)| known == partner).map(|(_, net)| net).sum())
    }
}

/// Delivers events in order, in reverse, and twice; checks the net amounts of the two partners each time.
#[track_caller]
pub(crate) fn check_in(empty: &Ledger, events: &[Value], want: [i64; 2]) {
    let backwards: Vec<Value> = events.iter().rev().cloned().collect();
    let orders = [events.to_vec(), backwards.clone(), [backwards, events.to_vec()].concat()];
    for (order, name) in orders.iter().zip(["in order", "backwards", "twice"]) {
        let mut ledger = empty.clone();
        for event in order {
            ledger.deliver(event);
        }
        assert_eq!(ledger.left(), want, "{name}");
    }
}

/// The subscriptions and customers, one by one.
fn each_holder(holders: &Facts) -> impl Iterator<Item = Facts> {
    let subscriptions = holders
        .subscriptions
        .clone()
        .into_iter()
        .map(|one| Facts { subscriptions: [one].into(), ..Facts::default() });
    let customers = holders.customers.clone().into_iter();
    subscriptions.chain(customers.map(|one| Facts { customers: [one].into(), ..Facts::default() }))
}

/// Wraps an object in an event, as Stripe does.
pub(crate) fn event(kind: &str, at: i64, object: Value) -> Value {
    let id = format!("evt_{kind}_{at}_{}", object["id"].as_str().unwrap_or_default());
    json!({"id": id, "type": kind, "created": T0 + at, "livemode": false, "data": {"object": object}})
}
