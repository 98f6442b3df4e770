//! Why an expected event is missing, and which calls were rejected.

use serde_json::{Value, json};
use trac_core::reason::Reason;

use super::evidence::Archive;
use super::modes_of;
use super::subject::{self, Kind};
use crate::store::StoreError;
use crate::store::rows::{ToArg as _, args, places};
use crate::trac::refusal::Cause;
use crate::webhook::accept::ROUTE;
use crate::webhook::remedy_of;

/// The age up to which rejected deliveries and calls are considered.
const RECENT_SECS: i64 = 7 * 86_400;

/// A possible cause and its remedy. Lists of them have the worst first.
pub(super) struct Diagnosis {
    pub(super) reason: &'static str,
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Diagnosis {
    fn new(reason: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason, what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "reason": self.reason, "what": self.what, "remedy": self.remedy })
    }
}

/// The event types that report an object of this kind; the first is the one to select.
const fn event_types(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Invoice | Kind::Subscription => &["invoice.paid"],
        Kind::Charge => &["charge.refunded", "charge.succeeded"],
        Kind::Refund => &["refund.created", "charge.refund.updated", "refund.updated"],
        Kind::Dispute => &["charge.dispute.created", "charge.dispute.closed"],
        Kind::PaymentIntent => &["checkout.session.completed", "payment_intent.succeeded"],
        Kind::Customer | Kind::Email => &["checkout.session.completed", "invoice.paid"],
        _ => &["checkout.session.completed"],
    }
}

/// Finds every cause for which the store contains evidence: the other mode's endpoint, no secret, a wrong
/// secret, a wrong clock, a wrong address, a failed write, an event type that is not selected, no delivery at
/// all.
pub(super) fn of_missing_event(
    archive: &Archive<'_>,
    kind: Kind,
    id: &str,
) -> Result<Vec<Diagnosis>, StoreError> {
    let mut found = Vec::new();
    if archive.reached_the_other_mode(id)? {
        let mode = archive.rows.scope().mode_str();
        found.push(Diagnosis::new(
            Reason::ModeMismatch.as_str(),
            format!("An event about it was delivered to this workspace's endpoint of the other mode and ignored there, because it is a {mode} event."),
            format!("In Stripe, set the URL of the {mode} endpoint to the one that GET /webhook-endpoints shows for {mode} mode, and resend the event."),
        ));
    } else if let Some(elsewhere) = of_other_mode(archive, kind, id)? {
        found.push(elsewhere);
        // An e-mail address may occur in both modes; an ID of Stripe's belongs to one.
        if kind != Kind::Email {
            return Ok(found);
        }
    }
    found.extend(of_deliveries(archive)?);
    let types = event_types(kind);
    let selected = types.first().copied().unwrap_or_default();
    let any_event =
        "SELECT 1 FROM event WHERE workspace_id = ?1 AND mode = ?2 AND stripe_event_id IS NOT NULL";
    found.push(if !archive.rows.exists(any_event, &[])? {
        Diagnosis::new(
            "webhook_never_arrived",
            "No authentic event has ever arrived in this workspace and mode.",
            "In Stripe, add an endpoint of this mode with the URL from GET /webhook-endpoints, and select the events listed \
             there. Check the deliveries in Stripe: 404 means a wrong URL, 401 a wrong secret, 5xx or a time-out a \
             failure of this server.",
        )
    } else if kind == Kind::Event {
        Diagnosis::new(
            "event_not_received",
            "Events arrive, but this one has not.",
            "Check in Stripe that its type is selected for this endpoint, and resend it. Check the mode too: test events go \
             to the test endpoint.",
        )
    } else if !archive.has_event_of(types)? {
        Diagnosis::new(
            "event_type_not_selected",
            format!("Events arrive, but none of type {selected} has."),
            format!("Select {selected} for this endpoint in Stripe, and resend the event."),
        )
    } else {
        let about = match kind {
            Kind::Email => "names this address".to_owned(),
            kind => format!("is about this {}", kind.words()),
        };
        Diagnosis::new(
            "event_not_received",
            format!("Events of type {selected} arrive, but none that {about}."),
            "Check the event's deliveries in Stripe, and resend it. Check the mode too: test events go to the test endpoint. \
             If Stripe has no such event either, it was not paid.",
        )
    });
    Ok(found)
}

/// The cause that an object belongs to the workspace's other mode, by the form of its ID or because it is known there.
fn of_other_mode(archive: &Archive<'_>, kind: Kind, id: &str) -> Result<Option<Diagnosis>, StoreError> {
    let (scope, other) = (archive.rows.scope(), archive.rows.scope().other_mode());
    let is_named = !modes_of(id).contains(&scope.mode());
    let is_known = subject::find(archive.rows.everywhere().within(&other), id)?.is_found();
    let (own, other, kind) = (scope.mode_str(), other.mode_str(), kind.words());
    let what = match (is_named, is_known) {
        (false, false) => return Ok(None),
        (false, true) => format!("This {kind} is known in {other} mode, and you asked in {own} mode."),
        (true, true) => {
            format!("{id} is an ID of {other} mode, where it is known, and you asked in {own} mode.")
        }
        (true, false) => format!("{id} is an ID of {other} mode, and you asked in {own} mode."),
    };
    let remedy = format!(
        "Ask in {other} mode: GET /explain with a secret key of that mode (sk_{other}_…), or use the {other} dashboard, which opens \
         with such a key or by trac login-link --mode {other}."
    );
    Ok(Some(Diagnosis::new(Reason::ModeMismatch.as_str(), what, remedy)))
}

/// Deliveries that were rejected for this reason since this time.
const REJECTED: &str = "SELECT 1 FROM event WHERE workspace_id = ?1 AND mode = ?2 AND outcome = 'rejected' \
                        AND reason = ?3 AND received_at >= ?4";
/// Those of them that no verified delivery at the same endpoint followed.
const STILL_REJECTED: &str = "SELECT 1 FROM event AS e WHERE e.workspace_id = ?1 AND e.mode = ?2 \
                              AND e.outcome = 'rejected' AND e.reason = ?3 AND e.received_at >= ?4 \
                              AND NOT EXISTS (SELECT 1 FROM event AS v WHERE v.workspace_id = ?1 AND v.mode = ?2 \
                              AND v.endpoint_id = e.endpoint_id AND v.stripe_event_id IS NOT NULL AND v.id > e.id)";

/// The causes that prevent deliveries in this mode.
pub(super) fn of_deliveries(archive: &Archive<'_>) -> Result<Vec<Diagnosis>, StoreError> {
    let mut found = Vec::new();
    let secret = "SELECT 1 FROM webhook_endpoint WHERE workspace_id = ?1 AND mode = ?2 AND secrets <> '[]'";
    if !archive.rows.exists(secret, &[])? {
        found.push(Diagnosis::new(
            Reason::SignatureInvalid.as_str(),
            "No webhook endpoint of this mode has a signing secret, so every delivery is rejected with 401.",
            "Copy the endpoint's whsec_… from Stripe: PATCH /webhook-endpoints/{id} with signing_secrets.",
        ));
    }
    let since = archive.now.plus_secs(-RECENT_SECS);
    for reason in [Reason::SignatureInvalid, Reason::TimestampOutsideTolerance, Reason::Unreadable] {
        // If a later delivery was verified at the same endpoint, its secret and the clock are right by now. An
        // unreadable delivery is missing nevertheless.
        let sql = match reason {
            Reason::Unreadable => REJECTED,
            _ => STILL_REJECTED,
        };
        if archive.rows.exists(sql, args![reason.as_str(), since])? {
            let meaning = match reason {
                Reason::Unreadable => "The signed body is not an event.",
                _ => reason.meaning(),
            };
            let what = format!("Deliveries were rejected in the last seven days. {meaning}");
            found.push(Diagnosis::new(
                reason.as_str(),
                what,
                remedy_of("rejected", reason).unwrap_or_default(),
            ));
        }
    }
    found.extend(refused(archive, &[ROUTE])?);
    Ok(found)
}

/// The calls of pages and servers that were rejected recently: their clicks or leads were not recorded.
pub(super) fn of_refused_calls(archive: &Archive<'_>) -> Result<Vec<Diagnosis>, StoreError> {
    refused(archive, &["/v1/clicks", "/api/track/click", "/api/track/lead", "/api/track/conversion"])
}

fn refused(archive: &Archive<'_>, routes: &[&str]) -> Result<Vec<Diagnosis>, StoreError> {
    let sql = format!(
        "SELECT cause, route, sum(calls), max(last_at) AS at FROM refusal WHERE workspace_id = ?1 AND mode = ?2 \
         AND last_at >= ?3 AND route IN ({}) GROUP BY cause, route ORDER BY at DESC, cause",
        places(4, routes.len())
    );
    let since = archive.now.plus_secs(-RECENT_SECS);
    let bound: Vec<_> =
        [since.to_arg()].into_iter().chain(routes.iter().map(|route| route.to_arg())).collect();
    let refusals = archive
        .rows
        .all(&sql, &bound, |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?)))?;
    let mut found = Vec::new();
    for (code, route, calls) in refusals {
        let Some(cause) = Cause::ALL.iter().find(|cause| cause.as_str() == code) else { continue };
        let times = if calls == 1 { "A call".to_owned() } else { format!("At least {calls} calls") };
        let what = format!("{times} of {route} failed in the last seven days. {}", cause.meaning());
        found.push(Diagnosis::new(cause.as_str(), what, cause.remedy()));
    }
    Ok(found)
}

impl Archive<'_> {
    /// Whether the other mode's endpoint received an event about this object, or with this ID, and ignored it
    /// as `mode_mismatch`.
    fn reached_the_other_mode(&self, id: &str) -> Result<bool, StoreError> {
        let other = self.rows.scope().other_mode();
        let sql = "SELECT 1 FROM event WHERE workspace_id = ?1 AND mode = ?2 AND reason = 'mode_mismatch' \
                   AND (object_id = ?3 OR stripe_event_id = ?3)";
        self.rows.everywhere().within(&other).exists(sql, args![id])
    }
}
