//! Whether program, partner and time allow a click to earn from a payment.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::attribution::Attribution;
use super::book::Book;
use super::candidate::Rule;
use super::email;
use super::payment;
use super::sale::Sale;
use super::world::{Click, Commission};
use crate::program::{EnrollmentStatus, EnrollmentTerms, Pins, ProgramStatus, ProgramTerms, Version};
use crate::reason::Reason;
use crate::time::Timestamp;

/// The versions of program and enrollment that apply to a payment.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The program's version.
    pub program: &'a Version<ProgramTerms>,
    /// The enrollment's version.
    pub enrollment: &'a Version<EnrollmentTerms>,
    /// Our ID of the enrollment.
    pub enrollment_id: &'a str,
}

impl<'a> Terms<'a> {
    /// The versions that apply: those by which a commission for the same click was settled (`settled`), or
    /// else those pinned by a replay, or else those in force at the payment's time.
    ///
    /// # Errors
    /// [`Reason::ProgramInactive`] or [`Reason::PartnerNotApproved`] if there is no such program or enrollment.
    pub fn of(
        book: &Book<'a>,
        sale: &Sale<'_>,
        click: &Click,
        time: Timestamp,
        settled: Option<&Commission>,
    ) -> Result<Self, Reason> {
        let (world, pins) = (book.world, sale.pins());
        let program = world.programs.get(&click.program_id).and_then(|history| {
            settled
                .and_then(|commission| history.number(commission.program_version))
                .or_else(|| Pins::program(pins, &click.program_id, history, time))
        });
        let key = (click.program_id.clone(), click.partner_id.clone());
        let enrolled = world.enrollments.get(&key).and_then(|enrollment| {
            let history = &enrollment.history;
            let pinned = settled.and_then(|commission| history.number(commission.enrollment_version));
            let version = pinned.or_else(|| Pins::enrollment(pins, &enrollment.id, history, time))?;
            Some((enrollment.id.as_str(), version))
        });
        let program = program.ok_or(Reason::ProgramInactive)?;
        let (enrollment_id, enrollment) = enrolled.ok_or(Reason::PartnerNotApproved)?;
        Ok(Self { program, enrollment, enrollment_id })
    }
}

/// Checks a payment that resolved to a click. For a payment that was settled before (`settled`) and binds the click
/// itself, the program's status is that of the version it was settled by, even if new terms were backdated since.
///
/// # Errors
/// The first check that fails: program, enrollment, window, self-referral.
pub fn judge(
    book: &Book<'_>,
    sale: &Sale<'_>,
    attribution: &Attribution,
    click: &Click,
    terms: &Terms<'_>,
    settled: bool,
) -> Result<(), Reason> {
    let program = &terms.program.terms;
    let keeps_terms = settled && attribution.bound_by == sale.id;
    let bound = when_bound(book, sale, attribution, click);
    // The merchant chose the partner, whenever the click was.
    let is_assigned = attribution.rule == Rule::Reassigned;
    // A paused program attributes nothing new, so an attribution bound during a pause has no effect.
    let was_paused = !keeps_terms
        && !is_assigned
        && bound.is_some_and(|version| version.terms.status == ProgramStatus::Paused);
    in_force(book, sale, attribution, terms, was_paused)?;
    let days = bound.map_or(program.attribution_window_days, |version| version.terms.attribution_window_days);
    if !is_assigned && !click.is_in_window(attribution.bound_at, days) {
        return Err(Reason::ClickExpired);
    }
    if program.block_self_referral && is_self_referral(book, sale, click) {
        return Err(Reason::SelfReferral);
    }
    Ok(())
}

/// Whether the click that a payment or lead is attributed to may earn, by the terms in force at its time.
pub(crate) fn may_earn(book: &Book<'_>, sale: &Sale<'_>, attribution: &Attribution) -> bool {
    let judged = || {
        let click = book.world.clicks.get(&attribution.click_id)?;
        let terms = Terms::of(book, sale, click, sale.time?, None).ok()?;
        judge(book, sale, attribution, click, &terms, false).ok()
    };
    judged().is_some()
}

fn in_force(
    book: &Book<'_>,
    sale: &Sale<'_>,
    attribution: &Attribution,
    terms: &Terms<'_>,
    was_paused: bool,
) -> Result<(), Reason> {
    let inactive = match terms.program.terms.status {
        ProgramStatus::Active => false,
        ProgramStatus::Paused => is_new(book, sale, attribution),
        ProgramStatus::Draft | ProgramStatus::Archived => true,
    };
    if inactive || was_paused {
        return Err(Reason::ProgramInactive);
    }
    if terms.enrollment.terms.status != EnrollmentStatus::Approved {
        return Err(Reason::PartnerNotApproved);
    }
    Ok(())
}

/// Whether the attribution begins with this payment, and the payment is not a renewal of an attributed
/// subscription.
fn is_new(book: &Book<'_>, sale: &Sale<'_>, attribution: &Attribution) -> bool {
    let Some(subscription) = &sale.subscription else { return true };
    if matches!(attribution.rule, Rule::Customer | Rule::CustomerMetadata | Rule::Reassigned) {
        let first = book.of_subscription(subscription).next();
        return first.is_none_or(|(_, other)| other.id == sale.id);
    }
    attribution.bound_by == sale.id
}

/// The program's version in force when the click was bound; if a replay pinned a version for the payment,
/// or for the payment that bound the click, that version.
fn when_bound<'a>(
    book: &Book<'a>,
    sale: &Sale<'_>,
    attribution: &Attribution,
    click: &Click,
) -> Option<&'a Version<ProgramTerms>> {
    let id = &click.program_id;
    let history = book.world.programs.get(id)?;
    let own = sale.pins().filter(|pins| pins.programs.contains_key(id));
    let binder = || book.sales.get(attribution.bound_by.as_str())?.pins();
    Pins::program(own.or_else(binder), id, history, attribution.bound_at)
}

/// Whether any address of the buyer is one that the partner had by the time of the payment. The buyer's
/// addresses are those of the payment, of other payments and leads of the same subscription or customer, and
/// of the customer itself, because a renewal may name no address. The partner's first address also covers all
/// earlier times.
fn is_self_referral(book: &Book<'_>, sale: &Sale<'_>, click: &Click) -> bool {
    let Some(addresses) = book.world.partner_emails.get(&click.partner_id) else { return false };
    let is_past = |(place, (since, _)): &(usize, &(Timestamp, String))| {
        *place == 0 || sale.time.is_some_and(|time| *since <= time)
    };
    let past = addresses.iter().enumerate().filter(is_past);
    let partner: BTreeSet<String> = past.filter_map(|(_, (_, address))| email::mailbox(address)).collect();
    if partner.is_empty() {
        return false;
    }
    let of_customer = sale.customer.as_ref().and_then(|id| book.world.holders.customers.get(id));
    let of_customer = of_customer.into_iter().flat_map(|customer| &customer.emails).map(String::as_str);
    let mut own = payment::emails(&sale.facts).into_iter().chain(of_customer);
    if own.any(|address| email::mailbox(address).is_some_and(|mailbox| partner.contains(&mailbox))) {
        return true;
    }
    let timeline = &book.timeline;
    let of_subscription = sale.subscription.as_ref().and_then(|id| timeline.subscriptions.get(id));
    let of_same = sale.customer.as_ref().and_then(|id| timeline.customers.get(id));
    let external_ids =
        sale.external_customers.iter().chain(of_same.into_iter().flat_map(|line| line.named.keys()));
    let external_ids = external_ids.filter_map(|id| timeline.external_customers.get(id));
    let mut others = of_subscription.into_iter().chain(of_same).chain(external_ids);
    others.any(|line| partner.iter().any(|mailbox| line.mailboxes.contains(mailbox)))
}
