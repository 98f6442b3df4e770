//! Random lives of merchants: the purchases, subscriptions, refunds and disputes of some months.
//!
//! They avoid cases that the specification leaves open: a customer has clicks of several partners only if
//! every payment carries a click, payments of one customer are a day apart, failed payments are guests', and
//! no refund of a partly captured charge fails.

use super::calendar::{DAY, plus_months};
use super::truth::{
    Carried, Click, Dispute, Earning, Money, Partner, Payment, Recurring, Refund, Rules, Subscription, Truth,
    Verdict,
};
use crate::chance::Chance;

const CURRENCIES: [&str; 3] = ["usd", "eur", "jpy"];
/// The age of a click that is outside every window.
const OLD_CLICK_DAYS: i64 = 400;

/// A merchant's random life of some months from `start` on. `shop` distinguishes merchants.
pub(super) fn live(chance: &mut Chance, shop: usize, start: i64) -> Truth {
    let rules = rules(chance, start);
    let partners = (0..3).map(|n| partner(chance, shop, n)).collect();
    let clicks = clicks(chance, shop, start);
    let mut life = Life { chance, start, count: 0, several: rules.recurring == Recurring::Lifetime };
    let mut truth = Truth { rules, partners, clicks, payments: Vec::new(), subscriptions: Vec::new() };
    for _ in 0..life.chance.int(0..=3) {
        life.guest(&mut truth);
    }
    for _ in 0..life.chance.int(0..=2) {
        life.bare(&mut truth);
    }
    for customer in 0..life.chance.int(1..=3) {
        life.customer(&mut truth, &format!("cus_{customer}"));
    }
    for payment in &mut truth.payments {
        let after = payment.time + payment.delayed_by.unwrap_or(0) + 3_600;
        let part = life.chance.percent(35);
        if part {
            add_refunds_and_dispute(life.chance, payment, after);
        }
    }
    truth
}

/// Adds refunds and a dispute of the rest of a payment, from `after` on.
pub(super) fn add_refunds_and_dispute(chance: &mut Chance, payment: &mut Payment, after: i64) {
    let sent_back: i64 = payment.refunds.iter().filter(|one| !one.failed).map(|one| one.minor).sum();
    let mut left = payment.charged() - sent_back;
    let mut at = after;
    for _ in 0..chance.int(0..=3) {
        if left <= 0 {
            break;
        }
        at += chance.int(60..=6 * DAY);
        let minor = if chance.percent(35) { left } else { chance.int(1..=left) };
        let failed = chance.percent(15) && !payment.is_partly_captured();
        payment.refunds.push(Refund { minor, at, failed });
        left -= if failed { 0 } else { minor };
    }
    if payment.charged() > 0 && payment.disputes.is_empty() && chance.percent(30) {
        let verdict = chance.pick(&[Verdict::Inquiry, Verdict::Open, Verdict::Won, Verdict::Lost]);
        let charged = payment.charged();
        let minor = if chance.percent(80) { charged } else { chance.int(1..=charged) };
        payment.disputes.push(Dispute { minor, at: at + chance.int(60..=6 * DAY), verdict });
    }
}

fn rules(chance: &mut Chance, start: i64) -> Rules {
    let earning = earning(chance);
    let revised = matches!(earning, Earning::Share(_)) && chance.percent(25);
    Rules {
        earning,
        revised: revised.then(|| (start + chance.int(1..=60) * DAY + 7, chance.int(1..=5_000))),
        recurring: chance.pick(&[
            Recurring::First,
            Recurring::Lifetime,
            Recurring::Lifetime,
            Recurring::Months(1),
            Recurring::Months(3),
        ]),
        window_days: chance.pick(&[30, 60, 200]),
        hold_days: chance.pick(&[0, 14, 30]),
        gross: chance.percent(30),
        with_shipping: chance.percent(30),
        count_outside: chance.percent(60),
        keep_when_cancelled: chance.percent(40),
        by_customer: chance.percent(70),
        first_click: chance.percent(30),
    }
}

fn earning(chance: &mut Chance) -> Earning {
    if chance.percent(75) {
        return Earning::Share(chance.pick(&[1, 333, 1_000, 2_000, 2_550, 10_000]));
    }
    let (currency, cap) = (chance.pick(&CURRENCIES), chance.percent(50));
    Earning::Fixed { minor: chance.int(1..=2_500), currency, cap }
}

fn partner(chance: &mut Chance, shop: usize, n: usize) -> Partner {
    let own = (chance.percent(20)).then(|| earning(chance));
    Partner { email: format!("partner{n}@shop{shop}.example"), approved: n != 2 || chance.percent(30), own }
}

/// Two clicks of each partner shortly before the start, and one that is too old.
fn clicks(chance: &mut Chance, shop: usize, start: i64) -> Vec<Click> {
    let mut clicks = Vec::new();
    for (n, partner) in [0, 1, 2, 0, 1, 2].into_iter().enumerate() {
        let at = start - chance.int(0..=5 * DAY);
        clicks.push(Click { id: format!("clk_{shop}_{n}"), partner, at });
    }
    clicks.push(Click { id: format!("clk_{shop}_old"), partner: 0, at: start - OLD_CLICK_DAYS * DAY });
    clicks
}

struct Life<'a> {
    chance: &'a mut Chance,
    start: i64,
    count: usize,
    /// Whether a customer may have clicks of several partners.
    several: bool,
}

impl Life<'_> {
    /// A time on this day: payments of one customer are on different days, and inside the shortest window.
    fn moment(&mut self, day: i64) -> i64 {
        self.start + day * DAY + self.chance.int(600..=80_000)
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("{:02}", self.count)
    }

    fn fresh_click(&mut self, truth: &Truth) -> String {
        let fresh: Vec<_> = truth.clicks.iter().filter(|click| click.at > self.start - 10 * DAY).collect();
        self.chance.pick(&fresh).id.clone()
    }

    /// A click in some field of a Checkout Session, perhaps next to values that are not click IDs.
    fn in_session(&mut self, click: Option<String>) -> Carried {
        let mut carried = Carried::default();
        match (click, self.chance.int(0..=2)) {
            (Some(click), 0) => carried.session_metadata = Some(click),
            (Some(click), 1) => carried.client_reference = Some(click),
            (Some(click), _) => {
                carried.session_metadata = Some("clk_of_somebody_else".to_owned());
                carried.client_reference = Some(click);
            }
            (None, 0) => carried.client_reference = Some("user_4711".to_owned()),
            (None, _) => {}
        }
        carried
    }

    fn session_money(&mut self) -> Money {
        let total = if self.chance.percent(10) { 0 } else { self.chance.int(1..=50_000) };
        let (tax, shipping) = (self.chance.int(0..=total / 5), self.chance.int(0..=total / 5));
        Money::Session { total, tax, shipping }
    }

    fn invoice_money(&mut self) -> Money {
        let total = if self.chance.percent(8) { 0 } else { self.chance.int(1..=30_000) };
        let tax = self.chance.int(0..=total / 4);
        let credit = if self.chance.percent(15) { self.chance.int(0..=total) } else { 0 };
        let paid = total - credit;
        let outside = match self.chance.int(0..=19) {
            0 => paid,
            1 | 2 => self.chance.int(0..=paid),
            _ => 0,
        };
        Money::Invoice { paid, total, tax, outside, proration: false }
    }

    /// A buyer without a Stripe customer buys once.
    fn guest(&mut self, truth: &mut Truth) {
        let old = || truth.clicks.last().map(|click| click.id.clone());
        let click = match self.chance.int(0..=9) {
            0..=5 => Some(self.fresh_click(truth)),
            6 => old(),
            _ => None,
        };
        let mut money = self.session_money();
        let delayed_by = self.chance.percent(20).then(|| self.chance.int(DAY..=10 * DAY));
        if delayed_by.is_some() && self.chance.percent(30) {
            money = Money::Failed;
        }
        let carried = self.in_session(click);
        let partner = truth.partners.first().map(|partner| partner.email.clone());
        let is_partner = self.chance.percent(10);
        let day = self.chance.int(0..=20);
        let payment = Payment {
            name: self.name(),
            time: self.moment(day),
            has_session: true,
            customer: None,
            subscription: None,
            email: partner.filter(|_| is_partner).unwrap_or_else(|| "guest@example.com".to_owned()),
            currency: self.chance.pick(&CURRENCIES),
            carried,
            money,
            refunds: Vec::new(),
            disputes: Vec::new(),
            delayed_by,
        };
        truth.payments.push(payment);
    }

    /// A charge without Checkout, with its click in the metadata; perhaps only partly captured.
    fn bare(&mut self, truth: &mut Truth) {
        let authorised = self.chance.int(1..=40_000);
        let received = if self.chance.percent(25) { self.chance.int(1..=authorised) } else { authorised };
        let click = self.fresh_click(truth);
        let click = self.chance.percent(80).then_some(click);
        let day = self.chance.int(0..=20);
        let payment = Payment {
            name: self.name(),
            time: self.moment(day),
            has_session: false,
            customer: None,
            subscription: None,
            email: "guest@example.com".to_owned(),
            currency: self.chance.pick(&CURRENCIES),
            carried: Carried { intent_metadata: click, ..Carried::default() },
            money: Money::Bare { received, authorised },
            refunds: Vec::new(),
            disputes: Vec::new(),
            delayed_by: None,
        };
        truth.payments.push(payment);
    }

    /// A Stripe customer with some purchases and subscriptions: the first has a click, or none has.
    fn customer(&mut self, truth: &mut Truth, id: &str) {
        let referred = self.chance.percent(75);
        for visit in 0..self.chance.int(1..=3) {
            let by_click = referred && (visit == 0 || (self.several && self.chance.percent(40)));
            let fresh = self.fresh_click(truth);
            let click = by_click.then_some(fresh);
            let day = visit * 6 + self.chance.int(0..=4);
            // Without a click of its own, a subscription would move with the customer from partner to
            // partner.
            if self.chance.percent(50) && (click.is_some() || !self.several) {
                self.subscription(truth, id, click, day);
            } else {
                self.purchase(truth, id, click, day);
            }
        }
    }

    fn purchase(&mut self, truth: &mut Truth, customer: &str, click: Option<String>, day: i64) {
        let with_invoice = self.chance.percent(30);
        let money = if with_invoice { self.invoice_money() } else { self.session_money() };
        let carried = self.in_session(click);
        let payment = Payment {
            name: self.name(),
            time: self.moment(day),
            has_session: true,
            customer: Some(customer.to_owned()),
            subscription: None,
            email: format!("{customer}@example.com"),
            currency: self.chance.pick(&CURRENCIES),
            carried,
            money,
            refunds: Vec::new(),
            disputes: Vec::new(),
            delayed_by: None,
        };
        truth.payments.push(payment);
    }

    fn subscription(&mut self, truth: &mut Truth, customer: &str, click: Option<String>, day: i64) {
        let (begun, currency) = (self.moment(day), self.chance.pick(&CURRENCIES));
        let id = format!("sub_{}", self.name());
        let snapshot = click.clone().filter(|_| self.chance.percent(30));
        let has_session = self.chance.percent(85) || snapshot.is_none();
        let mut first = if has_session { self.in_session(click) } else { Carried::default() };
        first.subscription_metadata.clone_from(&snapshot);
        let later = Carried { subscription_metadata: snapshot, ..Carried::default() };
        let trial = self.chance.percent(25);
        let months = self.chance.int(0..=4);
        let mut moments = vec![(begun, false)];
        // Stripe's renewals come some hours early or late.
        moments.extend(
            (1..=months).map(|month| (plus_months(begun, month) + self.chance.int(-80_000..=20_000), false)),
        );
        if self.chance.percent(30) {
            let month = self.chance.int(0..=months);
            moments.push((plus_months(begun, month) + self.chance.int(8..=15) * DAY, true));
        }
        moments.sort_unstable();
        for (n, (time, proration)) in moments.into_iter().enumerate() {
            let money = match self.invoice_money() {
                Money::Invoice { .. } if n == 0 && trial => {
                    Money::Invoice { paid: 0, total: 0, tax: 0, outside: 0, proration: false }
                }
                Money::Invoice { total, .. } if proration && self.chance.percent(40) => {
                    Money::Invoice { paid: 0, total: -total, tax: 0, outside: 0, proration: true }
                }
                Money::Invoice { paid, total, tax, outside, .. } => {
                    Money::Invoice { paid, total, tax, outside, proration }
                }
                other => other,
            };
            let payment = Payment {
                name: self.name(),
                time,
                has_session: n == 0 && has_session,
                customer: Some(customer.to_owned()),
                subscription: Some(id.clone()),
                email: format!("{customer}@example.com"),
                currency,
                carried: if n == 0 { first.clone() } else { later.clone() },
                money,
                refunds: Vec::new(),
                disputes: Vec::new(),
                delayed_by: None,
            };
            truth.payments.push(payment);
        }
        let ended_at = self.chance.percent(40).then(|| begun + self.chance.int(1..=150) * DAY);
        truth.subscriptions.push(Subscription { id, customer: customer.to_owned(), ended_at });
    }
}
