//! The rows of the webhook log (`event`): every delivery and its outcome, `deferred` while it waits.

use trac_core::commission::answer::{self, Answer};
use trac_core::commission::settle::Settlement;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::Topic;

use super::delivery::Delivery;
use crate::id::{Ids, Kind};
use crate::store::StoreError;
use crate::store::apply::Writing;
use crate::store::rows::{Rows, args};

/// Updates the outcome of the deferred events of this payment by its settlement, and of its refunds and
/// disputes by `inferred`: the settlement of the payment that this one is inferred to be, or its own.
pub(crate) fn settle_waiting(
    writing: &Writing<'_>,
    subject_id: &str,
    settlement: &Settlement,
    inferred: &Settlement,
) -> Result<(), StoreError> {
    let sql = "SELECT id, type FROM event \
               WHERE workspace_id = ?1 AND mode = ?2 AND subject_id = ?3 AND outcome = 'deferred'";
    let deferred = writing
        .rows
        .all(sql, args![subject_id], |row| Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?)))?;
    for (id, kind) in deferred {
        let answered = |topic| match topic {
            Topic::Refund | Topic::Dispute => answer::of_waiting(topic, inferred),
            _ => answer::of_waiting(topic, settlement),
        };
        let Some(answer) = kind.as_deref().and_then(Topic::of).and_then(answered) else { continue };
        writing.rows.write(
            "UPDATE event SET outcome = ?4, reason = ?5, message = ?6, settled_by = ?7 \
             WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
            args![
                id,
                answer.outcome.as_str(),
                answer.reason.as_str(),
                answer.reason.meaning(),
                writing.event_id
            ],
        )?;
    }
    Ok(())
}

/// An event that was received before.
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) received_at: Timestamp,
    /// Whether its facts were joined.
    pub(crate) had_effect: bool,
    kind: Option<String>,
    object_id: Option<String>,
    api_version: Option<String>,
}

impl Seen {
    pub(crate) fn find(rows: Rows<'_>, stripe_event_id: &str) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT id, received_at, outcome, type, object_id, api_version FROM event \
                   WHERE workspace_id = ?1 AND mode = ?2 AND stripe_event_id = ?3";
        rows.one(sql, args![stripe_event_id], |row| {
            let outcome: String = row.get(2)?;
            Ok(Self {
                id: row.get(0)?,
                received_at: row.get(1)?,
                had_effect: !matches!(outcome.as_str(), "ignored" | "failed"),
                kind: row.get(3)?,
                object_id: row.get(4)?,
                api_version: row.get(5)?,
            })
        })
    }

    /// Whether this delivery is the same event, rendered in the API version of another endpoint. Every other
    /// delivery with a known event ID is a repeat.
    pub(crate) fn is_other_rendering(&self, event: &Event) -> bool {
        self.api_version != event.api_version
            && self.kind.as_deref() == Some(event.kind.as_str())
            && self.object_id.as_deref() == event.object_id()
    }

    /// Counts one more delivery.
    pub(crate) fn count(&self, rows: Rows<'_>) -> Result<(), StoreError> {
        let sql =
            "UPDATE event SET deliveries = deliveries + 1 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        rows.write(sql, args![self.id])?;
        Ok(())
    }
}

/// Inserts the delivery with its outcome, in the same transaction as all its effects. An answer that the
/// server requested from Stripe has no event ID of Stripe's, only ours.
pub(crate) fn write(
    writing: &Writing<'_>,
    id: &str,
    delivery: &Delivery,
    answer: Answer,
    subject_id: Option<&str>,
) -> Result<(), StoreError> {
    let Delivery { endpoint_id, event, body, .. } = delivery;
    writing.rows.write(
        "INSERT INTO event (workspace_id, mode, id, stripe_event_id, endpoint_id, type, object_id, api_version, \
         stripe_created, received_at, outcome, reason, message, subject_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        args![
            id,
            Some(&event.id).filter(|stripe_event_id| *stripe_event_id != id),
            endpoint_id,
            event.kind,
            event.object_id(),
            event.api_version,
            event.created,
            writing.now,
            answer.outcome.as_str(),
            answer.reason.as_str(),
            answer.reason.meaning(),
            subject_id
        ],
    )?;
    let sql = "INSERT INTO event_body (workspace_id, mode, event_id, body) VALUES (?1, ?2, ?3, ?4)";
    writing.rows.write(sql, args![id, body.as_stored()])?;
    Ok(())
}

/// Replaces an earlier delivery of the same event, which had no effect, by this one, which has an effect.
pub(crate) fn renew(writing: &Writing<'_>, id: &str, delivery: &Delivery) -> Result<(), StoreError> {
    let Delivery { endpoint_id, event, body, .. } = delivery;
    writing.rows.write(
        "UPDATE event SET endpoint_id = ?4, type = ?5, object_id = ?6, api_version = ?7, stripe_created = ?8 \
         WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
        args![id, endpoint_id, event.kind, event.object_id(), event.api_version, event.created],
    )?;
    let sql = "UPDATE event_body SET body = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND event_id = ?3";
    writing.rows.write(sql, args![id, body.as_stored()])?;
    Ok(())
}

/// Updates the outcome and the subject of an event that is already in the log.
pub(crate) fn conclude(
    writing: &Writing<'_>,
    id: &str,
    answer: Answer,
    subject_id: Option<&str>,
) -> Result<(), StoreError> {
    writing.rows.write(
        "UPDATE event SET outcome = ?4, reason = ?5, message = ?6, subject_id = ?7 \
         WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
        args![id, answer.outcome.as_str(), answer.reason.as_str(), answer.reason.meaning(), subject_id],
    )?;
    Ok(())
}

/// Replaces the message of an event.
pub(crate) fn remark(writing: &Writing<'_>, id: &str, message: &str) -> Result<(), StoreError> {
    let sql = "UPDATE event SET message = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    writing.rows.write(sql, args![id, message])?;
    Ok(())
}

/// Deliveries to one endpoint that were rejected for the same reason.
pub(super) struct Rejected<'r> {
    pub(super) endpoint_id: &'r str,
    pub(super) reason: Reason,
    pub(super) message: &'r str,
    pub(super) deliveries: u64,
}

/// Logs rejected deliveries: without their bodies, one row for each endpoint, reason, message and minute.
/// The message distinguishes causes with the same reason (no secret is set, or a wrong one). There are few
/// messages, so there are few rows.
pub(super) fn reject(
    rows: Rows<'_>,
    ids: &Ids,
    now: Timestamp,
    rejected: &Rejected<'_>,
) -> Result<(), StoreError> {
    let Rejected { endpoint_id, reason, message, deliveries } = rejected;
    let (reason, deliveries) = (reason.as_str(), i64::try_from(*deliveries).unwrap_or(i64::MAX));
    let minute = now.unix_secs().div_euclid(60).saturating_mul(60);
    let folded = rows.write(
        "UPDATE event SET deliveries = deliveries + ?7 WHERE workspace_id = ?1 AND mode = ?2 AND endpoint_id = ?3 \
         AND reason = ?4 AND received_at >= ?5 AND outcome = 'rejected' AND message = ?6",
        args![endpoint_id, reason, minute, message, deliveries],
    )?;
    if folded == 0 {
        rows.write(
            "INSERT INTO event (workspace_id, mode, id, endpoint_id, received_at, outcome, reason, message, deliveries) \
             VALUES (?1, ?2, ?3, ?4, ?5, 'rejected', ?6, ?7, ?8)",
            args![ids.make(Kind::Event), endpoint_id, now, reason, message, deliveries],
        )?;
    }
    Ok(())
}
