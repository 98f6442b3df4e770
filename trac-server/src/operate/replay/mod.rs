//! Replay: stored events decided again, by the terms of each payment's own time (`then`) or by today's (`now`).
//!
//! A dry run shows the difference and writes nothing. A replay by `then` changes nothing, unless a version was
//! backdated since, or the payment was replayed by `now` before. A replay by `now` applies today's terms;
//! repeated, it changes nothing more.

mod moves;
mod rules;
mod text;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use trac_core::commission::answer::{self, Answer, Outcome};
use trac_core::program::Mode;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::signature::Verified;

pub use rules::Rules;
pub use text::as_text;

use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::parameters::Parameters;
use crate::flow::{self, Considered};
use crate::id::Ids;
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::body::StoredBody;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, StoreErrorKind, mode_of};
use crate::trac::Trac;
use crate::webhook::delivery::Delivery;
use crate::webhook::{EVENTS, log};

/// `POST /api/v1/events/{id}/replay`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/events/{id}/replay", post(replay_one))
}

/// How events are decided again.
#[derive(Clone, Copy, Debug)]
struct Replay {
    rules: Rules,
    dry_run: bool,
    /// Also replay the other payments of the same customers that were recorded since this time; `None` for none.
    since: Option<Timestamp>,
}

async fn replay_one(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    let dry_run = parameters.take_flag("dry_run")?;
    let rules = parameters.take("rules").as_deref().map_or(Some(Rules::Then), Rules::from_word);
    parameters.finish()?;
    let rules = rules.ok_or_else(|| Problem::field("rules", "must be then or now"))?;
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let replay = Replay { rules, dry_run, since: None };
    let replayed = store.try_write_in(&scope, Priority::Api, move |rows| {
        let stored = Stored::find(rows, &id)?.ok_or_else(|| Problem::not_found("event with a body"))?;
        let replayed = stored.replay(rows, &trac.ids, trac.clock.now(), replay)?;
        if !dry_run && has_effect(&replayed) {
            let (kind, verb) = (EVENTS.name, "replayed");
            let change = Change { kind, id: &stored.id, verb, before: None, after: Some(&replayed) };
            caller.record(rows, &trac, &change)?;
        }
        Ok::<_, Problem>(replayed)
    });
    replayed.await.map(Json)
}

/// Whether a replay changed anything: a commission, the decision about a payment, or the event's own outcome.
fn has_effect(replayed: &Value) -> bool {
    let changes = replayed.get("changes").and_then(Value::as_array);
    changes.is_some_and(|changes| !changes.is_empty()) || replayed.get("before") != replayed.get("after")
}

/// Which events, leads and conversions are decided again. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Only those received at or after this time.
    pub since: Timestamp,
    /// Only those of this workspace.
    pub workspace_id: Option<String>,
    /// Only those of this mode.
    pub mode: Option<Mode>,
}

impl Which {
    /// The arguments of a query: `?1` the time, `?2` the workspace, `?3` the mode.
    fn args(&self) -> (Timestamp, Option<&str>, Option<&'static str>) {
        (self.since, self.workspace_id.as_deref(), self.mode.map(Mode::as_str))
    }

    /// Rejects an ID that no workspace has.
    fn must_be_known(&self, tx: Everywhere<'_>) -> Result<(), StoreError> {
        let Some(id) = &self.workspace_id else { return Ok(()) };
        if tx.exists("SELECT 1 FROM workspace WHERE id = ?1", args![id])? {
            return Ok(());
        }
        let detail = format!("there is no workspace {id} here: trac workspace list shows all");
        Err(StoreError::new(StoreErrorKind::Unavailable, detail))
    }
}

/// Replays every stored event since a time, in all workspaces: [`replay_some`] without a filter.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or written.
pub async fn replay_all(
    trac: &Trac,
    since: Timestamp,
    rules: Rules,
    dry_run: bool,
) -> Result<Value, StoreError> {
    replay_some(trac, Which { since, ..Which::default() }, rules, dry_run).await
}

/// Replays stored events, oldest first, then the leads and conversions that the merchant reported. Returns how
/// many there were, those that changed something, and the difference of each commission.
///
/// # Errors
/// [`StoreError`] if there is no such workspace, or the store cannot be read or written.
pub async fn replay_some(
    trac: &Trac,
    which: Which,
    rules: Rules,
    dry_run: bool,
) -> Result<Value, StoreError> {
    let since = which.since;
    let found = trac.store.read(move |tx| {
        which.must_be_known(tx)?;
        Ok((Stored::all(tx, &which)?, reported_by_merchants(tx, &which)?))
    });
    let (events, conversions) = found.await?;
    let (replay, totals) = (Replay { rules, dry_run, since: Some(since) }, (events.len(), conversions.len()));
    let (mut changed, mut commissions) = (Vec::new(), moves::Summary::new(dry_run));
    let mut unreadable = Vec::new();
    let of_events = events.into_iter().map(|(scope, id)| (scope, id, true));
    let of_merchants = conversions.into_iter().map(|(scope, id)| (scope, id, false));
    for (scope, id, is_event) in of_events.chain(of_merchants) {
        let (ids, now, named) = (trac.ids.clone(), trac.clock.now(), id.clone());
        let replayed = trac.store.write_in(&scope, Priority::Api, move |rows| {
            if !is_event {
                return replay_conversion(rows, &ids, now, &id, replay);
            }
            let stored = Stored::find(rows, &id)?;
            stored.map(|stored| stored.replay(rows, &ids, now, replay)).transpose()
        });
        let replayed = match replayed.await {
            // A damaged body does not keep the other events from being decided.
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                let (detail, prefix) = (error.detail(), format!("{named}: "));
                unreadable.push(
                    json!({ "workspace_id": scope.workspace_id(), "mode": scope.mode_str(), "event_id": named,
                    "message": detail.strip_prefix(&prefix).unwrap_or(detail) }),
                );
                continue;
            }
            replayed => replayed?,
        };
        if let Some(replayed) = replayed {
            commissions.add(&scope, &replayed);
            if replayed.get("changes").and_then(Value::as_array).is_some_and(|changes| !changes.is_empty()) {
                changed.push(replayed);
            }
        }
    }
    Ok(json!({
        "dry_run": dry_run,
        "rules": rules.as_str(),
        "events": totals.0.saturating_sub(unreadable.len()),
        "conversions": totals.1,
        "changed": changed,
        "commissions": commissions.moved,
        "frozen": commissions.frozen,
        "unreadable": unreadable,
    }))
}

/// The leads and reported conversions. They are not in the log of events.
fn reported_by_merchants(tx: Everywhere<'_>, which: &Which) -> Result<Vec<(Scope, String)>, StoreError> {
    let (since, workspace, mode) = which.args();
    tx.all(
        "SELECT t.workspace_id, t.mode, coalesce((SELECT o.payment_id FROM payment_object AS o \
         WHERE o.workspace_id = t.workspace_id AND o.mode = t.mode AND o.stripe_id = t.id), t.id) FROM (\
         SELECT workspace_id, mode, id, created_at FROM lead UNION ALL \
         SELECT workspace_id, mode, conversion_id, created_at FROM report) AS t \
         WHERE t.created_at >= ?1 AND (CAST(?2 AS TEXT) IS NULL OR t.workspace_id = ?2) AND (CAST(?3 AS TEXT) IS NULL OR t.mode = ?3) \
         ORDER BY t.created_at, t.id",
        args![since, workspace, mode],
        scoped,
    )
}

fn scoped(row: &Row<'_>) -> Result<(Scope, String), StoreError> {
    let (workspace_id, mode): (String, String) = (row.get(0)?, row.get(1)?);
    Ok((Scope::new(&workspace_id, mode_of(&mode)), row.get(2)?))
}

/// Decides a reported conversion or lead again.
fn replay_conversion(
    rows: Rows<'_>,
    ids: &Ids,
    now: Timestamp,
    payment_id: &str,
    replay: Replay,
) -> Result<Option<Value>, StoreError> {
    let sql = "SELECT facts FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    let Some(facts) = rows.one(sql, args![payment_id], |row| row.document::<Facts>(0))? else {
        return Ok(None);
    };
    let cause = facts.leads.keys().chain(facts.reports.keys()).next().cloned();
    let writing = Writing { rows, ids, now, event_id: cause.as_deref() };
    let (_, mut replayed) = decide(&writing, Topic::Sale, facts, replay)?;
    if let Some(replayed) = replayed.as_object_mut() {
        replayed.insert("event_id".to_owned(), Value::Null);
        replayed.insert("conversion_id".to_owned(), payment_id.into());
    }
    Ok(Some(replayed))
}

/// Decides the payments of these facts again, and returns the changes.
fn decide(
    writing: &Writing<'_>,
    topic: Topic,
    facts: Facts,
    replay: Replay,
) -> Result<(Considered, Value), StoreError> {
    let mut considered = Considered::load(writing, topic, facts)?;
    let judged = rules::apply(writing, &mut considered, replay.rules, replay.since)?;
    considered.settle(replay.rules == Rules::Then);
    let changes = moves::of(writing, &considered)?;
    if !replay.dry_run {
        considered.write(writing)?;
        for payment_id in &judged.payments {
            if let Some(known) = considered.loaded.world.payments.get(payment_id) {
                writing.update_facts(payment_id, &known.facts)?;
            }
        }
    }
    let replayed = json!({
        "dry_run": replay.dry_run,
        "rules": replay.rules.as_str(),
        "changes": changes,
        "frozen": judged.frozen,
    });
    Ok((considered, replayed))
}

/// A stored event with its body as delivered.
struct Stored {
    id: String,
    outcome: String,
    reason: String,
    received_at: Timestamp,
    delivery: Delivery,
}

impl Stored {
    fn find(rows: Rows<'_>, id: &str) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT e.id, e.outcome, e.reason, e.received_at, e.endpoint_id, b.body, w.stripe_account \
                   FROM event AS e JOIN event_body AS b \
                   ON b.workspace_id = e.workspace_id AND b.mode = e.mode AND b.event_id = e.id \
                   LEFT JOIN webhook_endpoint AS w ON w.id = e.endpoint_id \
                   WHERE e.workspace_id = ?1 AND e.mode = ?2 AND (e.id = ?3 OR e.stripe_event_id = ?3)";
        let found = rows.one(sql, args![id], |row| {
            let (endpoint_id, body) = (row.get::<String>(4)?, StoredBody::from_stored(row.get(5)?));
            let (outcome, reason): (String, String) = (row.get(1)?, row.get(2)?);
            Ok((row.get::<String>(0)?, outcome, reason, row.get(3)?, endpoint_id, body, row.get(6)?))
        })?;
        let Some((id, outcome, reason, received_at, endpoint_id, body, stripe_account)) = found else {
            return Ok(None);
        };
        let received = body.received().map_err(|error| error.of(&id))?;
        let event = match Event::read(Verified::from_stored(&received)) {
            Ok(event) => event,
            // It could not be read when it was received either.
            Err(_) if matches!(outcome.as_str(), "failed" | "ignored" | "rejected") => return Ok(None),
            Err(_) => {
                let detail = "the body of an event is damaged: it is no event of Stripe";
                return Err(StoreError::new(StoreErrorKind::Corrupt, detail).of(&id));
            }
        };
        drop(received);
        let delivery = Delivery { scope: rows.scope().clone(), endpoint_id, stripe_account, event, body };
        Ok(Some(Self { id, outcome, reason, received_at, delivery }))
    }

    fn all(tx: Everywhere<'_>, which: &Which) -> Result<Vec<(Scope, String)>, StoreError> {
        let (since, workspace, mode) = which.args();
        tx.all(
            "SELECT e.workspace_id, e.mode, e.id FROM event AS e JOIN event_body AS b \
             ON b.workspace_id = e.workspace_id AND b.mode = e.mode AND b.event_id = e.id \
             WHERE e.received_at >= ?1 AND (CAST(?2 AS TEXT) IS NULL OR e.workspace_id = ?2) AND (CAST(?3 AS TEXT) IS NULL OR e.mode = ?3) \
             ORDER BY e.id",
            args![since, workspace, mode],
            scoped,
        )
    }

    fn replay(&self, rows: Rows<'_>, ids: &Ids, now: Timestamp, replay: Replay) -> Result<Value, StoreError> {
        let event = &self.delivery.event;
        let writing = Writing { rows, ids, now, event_id: Some(&self.id) };
        let topic = Topic::of(&event.kind).unwrap_or(Topic::Holder);
        let (concluded, mut replayed) = match flow::facts_of_delivery(&self.delivery, self.received_at) {
            Err(answer) => {
                let nothing = json!({ "dry_run": replay.dry_run, "rules": replay.rules.as_str(),
                    "changes": [], "frozen": [] });
                (self.had_no_effect().then_some((answer, None)), nothing)
            }
            Ok(facts) => {
                let (considered, replayed) = decide(&writing, topic, facts, replay)?;
                (self.new_outcome(topic, &considered), replayed)
            }
        };
        let before = json!({ "outcome": self.outcome, "reason": self.reason });
        let after = concluded.as_ref().map_or_else(|| before.clone(), |(answer, _)| answer_json(*answer));
        if let (Some((answer, subject)), false) = (&concluded, replay.dry_run) {
            log::conclude(&writing, &self.id, *answer, subject.as_deref())?;
        }
        if let Some(replayed) = replayed.as_object_mut() {
            let fields = [
                ("event_id", Value::from(self.id.as_str())),
                ("stripe_event_id", Value::from(event.id.as_str())),
                ("type", Value::from(event.kind.as_str())),
                ("before", before),
                ("after", after),
            ];
            replayed.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        }
        Ok(replayed)
    }

    /// Whether the event had no effect: it was unreadable, or not for this endpoint.
    fn had_no_effect(&self) -> bool {
        matches!(self.outcome.as_str(), "failed" | "ignored")
    }

    /// The new outcome of the event and its subject; `None` if the old outcome stays. An event that had an
    /// effect keeps its outcome, except for a sale that was skipped and earns now.
    fn new_outcome(&self, topic: Topic, considered: &Considered) -> Option<(Answer, Option<String>)> {
        let (answer, subject) = considered.outcome();
        if self.had_no_effect() {
            return Some((answer, subject));
        }
        if self.outcome != Outcome::Skipped.as_str() || topic != Topic::Sale {
            return None;
        }
        let own = considered.settlements.get(subject.as_deref()?)?;
        let answer = answer::of_waiting(topic, own)?;
        (answer.outcome == Outcome::Processed).then_some((answer, subject))
    }
}

fn answer_json(answer: Answer) -> Value {
    let Answer { outcome, reason } = answer;
    debug_assert!(outcome != Outcome::Rejected, "only deliveries are rejected");
    json!({ "outcome": outcome.as_str(), "reason": reason.as_str() })
}

#[cfg(test)]
mod tests;
