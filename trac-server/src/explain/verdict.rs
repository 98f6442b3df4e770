//! The hop `decision`, in words that a merchant and a partner can act on: which terms, which version, which
//! dates.
//!
//! Terms are versioned: a payment is judged by the versions in force when it was made, or by those of the day
//! on which the merchant replayed it with `rules=now`. So a remedy names the time from which it applies, and
//! what to do about this payment.

use serde_json::{Value, json};
use trac_core::conversion::attribution::Attribution;
use trac_core::conversion::payment;
use trac_core::conversion::world::{Enrollment, World};
use trac_core::program::{EnrollmentStatus, Pins, ProgramStatus, ProgramTerms, Recurring};
use trac_core::reason::{Class, Reason};
use trac_core::time::Timestamp;
use trac_core::webhook::invoice::Invoice;

use super::asked;
use super::evidence::{Archive, ClickRow, Payment};
use super::hop::{Hop, Status};
use super::unbound::{self, Unbound};
use crate::store::StoreError;
use crate::store::load;

const NAME: &str = "decision";

/// The hop of the decision about a payment or lead, with its grounds.
pub(super) fn of(archive: &Archive<'_>, payment: &Payment) -> Result<Hop, StoreError> {
    let reason = payment.reason();
    let unbound = unbound::of_lead(archive, payment)?;
    let unbound = unbound.as_ref();
    let hop = match &payment.decision.attribution {
        Some(attribution) => match archive.click(&attribution.click_id)? {
            Some(click) => Grounds::of(archive, payment, attribution, click)?.hop(reason, unbound),
            None => plain(payment, reason, unbound),
        },
        None if matches!(reason, Reason::NoClick | Reason::NoAttributionYet) => {
            plain(payment, reason, unbound).without_remedy()
        }
        None => plain(payment, reason, unbound),
    };
    let hop = if reason == Reason::RejectedByMerchant { rejected(archive, payment, hop)? } else { hop };
    let hop = match unbound {
        Some(lead) => hop.with_sentence(&format!("It does not tie the customer to a click: {}.", lead.why)),
        None => hop,
    };
    if reason == Reason::ProductsUnknown {
        return asked::of_products(archive, payment, hop);
    }
    Ok(hop.with_details(json!({ "reason": reason })))
}

/// The hop of a payment whose commission the merchant rejected, with the reason; `hop` if it rejected a claim or lead.
fn rejected(archive: &Archive<'_>, payment: &Payment, hop: Hop) -> Result<Hop, StoreError> {
    let commissions = archive.commissions(payment)?;
    let text = |commission: &Value, path: &str| {
        commission.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let is_rejected = |commission: &&Value| text(commission, "/verdict/status") == "rejected";
    let Some(commission) = commissions.iter().rev().find(is_rejected) else { return Ok(hop) };
    let [id, at, reason] = ["/id", "/verdict/at", "/verdict/reason"].map(|path| text(commission, path));
    let hop = hop.with_message(format!("The merchant rejected the commission on {at}: {reason}"));
    Ok(hop.with_remedy(format!("If that was wrong: PATCH /commissions/{id} with status restored.")))
}

/// The hop of a decision that does not depend on a click.
fn plain(payment: &Payment, reason: Reason, unbound: Option<&Unbound>) -> Hop {
    let status = match reason.class() {
        Class::Earns if reason != Reason::AttributionFrozen => {
            return Hop::ok(NAME, reason.meaning()).because(reason);
        }
        Class::Waits | Class::Claimed => Status::Waiting,
        Class::Earns | Class::RefusesClick | Class::EarnsNothing | Class::Event => Status::Refused,
    };
    let hop = Hop::broken(NAME, status, reason);
    match reason {
        Reason::ClientReported => claimed(payment, hop, unbound),
        Reason::RejectedByMerchant if payment.is_rejected_claim() => Hop::cause(
            NAME,
            status,
            reason.as_str(),
            "A page claimed this conversion, and the merchant rejected the claim.",
            format!("If that was wrong: PATCH /conversions/{} with status approved.", payment.id),
        ),
        Reason::DuplicatePayment => duplicate(payment, hop),
        Reason::Noted if payment.is_lead() => Hop::cause(
            NAME,
            Status::Waiting,
            reason.as_str(),
            match unbound {
                None => {
                    "The lead was reported with mode deferred: it ties the customer to the click and earns nothing yet."
                }
                Some(_) => "The lead was reported with mode deferred: it earns nothing yet.",
            },
            "Report the same lead again, without mode, when it should count.",
        ),
        _ => hop,
    }
}

fn claimed(payment: &Payment, hop: Hop, unbound: Option<&Unbound>) -> Hop {
    if let Some(lead_id) = &payment.decision.lead_id {
        let held = if unbound.is_some_and(|lead| lead.was_known) {
            "Only a page reported the lead, so its commission is held until the merchant approves it."
        } else {
            "Only a page reported the lead, so its commission is held until the customer first pays or the merchant approves it."
        };
        return hop.with_message(held).with_remedy(format!(
            "Check it, then PATCH /leads/{lead_id} with status approved or rejected. Leads that your server reports, or that have a \
             customerToken, count at once."
        ));
    }
    hop.with_remedy(format!(
        "Check it, then PATCH /conversions/{} with status approved or rejected. Conversions that your server reports with a \
         secret key count at once.",
        payment.id
    ))
}

fn duplicate(payment: &Payment, hop: Hop) -> Hop {
    match &payment.decision.same_as {
        Some(other) => Hop::ok(
            NAME,
            format!("This is the same money as payment {other}, inferred from customer, amount and time: see that payment."),
        )
        .because(Reason::DuplicatePayment),
        None => hop,
    }
}

/// The data that a decision about a payment with a click depends on.
struct Grounds<'a> {
    payment: &'a Payment,
    attribution: &'a Attribution,
    click: ClickRow,
    world: World,
    time: Timestamp,
    replay: Replay,
}

/// The replay that decides a payment again.
struct Replay {
    /// The event to replay; `None` if the merchant or a page reported the payment.
    event_id: Option<String>,
    workspace_id: String,
    mode: &'static str,
}

impl Replay {
    fn of(archive: &Archive<'_>, payment: &Payment) -> Result<Self, StoreError> {
        let scope = archive.rows.scope();
        Ok(Self {
            event_id: archive.event_to_replay(&payment.id)?,
            workspace_id: scope.workspace_id().to_owned(),
            mode: scope.mode_str(),
        })
    }

    /// The call or command that replays by the terms of its time.
    fn command(&self) -> String {
        match &self.event_id {
            Some(id) => format!("POST /events/{id}/replay"),
            None => format!("trac replay --workspace {} --mode {}", self.workspace_id, self.mode),
        }
    }

    /// The call or command that replays by today's terms.
    fn command_by_todays_terms(&self) -> String {
        let command = self.command();
        if self.event_id.is_some() {
            format!("{command}?rules=now")
        } else {
            format!("{command} --rules now")
        }
    }

    /// How to apply today's terms to this payment, too.
    fn for_this_one(&self, path: &str) -> String {
        let (replay, replay_now) = (self.command(), self.command_by_todays_terms());
        let words = format!(
            "For this one too: PATCH {path} with valid_from set to a time before it, then {replay}. Or, by today's terms: {replay_now}."
        );
        if self.event_id.is_some() {
            return words;
        }
        format!(
            "{words} No event reports it, so the command decides everything in this workspace and mode again: try --dry-run first."
        )
    }
}

impl<'a> Grounds<'a> {
    fn of(
        archive: &Archive<'_>,
        payment: &'a Payment,
        attribution: &'a Attribution,
        click: ClickRow,
    ) -> Result<Self, StoreError> {
        let mut world = World::default();
        load::parties_of_click(archive.rows, &mut world, &click.click)?;
        let time = payment.decision.time.unwrap_or(attribution.bound_at);
        let replay = Replay::of(archive, payment)?;
        Ok(Self { payment, attribution, click, world, time, replay })
    }

    fn terms(&self, at: Timestamp) -> Option<&ProgramTerms> {
        let id = &self.click.click.program_id;
        Some(&Pins::program(self.pins(), id, self.world.programs.get(id)?, at)?.terms)
    }

    /// The versions pinned by a replay with `rules=now`.
    fn pins(&self) -> Option<&Pins> {
        self.payment.facts.pins.as_ref().map(|pins| &pins.value)
    }

    /// A sentence about the replay, if the payment was replayed with `rules=now`.
    fn decided_again(&self) -> String {
        let at = self.payment.facts.pins.as_ref().map(|pins| pins.at.to_rfc3339());
        at.map_or_else(String::new, |at| {
            format!(" It was decided again on {at}, by the terms of that day (replay with rules now).")
        })
    }

    /// How to apply a change of the program to this payment, too.
    fn for_this_one(&self) -> String {
        self.replay.for_this_one(&self.program_path())
    }

    /// The hop of a rejected sale that the current versions for its time would accept: one of them was made
    /// after the decision, within the same second or backdated.
    fn changed_since(&self, hop: Hop, was: &str) -> Hop {
        hop.with_message(format!(
            "{was} when this was decided. A change that was made since then applies to that time too."
        ))
        .with_remedy(format!("Decide it again: {}.", self.replay.command()))
    }

    fn enrollment(&self) -> Option<&Enrollment> {
        let key = (self.click.click.program_id.clone(), self.click.click.partner_id.clone());
        self.world.enrollments.get(&key)
    }

    fn hop(&self, reason: Reason, unbound: Option<&Unbound>) -> Hop {
        let (program, partner) = (&self.click.program, &self.click.partner);
        let hop = plain(self.payment, reason, unbound);
        if hop.is_ok() && reason != Reason::DuplicatePayment {
            let replayed = self.decided_again();
            return hop.with_message(format!("{partner} earns in {program}. {}{replayed}", reason.meaning()));
        }
        match reason {
            Reason::ClickExpired => self.expired(hop),
            Reason::PartnerNotApproved => self.not_approved(hop),
            Reason::ProgramInactive => self.inactive(hop),
            Reason::ProductNotCovered | Reason::ProductsUnknown => self.not_covered(hop, reason),
            Reason::RecurringNotCovered => hop
                .with_message(format!(
                    "{program} pays for the first payment of a subscription only; this is a later one."
                ))
                .with_remedy(format!(
                    "If later ones should earn: PATCH {} with recurring lifetime or {{\"months\": 12}}. {}",
                    self.program_path(),
                    self.for_this_one()
                )),
            Reason::RecurringWindowEnded => hop.with_message(self.months()).with_remedy(format!(
                "If later ones should earn: PATCH {} with recurring lifetime or more months. {}",
                self.program_path(),
                self.for_this_one()
            )),
            Reason::SelfReferral => hop
                .with_message(format!(
                    "The buyer's e-mail address is that of {partner}, the partner: a self-referral."
                ))
                .with_remedy(format!(
                    "If partners may earn from their own purchases: PATCH {} with block_self_referral false. {}",
                    self.program_path(),
                    self.for_this_one()
                )),
            Reason::ZeroAmount => self.nothing_counts(hop),
            Reason::ZeroCommission => self.zero(hop, unbound),
            Reason::PaidOutOfBand => hop
                .with_message(format!(
                    "The invoice was paid outside Stripe, and {program} does not count such payments."
                ))
                .with_remedy(format!(
                    "If it should count: PATCH {} with count_out_of_band true. {}",
                    self.program_path(),
                    self.for_this_one()
                )),
            _ => hop,
        }
    }

    fn what_happened(&self) -> &'static str {
        if self.payment.is_lead() { "the lead was reported" } else { "the payment was made" }
    }

    fn program_path(&self) -> String {
        format!("/programs/{}", self.click.click.program_id)
    }

    fn expired(&self, hop: Hop) -> Hop {
        let (clicked, bound) = (self.click.click.clicked_at, self.attribution.bound_at);
        let (at, paid) = (clicked.to_rfc3339(), bound.to_rfc3339());
        if !self.click.click.is_before(bound) {
            return hop
                .with_message(format!("The click, at {at}, is later than the payment or lead, at {paid}."))
                .with_remedy("A click is credited with later payments only. Nothing is wrong.");
        }
        let days = self.terms(bound).map_or(0, |terms| terms.attribution_window_days);
        if self.click.click.is_in_window(bound, days) {
            return self.changed_since(hop, "The click was outside the program's attribution window");
        }
        let path = self.program_path();
        hop.with_message(format!(
            "The click, at {at}, lies more than {days} days before the payment, at {paid}: {} does not count older clicks.{}",
            self.click.program,
            self.decided_again()
        ))
        .with_remedy(format!(
            "For payments from now on, PATCH {path} with a longer attribution_window_days. This one stays as it is: the terms \
             of its time apply. {}",
            self.for_this_one()
        ))
    }

    fn not_approved(&self, hop: Hop) -> Hop {
        let Some(enrollment) = self.enrollment() else {
            return hop
                .with_message(format!("{} is not enrolled in {}.", self.click.partner, self.click.program))
                .with_remedy(format!(
                    "Enroll the partner: POST /enrollments with program_id {} and partner_id {}. That applies to this \
                     payment too, once it is decided again: {}.",
                    self.click.click.program_id,
                    self.click.click.partner_id,
                    self.replay.command()
                ));
        };
        let name =
            |status: Option<EnrollmentStatus>| status.map_or_else(String::new, |status| json_word(&status));
        let judged_by = Pins::enrollment(self.pins(), &enrollment.id, &enrollment.history, self.time);
        let status = name(judged_by.map(|version| version.terms.status));
        let latest = enrollment.history.latest().map(|version| version.terms.status);
        let path = format!("/enrollments/{}", enrollment.id);
        if judged_by.is_some_and(|version| version.terms.status == EnrollmentStatus::Approved) {
            let was =
                format!("{}'s enrollment in {} was not approved", self.click.partner, self.click.program);
            return self.changed_since(hop, &was);
        }
        let hop = hop.with_message(match &self.payment.facts.pins {
            Some(_) => {
                let (partner, program) = (&self.click.partner, &self.click.program);
                format!("{partner}'s enrollment in {program} was {status}.{}", self.decided_again())
            }
            None => format!(
                "{}'s enrollment in {} was {status} when {}, at {}.",
                self.click.partner,
                self.click.program,
                self.what_happened(),
                self.time.to_rfc3339()
            ),
        });
        if latest == Some(EnrollmentStatus::Approved) {
            return hop.with_remedy(format!(
                "It is approved now: payments from then on earn. This one was made before, and stays as it is. {}",
                self.replay.for_this_one(&path)
            ));
        }
        hop.with_remedy(format!(
            "Approve it: PATCH {path} with status approved. That applies to payments from then on. {}",
            self.replay.for_this_one(&path)
        ))
    }

    fn inactive(&self, hop: Hop) -> Hop {
        let status = |at: Timestamp| self.terms(at).map(|terms| terms.status);
        let mut times = [self.time, self.attribution.bound_at].into_iter();
        let Some(at) = times.find(|at| status(*at) != Some(ProgramStatus::Active)) else {
            return self.changed_since(hop, &format!("The program {} was not active", self.click.program));
        };
        let was = status(at).map_or_else(|| "without terms".to_owned(), |status| json_word(&status));
        let hop = hop.with_message(format!(
            "The program {} was {was} when {}, at {}.{}",
            self.click.program,
            self.what_happened(),
            at.to_rfc3339(),
            self.decided_again()
        ));
        let history = self.world.programs.get(&self.click.click.program_id);
        let latest = history.and_then(|history| history.latest()).map(|version| version.terms.status);
        if latest == Some(ProgramStatus::Active) {
            return hop.with_remedy(format!(
                "It is active now: payments from then on earn. This one was made before, and stays as it is. {}",
                self.for_this_one()
            ));
        }
        hop.with_remedy(format!(
            "Activate it: PATCH {} with status active. That applies to payments from then on. {}",
            self.program_path(),
            self.for_this_one()
        ))
    }

    fn not_covered(&self, hop: Hop, reason: Reason) -> Hop {
        let covered = self.terms(self.time).map(|terms| terms.products.join(", ")).unwrap_or_default();
        if reason == Reason::ProductsUnknown {
            let unknown = match asked::long_invoice(self.payment) {
                Some(invoice) => format!("no event carries every line of {invoice}"),
                None => "no event says what was bought".to_owned(),
            };
            return hop.with_message(format!("{} covers {covered} only, and {unknown}.", self.click.program));
        }
        let lines = self.payment.facts.invoices.values().filter_map(Invoice::every_line).flatten();
        let mut bought: Vec<&str> =
            lines.filter_map(|line| line.product.as_deref().or(line.price.as_deref())).collect();
        bought.sort_unstable();
        bought.dedup();
        let bought = if bought.is_empty() { "what was bought".to_owned() } else { bought.join(", ") };
        hop.with_message(format!("{} covers {covered}, and not {bought}.", self.click.program)).with_remedy(format!(
            "If it should earn: PATCH {} with products that include it, or [] for all products. That applies to payments from \
             then on. {}",
            self.program_path(),
            self.for_this_one()
        ))
    }

    fn months(&self) -> String {
        let months = match self.terms(self.time).map(|terms| terms.recurring) {
            Some(Recurring::Months(months)) => months,
            _ => 0,
        };
        let of = payment::subscription(&self.payment.facts).unwrap_or("this customer");
        let months = if months == 1 { "month".to_owned() } else { format!("{months} months") };
        format!(
            "{} pays for the first {months} of a subscription; {of} has gone on for longer.",
            self.click.program
        )
    }

    fn nothing_counts(&self, hop: Hop) -> Hop {
        match (self.payment.decision.gross_minor, self.payment.decision.currency) {
            (Some(gross), Some(currency)) if gross > 0 => hop
                .with_message(format!(
                    "{} was paid, and none of it counts: {} leaves out tax, shipping, or products that it does not cover.",
                    currency.display(gross),
                    self.click.program
                ))
                .with_remedy(format!("Check base, include_shipping and products of {}.", self.program_path())),
            _ => hop,
        }
    }

    fn zero(&self, hop: Hop, unbound: Option<&Unbound>) -> Hop {
        if self.payment.is_lead() {
            let tied =
                if unbound.is_none() { " The customer is tied to the click nevertheless." } else { "" };
            return hop.with_message(format!("{} pays nothing for leads.", self.click.program)).with_remedy(
                format!(
                    "If leads should earn: PATCH {} with lead_amount_minor and lead_currency.{tied}",
                    self.program_path()
                ),
            );
        }
        hop.with_message(format!(
            "By the terms of {}, the commission on this payment is zero.",
            self.click.program
        ))
        .with_remedy(format!(
            "Check the commission of {} and of the partner's enrollment: the rate is 0, or so small that the \
             commission rounds to zero.",
            self.program_path()
        ))
    }
}

/// A status as the API writes it.
fn json_word(status: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(status).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}
