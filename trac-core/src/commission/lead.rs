//! The commission of a lead: the program's lead amount, once, due after the program's hold for leads.

use super::claim::{Claim, Source};
use super::entry::Sums;
use super::target::Target;
use crate::conversion::attribution::Attribution;
use crate::conversion::book::Book;
use crate::conversion::candidate::Rule;
use crate::conversion::clawback::Lost;
use crate::conversion::eligibility::{self, Terms};
use crate::conversion::sale::Sale;
use crate::conversion::world::Commission;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::webhook::lead::Lead;

/// What the ledger should contain for a lead. The window is checked at the time its click was reported; the
/// hold begins when the lead counts. `settled` is the commission whose terms it keeps.
///
/// # Errors
/// Why it earns nothing: [`Reason::NoClick`], [`Reason::Reassigned`], [`Reason::Noted`] for a deferred lead,
/// [`Reason::ZeroCommission`] if leads earn nothing in the program, [`Reason::RejectedByMerchant`],
/// [`Reason::LeadCountedBefore`], and the errors of [`Terms::of`] and [`eligibility::judge`].
pub(super) fn target(
    book: &Book<'_>,
    sale: &Sale<'_>,
    lead: &Lead,
    attribution: Option<&Attribution>,
    settled: Option<&Commission>,
) -> Result<Target, Reason> {
    let Some(attribution) = attribution else {
        if book.assigned.contains_key(sale.id) {
            return Err(Reason::Reassigned);
        }
        return Err(if lead.is_rejected() { Reason::RejectedByMerchant } else { Reason::NoClick });
    };
    if book.timeline.is_rejected(sale, lead, &attribution.click_id) {
        return Err(Reason::RejectedByMerchant);
    }
    let click = book.world.clicks.get(&attribution.click_id).ok_or(Reason::NoClick)?;
    let time = sale.time.ok_or(Reason::NoClick)?;
    let settled = settled.filter(|commission| commission.click_id == attribution.click_id);
    let terms = Terms::of(book, sale, click, time, settled)?;
    eligibility::judge(book, sale, attribution, click, &terms, settled.is_some())?;
    let is_public = is_public(book, lead, attribution);
    if is_public && !lead.is_trusted() && is_counted_before(book, sale, lead, &terms) {
        return Err(Reason::LeadCountedBefore);
    }
    let held = is_public && !has_paid_since(book, sale, lead, attribution);
    earn(book, sale, lead, attribution, &terms, held)
}

/// What the ledger should contain for a lead whose commission was paid out: it keeps its click and its terms.
///
/// # Errors
/// [`Reason::ZeroCommission`] if its terms give nothing.
pub(super) fn frozen_target(
    book: &Book<'_>,
    sale: &Sale<'_>,
    lead: &Lead,
    commission: &Commission,
) -> Result<Target, Reason> {
    let click = book.world.clicks.get(&commission.click_id).ok_or(Reason::NoClick)?;
    let time = sale.time.ok_or(Reason::NoClick)?;
    let terms = Terms::of(book, sale, click, time, Some(commission))?;
    let own = Attribution {
        rule: Rule::Lead,
        click_id: commission.click_id.clone(),
        bound_by: sale.id.into(),
        bound_at: time,
    };
    earn(book, sale, lead, &own, &terms, false)
}

fn earn(
    book: &Book<'_>,
    sale: &Sale<'_>,
    lead: &Lead,
    attribution: &Attribution,
    terms: &Terms<'_>,
    held: bool,
) -> Result<Target, Reason> {
    let click = book.world.clicks.get(&attribution.click_id).ok_or(Reason::NoClick)?;
    let time = sale.time.ok_or(Reason::NoClick)?;
    let counted_at = lead.counted_at.ok_or(Reason::Noted)?;
    let program = &terms.program.terms;
    let (amount_minor, currency) = match program.lead_currency {
        Some(currency) if program.lead_amount_minor > 0 => (program.lead_amount_minor, currency),
        _ => return Err(Reason::ZeroCommission),
    };
    let by_customer = matches!(attribution.rule, Rule::Customer | Rule::CustomerMetadata);
    let claim = Claim {
        click_id: attribution.click_id.clone(),
        program_id: click.program_id.clone(),
        program_version: terms.program.number,
        partner_id: click.partner_id.clone(),
        enrollment_id: terms.enrollment_id.into(),
        enrollment_version: terms.enrollment.number,
        source: Source::Lead,
        recurring_month: None,
        currency,
        base_minor: 0,
        matures_at: counted_at.plus_days(program.hold_days.lead),
        payment_time: time,
        held,
        reason: match by_customer {
            _ if held => Reason::ClientReported,
            true => Reason::OkCustomerLookup,
            false => Reason::Ok,
        },
    };
    let sums = Sums { amount_minor, reversed_minor: 0 };
    Ok(Target { claim, sums, lost: Lost::default(), voided: false, rejected: None })
}

/// Whether only a page reported the lead, or the click it is credited to, and the merchant has not approved
/// the lead.
fn is_public(book: &Book<'_>, lead: &Lead, attribution: &Attribution) -> bool {
    let binder = book.sales.get(attribution.bound_by.as_str());
    let binder = binder.and_then(|sale| sale.facts.leads.values().next());
    let is_clicks_public = binder.is_some_and(|lead| !lead.vouches_for_clicks());
    !lead.is_approved() && (!lead.is_trusted() || is_clicks_public)
}

/// Whether another lead of the customer earns in place of this one: one that the merchant reported or
/// approved, or an earlier one. Events listed in the program's `lead_events` each earn.
fn is_counted_before(book: &Book<'_>, sale: &Sale<'_>, lead: &Lead, terms: &Terms<'_>) -> bool {
    if terms.program.terms.lead_events.contains(&lead.event_name) {
        return false;
    }
    let line = book.timeline.external_customers.get(&lead.customer);
    let others = line.into_iter().flat_map(|line| &line.leads).filter(|id| **id != sale.id);
    let mut others = others.filter_map(|id| book.sales.get(id));
    others.any(|other| {
        let Some(credit) = book.credits.get(other.id) else { return false };
        let is_ahead = |it: &Lead| it.is_trusted() || other.moment() < sale.moment();
        let is_rejected = |it: &Lead| book.timeline.is_rejected(other, it, &credit.click_id);
        let counts = |it: &Lead| it.counted_at.is_some() && is_ahead(it) && !is_rejected(it);
        other.facts.leads.values().any(counts) && eligibility::may_earn(book, other, credit)
    })
}

/// Whether the lead that linked the customer to the click led to a purchase: the customer was not known
/// before it, and has a payment that is not fully refunded.
fn has_paid_since(book: &Book<'_>, sale: &Sale<'_>, lead: &Lead, attribution: &Attribution) -> bool {
    let binder =
        book.sales.get(attribution.bound_by.as_str()).filter(|binder| binder.is_lead()).unwrap_or(sale);
    let Some(time) = binder.time else { return false };
    let moment = (time, binder.named_by.as_str(), binder.id);
    let Some(first_paid) = book.timeline.first_paid(&lead.customer) else { return false };
    if !book.timeline.was_known(&lead.customer, moment, &attribution.click_id) {
        return true;
    }
    let is_new_buyer = book.timeline.first_payment(&lead.customer).is_some_and(|first| first > time);
    is_new_buyer && is_paid_by(book, lead, first_paid, &attribution.click_id)
}

/// Whether the customer's first payment of that time is credited to the partner of this click.
fn is_paid_by(book: &Book<'_>, lead: &Lead, first_paid: Timestamp, click_id: &str) -> bool {
    let partner = |click_id: &str| book.world.clicks.get(click_id).map(|click| &click.partner_id);
    let is_of_partner = |credit: &Attribution| partner(&credit.click_id) == partner(click_id);
    let lines = book.timeline.lines_of(&lead.customer).flat_map(|line| &line.all);
    let mut paid = lines
        .filter_map(|id| book.sales.get(id))
        .filter(|sale| sale.time == Some(first_paid) && !sale.is_lead());
    paid.any(|sale| book.credits.get(sale.id).is_some_and(is_of_partner))
}
