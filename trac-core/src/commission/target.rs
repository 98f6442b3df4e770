//! What the ledger should hold for a payment, or why nothing.

use super::claim::{Claim, Source};
use super::entry::Sums;
use super::series::{self, Place};
use super::terms;
use crate::conversion::attribution::Attribution;
use crate::conversion::candidate::Rule;
use crate::conversion::clawback::Lost;
use crate::conversion::eligibility::{self, Terms};
use crate::conversion::inference::Inference;
use crate::conversion::payment::{self, Money};
use crate::conversion::reason::Reason;
use crate::conversion::sale::{Book, Sale};
use crate::conversion::world::{Click, Commission};
use crate::money::share_half_up;
use crate::program::CancelPolicy;
use crate::time::Timestamp;
use crate::webhook::dispute::Dispute;

/// What the ledger should hold for a payment or lead that earns.
pub(super) struct Target {
    pub(super) claim: Claim,
    pub(super) sums: Sums,
    pub(super) lost: Lost,
    pub(super) voided: bool,
}

/// Judges a payment and works out what it earns.
pub(super) fn target(
    book: &Book<'_>,
    sale: &Sale<'_>,
    money: &Money<'_>,
    lost: Lost,
    attribution: Option<&Attribution>,
    settled: Option<&Commission>,
    paid: bool,
) -> Result<Target, Reason> {
    match sale.inference {
        Inference::Alone => {}
        Inference::SameAs(_) => return Err(Reason::DuplicatePayment),
        Inference::Ambiguous => return Err(Reason::PaymentUnlinked),
    }
    let time = sale.time.ok_or(Reason::PaymentUnknown)?;
    let attribution = attribution.ok_or(Reason::NoAttributionYet)?;
    let click = book.world.clicks.get(&attribution.click_id).ok_or(Reason::NoAttributionYet)?;
    let settled = settled
        .filter(|commission| commission.click_id == attribution.click_id && commission.payment_time == time);
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
    let lost = lost.of_what_counts(program);
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
        held: is_claim || lost.is_unclear || sale.facts.disputes.values().any(Dispute::is_open),
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
    let proration = money.is_proration();
    match attribution.rule {
        _ if capped => Reason::OkCapped,
        Rule::Customer | Rule::CustomerMetadata => Reason::OkCustomerLookup,
        _ if later && proration => Reason::OkProration,
        _ if later => Reason::OkRecurring,
        _ => Reason::Ok,
    }
}

/// A paid-out commission is still taken back with its money, under the terms it was paid by.
pub(super) fn frozen_target(
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
