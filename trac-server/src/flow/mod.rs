//! From a verified delivery to ledger entries: one event, one transaction.
//!
//! ```text
//! verified body ─▶ Event ─▶ Facts ─▶ load the neighbourhood ─▶ settle ─▶ append ─▶ answer
//! ```
//!
//! The result does not depend on the order of events. New facts are joined to the known ones, entries are
//! appended until the ledger matches all facts, and events that waited for this one get their outcome, all in
//! the same transaction: either everything is written, or nothing. Leads and conversions that a merchant
//! reports take the same path.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use trac_core::commission::answer::{self, Answer, Outcome};
use trac_core::commission::settle::{Occasion, Settlement, settle};
use trac_core::conversion::payment;
use trac_core::conversion::world::Admitted;
use trac_core::program::Mode;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, NoFacts, Topic};

use crate::api::fields::{BODY_LIMIT_BYTES, Wrong};
use crate::click;
use crate::id::{Ids, Kind};
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::load::{self, Loaded};
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;
use crate::trac::refusal::Cause;
use crate::webhook::accept;
use crate::webhook::delivery::Delivery;
use crate::webhook::log::{self, Seen};

/// The routes that receive facts: the one that Stripe calls, and those that a merchant's pages and server call.
pub(crate) fn routes() -> Router<Trac> {
    let tracking = lead::routes().merge(report::routes()).layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES));
    Router::new().route("/api/webhooks/{endpoint_id}", post(deliver)).merge(click::for_any_origin(tracking))
}

/// The routes that the merchant's own server calls, under `/api/v1`.
pub(crate) fn api_routes() -> Router<Trac> {
    let of_commissions = ruling::api_routes().merge(adjustment::api_routes());
    by_hand::routes()
        .merge(report::api_routes())
        .merge(verdict::api_routes())
        .merge(link::api_routes())
        .merge(of_commissions)
        .merge(reassign::api_routes())
}

/// Reads a text of any length and content, for fields in which a meaningless text is not an error.
fn any_text(value: &Value) -> Result<String, Wrong> {
    value.as_str().map(ToOwned::to_owned).ok_or_else(|| "must be a text".to_owned())
}

/// The facts of the payment with this ID.
fn facts_of(rows: Rows<'_>, payment_id: &str) -> Result<Option<Facts>, StoreError> {
    let sql = "SELECT facts FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    rows.one(sql, args![payment_id], |row| row.document(0))
}

/// `POST /api/webhooks/{endpoint_id}`: `200` for every authentic delivery, whatever its outcome. Any other
/// status makes Stripe retry, which only helps if this server failed.
async fn deliver(
    State(trac): State<Trac>,
    Path(endpoint_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let delivery = accept::accept(&trac, endpoint_id, &headers, body).await?;
    let (ids, now) = (trac.ids.clone(), trac.clock.now());
    let scope = delivery.scope.clone();
    let written =
        trac.store.write_in(&scope, Priority::Webhook, move |rows| receive(rows, &ids, now, &delivery)).await;
    let answer = match written {
        Ok(answer) => answer,
        Err(error) => {
            trac.record_refusal(&scope, accept::ROUTE, Cause::StoreUnavailable, "").await;
            return Err(error.into());
        }
    };
    trac.refusals.catch_up(&trac.store, &trac.ids).await;
    let (outcome, reason) = (answer.outcome.as_str(), answer.reason.as_str());
    trac.metrics.event(outcome, reason);
    Ok(Json(json!({ "received": true, "outcome": outcome, "reason": reason })))
}

/// Receives one delivery: logs it, joins its facts, settles, and appends to the ledger.
///
/// # Errors
/// [`StoreError`] if the store fails. Nothing is written then, and Stripe sends the event again.
pub(crate) fn receive(
    rows: Rows<'_>,
    ids: &Ids,
    now: Timestamp,
    delivery: &Delivery,
) -> Result<Answer, StoreError> {
    let event = &delivery.event;
    if let Some(seen) = Seen::find(rows, &event.id)? {
        seen.count(rows)?;
        // The same event in another API version can contain a link that the first rendering lacked. An event
        // that was ignored or unreadable at its first endpoint can be relevant or readable at this one.
        if !seen.had_effect || seen.is_other_rendering(event) {
            let writing = Writing { rows, ids, now, event_id: Some(&seen.id) };
            if let Ok(facts) = facts_of_delivery(delivery, seen.received_at) {
                let (answer, subject) = join_and_settle(&writing, event, facts)?;
                if !seen.had_effect {
                    log::renew(&writing, &seen.id, delivery)?;
                    log::conclude(&writing, &seen.id, answer, subject.as_deref())?;
                    return Ok(answer);
                }
            }
        }
        return Ok(Answer { outcome: Outcome::Duplicate, reason: Reason::DuplicateEvent });
    }
    receive_new(rows, ids, now, delivery, &ids.make(Kind::Event))
}

/// Receives Stripe's answer to a question of the server, as if it were an event of Stripe's. Its event ID is
/// made by trac.
pub(crate) fn receive_answer(
    rows: Rows<'_>,
    ids: &Ids,
    now: Timestamp,
    delivery: &Delivery,
) -> Result<Answer, StoreError> {
    receive_new(rows, ids, now, delivery, &delivery.event.id)
}

/// Logs a delivery under this ID, joins its facts, settles, and appends to the ledger.
fn receive_new(
    rows: Rows<'_>,
    ids: &Ids,
    now: Timestamp,
    delivery: &Delivery,
    id: &str,
) -> Result<Answer, StoreError> {
    let writing = Writing { rows, ids, now, event_id: Some(id) };
    let (answer, subject) = match facts_of_delivery(delivery, now) {
        Ok(facts) => join_and_settle(&writing, &delivery.event, facts)?,
        Err(answer) => (answer, None),
    };
    log::write(&writing, id, delivery, answer, subject.as_deref())?;
    Ok(answer)
}

/// The facts of a delivery; `Err` with its outcome if it has none, or is not meant for this endpoint.
pub(crate) fn facts_of_delivery(delivery: &Delivery, now: Timestamp) -> Result<Facts, Answer> {
    let Delivery { scope, stripe_account, event, .. } = delivery;
    let ignored = |reason| Answer { outcome: Outcome::Ignored, reason };
    if event.livemode.is_some_and(|livemode| Mode::from_livemode(livemode) != scope.mode()) {
        return Err(ignored(Reason::ModeMismatch));
    }
    if !event.is_of(stripe_account.as_deref()) {
        return Err(ignored(Reason::AccountMismatch));
    }
    Facts::read(event, now).map_err(|why| match why {
        NoFacts::NothingPaid(reason) => Answer { outcome: Outcome::Skipped, reason },
        NoFacts::Unreadable => Answer { outcome: Outcome::Failed, reason: why.reason() },
        NoFacts::UnsupportedEvent | NoFacts::UnsupportedThinEvent | NoFacts::UseInvoicePaid => {
            ignored(why.reason())
        }
    })
}

/// Joins facts to the known ones and settles all payments they affect. Returns the event's outcome and its
/// subject.
fn join_and_settle(
    writing: &Writing<'_>,
    event: &Event,
    facts: Facts,
) -> Result<(Answer, Option<String>), StoreError> {
    let topic = Topic::of(&event.kind).unwrap_or(Topic::Holder);
    let considered = Considered::of(writing, topic, facts)?;
    considered.write(writing)?;
    Ok(considered.outcome())
}

/// The effects of an event: everything is decided, nothing is written yet.
pub(crate) struct Considered {
    topic: Topic,
    pub(crate) news: Facts,
    pub(crate) loaded: Loaded,
    pub(crate) admitted: Admitted,
    pub(crate) settlements: BTreeMap<String, Settlement>,
}

impl Considered {
    /// Loads everything that the facts could affect, joins them and settles.
    pub(crate) fn of(writing: &Writing<'_>, topic: Topic, facts: Facts) -> Result<Self, StoreError> {
        let mut considered = Self::load(writing, topic, facts)?;
        considered.settle(false);
        Ok(considered)
    }

    /// Loads everything that the facts could affect and joins them. Nothing is settled yet.
    pub(crate) fn load(writing: &Writing<'_>, topic: Topic, facts: Facts) -> Result<Self, StoreError> {
        let news = facts.clone();
        let mut loaded = load::neighbourhood(writing.rows, &facts)?;
        let admitted = loaded.world.admit(facts, || writing.ids.make(Kind::Payment));
        load::resolve(writing.rows, &mut loaded.world)?;
        Ok(Self { topic, news, loaded, admitted, settlements: BTreeMap::new() })
    }

    /// Settles all loaded payments. With `redecide`, the terms in force are looked up again.
    pub(crate) fn settle(&mut self, redecide: bool) {
        self.settlements = settle(&self.loaded.world, Occasion { news: Some(self.topic), redecide });
    }

    /// Writes facts and settlements, and updates the outcome of the events that waited for them.
    pub(crate) fn write(&self, writing: &Writing<'_>) -> Result<(), StoreError> {
        writing.facts(&self.loaded.world, &self.admitted, &self.news)?;
        for (payment_id, settlement) in &self.settlements {
            let before = self.loaded.decisions.get(payment_id).map(String::as_str);
            let facts = self.loaded.world.payments.get(payment_id).map(|known| &known.facts);
            let unlisted = facts.and_then(payment::unlisted_invoice);
            if writing.settlement(payment_id, settlement, before, unlisted)? {
                log::settle_waiting(writing, payment_id, settlement, self.inferred(settlement))?;
                if let Some(subscription) = &settlement.decision.stripe.subscription {
                    log::settle_waiting(writing, subscription, settlement, settlement)?;
                }
            }
        }
        Ok(())
    }

    /// The event's outcome and reason, and its subject.
    pub(crate) fn outcome(&self) -> (Answer, Option<String>) {
        if let (Topic::Cancellation, Some(id)) = (self.topic, self.news.subscriptions.keys().next()) {
            let own =
                self.settlements.values().filter(|one| one.decision.stripe.subscription.as_ref() == Some(id));
            return (answer::of_cancellation(own), Some(id.clone()));
        }
        let payment_id = self.admitted.payment_id.as_ref();
        let Some(own) = payment_id.and_then(|id| self.settlements.get(id)) else {
            return (Answer { outcome: Outcome::Processed, reason: Reason::Noted }, None);
        };
        let is_clawback = matches!(self.topic, Topic::Refund | Topic::Dispute);
        let settled = if is_clawback { self.inferred(own) } else { own };
        (answer::of_payment(self.topic, settled, &self.admitted), payment_id.cloned())
    }

    /// The settlement of the payment inferred to be the same money, or `own` if there is none. It decides the
    /// outcome of refunds and disputes.
    fn inferred<'a>(&'a self, own: &'a Settlement) -> &'a Settlement {
        own.decision.same_as.as_ref().and_then(|id| self.settlements.get(id)).unwrap_or(own)
    }
}

pub(crate) mod by_hand;
mod limits;
mod lead;
mod link;
mod report;
mod verdict;
mod ruling;
mod adjustment;
mod reassign;

#[cfg(test)]
mod tests;
