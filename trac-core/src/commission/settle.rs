//! All facts in, the entries still to append out.
//!
//! [`settle`] looks at every payment of a [`World`], says what the ledger should hold for it, and answers the
//! difference. It knows nothing of the event that came in, so repeats, retries and reordering need no special case:
//! the same facts give the same sums.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::entry::{NewEntry, Reasons, Sums};
use super::lead;
use super::series::{self, Place};
use super::terms;
use crate::conversion::attribution::Attribution;
use crate::conversion::clawback::Lost;
use crate::conversion::eligibility::{self, Terms};
use crate::conversion::payment::{self, Money, StripeIds};
use crate::conversion::reason::Reason;
use crate::conversion::sale::{Book, Candidate, Inference, Moment, Rule, Sale};
use crate::conversion::world::{Click, Commission, World};
use crate::money::{Currency, share_half_up};
use crate::program::CancelPolicy;
use crate::time::Timestamp;
use crate::webhook::dispute::Dispute;
use crate::webhook::facts::Topic;

/// What is decided about one payment: the answer to "why was or wasn't this mine?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Why it earns, or why not.
    pub reason: Reason,
    /// The click it is credited to, even where it earns nothing.
    pub attribution: Option<Attribution>,
    /// Every value that was looked at.
    pub candidates: Vec<Candidate>,
    /// When the payment happened.
    pub time: Option<Timestamp>,
    /// What was paid, in minor units.
    pub gross_minor: Option<i64>,
    /// What the commission is a share of, in minor units.
    pub base_minor: Option<i64>,
    /// The currency of both.
    pub currency: Option<Currency>,
    /// The payment this is inferred to be the same money as.
    pub same_as: Option<String>,
    /// What went back, in minor units.
    pub lost_minor: i64,
    /// Our ID of the lead, where it is one and no payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<String>,
    /// The transaction that was reported, where it was: Stripe's ID, or `transaction:` and the merchant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The Stripe IDs of the payment.
    pub stripe: StripeIds,
}

impl Decision {
    /// What it is about: a lead, a payment of a subscription, or another one.
    #[must_use]
    pub const fn source(&self) -> Source {
        if self.lead_id.is_some() {
            Source::Lead
        } else if self.stripe.subscription.is_some() {
            Source::Recurring
        } else {
            Source::Sale
        }
    }
}

/// Why a world is settled. It never changes what facts ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// The kind of news that came; it words the entries and changes no amount.
    pub news: Option<Topic>,
    /// Whether terms are looked up anew, as a replay does. Else a commission keeps the versions it was settled by.
    pub redecide: bool,
}

impl From<Topic> for Occasion {
    fn from(news: Topic) -> Self {
        Self { news: Some(news), redecide: false }
    }
}

/// What a commission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A lead.
    Lead,
    /// A payment outside any subscription.
    Sale,
    /// A payment of a subscription; the first is month 1.
    Recurring,
}

impl Source {
    /// `lead`, `sale` or `recurring`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Sale => "sale",
            Self::Recurring => "recurring",
        }
    }
}

/// What a commission says beside its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The click it is credited to.
    pub click_id: String,
    /// The program whose terms hold.
    pub program_id: String,
    /// The version of it.
    pub program_version: u32,
    /// Who earns.
    pub partner_id: String,
    /// Through which enrollment.
    pub enrollment_id: String,
    /// The version of it.
    pub enrollment_version: u32,
    /// What it is for.
    pub source: Source,
    /// 1 for the first month of a subscription.
    pub recurring_month: Option<u32>,
    /// The currency of the commission.
    pub currency: Currency,
    /// What it is a share of, in minor units.
    pub base_minor: i64,
    /// When it is due, if nothing holds it.
    pub matures_at: Timestamp,
    /// The time of the payment.
    pub payment_time: Timestamp,
    /// Whether a dispute is open.
    pub held: bool,
    /// Why it earns.
    pub reason: Reason,
}

/// What becomes of one commission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commission; `None` opens one.
    pub commission_id: Option<String>,
    /// What it says from now on; `None` leaves that as it is.
    pub claim: Option<Claim>,
    /// Why it stands as it does, where it no longer earns.
    pub reason: Reason,
    /// Its sums, once the entries are appended.
    pub sums: Sums,
    /// Whether another commission takes its place.
    pub closed: bool,
    /// The entries to append, in order.
    pub entries: Vec<NewEntry>,
}

/// What is decided about one payment, and what follows for its commissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The decision, for the record.
    pub decision: Decision,
    /// One for each commission that is, or will be, open.
    pub changes: Vec<Change>,
}

/// What the ledger should hold for a payment or lead that earns.
pub(super) struct Target {
    pub(super) claim: Claim,
    pub(super) sums: Sums,
    pub(super) lost: Lost,
    pub(super) voided: bool,
}

/// Settles every payment of a world. The answers are by our ID of the payment.
#[must_use]
pub fn settle(world: &World, occasion: Occasion) -> BTreeMap<String, Settlement> {
    let book = Book::open(world);
    book.sales.values().map(|sale| (sale.id.into(), settle_sale(&book, sale, occasion))).collect()
}

fn settle_sale(book: &Book<'_>, sale: &Sale<'_>, occasion: Occasion) -> Settlement {
    let known = book.world.payments.get(sale.id).map_or(&[][..], |known| known.commissions.as_slice());
    let mut open: Vec<&Commission> = known.iter().filter(|commission| !commission.closed).collect();
    open.sort_by_key(|commission| (commission.payment_time, &commission.id));
    let mut open = open.into_iter();
    let (survivor, doubles) = (open.next(), open);
    let mut changes: Vec<Change> = doubles.map(|double| close(double, Reason::DuplicatePayment)).collect();

    let money = Money::of(&sale.facts);
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
        lead_id: sale.facts.leads.keys().next().cloned(),
        transaction: sale.facts.reports.values().map(|report| report.transaction.clone()).min(),
        stripe: payment::stripe_ids(&sale.facts),
    };
    if let Inference::SameAs(other) = &sale.inference {
        decision.same_as = Some(other.clone());
    }
    // A commission that was paid out stays with its click, whatever is learnt later.
    let frozen = survivor.filter(|commission| {
        commission.paid && decision.attribution.as_ref().is_some_and(|it| it.click_id != commission.click_id)
    });
    let of_payment = |money: Money<'_>| {
        if let Some(commission) = frozen {
            return frozen_target(book, sale, &money, lost, commission);
        }
        let settled = survivor.filter(|_| !occasion.redecide);
        let paid = survivor.is_some_and(|commission| commission.paid);
        target(book, sale, &money, lost, decision.attribution.as_ref(), settled, paid)
    };
    let target = match sale.facts.leads.values().next() {
        Some(lead) => {
            let own = frozen.and_then(|commission| lead::own_attribution(sale, commission));
            let attribution = own.as_ref().or(decision.attribution.as_ref());
            let settled = frozen.or(survivor.filter(|_| !occasion.redecide));
            lead::target(book, sale, lead, attribution, settled)
        }
        None => money.and_then(of_payment),
    };
    decision.base_minor = target.as_ref().ok().map(|target| target.claim.base_minor);
    decision.reason = match (&target, frozen) {
        (_, Some(_)) => Reason::AttributionFrozen,
        (Ok(target), None) => target.claim.reason,
        (Err(reason), None) => waiting(book, sale, lost).unwrap_or(*reason),
    };
    changes.extend(towards(target, survivor, occasion.news));
    Settlement { decision, changes }
}

/// What a charge or refund waits for that belongs to no payment known here.
fn waiting(book: &Book<'_>, sale: &Sale<'_>, lost: Lost) -> Option<Reason> {
    let stray = !payment::is_checkout(&sale.facts) && sale.direct(book.world).is_none();
    let went_back =
        lost.total_minor() > 0 || !sale.facts.refunds.is_empty() || !sale.facts.disputes.is_empty();
    if !stray || !went_back || matches!(sale.inference, Inference::SameAs(_)) {
        return None;
    }
    let customer = sale.customer.as_deref();
    let could_be = |(_, other): (Moment<'_>, &Sale<'_>)| payment::is_checkout(&other.facts);
    let unlinked = customer.is_some_and(|customer| book.of_customer(customer).any(could_be));
    Some(if unlinked { Reason::PaymentUnlinked } else { Reason::PaymentUnknown })
}

fn target(
    book: &Book<'_>,
    sale: &Sale<'_>,
    money: &Money<'_>,
    lost: Lost,
    attribution: Option<&Attribution>,
    settled: Option<&Commission>,
    paid: bool,
) -> Result<Target, Reason> {
    if sale.inference != Inference::Alone {
        return Err(Reason::DuplicatePayment);
    }
    let time = sale.time.ok_or(Reason::PaymentUnknown)?;
    let attribution = attribution.ok_or(Reason::NoAttributionYet)?;
    let click = book.world.clicks.get(&attribution.click_id).ok_or(Reason::NoAttributionYet)?;
    let settled = settled.filter(|commission| commission.click_id == attribution.click_id);
    let terms = Terms::of(book, click, time, settled)?;
    eligibility::judge(book, sale, attribution, click, &terms, settled.is_some())?;
    let place = |base: i64| {
        if base <= 0 {
            return Err(Reason::ZeroAmount);
        }
        series::place(book, sale, time, attribution, &terms.program.terms)
    };
    let base = money.base_minor(&terms.program.terms, sale.payment_link.as_deref())?;
    let place = place(base)?;
    earn(book, sale, money, lost, &Claimant { attribution, click, terms, place, time, base, paid })
}

/// Everything that was found before the amount is worked out.
struct Claimant<'a> {
    attribution: &'a Attribution,
    click: &'a Click,
    terms: Terms<'a>,
    place: Place,
    time: Timestamp,
    base: i64,
    paid: bool,
}

fn earn(
    book: &Book<'_>,
    sale: &Sale<'_>,
    money: &Money<'_>,
    lost: Lost,
    claimant: &Claimant<'_>,
) -> Result<Target, Reason> {
    let Claimant { attribution, click, terms, place, time, base, paid } = claimant;
    let program = &terms.program.terms;
    let rule = terms.enrollment.terms.commission.unwrap_or(program.commission);
    let earned = terms::earned(rule, *base, money.currency());
    if earned.amount_minor == 0 {
        return Err(Reason::ZeroCommission);
    }
    let (source, hold) = match place.recurring_month {
        Some(_) => (Source::Recurring, program.hold_days.recurring),
        None => (Source::Sale, program.hold_days.sale),
    };
    let is_claim = payment::is_mere_claim(&sale.facts);
    let matures_at = time.plus_days(hold);
    let voided = !paid && program.cancel_policy == CancelPolicy::VoidPending && {
        let ended = sale.subscription.as_ref().and_then(|id| book.world.holders.subscriptions.get(id));
        ended.and_then(|subscription| subscription.ended_at).is_some_and(|ended| matures_at > ended)
    };
    let reversed_minor = if voided {
        earned.amount_minor
    } else {
        share_half_up(earned.amount_minor, lost.total_minor(), lost.whole_minor)
    };
    let claim = Claim {
        click_id: attribution.click_id.clone(),
        program_id: click.program_id.clone(),
        program_version: terms.program.number,
        partner_id: click.partner_id.clone(),
        enrollment_id: terms.enrollment_id.into(),
        enrollment_version: terms.enrollment.number,
        source,
        recurring_month: place.recurring_month,
        currency: earned.currency,
        base_minor: *base,
        matures_at,
        payment_time: *time,
        held: is_claim || sale.facts.disputes.values().any(Dispute::is_open),
        reason: if is_claim {
            Reason::ClientReported
        } else {
            why(money, attribution, *place, earned.capped)
        },
    };
    Ok(Target { claim, sums: Sums { amount_minor: earned.amount_minor, reversed_minor }, lost, voided })
}

fn why(money: &Money<'_>, attribution: &Attribution, place: Place, capped: bool) -> Reason {
    let later = place.recurring_month.is_some() && !place.is_first;
    let proration = matches!(money, Money::Invoice(amounts) if amounts.proration);
    match attribution.rule {
        _ if capped => Reason::OkCapped,
        Rule::Customer | Rule::CustomerMetadata => Reason::OkCustomerLookup,
        _ if later && proration => Reason::OkProration,
        _ if later => Reason::OkRecurring,
        _ => Reason::Ok,
    }
}

/// A paid-out commission is still taken back with its money, under the terms it was paid by.
fn frozen_target(
    book: &Book<'_>,
    sale: &Sale<'_>,
    money: &Money<'_>,
    lost: Lost,
    commission: &Commission,
) -> Result<Target, Reason> {
    let time = sale.time.ok_or(Reason::PaymentUnknown)?;
    let click = book.world.clicks.get(&commission.click_id).ok_or(Reason::NoAttributionYet)?;
    let terms = Terms::of(book, click, time, Some(commission))?;
    let own = Attribution {
        rule: Rule::Subscription,
        click_id: commission.click_id.clone(),
        bound_by: sale.id.into(),
        bound_at: time,
    };
    let place = series::place(book, sale, time, &own, &terms.program.terms)?;
    let base = money.base_minor(&terms.program.terms, sale.payment_link.as_deref())?;
    earn(
        book,
        sale,
        money,
        lost,
        &Claimant { attribution: &own, click, terms, place, time, base, paid: true },
    )
}

/// The changes that bring the surviving commission, or a new one, to the target.
fn towards(
    target: Result<Target, Reason>,
    survivor: Option<&Commission>,
    news: Option<Topic>,
) -> Vec<Change> {
    match (target, survivor) {
        (Ok(target), Some(commission)) if is_same_claim(&target.claim, commission) => {
            Vec::from([bring(&target, Some(commission), news)])
        }
        (Ok(target), Some(commission)) => {
            Vec::from([close(commission, Reason::AttributionChanged), bring(&target, None, news)])
        }
        (Ok(target), None) => Vec::from([bring(&target, None, news)]),
        (Err(reason), Some(commission)) => Vec::from([empty(commission, reason)]),
        (Err(_), None) => Vec::new(),
    }
}

fn is_same_claim(claim: &Claim, commission: &Commission) -> bool {
    claim.click_id == commission.click_id && claim.currency == commission.currency
}

fn bring(target: &Target, commission: Option<&Commission>, news: Option<Topic>) -> Change {
    let now = commission.map_or_else(Sums::default, sums);
    let lost = target.lost;
    let by_dispute = lost.disputed_minor > 0 && (lost.refunded_minor == 0 || news == Some(Topic::Dispute));
    let went_back = if target.voided {
        Reason::SubscriptionCanceled
    } else if by_dispute {
        Reason::Dispute
    } else if lost.refunded_minor >= lost.whole_minor {
        Reason::RefundFull
    } else {
        Reason::RefundPartial
    };
    let by_refund = lost.refund_failed && news != Some(Topic::Dispute);
    let came_back = if by_refund { Reason::RefundFailed } else { Reason::DisputeWon };
    let reasons = Reasons { earn: target.claim.reason, reverse: went_back, restore: came_back };
    Change {
        commission_id: commission.map(|commission| commission.id.clone()),
        reason: target.claim.reason,
        claim: Some(target.claim.clone()),
        sums: target.sums,
        closed: false,
        entries: now.entries_towards(target.sums, commission.is_some(), reasons),
    }
}

/// Nothing is earned any more, or not yet again; the commission stays open for what may come.
fn empty(commission: &Commission, reason: Reason) -> Change {
    let reasons = Reasons { earn: reason, reverse: reason, restore: reason };
    Change {
        commission_id: Some(commission.id.clone()),
        claim: None,
        reason,
        sums: Sums::default(),
        closed: false,
        entries: sums(commission).entries_towards(Sums::default(), true, reasons),
    }
}

/// Another commission takes the place of this one: what is left of it goes.
fn close(commission: &Commission, reason: Reason) -> Change {
    let now = sums(commission);
    let wanted = Sums { amount_minor: now.reversed_minor, ..now };
    let reasons = Reasons { earn: reason, reverse: reason, restore: reason };
    Change {
        commission_id: Some(commission.id.clone()),
        claim: None,
        reason,
        sums: wanted,
        closed: true,
        entries: now.entries_towards(wanted, true, reasons),
    }
}

const fn sums(commission: &Commission) -> Sums {
    Sums { amount_minor: commission.amount_minor, reversed_minor: commission.reversed_minor }
}
