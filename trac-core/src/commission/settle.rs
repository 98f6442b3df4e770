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
use crate::conversion::book::Book;
use crate::conversion::candidate::Rule;
use crate::conversion::clawback::Lost;
use crate::conversion::inference::Inference;
use crate::conversion::payment::{self, Money};
use crate::conversion::sale::Sale;
use crate::conversion::world::{Commission, World};
use crate::reason::Reason;
use crate::webhook::facts::Topic;
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

fn settle_sale<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    open: Vec<&Commission>,
    occasion: Occasion,
) -> Settlement {
    let book = series.book;
    let mut open = open.into_iter();
    let (survivor, doubles) = (open.next(), open);
    let mut changes: Vec<Change> = doubles.map(|double| close(double, Reason::DuplicatePayment)).collect();

    let paid_click =
        survivor.filter(|commission| commission.paid).map(|commission| commission.click_id.as_str());
    let money = Money::of_paid(&sale.facts, paid_click);
    let lost = money.as_ref().map_or_else(|_| Lost::default(), |money| Lost::of(&sale.facts, money));
    let mut decision = Decision {
        reason: Reason::Ok,
        attribution: book.credits.get(sale.id).cloned(),
        candidates: sale.candidates.clone(),
        time: sale.time,
        gross_minor: money.as_ref().ok().map(Money::gross_minor),
        base_minor: None,
        currency: money.as_ref().ok().map(Money::currency),
        same_as: None,
        lost_minor: lost.total_minor(),
        claimed: payment::is_mere_claim(&sale.facts),
        lead_id: sale.facts.leads.keys().next().cloned(),
        transaction: sale.facts.reports.values().map(|report| report.transaction.clone()).min(),
        stripe: payment::stripe_ids(&sale.facts),
    };
    if let Inference::SameAs(other) = &sale.inference {
        decision.same_as = Some(other.clone());
    }
    let (target, frozen) = target_of(series, sale, money, lost, survivor, occasion, &decision);
    decision.base_minor = target.as_ref().ok().map(|target| target.claim.base_minor);
    decision.reason = match &target {
        Ok(_) if frozen => Reason::AttributionFrozen,
        Ok(target) => target.claim.reason,
        Err(reason) => waiting(book, sale, lost).unwrap_or(*reason),
    };
    changes.extend(towards(target, survivor, occasion.news));
    let own = book.world.payments.get(sale.id).map_or(&[][..], |known| known.commissions.as_slice());
    for change in &mut changes {
        let is_own = |id: &String| own.iter().any(|commission| commission.id == *id);
        change.taken_over = change.commission_id.as_ref().is_some_and(|id| !is_own(id));
    }
    Settlement { decision, changes }
}

/// What the ledger should hold for a payment or lead, and whether a payout froze it: a commission that was paid out stays with its
/// click, whatever is learnt later of the attribution.
fn target_of<'a>(
    series: &Series<'_, 'a>,
    sale: &Sale<'a>,
    money: Result<Money<'_>, Reason>,
    lost: Lost,
    survivor: Option<&Commission>,
    occasion: Occasion,
    decision: &Decision,
) -> (Result<Target, Reason>, bool) {
    let (book, attribution) = (series.book, decision.attribution.as_ref());
    let paid = survivor.filter(|commission| commission.paid);
    let keeps = |commission: &&Commission| {
        commission.paid || !(occasion.redecide || sale.facts.pins.is_some() || commission.amount_minor == 0)
    };
    let settled = survivor.filter(keeps);
    let moved = paid.filter(|paid| attribution.is_none_or(|found| found.click_id != paid.click_id));
    if let Some(lead) = sale.facts.leads.values().next() {
        let target = lead::target(book, sale, lead, attribution, settled);
        return match (target, moved, paid) {
            (Err(_), _, Some(commission)) | (_, Some(commission), _) => {
                (lead::frozen_target(book, sale, lead, commission), true)
            }
            (target, ..) => (target, false),
        };
    }
    let money = match money {
        Ok(money) => money,
        Err(reason) => return (Err(reason), false),
    };
    // A page's claim of money that went back does not say which payment that belongs to.
    let is_claim = attribution.is_some_and(|found| found.rule == Rule::Claim);
    if let (true, None, Some(reason)) = (is_claim, paid, waiting(book, sale, lost)) {
        return (Err(reason), false);
    }
    let case = Case { series, sale, money: &money, lost };
    match (target(case, attribution, settled, paid.is_some()), moved, paid) {
        (Err(Standing::Attribution(_)), _, Some(commission)) | (_, Some(commission), _) => {
            (frozen_target(case, commission), true)
        }
        (target, ..) => (target.map_err(|standing| standing.reason()), false),
    }
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
