//! Replay: stored events decided again under today's rules.
//!
//! A dry run shows the difference and writes nothing. Replaying without a change of rules changes nothing.

use axum::extract::{Path, Query, State};
use axum::routing::post;
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;
use serde_json::{Value, json};
use trac_core::commission::answer::{Answer, Outcome};
use trac_core::commission::change::Change;
use trac_core::conversion::world::Commission;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::Topic;
use trac_core::webhook::signature::Verified;

use crate::access::Merchant;
use crate::flow::{self, Considered};
use crate::id::Ids;
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::{Priority, Scope, StoreError};
use crate::trac::Trac;
use crate::webhook::delivery::Delivery;
use crate::webhook::log;

/// `POST /api/v1/events/{id}/replay`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/events/{id}/replay", post(replay_one))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// `1` or `true`: show, don't write.
    dry_run: Option<String>,
}

async fn replay_one(
    State(trac): State<Trac>,
    Merchant(scope): Merchant,
    Path(id): Path<String>,
    options: Result<Query<Options>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(options) = options.map_err(|_| Problem::malformed("The only parameter is `dry_run`."))?;
    let dry_run = match options.dry_run.as_deref() {
        Some("1" | "true" | "") => true,
        None | Some("0" | "false") => false,
        Some(_) => return Err(Problem::field("dry_run", "must be 1 or 0")),
    };
    let (ids, now) = (trac.ids.clone(), trac.clock.now());
    let replayed = trac.store.try_write(Priority::Api, move |tx| {
        let stored = Stored::find(tx, &scope, &id)?.ok_or_else(|| Problem::not_found("event with a body"))?;
        Ok::<_, Problem>(stored.replay(tx, &ids, now, dry_run)?)
    });
    replayed.await.map(Json)
}

/// Replays every stored event since a time, oldest first; answers those that changed something, and how many there were.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or written.
pub async fn replay_all(trac: &Trac, since: Timestamp, dry_run: bool) -> Result<Value, StoreError> {
    let events = trac.store.read(move |connection| Stored::since(connection, since)).await?;
    let (total, mut changed) = (events.len(), Vec::new());
    for (scope, id) in events {
        let (ids, now) = (trac.ids.clone(), trac.clock.now());
        let replayed = trac.store.write(Priority::Api, move |tx| {
            let stored = Stored::find(tx, &scope, &id)?;
            stored.map(|stored| stored.replay(tx, &ids, now, dry_run)).transpose()
        });
        let replayed = replayed.await?;
        changed.extend(replayed.filter(|replayed| {
            replayed.get("changes").and_then(Value::as_array).is_some_and(|changes| !changes.is_empty())
        }));
    }
    Ok(json!({ "dry_run": dry_run, "events": total, "changed": changed }))
}

/// An event with its body, as it was delivered.
struct Stored {
    id: String,
    outcome: String,
    reason: String,
    received_at: Timestamp,
    delivery: Delivery,
}

impl Stored {
    fn find(tx: &Connection, scope: &Scope, id: &str) -> Result<Option<Self>, StoreError> {
        let mut statement = tx.prepare_cached(
            "SELECT e.id, e.outcome, e.reason, e.received_at, e.endpoint_id, b.body, w.stripe_account \
             FROM event AS e JOIN event_body AS b \
             ON b.workspace_id = e.workspace_id AND b.mode = e.mode AND b.event_id = e.id \
             LEFT JOIN webhook_endpoint AS w ON w.id = e.endpoint_id \
             WHERE e.workspace_id = ?1 AND e.mode = ?2 AND (e.id = ?3 OR e.stripe_event_id = ?3)",
        )?;
        let found = statement.query_row(params![scope.workspace_id(), scope.mode_str(), id], |row| {
            let (endpoint_id, body): (String, Vec<u8>) = (row.get(4)?, row.get(5)?);
            let (outcome, reason): (String, String) = (row.get(1)?, row.get(2)?);
            let received_at = Timestamp::from_unix_secs(row.get(3)?);
            Ok((row.get(0)?, outcome, reason, received_at, endpoint_id, body, row.get(6)?))
        });
        let Some((id, outcome, reason, received_at, endpoint_id, body, stripe_account)) = found.optional()?
        else {
            return Ok(None);
        };
        let Ok(event) = Event::read(Verified::kept(&body)) else { return Ok(None) };
        let delivery = Delivery { scope: scope.clone(), endpoint_id, stripe_account, event, body };
        Ok(Some(Self { id, outcome, reason, received_at, delivery }))
    }

    fn since(connection: &Connection, since: Timestamp) -> Result<Vec<(Scope, String)>, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT e.workspace_id, e.mode, e.id FROM event AS e JOIN event_body AS b \
             ON b.workspace_id = e.workspace_id AND b.mode = e.mode AND b.event_id = e.id \
             WHERE e.received_at >= ?1 ORDER BY e.id",
        )?;
        let rows = statement.query_map([since.unix_secs()], |row| {
            let (workspace_id, mode): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((Scope::new(&workspace_id, crate::store::mode_of(&mode)), row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn replay(&self, tx: &Connection, ids: &Ids, now: Timestamp, dry_run: bool) -> Result<Value, StoreError> {
        let Delivery { scope, event, .. } = &self.delivery;
        let writing = Writing { tx, scope, ids, now, event_id: Some(&self.id) };
        let (answer, subject, changes) = match flow::concerns(&self.delivery, self.received_at) {
            Err(answer) => (answer, None, Vec::new()),
            Ok(facts) => {
                let topic = Topic::of(&event.kind).unwrap_or(Topic::Holder);
                let considered = Considered::of(&writing, topic, facts, true)?;
                if !dry_run {
                    considered.keep(&writing)?;
                }
                let (answer, subject) = considered.told();
                (answer, subject, differences(&considered))
            }
        };
        // What had its effect once keeps its own answer; what could not be read or was not for us is told anew.
        let told_anew = matches!(self.outcome.as_str(), "failed" | "ignored");
        let after =
            if told_anew { told(answer) } else { json!({"outcome": self.outcome, "reason": self.reason}) };
        if told_anew && !dry_run {
            log::conclude(&writing, &self.id, answer, subject.as_deref())?;
        }
        Ok(json!({
            "event_id": self.id,
            "stripe_event_id": event.id,
            "type": event.kind,
            "dry_run": dry_run,
            "before": { "outcome": self.outcome, "reason": self.reason },
            "after": after,
            "changes": changes,
        }))
    }
}

fn told(answer: Answer) -> Value {
    let Answer { outcome, reason } = answer;
    debug_assert!(outcome != Outcome::Rejected, "only deliveries are rejected");
    json!({ "outcome": outcome.as_str(), "reason": reason.as_str() })
}

/// What changes for commissions: before, after, and the entries that lead there.
fn differences(considered: &Considered) -> Vec<Value> {
    let mut differences = Vec::new();
    for (payment_id, settlement) in &considered.settlements {
        for change in settlement.changes.iter().filter(|change| !change.entries.is_empty()) {
            // A commission may have been another payment's that is inferred to be the same money.
            let mut known = considered.loaded.world.payments.values().flat_map(|known| &known.commissions);
            let before = known.find(|commission| Some(&commission.id) == change.commission_id.as_ref());
            differences.push(difference(payment_id, change, before));
        }
    }
    differences
}

fn difference(payment_id: &str, change: &Change, before: Option<&Commission>) -> Value {
    let sums = |amount: i64, reversed: i64| json!({ "amount_minor": amount, "reversed_minor": reversed, "net_minor": amount.saturating_sub(reversed) });
    let partner = change.claim.as_ref().map(|claim| &claim.partner_id);
    let currency = change.claim.as_ref().map(|claim| claim.currency);
    let entries = change.entries.iter().map(|entry| {
        json!({
            "kind": entry.kind.as_str(),
            "amount_minor": entry.amount_minor,
            "reason": entry.reason.as_str(),
        })
    });
    json!({
        "payment_id": payment_id,
        "commission_id": change.commission_id,
        "partner_id": partner.or(before.map(|commission| &commission.partner_id)),
        "currency": currency.or(before.map(|commission| commission.currency)),
        "before": before.map(|commission| sums(commission.amount_minor, commission.reversed_minor)),
        "after": sums(change.sums.amount_minor, change.sums.reversed_minor),
        "entries": entries.collect::<Vec<_>>(),
    })
}
