//! Which click a payment is credited to.
//!
//! The first value that resolves to a click ends the search, in the order of [`Rule`]; values that do not
//! resolve are skipped. A promotion code that was entered at the payment is tried after the payment's own
//! values and before the inherited rules (6) to (8); under `first_click` the inherited rules are tried first.
//! Before all of these comes the merchant's own decision about the customer, `reassigned`.
//! The choice is computed from all facts each time, so the order in which events arrive does not matter.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use super::assigned::assigned;
use super::attribution::{Assigned, Attribution, Binder};
use super::binding::{Binding, Bindings, Rank};
use super::book::Book;
use super::candidate::{Rule, holder_time};
use super::eligibility;
use super::payment;
use super::sale::Sale;
use super::world::{CLOCK_SKEW_SECS, World};
use crate::program::{AttributionModel, Pins, ProgramTerms};
use crate::time::{DAY_SECS, Timestamp};

impl<'a> Book<'a> {
    /// Reads a world and decides which click each of its payments is credited to.
    #[must_use]
    pub fn open(world: &'a World) -> Self {
        let mut book = Self::read(world);
        book.binders = binders(&book);
        book.assigned = assigned(&book);
        book.credits = credits(&book);
        book
    }
}

/// The attribution of each subscription, by `sub_…`: that of its first credited payment, or if none is
/// credited, of its first attributed payment.
fn binders<'a>(book: &Book<'a>) -> BTreeMap<&'a str, Binder<'a>> {
    let world = book.world;
    let ids = world.payments.values().filter_map(|known| payment::subscription(&known.facts));
    let ids: BTreeSet<&str> = ids.collect();
    let binder = |id: &'a str| {
        let line = book.timeline.subscriptions.get(id)?;
        let mut first = None;
        for sale in line.all.iter().filter_map(|sale_id| book.sales.get(sale_id)) {
            let Some(attribution) = alone(book, sale) else { continue };
            let is_credited = eligibility::may_earn(book, sale, &attribution);
            let binder = Binder { sale_id: sale.id, attribution };
            if is_credited {
                return Some((id, binder));
            }
            first = first.or(Some((id, binder)));
        }
        first
    };
    ids.into_iter().filter_map(binder).collect()
}

/// The attribution of each payment, by our ID of the payment. Payments without one are left out.
fn credits<'a>(book: &Book<'a>) -> BTreeMap<&'a str, Attribution> {
    book.sales.values().filter_map(|sale| Some((sale.id, attribute(book, sale)?))).collect()
}

fn attribute(book: &Book<'_>, sale: &Sale<'_>) -> Option<Attribution> {
    let time = sale.time?;
    if let Some(Assigned { assignment, .. }) = book.assigned.get(sale.id) {
        let (click_id, bound_at) = (assignment.click_id()?.into(), assignment.from);
        return Some(Attribution { rule: Rule::Reassigned, click_id, bound_by: sale.id.into(), bound_at });
    }
    let found = first_found(book, sale, time, || by_subscription(book, sale, time));
    found.or_else(|| claimed(book, sale, time))
}

/// The attribution of a payment without rule (6), from which the subscription's attribution is chosen.
fn alone(book: &Book<'_>, sale: &Sale<'_>) -> Option<Attribution> {
    first_found(book, sale, sale.time?, || None)
}

/// The first attribution found; `of_subscription` applies rule (6).
fn first_found(
    book: &Book<'_>,
    sale: &Sale<'_>,
    time: Timestamp,
    of_subscription: impl FnOnce() -> Option<Attribution>,
) -> Option<Attribution> {
    let own = own(book, sale, time);
    let inherited = || {
        of_subscription()
            .or_else(|| by_customer_metadata(book, sale, time))
            .or_else(|| by_customer(book, sale, time))
    };
    if is_first_click(book, sale, own.as_ref(), time) {
        return inherited().or(own);
    }
    let found = own.or_else(inherited).or_else(|| by_public_lead(book, sale, time));
    found.or_else(|| promoted(book, sale, time))
}

/// Rules (1) to (5), then a promotion code that was entered at this payment.
fn own(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let typed = || promoted(book, sale, time).filter(|_| book.is_code_typed(sale));
    direct(book, sale, time).or_else(typed)
}

fn is_first_click(book: &Book<'_>, sale: &Sale<'_>, own: Option<&Attribution>, time: Timestamp) -> bool {
    let terms = own.and_then(|own| terms_of(book, sale, &own.click_id, time));
    terms.is_some_and(|terms| terms.attribution_model == AttributionModel::FirstClick)
}

/// The attribution by a promotion code that is assigned to a partner. It links the subscription to that
/// partner, but not the customer's other payments.
fn promoted(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let click_id = sale.promoted(book.world)?.into();
    Some(Attribution { rule: Rule::PromotionCode, click_id, bound_by: sale.id.into(), bound_at: time })
}

/// The attribution by a page's claim. It applies to this payment alone and links no other payment to the
/// click.
fn claimed(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let found = sale.claimed(book.world)?;
    let click_id = found.value.clone();
    Some(Attribution { rule: found.rule, click_id, bound_by: sale.id.into(), bound_at: time })
}

/// Rules (1) to (5). The window is checked at the time of the subscription's first payment that was
/// attributed to the click.
fn direct(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let found = sale.direct(book.world)?;
    let click_id = found.value.clone();
    let attribution = |bound_by: &str, bound_at| Attribution {
        rule: found.rule,
        click_id: click_id.clone(),
        bound_by: bound_by.into(),
        bound_at,
    };
    // A click that was first reported with a repeat of the lead counts from the time of that repeat.
    if let Some(lead) = sale.facts.leads.values().next() {
        let reported = lead.reported_clicks().iter().find(|(_, click)| *click == click_id);
        return Some(attribution(sale.id, reported.map_or(time, |(at, _)| *at)));
    }
    let binder = sale.subscription.as_deref().and_then(|id| book.binders.get(id));
    let binder = binder.map(|binder| &binder.attribution).filter(|bound| bound.click_id == click_id);
    if let Some(bound) = binder.filter(|bound| bound.bound_at <= time) {
        return Some(attribution(&bound.bound_by, bound.bound_at));
    }
    let (bound_at, bound_by) = book.timeline.first_with(sale, &click_id).unwrap_or((time, sale.id));
    Some(attribution(bound_by, bound_at))
}

/// Rule (6): the subscription's attribution, by whichever rule it was found. A click that a payment itself
/// names also applies to earlier payments of the subscription, except those made before the click.
fn by_subscription(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let id = sale.subscription.as_deref()?;
    let binder = book.binders.get(id).filter(|binder| binder.sale_id != sale.id)?;
    let is_earlier = sale.moment() < book.sales.get(binder.sale_id)?.moment();
    let found = &binder.attribution;
    let applies_to_earlier = || {
        let click = book.world.clicks.get(&found.click_id)?;
        let is_named = !click.is_promotion && !matches!(found.rule, Rule::Customer | Rule::CustomerMetadata);
        Some(is_named && click.is_before(time))
    };
    if is_earlier && applies_to_earlier() != Some(true) {
        return None;
    }
    Some(Attribution { rule: Rule::Subscription, ..found.clone() })
}

/// Rule (7), for payments with a session or an invoice: the customer's metadata as it was at the time of the
/// payment.
fn by_customer_metadata(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    let id = sale.customer.as_deref().filter(|_| payment::is_checkout(&sale.facts))?;
    let references = book.world.holders.customers.get(id)?.references.at(holder_time(&sale.facts)?)?;
    let (click_id, click) = references
        .clicks
        .iter()
        .find_map(|value| book.world.clicks.get_key_value(value).filter(|(_, click)| !click.is_promotion))?;
    let checkouts = book.timeline.customers.get(id).map_or(&[][..], |line| line.checkouts.as_slice());
    let first = checkouts.get(checkouts.partition_point(|(at, _)| !click.is_before(*at)));
    let (bound_at, bound_by) = first.copied().filter(|(at, _)| *at <= time).unwrap_or((time, sale.id));
    let click_id = click_id.clone();
    Some(Attribution { rule: Rule::CustomerMetadata, click_id, bound_by: bound_by.into(), bound_at })
}

/// Rule (8), for leads, reports and payments with a session or an invoice: the customer's attribution at or
/// before this time, by a payment, report or lead. Under `first_click` the earliest counts, otherwise the
/// latest; a binding inside its window goes before one outside.
fn by_customer(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    if !sale.inherits() {
        return None;
    }
    let lines = &book.timeline.external_customers;
    let ids = external_ids(book, sale, time);
    let external_lines = || ids.iter().filter_map(|id| lines.get(*id));
    let of_customer = sale.customer.as_deref().and_then(|id| book.timeline.customers.get(id));
    let latest = time.plus_secs(CLOCK_SKEW_SECS);
    let mut best = Best { book, sale, time, found: None };
    if let Some(line) = of_customer {
        best.consider(&line.payments, time);
        best.consider(&line.reports, time);
    }
    // By the merchant's own ID of the customer, a payment inherits from leads and reports, a lead also from
    // earlier payments.
    for line in external_lines() {
        best.consider(&line.reports, if sale.is_lead() { time } else { latest });
        if sale.is_lead() {
            best.consider(&line.payments, time);
        }
    }
    let (_, found) = best.found?;
    Some(found.attribution())
}

/// The attribution by a lead that only a page reported. It is tried after rules (1) to (8), and before a
/// repeated promotion code and claims; under `first_click` it is not tried where the payment has a click of
/// its own.
fn by_public_lead(book: &Book<'_>, sale: &Sale<'_>, time: Timestamp) -> Option<Attribution> {
    public_lead(book, sale, time).filter(|_| sale.inherits()).map(Binding::attribution)
}

/// The search for the best binding, with the best one so far and its rank.
struct Best<'b, 'a> {
    book: &'b Book<'a>,
    sale: &'b Sale<'a>,
    time: Timestamp,
    found: Option<(Rank<'b>, &'b Binding<'a>)>,
}

impl<'b, 'a> Best<'b, 'a> {
    fn consider(&mut self, bindings: &'b Bindings<'a>, until: Timestamp) {
        for program_id in bindings.programs() {
            let history = self.book.world.programs.get(program_id);
            let version =
                history.and_then(|history| Pins::program(self.sale.pins(), program_id, history, self.time));
            let Some(version) = version else { continue };
            if !version.terms.attribute_by_customer {
                continue;
            }
            let model = version.terms.attribution_model;
            let Some(binding) = bindings.best(program_id, model, until, self.sale.id) else { continue };
            let rank = binding.rank(model);
            if self.found.as_ref().is_none_or(|(best, _)| rank > *best) {
                self.found = Some((rank, binding));
            }
        }
    }
}

/// The lead of this customer that only a page reported. It counts only if the customer was not known before
/// it was reported and the first payment followed within `client_lead_days`, so it never rebinds a known
/// customer.
fn public_lead<'b, 'a>(book: &'b Book<'a>, sale: &Sale<'a>, time: Timestamp) -> Option<&'b Binding<'a>> {
    let timeline = &book.timeline;
    let of_customer = sale.customer.as_deref().and_then(|id| timeline.customers.get(id));
    external_ids(book, sale, time).into_iter().find_map(|id| {
        let line = timeline.external_customers.get(id)?;
        let is_before = |lead: &&Binding<'_>| lead.moment() < (time, &sale.named_by, sale.id);
        let lead = line.public_lead.as_ref().filter(is_before)?;
        let own = of_customer.and_then(|line| line.first_payment);
        if timeline.was_known(id, lead.moment(), lead.click_id) || own.is_some_and(|at| at <= lead.at) {
            return None;
        }
        let first_payment = timeline.first_payment(id).into_iter().chain(own).min();
        let terms = book.world.programs.get(lead.program_id)?.at(lead.at).map(|version| &version.terms)?;
        let days = i64::from(terms.client_lead_days).saturating_mul(DAY_SECS);
        let is_soon = first_payment.is_none_or(|first| first.secs_since(lead.at) <= days);
        (is_soon && terms.attribute_by_customer).then_some(lead)
    })
}

/// The merchant's own IDs of the customer: those that this sale names, and those that payments of the same
/// `cus_…` named at or before this time.
fn external_ids<'b>(book: &'b Book<'_>, sale: &'b Sale<'_>, time: Timestamp) -> BTreeSet<&'b str> {
    let before = sale.customer.as_deref().into_iter().flat_map(|id| book.names_of_customer(id, time));
    before.chain(sale.external_customers.iter().map(String::as_str)).collect()
}

fn terms_of<'b>(
    book: &'b Book<'_>,
    sale: &Sale<'_>,
    click_id: &str,
    time: Timestamp,
) -> Option<&'b ProgramTerms> {
    let id = &book.world.clicks.get(click_id)?.program_id;
    Some(&Pins::program(sale.pins(), id, book.world.programs.get(id)?, time)?.terms)
}
