//! `/api/v1/events`: the log of everything Stripe delivered, with the outcome of each event.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use trac_core::commission::answer::Outcome;
use trac_core::conversion::remedy::remedy;
use trac_core::reason::Reason;

use crate::access::Merchant;
use crate::api::list::Filter::{By, Is};
use crate::api::list::{Condition, Counts, Kept, NARROW, Resource, Young, number, time, word};
use crate::problem::Problem;
use crate::store::body::StoredBody;
use crate::store::rows::{Row, Rows, args};
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;

/// Whether an event that waits for an attribution is still shown as waiting: 72 hours after it was received it
/// is shown as `skipped`, `no_click` (see [`Reason::shown_after`]), and is still settled if a click arrives
/// later. The generated columns `last_outcome` and `last_reason` have what is shown then.
macro_rules! waits {
    () => {
        "e.outcome = 'deferred' AND e.reason = 'no_attribution_yet' AND e.received_at > ?3 - 259200"
    };
}

/// The log, the newest delivery first.
pub(crate) static EVENTS: Resource = Resource {
    name: "event",
    columns: concat!(
        "e.id, e.stripe_event_id, e.endpoint_id, e.type, e.api_version, e.stripe_created, e.received_at, ",
        "e.message, e.deliveries, e.subject_id, e.settled_by, ",
        // An event without Stripe's ID that was not rejected is an answer that the server requested from
        // Stripe.
        "CASE WHEN e.stripe_event_id IS NULL AND e.outcome <> 'rejected' THEN e.received_at END AS asked_at, ",
        "e.outcome, e.reason"
    ),
    from: "event AS e",
    within: "e.workspace_id = ?1 AND e.mode = ?2",
    id: "e.id",
    order: &["e.id"],
    filters: &[
        ("outcome", By(has_outcome)),
        ("reason", By(has_reason)),
        ("type", Is("e.type")),
        ("api_version", Is("e.api_version")),
        ("endpoint_id", Is("e.endpoint_id")),
        ("stripe_event_id", Is("e.stripe_event_id")),
        ("subject_id", Is("e.subject_id")),
        ("settled_by", Is("e.settled_by")),
    ],
    kept: Kept::Counts(&[Counts {
        from: "event_count AS e",
        within: "e.workspace_id = ?1 AND e.mode = ?2",
        filters: &["outcome", "reason", "type", "api_version", "endpoint_id"],
        young: Some(Young { is: waits!(), strays: true }),
        combination: &[
            ("e.last_outcome", "e.last_outcome"),
            ("e.last_reason", "e.last_reason"),
            ("e.type", "coalesce(e.type, '')"),
            ("e.api_version", "coalesce(e.api_version, '')"),
            ("e.endpoint_id", "e.endpoint_id"),
        ],
    }]),
    read,
};

fn has_outcome(outcome: &str) -> Condition {
    match outcome {
        "skipped" => Condition {
            shown: concat!("e.last_outcome = {} AND NOT (", waits!(), ")"),
            of_these: concat!("NOT (", waits!(), ")"),
            ..Condition::of("e.last_outcome = {}")
        },
        "deferred" => Condition {
            shown: concat!("(e.last_outcome = {} OR (", waits!(), "))"),
            ..Condition::of("e.last_outcome = {}")
        },
        _ => Condition::of("e.last_outcome = {}"),
    }
}

fn has_reason(reason: &str) -> Condition {
    match reason {
        "no_click" => Condition {
            shown: concat!("e.last_reason = {} AND NOT (", waits!(), ")"),
            of_these: concat!("NOT (", waits!(), ")"),
            ..Condition::of("e.last_reason = {}")
        },
        "no_attribution_yet" => Condition {
            shown: concat!("(e.last_reason = {} OR (", waits!(), "))"),
            ..Condition::of("e.last_reason = {}")
        },
        _ => Condition::of("e.last_reason = {}"),
    }
}

/// An event as it is shown now.
pub(crate) struct Shown<'e> {
    pub(crate) outcome: &'e str,
    pub(crate) reason: &'e str,
    pub(crate) message: &'e str,
}

impl<'e> Shown<'e> {
    /// From the recorded columns, and the time since the event was received.
    pub(crate) fn of(outcome: &'e str, reason: &'e str, message: &'e str, waited_secs: i64) -> Self {
        let recorded = Reason::from_code(reason).filter(|_| outcome == Outcome::Deferred.as_str());
        match recorded.map(|reason| reason.shown_after(waited_secs)) {
            Some(Reason::NoClick) => Self {
                outcome: Outcome::Skipped.as_str(),
                reason: Reason::NoClick.as_str(),
                message: Reason::NoClick.meaning(),
            },
            _ => Self { outcome, reason, message },
        }
    }
}

/// What a merchant can do about an event's outcome.
pub(crate) fn remedy_of(outcome: &str, reason: Reason) -> Option<&'static str> {
    match (outcome, reason) {
        ("rejected", Reason::Unreadable) => Some(
            "The signed body is not an event: it is not a JSON object with an id. Something between Stripe and this server \
             changes bodies, or something else posts to this address.",
        ),
        _ => remedy(reason),
    }
}

fn read(row: &Row<'_>, trac: &Trac) -> Result<Value, StoreError> {
    let (outcome, code): (String, String) = (row.get("outcome")?, row.get("reason")?);
    let message: String = row.get("message")?;
    let waited_secs = trac.clock.now().secs_since(row.get("received_at")?);
    let shown = Shown::of(&outcome, &code, &message, waited_secs);
    let reason = Reason::from_code(shown.reason);
    Ok(json!({
        "id": word(row, "id")?,
        "stripe_event_id": word(row, "stripe_event_id")?,
        "endpoint_id": word(row, "endpoint_id")?,
        "type": word(row, "type")?,
        "api_version": word(row, "api_version")?,
        "stripe_created_at": time(row, "stripe_created")?,
        "outcome": shown.outcome,
        "reason": shown.reason,
        "message": shown.message,
        "remedy": reason.and_then(|reason| remedy_of(shown.outcome, reason)),
        "deliveries": number(row, "deliveries")?,
        "subject_id": word(row, "subject_id")?,
        "settled_by": word(row, "settled_by")?,
        "asked_at": time(row, "asked_at")?,
        "created_at": time(row, "received_at")?,
    }))
}

/// Why an event has no payload though its body is stored.
const DAMAGED: &str = "The stored body is damaged, so the event cannot be replayed. Commissions and payments that follow from \
    it are not affected. A backup may contain the body; trac replay lists all events with damaged bodies.";

/// One event, by our ID or Stripe's, with its body.
pub(super) async fn one(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let found = store.query(&of, NARROW, move |tx| {
        let rows = tx.within(&scope);
        let id = our_id(rows, &id)?.unwrap_or(id);
        let event = EVENTS.one(rows, &trac, &id)?;
        let mut event = event.ok_or_else(|| missing_event(rows, &trac, &id))?;
        if let Some(event) = event.as_object_mut() {
            let (payload, error) = match payload(rows, &id) {
                Err(error) if error.kind() == StoreErrorKind::Corrupt => (Value::Null, DAMAGED.into()),
                read => (read?, Value::Null),
            };
            event.insert("payload".to_owned(), payload);
            event.insert("payload_error".to_owned(), error);
        }
        Ok::<_, Problem>(event)
    });
    found.await.map(Json)
}

/// The error that there is no event with this ID, ours or Stripe's. Its message says if the workspace's other
/// mode has the event.
pub(crate) fn missing_event(rows: Rows<'_>, trac: &Trac, id: &str) -> Problem {
    let other = rows.scope().other_mode();
    match our_id(rows.everywhere().within(&other), id) {
        Ok(named) => EVENTS.missing(rows, trac, named.as_deref().unwrap_or(id)),
        Err(error) => error.into(),
    }
}

/// Our ID of the event that Stripe calls `stripe_event_id`.
fn our_id(rows: Rows<'_>, stripe_event_id: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT id FROM event WHERE workspace_id = ?1 AND mode = ?2 AND stripe_event_id = ?3";
    rows.one(sql, args![stripe_event_id], |row| row.get(0))
}

/// The body as it was received; `null` if none is stored.
fn payload(rows: Rows<'_>, id: &str) -> Result<Value, StoreError> {
    let sql = "SELECT body FROM event_body WHERE workspace_id = ?1 AND mode = ?2 AND event_id = ?3";
    let body = rows.one(sql, args![id], |row| row.get(0).map(StoredBody::from_stored))?;
    let Some(stored) = body else { return Ok(Value::Null) };
    let body = stored.received()?;
    let bytes = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
    let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    Ok(serde_json::from_slice(bytes).unwrap_or_else(|_| text()))
}
