//! Computes from all facts which entries are still to be appended to the ledger.
//!
//! [`settle`] computes for every payment of a [`World`] what the ledger should contain, and returns the
//! difference. It does not depend on the event that was received, so repeats, retries and reordering need no
//! special case: the same facts give the same sums.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::change::{Change, close, towards};
use super::decision::Decision;
use super::judged::judged;
use super::series::Series;
use super::target::{Case, Refusal, Target, frozen_target, target};
use super::{lead, manual};
use crate::conversion::attribution::Attribution;
use crate::conversion::book::Book;
use crate::conversion::candidate::{Candidate, Rule};
use crate::conversion::clawback::Lost;
use crate::conversion::inference::Inference;
use crate::conversion::payment::{self, Money};
use crate::conversion::sale::Sale;
use crate::conversion::world::{Commission, World};
use crate::reason::Reason;
use crate::webhook::facts::Topic;
use crate::webhook::lead::Lead;

/// Why a world is settled. An occasion is not a fact: it does not change what the facts determine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// The topic of the event received, if any; it affects the reasons of entries, but no amount.
    pub news: Option<Topic>,
    /// Whether terms are looked up again, as in a replay. Otherwise a commission keeps the versions it was
    /// settled by, unless its amount is zero. A commission that was paid out always keeps them.
    pub redecide: bool,
}

impl From<Topic> for Occasion {
    fn from(news: Topic) -> Self {
        Self { news: Some(news), redecide: false }
    }
}

/// The decision about one payment, and the changes to its commissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The decision, to be recorded.
    pub decision: Decision,
    /// One change for each commission that is open or to be opened. A commission of a payment inferred to be
    /// the same money belongs to this payment from then on.
    pub changes: Vec<Change>,
}

/// Settles every payment of a world. The keys of the result are trac's payment IDs.
#[must_use]
pub fn settle(world: &World, occasion: Occasion) -> BTreeMap<String, Settlement> {
    let book = Book::open(world);
    let mut open = open_commissions(&book);
    let series = Series::of(&book);
    let mut settled = BTreeMap::new();
    for sale in book.sales.values() {
        let commissions = open.remove(sale.id).unwrap_or_default();
        settled.insert(sale.id.into(), settle_sale(&series, sale, commissions, occasion));
    }
    settled
}

/// The open commissions of each payment, oldest first: its own, and those of payments inferred to be the same
/// money, which may have earned before the inference.
fn open_commissions<'a>(book: &Book<'a>) -> BTreeMap<&'a str, Vec<&'a Commission>> {
    let mut all: BTreeMap<&str, Vec<&Commission>> = BTreeMap::new();
    for (id, known) in &book.world.payments {
        let inference = book.sales.get(id.as_str()).map(|sale| &sale.inference);
        let payment_id = match inference {
            Some(Inference::SameAs(other)) => {
                book.world.payments.get_key_value(other).map_or(id, |(other, _)| other)
            }
            _ => id,
        };
        let open = known.commissions.iter().filter(|commission| !commission.closed);
        all.entry(payment_id).or_default().extend(open);
    }
    for commissions in all.values_mut() {
        commissions.sort_by_key(|commission| (commission.payment_time, &commission.id));
    }
    all
}

/// The open commissions of a payment.
struct Open<'c> {
    /// The oldest one, which stays open.
    survivor: Option<&'c Commission>,
    /// The others, which are for the same money and are closed.
    duplicates: Vec<&'c Commission>,
}

impl<'c> Open<'c> {
    fn of(open: Vec<&'c Commission>) -> Self {
        let mut open = open.into_iter();
        Self { survivor: open.next(), duplicates: open.collect() }
    }

    /// The commission that stays open, if it was paid out.
    fn paid(&self) -> Option<&'c Commission> {
        self.survivor.filter(|commission| commission.paid)
    }

    /// The commission whose terms the payment keeps.
    fn settled(&self, sale: &Sale<'_>, occasion: Occasion) -> Option<&'c Commission> {
        let is_redecided = occasion.redecide || sale.facts.pins.is_some();
        self.survivor.filter(|commission| commission.paid || !(is_redecided || commission.amount_minor == 0))
    }
}

/// The amount paid, or why there is none, and how much of it went back.
struct Amounts<'m> {
    money: Result<Money<'m>, Reason>,
    lost: Lost,
}

impl<'m> Amounts<'m> {
    fn of(sale: &'m Sale<'_>, open: &Open<'_>) -> Self {
        let money = Money::of_paid(&sale.facts, open.paid().map(|commission| commission.click_id.as_str()));
        let lost = money.as_ref().map_or_else(|_| Lost::default(), |money| Lost::of(&sale.facts, money));
        Self { money, lost }
    }
}

/// What the ledger should contain, or why it contains nothing.
struct Wanted {
    target: Result<Target, Reason>,
    /// Whether a payout froze the attribution: a commission that was paid out keeps its click, even if later
    /// facts change the attribution.
    is_frozen: bool,
}

impl Wanted {
    const fn open(target: Result<Target, Reason>) -> Self {
        Self { target, is_frozen: false }
    }

    const fn frozen(target: Result<Target, Reason>) -> Self {
        Self { target, is_frozen: true }
    }
}

/// Settles one payment: computes the amount paid, the target of the ledger, and the entries to append.
fn settle_sale<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    open: Vec<&Commission>,
    occasion: Occasion,
) -> Settlement {
    let open = Open::of(open);
    let amounts = Amounts::of(sale, &open);
    let adjustment = sale.facts.adjustments.iter().next();
    let mut wanted = match (sale.facts.leads.values().next(), adjustment) {
        (Some(lead), _) => of_lead(series.book, sale, lead, &open, occasion),
        (None, Some((id, adjustment))) => {
            let settled = open.settled(sale, occasion);
            Wanted::open(manual::target(series.book, sale, (id, adjustment), settled))
        }
        (None, None) => of_payment(series, sale, &amounts, &open, occasion),
    };
    wanted.target = wanted.target.and_then(|target| judged(target, sale));
    let decision = decide(series.book, sale, &amounts, &wanted);
    Settlement { decision, changes: changes(series.book, sale, &open, wanted.target, occasion) }
}

fn of_lead(book: &Book<'_>, sale: &Sale<'_>, lead: &Lead, open: &Open<'_>, occasion: Occasion) -> Wanted {
    let attribution = book.credits.get(sale.id);
    let target = lead::target(book, sale, lead, attribution, open.settled(sale, occasion));
    match open.paid() {
        Some(paid) if target.is_err() || is_moved(attribution, paid) => {
            Wanted::frozen(lead::frozen_target(book, sale, lead, paid))
        }
        _ => Wanted::open(target),
    }
}

fn of_payment<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    amounts: &Amounts<'_>,
    open: &Open<'_>,
    occasion: Occasion,
) -> Wanted {
    let (book, paid) = (series.book, open.paid());
    let attribution = book.credits.get(sale.id);
    let money = match &amounts.money {
        Ok(money) => money,
        Err(reason) => return Wanted::open(Err(*reason)),
    };
    // A page's claim is not evidence of which payment a refund or dispute belongs to.
    let is_claim = attribution.is_some_and(|found| found.rule == Rule::Claim);
    if let (true, None, Some(reason)) = (is_claim, paid, waiting(book, sale, amounts.lost)) {
        return Wanted::open(Err(reason));
    }
    let case = Case { series, sale, money, lost: amounts.lost };
    let target = target(case, attribution, open.settled(sale, occasion), paid.is_some());
    match paid {
        Some(paid) if matches!(target, Err(Refusal::Attribution(_))) || is_moved(attribution, paid) => {
            Wanted::frozen(frozen_target(case, paid))
        }
        _ => Wanted::open(target.map_err(|refusal| refusal.reason())),
    }
}

/// Whether facts now attribute the payment to another click than the one that was paid out, or to none.
fn is_moved(attribution: Option<&Attribution>, paid: &Commission) -> bool {
    attribution.is_none_or(|found| found.click_id != paid.click_id)
}

/// The decision, as it is recorded.
fn decide(book: &Book<'_>, sale: &Sale<'_>, amounts: &Amounts<'_>, wanted: &Wanted) -> Decision {
    let money = amounts.money.as_ref().ok();
    Decision {
        reason: match &wanted.target {
            Ok(target) if wanted.is_frozen && target.rejected.is_none() => Reason::AttributionFrozen,
            Ok(target) => target.claim.reason,
            Err(reason) => waiting(book, sale, amounts.lost).unwrap_or(*reason),
        },
        attribution: book.credits.get(sale.id).cloned(),
        candidates: considered(book, sale),
        time: sale.time,
        gross_minor: money.map(Money::gross_minor),
        base_minor: wanted.target.as_ref().ok().map(|target| target.claim.base_minor),
        currency: money.map(Money::currency),
        same_as: match &sale.inference {
            Inference::SameAs(other) => Some(other.clone()),
            Inference::Alone | Inference::Ambiguous => None,
        },
        lost_minor: amounts.lost.total_minor(),
        claimed: payment::is_only_claimed(&sale.facts),
        lead_id: sale.facts.leads.keys().next().cloned(),
        adjustment_id: sale.facts.adjustments.keys().next().cloned(),
        transaction: sale.facts.reports.values().map(|report| report.transaction.clone()).min(),
        stripe: payment::stripe_ids(&sale.facts),
    }
}

/// The candidates of a sale; the first is the click that the merchant assigned its customer to, if any.
fn considered(book: &Book<'_>, sale: &Sale<'_>) -> Vec<Candidate> {
    let assigned = book.assigned.get(sale.id).and_then(|assigned| {
        let (object, value) = (assigned.customer.into(), assigned.assignment.click_id()?.into());
        Some(Candidate { rule: Rule::Reassigned, object, value })
    });
    assigned.into_iter().chain(sale.candidates.iter().cloned()).collect()
}

/// The changes: duplicates are closed, and the survivor is brought to the target.
fn changes(
    book: &Book<'_>,
    sale: &Sale<'_>,
    open: &Open<'_>,
    target: Result<Target, Reason>,
    occasion: Occasion,
) -> Vec<Change> {
    let closed = open.duplicates.iter().map(|duplicate| close(duplicate, Reason::DuplicatePayment));
    let mut changes: Vec<Change> = closed.collect();
    changes.extend(towards(target, open.survivor, occasion.news));
    let own = book.world.payments.get(sale.id).map_or(&[][..], |known| known.commissions.as_slice());
    for change in &mut changes {
        let is_own = |id: &String| own.iter().any(|commission| commission.id == *id);
        change.taken_over = change.commission_id.as_ref().is_some_and(|id| !is_own(id));
    }
    changes
}

/// Why a charge waits: it has a refund or dispute, and belongs to no known payment. Otherwise `None`.
fn waiting(book: &Book<'_>, sale: &Sale<'_>, lost: Lost) -> Option<Reason> {
    let facts = &sale.facts;
    let is_stray = !payment::is_checkout(facts) && sale.direct(book.world).is_none();
    let is_lost = facts.is_reported_by_stripe() && lost.total_minor() > 0;
    let went_back = is_lost || !facts.refunds.is_empty() || !facts.disputes.is_empty();
    if !is_stray || !went_back || matches!(sale.inference, Inference::SameAs(_)) {
        return None;
    }
    let line = sale.customer.as_deref().and_then(|id| book.timeline.customers.get(id));
    let unlinked = line.is_some_and(|line| !line.checkouts.is_empty());
    Some(if unlinked { Reason::PaymentUnlinked } else { Reason::PaymentUnknown })
}
