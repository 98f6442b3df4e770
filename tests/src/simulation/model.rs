//! The expected ledger of what really happened: the specified money rules (4.5) in plain arithmetic.
//!
//! Nothing here calls trac. The model knows the whole truth at once, so it needs no order, no joins and no
//! state.

use super::calendar::{DAY, plus_months};
use super::truth::{Click, Earning, Money, Payment, Recurring, Truth, Verdict};

/// The expected commission of one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) partner: usize,
    pub(super) currency: &'static str,
    /// Its net amount, in minor units.
    pub(super) net: i64,
    /// Whether a dispute is open.
    pub(super) held: bool,
}

fn half_up(one: i64, other: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let (product, whole) = (i128::from(one) * i128::from(other), i128::from(whole));
    i64::try_from((2 * product + whole).div_euclid(2 * whole)).expect("money fits")
}

impl Truth {
    /// The expected commission of a payment; `None` if it earns nothing.
    pub(super) fn expected(&self, payment: &Payment) -> Option<Expected> {
        let credit = self.credit(payment)?;
        let partner = self.partners.get(credit.click.partner)?;
        let base = self.base(payment)?;
        if !self.may_earn(payment, &credit) || base <= 0 {
            return None;
        }
        if !self.is_covered(payment, &credit) {
            return None;
        }
        let earning = partner.own.unwrap_or_else(|| self.earning_at(payment.time));
        let (earned, currency) = match earning {
            Earning::Share(bps) => (half_up(base, bps, 10_000), payment.currency),
            Earning::Fixed { minor, currency, cap } if cap && currency == payment.currency => {
                (minor.min(base), currency)
            }
            Earning::Fixed { minor, currency, .. } => (minor, currency),
        };
        let net = if self.is_voided(payment) {
            0
        } else {
            earned - clawed_back(payment, earned, self.rules.count_outside)
        };
        let held = payment.disputes.iter().any(|dispute| dispute.verdict == Verdict::Open);
        Some(Expected { partner: credit.click.partner, currency, net, held })
    }

    fn earning_at(&self, time: i64) -> Earning {
        match self.rules.revised {
            Some((from, bps)) if time >= from => Earning::Share(bps),
            _ => self.rules.earning,
        }
    }

    /// The commission base of a payment; `None` if no money was paid.
    fn base(&self, payment: &Payment) -> Option<i64> {
        let rules = &self.rules;
        Some(match payment.money {
            Money::Failed => return None,
            Money::Session { total, tax, shipping } => {
                total - if rules.gross { 0 } else { tax } - if rules.with_shipping { 0 } else { shipping }
            }
            Money::Invoice { paid, total, tax, outside, .. } => {
                let paid = paid - if rules.count_outside { 0 } else { outside };
                paid - if rules.gross { 0 } else { half_up(tax, paid, total) }
            }
            Money::Bare { received, .. } => received,
        })
    }

    /// Rules (1) to (5).
    fn own_click(&self, payment: &Payment) -> Option<&Click> {
        let carried = &payment.carried;
        let values = [
            &carried.session_metadata,
            &carried.client_reference,
            &carried.subscription_metadata,
            &carried.invoice_metadata,
            &carried.intent_metadata,
        ];
        let mut values = values.into_iter().flatten();
        values.find_map(|value| self.clicks.iter().find(|click| click.id == *value))
    }

    fn own_credit(&self, payment: &Payment) -> Option<Credit<'_>> {
        let click = self.own_click(payment)?;
        let alike = self.of_subscription(payment);
        let alike = alike.filter(|other| self.own_click(other).is_some_and(|it| it.id == click.id));
        let bound_at = alike.map(|other| other.time).min().unwrap_or(payment.time);
        Some(Credit { click, bound_at, by_customer: false })
    }

    fn credit(&self, payment: &Payment) -> Option<Credit<'_>> {
        let own = self.own_credit(payment).map(|own| match self.binder(payment) {
            Some((_, bound)) if bound.click.id == own.click.id && bound.bound_at <= payment.time => {
                Credit { bound_at: bound.bound_at, ..own }
            }
            _ => own,
        });
        let inherited = || self.by_subscription(payment).or_else(|| self.by_customer(payment));
        if self.rules.first_click { inherited().or(own) } else { own.or_else(inherited) }
    }

    /// The credit of a payment without its subscription.
    fn credit_alone(&self, payment: &Payment) -> Option<Credit<'_>> {
        let (own, inherited) = (self.own_credit(payment), || self.by_customer(payment));
        if self.rules.first_click { inherited().or(own) } else { own.or_else(inherited) }
    }

    /// The first credited payment of the subscription, and its credit; if none is credited, the first whose
    /// click is refused.
    fn binder(&self, payment: &Payment) -> Option<(&Payment, Credit<'_>)> {
        let attributed = self.of_subscription(payment).filter_map(|other| {
            let other = self.payments.iter().find(|it| it.name == other.name)?;
            Some((other, self.credit_alone(other)?))
        });
        let refused = |(other, credit): &(&Payment, Credit<'_>)| !self.may_earn(other, credit);
        attributed.min_by_key(|one| (refused(one), one.0.time))
    }

    /// Whether partner, time and buyer allow a click to earn.
    fn may_earn(&self, payment: &Payment, credit: &Credit<'_>) -> bool {
        let age = credit.bound_at - credit.click.at;
        let in_window = (-300..=self.rules.window_days * DAY).contains(&age);
        let partner = self.partners.get(credit.click.partner);
        partner.is_some_and(|partner| partner.approved && in_window && payment.email != partner.email)
    }

    /// Rule (6): the credit of the subscription's first credited payment. A click that a payment carries also
    /// counts for earlier payments, but not for payments before the click.
    fn by_subscription(&self, payment: &Payment) -> Option<Credit<'_>> {
        let (binder, credit) = self.binder(payment).filter(|(binder, _)| binder.name != payment.name)?;
        let is_earlier = payment.time < binder.time;
        let counts = !credit.by_customer && credit.click.at - 300 <= payment.time;
        (!is_earlier || counts).then_some(Credit { by_customer: false, ..credit })
    }

    /// Rule (8): the customer's earlier credit; the first under `first_click`, otherwise the last.
    fn by_customer(&self, payment: &Payment) -> Option<Credit<'_>> {
        let customer = payment.customer.as_ref().filter(|_| self.rules.by_customer && !payment.is_bare())?;
        let before = self.payments.iter().filter(|other| {
            other.customer.as_ref() == Some(customer)
                && other.name != payment.name
                && other.time <= payment.time
        });
        let bound = before.filter_map(|other| Some((other.time, self.own_credit(other)?)));
        // A credit inside its window takes precedence over one outside; then the time at which the click was
        // first bound decides.
        let (_, chosen) = bound.max_by_key(|(time, credit)| {
            let age = credit.bound_at - credit.click.at;
            let in_window = (-300..=self.rules.window_days * DAY).contains(&age);
            let sign = if self.rules.first_click { -1 } else { 1 };
            (in_window, sign * credit.bound_at, *time)
        })?;
        Some(Credit { by_customer: true, ..chosen })
    }

    fn of_subscription<'a>(&'a self, payment: &'a Payment) -> impl Iterator<Item = &'a Payment> {
        self.payments
            .iter()
            .filter(|other| other.subscription.is_some() && other.subscription == payment.subscription)
    }

    fn is_covered(&self, payment: &Payment, credit: &Credit<'_>) -> bool {
        let has_money = |other: &&Payment| self.base(other).is_some_and(|base| base > 0);
        let of_series: Vec<&Payment> = if payment.subscription.is_some() {
            self.of_subscription(payment).filter(has_money).collect()
        } else if credit.by_customer {
            let of_customer = self.payments.iter().filter(|other| other.customer == payment.customer);
            of_customer.filter(has_money).collect()
        } else {
            vec![payment]
        };
        let start = of_series.iter().map(|other| other.time).min().unwrap_or(payment.time);
        match self.rules.recurring {
            Recurring::Lifetime => true,
            Recurring::First => payment.time == start,
            Recurring::Months(months) => payment.time < plus_months(start, months) - DAY,
        }
    }

    fn is_voided(&self, payment: &Payment) -> bool {
        let Some(id) = payment.subscription.as_ref().filter(|_| !self.rules.keep_when_cancelled) else {
            return false;
        };
        let ended = self.subscriptions.iter().find(|one| one.id == *id).and_then(|one| one.ended_at);
        let paid_at = payment.paid_at();
        ended.is_some_and(|ended| paid_at < ended && paid_at + self.rules.hold_days * DAY > ended)
    }
}

/// The click that a payment is credited to, and when it was first bound.
#[derive(Clone, Copy)]
struct Credit<'a> {
    click: &'a Click,
    bound_at: i64,
    by_customer: bool,
}

/// How much of a commission is clawed back with the money.
fn clawed_back(payment: &Payment, earned: i64, count_outside: bool) -> i64 {
    let refunded: i64 = payment.refunds.iter().filter(|it| !it.failed).map(|it| it.minor).sum();
    let gone = |verdict| matches!(verdict, Verdict::Open | Verdict::Lost);
    let disputed: i64 = payment.disputes.iter().filter(|it| gone(it.verdict)).map(|it| it.minor).sum();
    let gross = match payment.money {
        Money::Invoice { paid, outside, .. } => paid - if count_outside { 0 } else { outside },
        _ => payment.charged(),
    };
    half_up(earned, (refunded + disputed).min(gross), gross)
}
