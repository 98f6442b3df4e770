//! The hops, in order, and the first that is missing.

use serde_json::{Value, json};
use trac_core::commission::decision::Decision;
use trac_core::conversion::reason::Reason;
use trac_core::conversion::remedy::remedy;
use trac_core::time::Timestamp;

use super::diagnosis;
use super::evidence::Archive;
use super::subject::Subject;
use crate::store::StoreError;

/// One hop of a story.
struct Hop {
    name: &'static str,
    /// `ok`, `missing`, `refused` or `waiting`.
    status: &'static str,
    what: String,
    reason: Option<String>,
    remedy: Option<String>,
    details: Value,
}

impl Hop {
    fn ok(name: &'static str, what: impl Into<String>, details: Value) -> Self {
        Self { name, status: "ok", what: what.into(), reason: None, remedy: None, details }
    }

    fn broken(name: &'static str, status: &'static str, reason: Reason, details: Value) -> Self {
        Self {
            name,
            status,
            what: reason.meaning().to_owned(),
            reason: Some(reason.as_str().to_owned()),
            remedy: remedy(reason).map(ToOwned::to_owned),
            details,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "hop": self.name,
            "status": self.status,
            "what": self.what,
            "reason": self.reason,
            "remedy": self.remedy,
            "details": self.details,
        })
    }
}

/// The whole answer: one story for each payment, or one that ends early.
pub(super) fn of(archive: &Archive<'_>, subject: &Subject) -> Result<Value, StoreError> {
    let mut stories = Vec::new();
    for payment_id in &subject.payments {
        if let Some(decision) = archive.decision(payment_id)? {
            stories.push((Some(payment_id.as_str()), of_payment(archive, subject, payment_id, &decision)?));
        }
    }
    if stories.is_empty() {
        stories.push((None, without_payment(archive, subject)?));
    }
    let first_broken = stories.iter().find_map(|(_, hops)| hops.iter().find(|hop| hop.status != "ok"));
    let summary = first_broken.map_or("Every hop is there.", |hop| &hop.what).to_owned();
    let (hop, reason, advice) = match first_broken {
        Some(hop) => (Some(hop.name), hop.reason.clone(), hop.remedy.clone()),
        None => (None, None, None),
    };
    let found = !subject.payments.is_empty() || !subject.events.is_empty() || subject.click_id.is_some();
    let told = stories.iter().map(|(payment_id, hops)| {
        json!({ "payment_id": payment_id, "hops": hops.iter().map(Hop::to_json).collect::<Vec<_>>() })
    });
    Ok(json!({
        "id": subject.id,
        "kind": subject.kind,
        "mode": archive.scope.mode_str(),
        "workspace_id": archive.scope.workspace_id(),
        "found": found,
        "summary": summary,
        "first_missing_hop": hop,
        "reason": reason,
        "remedy": advice,
        "stories": told.collect::<Vec<_>>(),
    }))
}

fn of_payment(
    archive: &Archive<'_>,
    subject: &Subject,
    payment_id: &str,
    decision: &Decision,
) -> Result<Vec<Hop>, StoreError> {
    let mut hops = Vec::new();
    let events = archive.events(Some(payment_id), &subject.events)?;
    let asked = events.iter().filter_map(|event| event["asked_at"].as_str()).next();
    let asked_at = asked.map(|at| format!(" One is what Stripe answered when it was asked at {at}."));
    let told = format!(
        "{} of Stripe's events are about this payment.{}",
        events.len(),
        asked_at.unwrap_or_default()
    );
    let told = Hop::ok("event", told, events.into());
    if matches!(decision.reason, Reason::PaymentUnlinked | Reason::PaymentUnknown) {
        // Money moved of a sale that is not known, or of one of several: what is missing is the sale, not a click.
        let asked = archive.questions(payment_id)?;
        let details = json!({ "stripe": decision.stripe, "lost_minor": decision.lost_minor, "asked": asked });
        let mut missing = Hop::broken("payment", "missing", decision.reason, details);
        for question in &asked {
            let word = |name: &str| question[name].as_str().unwrap_or_default();
            missing.what = format!("{} Asked at {}: {}", missing.what, word("asked_at"), word("answer"));
        }
        return Ok(vec![told, missing]);
    }
    match &decision.attribution {
        Some(attribution) => {
            hops.extend(of_click(archive, &attribution.click_id)?);
            let details = json!({ "rule": attribution.rule, "bound_by": attribution.bound_by,
                "bound_at": attribution.bound_at.to_rfc3339(), "candidates": decision.candidates });
            hops.push(Hop::ok(
                "reference",
                format!("The click came along: {}.", decision_rule(decision)),
                details,
            ));
        }
        None => hops.push(no_reference(decision)),
    }
    hops.push(told);
    hops.push(of_money(decision));
    hops.push(of_decision(decision));
    let commissions = archive.commissions(payment_id)?;
    if !commissions.is_empty() {
        hops.push(Hop::ok("entries", "The ledger says:", commissions.into()));
    }
    Ok(hops)
}

/// How the decision found its click, for a person.
fn decision_rule(decision: &Decision) -> String {
    let Some(attribution) = &decision.attribution else { return String::new() };
    let carried = decision.candidates.iter().find(|candidate| candidate.value == attribution.click_id);
    match carried {
        Some(candidate) => format!("{} of {}", rule_name(&json!(candidate.rule)), candidate.object),
        None => format!("{}, bound by {}", rule_name(&json!(attribution.rule)), attribution.bound_by),
    }
}

fn rule_name(rule: &Value) -> String {
    rule.as_str().unwrap_or_default().replace('_', " ")
}

fn of_click(archive: &Archive<'_>, click_id: &str) -> Result<Vec<Hop>, StoreError> {
    let Some(click) = archive.click(click_id)? else {
        let details = json!({ "click_id": click_id });
        let mut hop = Hop::broken("click", "missing", Reason::NoClick, details);
        "This is no click of this workspace and mode.".clone_into(&mut hop.what);
        return Ok(vec![hop]);
    };
    let at = click.clicked_at.to_rfc3339();
    let link = match (&click.slug, &click.link_id) {
        (Some(slug), link_id) => {
            let details = json!({ "link_id": link_id, "slug": slug });
            Hop::ok("link", format!("{}'s link /s/{slug} in {}.", click.partner, click.program), details)
        }
        (None, link_id) => {
            let details = json!({ "link_id": link_id });
            Hop::ok(
                "link",
                format!("{} in {}, without a tracked link.", click.partner, click.program),
                details,
            )
        }
    };
    let details = json!({ "click_id": click_id, "clicked_at": at });
    Ok(vec![link, Hop::ok("click", format!("Clicked at {at}."), details)])
}

/// Nothing tied the payment to a click: no value at all, or only values that are no clicks here.
fn no_reference(decision: &Decision) -> Hop {
    let details = json!({ "candidates": decision.candidates });
    if decision.candidates.is_empty() {
        let mut hop = Hop::broken("reference", "missing", Reason::NoClick, details);
        "No event of this payment carries a click ID: not in metadata, not in client_reference_id."
            .clone_into(&mut hop.what);
        return hop;
    }
    let mut hop = Hop::broken("click", "missing", Reason::NoClick, details);
    "The payment carries a value, but it is no click of this workspace and mode: the click was never recorded here, or \
     the value is the merchant's own."
        .clone_into(&mut hop.what);
    hop
}

fn of_money(decision: &Decision) -> Hop {
    let details = json!({ "stripe": decision.stripe, "gross_minor": decision.gross_minor,
        "base_minor": decision.base_minor, "lost_minor": decision.lost_minor, "currency": decision.currency,
        "time": decision.time.map(Timestamp::to_rfc3339), "same_as": decision.same_as });
    match (decision.gross_minor, decision.currency) {
        (Some(gross), Some(currency)) => {
            Hop::ok("payment", format!("{} was paid.", currency.display(gross)), details)
        }
        _ => Hop::broken("payment", "waiting", decision.reason, details),
    }
}

fn of_decision(decision: &Decision) -> Hop {
    let reason = decision.reason;
    let details = json!({ "reason": reason });
    match reason {
        Reason::Ok
        | Reason::OkRecurring
        | Reason::OkProration
        | Reason::OkCustomerLookup
        | Reason::OkCapped => Hop::ok("decision", reason.meaning(), details),
        Reason::NoAttributionYet
        | Reason::PaymentUnlinked
        | Reason::PaymentUnknown
        | Reason::ProductsUnknown
        | Reason::UnpaidSession
        | Reason::Uncaptured => Hop::broken("decision", "waiting", reason, details),
        _ => Hop::broken("decision", "refused", reason, details),
    }
}

/// The story of something no payment is known of.
fn without_payment(archive: &Archive<'_>, subject: &Subject) -> Result<Vec<Hop>, StoreError> {
    let events = archive.events(None, &subject.events)?;
    if let Some(event) = events.first() {
        let told = event["reason"].as_str().and_then(Reason::from_code).unwrap_or(Reason::Noted);
        let settled = matches!(told, Reason::Noted | Reason::Linked);
        let mut hop = Hop::broken("event", if settled { "ok" } else { "refused" }, told, json!(events));
        hop.reason = Some(told.as_str().to_owned());
        return Ok(vec![hop]);
    }
    if subject.kind == "click" {
        let mut hops = of_click(archive, &subject.id)?;
        if subject.click_id.is_some() {
            let mut hop = Hop::broken("reference", "missing", Reason::NoClick, Value::Null);
            "No payment has carried this click ID yet.".clone_into(&mut hop.what);
            hops.push(hop);
        }
        return Ok(hops);
    }
    let causes = diagnosis::of_missing_event(archive, subject.kind)?;
    let worst = causes.first();
    let found: Vec<_> = causes.iter().map(diagnosis::Diagnosis::to_json).collect();
    Ok(vec![Hop {
        name: "event",
        status: "missing",
        what: worst.map(|cause| cause.what.clone()).unwrap_or_default(),
        reason: worst.map(|cause| cause.reason.to_owned()),
        remedy: worst.map(|cause| cause.remedy.clone()),
        details: json!({ "causes": found }),
    }])
}
