//! The hop `event`: the events, leads, reports and claims that reported a payment.

use serde_json::{Value, json};
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::lead::Lead;
use trac_core::webhook::report::Report;

use super::evidence::{Archive, Payment};
use super::hop::{Hop, Status};
use super::subject::Subject;
use crate::store::StoreError;
use crate::webhook::remedy_of;

const NAME: &str = "event";
/// How many events the text names.
const NAMED: usize = 4;

/// The hop of all events and reports of a payment. If an event was looked up, the hop shows that event.
pub(super) fn of_payment(
    archive: &Archive<'_>,
    subject: &Subject,
    payment: &Payment,
) -> Result<Hop, StoreError> {
    let mut events = archive.events(Some(&payment.id), &subject.events)?;
    for event in &mut events {
        if let Some(words) = payment.message_for(event) {
            event["message"] = words.into();
        }
    }
    if let Some(event) = events.iter().find(|event| subject.names(event)) {
        return Ok(of_event(event).with_details(events.clone().into()));
    }
    let mut words: Vec<String> = payment.facts.leads.values().map(lead_words).collect();
    words.extend(payment.facts.reports.values().map(report_words));
    if !events.is_empty() {
        words.push(event_words(&events));
        let asked = events.iter().find_map(|event| event["asked_at"].as_str());
        words.extend(asked.map(|at| format!("One of them is Stripe's answer to a question asked at {at}.")));
    } else if words.is_empty() {
        words.push("The event of another payment names this one.".to_owned());
    }
    let leads = payment.facts.leads.iter().map(|(id, lead)| {
        json!({ "id": id, "type": "lead", "event_name": lead.event_name, "created_at": lead.at.map(Timestamp::to_rfc3339) })
    });
    let reports = payment.facts.reports.iter().map(|(id, report)| {
        let kind = if report.by_merchant { "reported conversion" } else { "claimed conversion" };
        json!({ "id": id, "type": kind, "event_name": report.event_type,
            "created_at": report.at.map(Timestamp::to_rfc3339) })
    });
    let details: Vec<Value> = leads.chain(reports).chain(events.iter().cloned()).collect();
    Ok(Hop::ok(NAME, words.join(" ")).with_details(details.into()))
}

/// The hop of one event, with its outcome.
pub(super) fn of_event(event: &Value) -> Hop {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let (outcome, reason) = (text("outcome"), Reason::from_code(text("reason")).unwrap_or(Reason::Noted));
    let times = event.get("deliveries").and_then(Value::as_i64).unwrap_or(1);
    let repeats = if times > 1 && outcome != "rejected" {
        format!(" It was delivered {times} times; a repeat changes nothing.")
    } else {
        String::new()
    };
    let kind = if text("type").is_empty() { "A delivery" } else { text("type") };
    let message = if text("message").is_empty() { reason.meaning() } else { text("message") };
    let message = message.trim_end_matches('.');
    let words = format!("{kind}, received at {}: {outcome}. {message}.{repeats}", text("created_at"));
    let status = match outcome {
        // An event of an unsupported type is not an error.
        "ignored" if reason == Reason::UnsupportedEvent => return Hop::ok(NAME, words).because(reason),
        "ignored" | "failed" | "rejected" => Status::Refused,
        "skipped" if !matches!(reason, Reason::Stale) => Status::Refused,
        "deferred" => Status::Waiting,
        _ => return Hop::ok(NAME, words).because(reason),
    };
    Hop::cause(NAME, status, reason.as_str(), words, remedy_of(outcome, reason).unwrap_or_default())
}

fn event_words(events: &[Value]) -> String {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let named = events.iter().take(NAMED).map(|event| {
        format!("{} ({}, {})", text(event, "type"), text(event, "outcome"), text(event, "reason"))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match events.len().saturating_sub(NAMED) {
        0 => format!("Stripe reported it: {named}."),
        more => format!("Stripe reported it: {named} and {more} more."),
    }
}

fn lead_words(lead: &Lead) -> String {
    let at = lead.at.map(Timestamp::to_rfc3339).unwrap_or_default();
    format!("The lead \"{}\" of customer {} was reported at {at}.", lead.event_name, lead.customer)
}

fn report_words(report: &Report) -> String {
    let at = report.at.map(Timestamp::to_rfc3339).unwrap_or_default();
    let id = report.transaction.strip_prefix("transaction:").unwrap_or(&report.transaction);
    let event = &report.event_type;
    if report.by_merchant {
        format!("The merchant's server reported transaction {id} (\"{event}\") at {at}.")
    } else {
        format!("A page claimed transaction {id} (\"{event}\") at {at}.")
    }
}
