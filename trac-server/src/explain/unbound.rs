//! Why a lead that only a page reported does not tie its customer to a click.
//!
//! The core decides this (`conversion::rules`). This module finds the explanation: what was known about the
//! customer before the lead, or how late the first payment was.

use trac_core::conversion::world::World;
use trac_core::conversion::{book::Book, sale::Sale};
use trac_core::time::{DAY_SECS, Timestamp};
use trac_core::webhook::lead::Lead;

use super::evidence::{Archive, Payment};
use crate::store::StoreError;
use crate::store::load;

/// A page's lead that does not tie its customer to a click.
pub(super) struct Unbound {
    pub(super) lead_id: String,
    pub(super) customer: String,
    /// The reason, as the end of a sentence.
    pub(super) why: String,
    pub(super) remedy: String,
    /// Whether the customer was known before the lead. Then no payment releases the lead's commission.
    pub(super) was_known: bool,
}

/// Why a lead does not apply to its customer's payments.
struct Cause {
    why: String,
    remedy: String,
    was_known: bool,
}

impl Cause {
    fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into(), was_known: false }
    }
}

/// Why this lead does not tie its customer to a click; `None` if it does.
pub(super) fn of_lead(archive: &Archive<'_>, payment: &Payment) -> Result<Option<Unbound>, StoreError> {
    if payment.facts.leads.values().all(is_decided_by_merchant) {
        return Ok(None);
    }
    let world = world_around(archive, payment)?;
    let book = Book::open(&world);
    let found = book.sales.get(payment.id.as_str()).and_then(|sale| {
        let (id, lead) = sale.facts.leads.first_key_value()?;
        sale.direct(&world)?;
        let cause = cause(&book, sale, lead, None)?;
        Some(unbound(id, lead, cause))
    });
    Ok(found)
}

/// For a payment that is not credited to a click: the lead that a page reported for its customer, and why
/// that lead does not tie the customer. `None` if there is no such lead.
pub(super) fn of_payment(archive: &Archive<'_>, payment: &Payment) -> Result<Option<Unbound>, StoreError> {
    if payment.is_lead() {
        return Ok(None);
    }
    let world = world_around(archive, payment)?;
    let book = Book::open(&world);
    Ok(book.sales.get(payment.id.as_str()).and_then(|sale| first_unbound(&book, sale)))
}

fn world_around(archive: &Archive<'_>, payment: &Payment) -> Result<World, StoreError> {
    let mut world = load::neighbourhood(archive.rows, &payment.facts)?.world;
    load::resolve(archive.rows, &mut world)?;
    Ok(world)
}

/// Whether the merchant reported, approved or rejected a lead. The effect of such a lead is explained
/// elsewhere.
fn is_decided_by_merchant(lead: &Lead) -> bool {
    lead.is_trusted() || lead.is_rejected()
}

fn unbound(lead_id: &str, lead: &Lead, cause: Cause) -> Unbound {
    let Cause { why, remedy, was_known } = cause;
    Unbound { lead_id: lead_id.to_owned(), customer: lead.customer.clone(), why, remedy, was_known }
}

/// The first lead that a page reported for a payment's customer, and why it does not apply to the payment.
fn first_unbound(book: &Book<'_>, payment: &Sale<'_>) -> Option<Unbound> {
    let time = payment.time.filter(|_| payment.inherits())?;
    let of_customer = payment.customer.as_deref();
    let named = of_customer.into_iter().flat_map(|id| book.names_of_customer(id, time));
    let named = named.chain(payment.external_customers.iter().map(String::as_str));
    let lines = named.filter_map(|id| book.timeline.external_customers.get(id));
    let leads = lines.flat_map(|line| &line.leads).filter_map(|id| book.sales.get(id));
    let own_first = of_customer.and_then(|id| book.timeline.customers.get(id)?.first_payment);
    let mut found = leads.filter_map(|sale| {
        let (id, lead) = sale.facts.leads.first_key_value().filter(|(_, lead)| !lead.is_trusted())?;
        let cause = cause_in_lead(book, sale, lead, time).or_else(|| cause(book, sale, lead, own_first))?;
        Some(unbound(id, lead, cause))
    });
    found.next()
}

/// Why a lead does not apply to a payment made at that time, for causes in the lead itself: it was rejected,
/// names no known click, or was reported later.
fn cause_in_lead(book: &Book<'_>, sale: &Sale<'_>, lead: &Lead, time: Timestamp) -> Option<Cause> {
    if lead.is_rejected() {
        return Some(Cause::new("the merchant rejected it", remedy_to_approve(sale, "If that was wrong")));
    }
    if sale.direct(book.world).is_none() {
        return Some(Cause::new(
            "it named no click that is known here",
            "Send clickId with the lead, as returned by trac.getClickId(); trac.trackLead sends it automatically.",
        ));
    }
    let at = bound_at(book, sale, lead)?;
    (at > time).then(|| {
        Cause::new(
            format!("it was reported at {}, after the payment", at.to_rfc3339()),
            "Report the lead when the visitor signs up, before the payment.",
        )
    })
}

/// Why a lead does not tie its customer to any payment. `own_first` is the time of the Stripe customer's first payment.
fn cause(book: &Book<'_>, sale: &Sale<'_>, lead: &Lead, own_first: Option<Timestamp>) -> Option<Cause> {
    let at = bound_at(book, sale, lead)?;
    if let Some(why) = known_before(book, sale, lead, at, own_first) {
        let remedy = format!(
            "A report from a page is not enough to tie a customer who is already known to another click. {} A lead ties the \
             customer at once if your server reports it, or if a page reports it with a customerToken.",
            remedy_to_approve(sale, "If the lead is right")
        );
        return Some(Cause { was_known: true, ..Cause::new(why, remedy) });
    }
    let click = book.world.clicks.get(&sale.direct(book.world)?.value)?;
    let terms = &book.world.programs.get(&click.program_id)?.at(at)?.terms;
    if !terms.attribute_by_customer {
        let remedy = format!(
            "If it should: PATCH /programs/{} with attribute_by_customer true. That applies to payments from then on.",
            click.program_id
        );
        return Some(Cause::new(
            "its program does not tie customers to clicks (attribute_by_customer is false)",
            remedy,
        ));
    }
    let first = book.timeline.first_payment(&lead.customer).into_iter().chain(own_first).min()?;
    let days = terms.client_lead_days;
    let days_in_words = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    (first.secs_since(at) > i64::from(days).saturating_mul(DAY_SECS)).then(|| {
        let why = format!(
            "the customer first paid at {}, more than {days_in_words} (client_lead_days) after the lead, which was reported at {}",
            first.to_rfc3339(),
            at.to_rfc3339()
        );
        let remedy = format!(
            "{} For leads from now on: PATCH /programs/{} with a higher client_lead_days, or report leads from your server.",
            remedy_to_approve(sale, "If the lead is right"),
            click.program_id
        );
        Cause::new(why, remedy)
    })
}

/// What was known of the customer when the lead first named its click, as the end of a sentence. `None` if
/// nothing was known.
fn known_before(
    book: &Book<'_>,
    sale: &Sale<'_>,
    lead: &Lead,
    at: Timestamp,
    own_first: Option<Timestamp>,
) -> Option<String> {
    let (timeline, customer) = (&book.timeline, lead.customer.as_str());
    let click_id = sale.direct(book.world).map_or("", |found| found.value.as_str());
    let is_known = timeline.was_known(customer, (at, &sale.named_by, sale.id), click_id)
        || own_first.is_some_and(|first| first <= at);
    if !is_known {
        return None;
    }
    let line = timeline.external_customers.get(customer);
    let paid = timeline.first_payment(customer).into_iter().chain(own_first).min();
    let reported = line.into_iter().flat_map(|line| &line.trusted_leads).find(|(_, id)| *id != sale.id);
    let reported = reported.map(|(at, _)| *at);
    let earlier = line.and_then(|line| line.public_lead.as_ref()).filter(|first| first.sale_id != sale.id);
    let known = [
        (paid, "the customer had paid before the lead"),
        (
            timeline.in_metadata.get(customer).copied(),
            "metadata in Stripe named the customer before the lead",
        ),
        (reported, "your server had reported a lead of the customer before"),
        (earlier.map(|first| first.at), "a page had reported another lead of the customer before"),
    ];
    let found = known.into_iter().find_map(|(time, what)| Some((time.filter(|time| *time <= at)?, what)));
    Some(match found {
        Some((time, what)) => format!("{what}, at {}", time.to_rfc3339()),
        None => "the customer was known before the lead".to_owned(),
    })
}

/// The time at which the lead first named its click.
fn bound_at(book: &Book<'_>, sale: &Sale<'_>, lead: &Lead) -> Option<Timestamp> {
    let line = book.timeline.external_customers.get(&lead.customer)?;
    let first = line.public_lead.as_ref().filter(|first| first.sale_id == sale.id);
    first.map(|first| first.at).or(sale.time)
}

/// The remedy to approve a lead; `when` is the condition that begins the sentence.
fn remedy_to_approve(sale: &Sale<'_>, when: &str) -> String {
    let id = sale.facts.leads.keys().next().map_or("{id}", String::as_str);
    format!("{when}: PATCH /leads/{id} with status approved.")
}
