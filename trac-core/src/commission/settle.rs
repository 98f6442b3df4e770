//! All facts in, the entries still to append out.
//!
//! [`settle`] looks at every payment of a [`World`], says what the ledger should hold for it, and answers the
//! difference. It knows nothing of the event that came in, so repeats, retries and reordering need no special case:
//! the same facts give the same sums.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::change::{Change, close, towards};
use super::decision::Decision;
use super::lead;
use super::series::Series;
use super::target::{Case, Standing, Target, frozen_target, target};
use crate::conversion::attribution::Attribution;
use crate::conversion::book::Book;
use crate::conversion::candidate::Rule;
use crate::conversion::clawback::Lost;
use crate::conversion::inference::Inference;
use crate::conversion::payment::{self, Money};
use crate::conversion::sale::Sale;
use crate::conversion::world::{Commission, World};
use crate::reason::Reason;
use crate::webhook::facts::Topic;
use crate::webhook::lead::Lead;
use crate::webhook::report::Report;

/// Why a world is settled. It never changes what facts ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// The kind of news that came; it words the entries and changes no amount.
    pub news: Option<Topic>,
    /// Whether terms are looked up anew, as a replay does. Else a commission keeps the versions it was settled by. One that was paid
    /// out keeps them always, and one that a replay emptied has none to keep.
    pub redecide: bool,
}

impl From<Topic> for Occasion {
    fn from(news: Topic) -> Self {
        Self { news: Some(news), redecide: false }
    }
}

/// What is decided about one payment, and what follows for its commissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The decision, for the record.
    pub decision: Decision,
    /// One for each commission that is, or will be, open. One of a payment inferred to be the same money is this payment's from
    /// then on.
    pub changes: Vec<Change>,
}

/// Settles every payment of a world. The answers are by our ID of the payment.
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

/// The commissions to settle with each payment, oldest first: its own, and those of payments inferred to be the same money, which
/// may have earned before that was known.
fn open_commissions<'a>(book: &Book<'a>) -> BTreeMap<&'a str, Vec<&'a Commission>> {
    let mut all: BTreeMap<&str, Vec<&Commission>> = BTreeMap::new();
    for (id, known) in &book.world.payments {
        let inference = book.sales.get(id.as_str()).map(|sale| &sale.inference);
        let whole = match inference {
            Some(Inference::SameAs(other)) => {
                book.world.payments.get_key_value(other).map_or(id, |(other, _)| other)
            }
            _ => id,
        };
        let open = known.commissions.iter().filter(|commission| !commission.closed);
        all.entry(whole).or_default().extend(open);
    }
    for commissions in all.values_mut() {
        commissions.sort_by_key(|commission| (commission.payment_time, &commission.id));
    }
    all
}

/// The open commissions of a payment.
struct Held<'c> {
    /// The oldest, which stays.
    survivor: Option<&'c Commission>,
    /// The others, which earned the same money again.
    doubles: Vec<&'c Commission>,
}

impl<'c> Held<'c> {
    fn of(open: Vec<&'c Commission>) -> Self {
        let mut open = open.into_iter();
        Self { survivor: open.next(), doubles: open.collect() }
    }

    /// The commission that stays, if a payout holds it.
    fn paid(&self) -> Option<&'c Commission> {
        self.survivor.filter(|commission| commission.paid)
    }

    /// The commission whose terms the payment keeps.
    fn settled(&self, sale: &Sale<'_>, occasion: Occasion) -> Option<&'c Commission> {
        let is_redecided = occasion.redecide || sale.facts.pins.is_some();
        self.survivor.filter(|commission| commission.paid || !(is_redecided || commission.amount_minor == 0))
    }
}

/// What was paid, or why nothing was, and how much of it went back.
struct Moved<'m> {
    money: Result<Money<'m>, Reason>,
    lost: Lost,
}

impl<'m> Moved<'m> {
    fn of(sale: &'m Sale<'_>, held: &Held<'_>) -> Self {
        let money = Money::of_paid(&sale.facts, held.paid().map(|commission| commission.click_id.as_str()));
        let lost = money.as_ref().map_or_else(|_| Lost::default(), |money| Lost::of(&sale.facts, money));
        Self { money, lost }
    }
}

/// What the ledger should hold, or why nothing.
struct Asked {
    target: Result<Target, Reason>,
    /// Whether a payout froze it: a commission that was paid out stays with its click, whatever is learnt later of the attribution.
    is_frozen: bool,
}

impl Asked {
    const fn open(target: Result<Target, Reason>) -> Self {
        Self { target, is_frozen: false }
    }

    const fn frozen(target: Result<Target, Reason>) -> Self {
        Self { target, is_frozen: true }
    }
}

/// Settles one payment: what was paid, what the ledger should hold for it, and what is to be appended for that.
fn settle_sale<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    open: Vec<&Commission>,
    occasion: Occasion,
) -> Settlement {
    let held = Held::of(open);
    let moved = Moved::of(sale, &held);
    let asked = match sale.facts.leads.values().next() {
        Some(lead) => of_lead(series.book, sale, lead, &held, occasion),
        None => of_payment(series, sale, &moved, &held, occasion),
    };
    let decision = decide(series.book, sale, &moved, &asked);
    Settlement { decision, changes: changes(series.book, sale, &held, asked.target, occasion) }
}

fn of_lead(book: &Book<'_>, sale: &Sale<'_>, lead: &Lead, held: &Held<'_>, occasion: Occasion) -> Asked {
    let attribution = book.credits.get(sale.id);
    let target = lead::target(book, sale, lead, attribution, held.settled(sale, occasion));
    match held.paid() {
        Some(paid) if target.is_err() || is_moved(attribution, paid) => {
            Asked::frozen(lead::frozen_target(book, sale, lead, paid))
        }
        _ => Asked::open(target),
    }
}

fn of_payment<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    moved: &Moved<'_>,
    held: &Held<'_>,
    occasion: Occasion,
) -> Asked {
    let (book, paid) = (series.book, held.paid());
    let attribution = book.credits.get(sale.id);
    let money = match &moved.money {
        Ok(money) => money,
        Err(reason) => return Asked::open(Err(*reason)),
    };
    // A page's claim of money that went back does not say which payment that belongs to.
    let is_claim = attribution.is_some_and(|found| found.rule == Rule::Claim);
    if let (true, None, Some(reason)) = (is_claim, paid, waiting(book, sale, moved.lost)) {
        return Asked::open(Err(reason));
    }
    let case = Case { series, sale, money, lost: moved.lost };
    let target = target(case, attribution, held.settled(sale, occasion), paid.is_some());
    match paid {
        Some(paid) if matches!(target, Err(Standing::Attribution(_))) || is_moved(attribution, paid) => {
            Asked::frozen(frozen_target(case, paid))
        }
        _ => Asked::open(target.map_err(|standing| standing.reason())),
    }
}

/// Whether facts now speak for another click than the one that a payout was made for, or for none.
fn is_moved(attribution: Option<&Attribution>, paid: &Commission) -> bool {
    attribution.is_none_or(|found| found.click_id != paid.click_id)
}

/// The decision, for the record.
fn decide(book: &Book<'_>, sale: &Sale<'_>, moved: &Moved<'_>, asked: &Asked) -> Decision {
    let money = moved.money.as_ref().ok();
    Decision {
        reason: match &asked.target {
            Ok(_) if asked.is_frozen => Reason::AttributionFrozen,
            Ok(target) => target.claim.reason,
            Err(reason) => waiting(book, sale, moved.lost).unwrap_or(*reason),
        },
        attribution: book.credits.get(sale.id).cloned(),
        candidates: sale.candidates.clone(),
        time: sale.time,
        gross_minor: money.map(Money::gross_minor),
        base_minor: asked.target.as_ref().ok().map(|target| target.claim.base_minor),
        currency: money.map(Money::currency),
        same_as: match &sale.inference {
            Inference::SameAs(other) => Some(other.clone()),
            Inference::Alone | Inference::Ambiguous => None,
        },
        lost_minor: moved.lost.total_minor(),
        claimed: payment::is_mere_claim(&sale.facts),
        lead_id: sale.facts.leads.keys().next().cloned(),
        transaction: sale.facts.reports.values().map(|report| report.transaction.clone()).min(),
        stripe: payment::stripe_ids(&sale.facts),
    }
}

/// What is to be appended: the doubles are closed, and the survivor is brought to the target.
fn changes(
    book: &Book<'_>,
    sale: &Sale<'_>,
    held: &Held<'_>,
    target: Result<Target, Reason>,
    occasion: Occasion,
) -> Vec<Change> {
    let closed = held.doubles.iter().map(|double| close(double, Reason::DuplicatePayment));
    let mut changes: Vec<Change> = closed.collect();
    changes.extend(towards(target, held.survivor, occasion.news));
    let own = book.world.payments.get(sale.id).map_or(&[][..], |known| known.commissions.as_slice());
    for change in &mut changes {
        let is_own = |id: &String| own.iter().any(|commission| commission.id == *id);
        change.taken_over = change.commission_id.as_ref().is_some_and(|id| !is_own(id));
    }
    changes
}

/// What a charge or refund waits for that belongs to no payment known here.
fn waiting(book: &Book<'_>, sale: &Sale<'_>, lost: Lost) -> Option<Reason> {
    let is_approved = sale.facts.reports.values().any(Report::is_trusted);
    let stray = !payment::is_checkout(&sale.facts) && sale.direct(book.world).is_none() && !is_approved;
    let went_back =
        lost.total_minor() > 0 || !sale.facts.refunds.is_empty() || !sale.facts.disputes.is_empty();
    if !stray || !went_back || matches!(sale.inference, Inference::SameAs(_)) {
        return None;
    }
    let line = sale.customer.as_deref().and_then(|id| book.timeline.customers.get(id));
    let unlinked = line.is_some_and(|line| !line.checkouts.is_empty());
    Some(if unlinked { Reason::PaymentUnlinked } else { Reason::PaymentUnknown })
}
