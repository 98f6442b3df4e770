//! What the ledger should contain for a payment, or why it contains nothing.

use super::claim::{Claim, Source};
use super::entry::Sums;
use super::series::{self, Place, Series};
use super::terms;
use crate::conversion::attribution::Attribution;
use crate::conversion::book::Book;
use crate::conversion::candidate::Rule;
use crate::conversion::clawback::Lost;
use crate::conversion::eligibility::{self, Terms};
use crate::conversion::inference::Inference;
use crate::conversion::payment::{self, Money};
use crate::conversion::sale::Sale;
use crate::conversion::world::{Click, Commission};
use crate::money::share_half_up;
use crate::program::CancelPolicy;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::webhook::dispute::Dispute;
use crate::webhook::subscription::Subscription;
use crate::webhook::verdict::Verdict;

/// What the ledger should contain for a payment or lead that earns.
pub(super) struct Target {
    pub(super) claim: Claim,
    pub(super) sums: Sums,
    pub(super) lost: Lost,
    pub(super) voided: bool,
    /// If the merchant rejected it: why it would earn.
    pub(super) rejected: Option<Reason>,
}

/// A payment with the data that its commission depends on.
#[derive(Clone, Copy)]
pub(super) struct Case<'c, 'a> {
    pub(super) series: &'c Series<'c, 'a>,
    pub(super) sale: &'c Sale<'a>,
    pub(super) money: &'c Money<'c>,
    pub(super) lost: Lost,
}

/// Checks a payment and computes what it earns. `settled` is the commission whose terms it keeps; `paid` says
/// whether the payment's commission was paid out.
///
/// # Errors
/// Why it earns nothing, as [`Refusal`]: because of its attribution, or because of its amount.
pub(super) fn target(
    case: Case<'_, '_>,
    attribution: Option<&Attribution>,
    settled: Option<&Commission>,
    paid: bool,
) -> Result<Target, Refusal> {
    let Case { series, sale, .. } = case;
    let book = series.book;
    match sale.inference {
        Inference::Alone => {}
        Inference::SameAs(_) => return Err(Refusal::Amount(Reason::DuplicatePayment)),
        Inference::Ambiguous => return Err(Refusal::Attribution(Reason::PaymentUnlinked)),
    }
    let time = sale.time.ok_or(Refusal::Amount(Reason::PaymentUnknown))?;
    let (attribution, click, terms) = credited(book, sale, time, attribution, settled)?;
    let earned = || {
        let base = case.money.base_minor(&terms.program.terms, sale.payment_link.as_deref())?;
        if base <= 0 {
            return Err(Reason::ZeroAmount);
        }
        let place = series::place(series, sale, time, attribution, &terms)?;
        earn(case, &Findings { attribution, click, terms, place, time, base, paid })
    };
    earned().map_err(Refusal::Amount)
}

/// Why a payment earns no commission.
pub(super) enum Refusal {
    /// There is no click, the click is refused, or the payment may be that of several others. A commission
    /// that was paid out stays nevertheless.
    Attribution(Reason),
    /// There is no money, or none that the terms cover. A commission that was paid out is then taken back.
    Amount(Reason),
}

impl Refusal {
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::Attribution(reason) | Self::Amount(reason) => *reason,
        }
    }
}

fn credited<'c, 'a>(
    book: &'c Book<'a>,
    sale: &Sale<'a>,
    time: Timestamp,
    attribution: Option<&'c Attribution>,
    settled: Option<&Commission>,
) -> Result<(&'c Attribution, &'c Click, Terms<'a>), Refusal> {
    let judged = || {
        let nothing = || {
            if book.assigned.contains_key(sale.id) { Reason::Reassigned } else { Reason::NoAttributionYet }
        };
        let attribution = attribution.ok_or_else(nothing)?;
        let click = book.world.clicks.get(&attribution.click_id).ok_or(Reason::NoAttributionYet)?;
        let settled = settled.filter(|commission| {
            commission.click_id == attribution.click_id && commission.payment_time == time
        });
        let terms = Terms::of(book, sale, click, time, settled)?;
        eligibility::judge(book, sale, attribution, click, &terms, settled.is_some())?;
        Ok((attribution, click, terms))
    };
    judged().map_err(Refusal::Attribution)
}

/// The findings from which the amount is computed.
struct Findings<'a> {
    attribution: &'a Attribution,
    click: &'a Click,
    terms: Terms<'a>,
    place: Place,
    time: Timestamp,
    base: i64,
    paid: bool,
}

fn earn(case: Case<'_, '_>, findings: &Findings<'_>) -> Result<Target, Reason> {
    let Case { series, sale, money, lost } = case;
    let book = series.book;
    let Findings { attribution, click, terms, place, time, base, paid } = findings;
    let program = &terms.program.terms;
    let rule = terms.enrollment.terms.commission.unwrap_or(program.commission);
    let lost = lost.counted_under(program);
    let earned = terms::earned(rule, *base, money.currency());
    if earned.amount_minor == 0 {
        return Err(Reason::ZeroCommission);
    }
    let (source, hold) = match place.recurring_month {
        Some(_) => (Source::Recurring, program.hold_days.recurring),
        None => (Source::Sale, program.hold_days.sale),
    };
    let is_claim = attribution.rule == Rule::Claim && !sale.is_approved_claim(&attribution.click_id);
    let paid_at = payment::paid_at(&sale.facts).unwrap_or(*time);
    let matures_at = paid_at.plus_days(hold);
    let subscription = sale.subscription.as_ref().and_then(|id| book.world.holders.subscriptions.get(id));
    let voids = |subscription| is_voided(program.cancel_policy, subscription, sale, paid_at, matures_at);
    // What the merchant approved is owed, even if the subscription ends.
    let is_approved = sale.facts.verdict(&attribution.click_id).is_some_and(Verdict::is_approved);
    let voided = !paid && !is_approved && subscription.is_some_and(voids);
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
        held: is_claim || lost.is_unclear || sale.facts.disputes.values().any(Dispute::is_open),
        reason: if is_claim {
            Reason::ClientReported
        } else {
            earned_reason(money, attribution, *place, earned.capped)
        },
    };
    let sums = Sums { amount_minor: earned.amount_minor, reversed_minor };
    Ok(Target { claim, sums, lost, voided, rejected: None })
}

fn earned_reason(money: &Money<'_>, attribution: &Attribution, place: Place, capped: bool) -> Reason {
    let later = place.recurring_month.is_some() && !place.is_first;
    let proration = money.is_proration();
    match attribution.rule {
        _ if capped => Reason::OkCapped,
        Rule::Customer | Rule::CustomerMetadata => Reason::OkCustomerLookup,
        _ if later && proration => Reason::OkProration,
        _ if later => Reason::OkRecurring,
        _ => Reason::Ok,
    }
}

/// Whether the end of a subscription voids a commission: one that was not due when the subscription was
/// deleted, for a payment made before it ended. A payment made after the end was owed before it, so it is not
/// voided. Under [`CancelPolicy::VoidUnused`] the service period must also extend beyond the end; an unknown
/// period counts as if it did.
fn is_voided(
    policy: CancelPolicy,
    subscription: &Subscription,
    sale: &Sale<'_>,
    paid_at: Timestamp,
    matures_at: Timestamp,
) -> bool {
    let Some(deleted_at) = subscription.ended_at else { return false };
    let ended_at = subscription.over_at.unwrap_or(deleted_at);
    let is_pending = matures_at > deleted_at && paid_at < ended_at;
    match policy {
        CancelPolicy::Keep => false,
        CancelPolicy::VoidPending => is_pending,
        CancelPolicy::VoidUnused => {
            is_pending && payment::service_period_end(&sale.facts).is_none_or(|end| end > ended_at)
        }
    }
}

/// What the ledger should contain for a payment whose commission was paid out: it keeps its click and its
/// terms, and refunds and disputes still reduce it.
pub(super) fn frozen_target(case: Case<'_, '_>, commission: &Commission) -> Result<Target, Reason> {
    let Case { series, sale, money, .. } = case;
    let book = series.book;
    let time = sale.time.ok_or(Reason::PaymentUnknown)?;
    let click = book.world.clicks.get(&commission.click_id).ok_or(Reason::NoAttributionYet)?;
    let terms = Terms::of(book, sale, click, time, Some(commission))?;
    let own = Attribution {
        rule: Rule::Subscription,
        click_id: commission.click_id.clone(),
        bound_by: sale.id.into(),
        bound_at: time,
    };
    let place = series::place(series, sale, time, &own, &terms)?;
    let base = money.base_minor(&terms.program.terms, sale.payment_link.as_deref())?;
    earn(case, &Findings { attribution: &own, click, terms, place, time, base, paid: true })
}
