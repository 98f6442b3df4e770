//! `POST /api/v1/events/{id}/link`: the merchant links a refund, dispute or charge to a payment if no event
//! does (`payment_unlinked`, `payment_unknown`).
//!
//! The link is stored as a fact, as Stripe's own links are, so no later event undoes it. Only events that
//! wait for their payment can be linked: two payments that have each earned a commission cannot be merged.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use trac_core::conversion::payment::Money;
use trac_core::webhook::facts::{Facts, Topic};

use super::{Considered, facts_of};
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{Fields, text};
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;
use crate::webhook::{EVENTS, missing_event};

pub(super) fn api_routes() -> Router<Trac> {
    Router::new().route("/events/{id}/link", post(link))
}

async fn link(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let payment = fields.take("payment", text(1..=255));
    fields.finish()?;
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let linked = store.try_write_in(&scope, Priority::Api, move |rows| {
        let event = Waiting::find(rows, &trac, &id)?;
        let before = EVENTS.find(rows, &trac, &event.event_id)?;
        let payment = payment.ok_or_else(|| Problem::field("payment", "is required"))?;
        let unlinked = known_facts(rows, &event.payment_id)?;
        let news = Facts { links: [(payment.clone(), own_id(&unlinked)?)].into(), ..Facts::default() };
        let (payment_id, facts) = payment_with(rows, &payment)?;
        if payment_id == event.payment_id || differs_in_currency(&unlinked, &facts) {
            return Err(Problem::field("payment", "must be another payment, in the same currency"));
        }
        let now = trac.clock.now();
        let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(&event.event_id) };
        Considered::of(&writing, Topic::Refund, news)?.write(&writing)?;
        let linked = EVENTS.find(rows, &trac, &event.event_id)?;
        let mut after = linked.clone();
        if let Some(after) = after.as_object_mut() {
            after.insert("payment".to_owned(), payment.into());
        }
        let (kind, id, verb) = (EVENTS.name, event.event_id.as_str(), "linked");
        caller.record(rows, &trac, &Change { kind, id, verb, before: Some(&before), after: Some(&after) })?;
        Ok::<_, Problem>(linked)
    });
    linked.await.map(Json)
}

/// An event that waits for its payment to be known.
struct Waiting {
    event_id: String,
    /// The unlinked payment that stores the event's facts until it is linked.
    payment_id: String,
}

impl Waiting {
    /// Finds the event by our ID or Stripe's.
    fn find(rows: Rows<'_>, trac: &Trac, id: &str) -> Result<Self, Problem> {
        let sql = "SELECT id, subject_id, outcome, reason FROM event \
                   WHERE workspace_id = ?1 AND mode = ?2 AND (id = ?3 OR stripe_event_id = ?3)";
        let found = rows.one(sql, args![id], |row| {
            let subject: Option<String> = row.get(1)?;
            Ok((row.get::<String>(0)?, subject, row.get::<String>(2)?, row.get::<String>(3)?))
        })?;
        let found = found.ok_or_else(|| missing_event(rows, trac, id))?;
        let (event_id, Some(payment_id), outcome, reason) = found else { return Err(not_waiting()) };
        let waits = matches!(reason.as_str(), "payment_unlinked" | "payment_unknown");
        if outcome == "deferred" && waits { Ok(Self { event_id, payment_id }) } else { Err(not_waiting()) }
    }
}

fn not_waiting() -> Problem {
    let message =
        "The event does not wait for a payment: only payment_unlinked and payment_unknown can be linked.";
    Problem::new(StatusCode::CONFLICT, "NOT_WAITING", message)
}

fn known_facts(rows: Rows<'_>, payment_id: &str) -> Result<Facts, StoreError> {
    facts_of(rows, payment_id)?.ok_or_else(|| StoreError::internal("there is no such payment"))
}

/// The Stripe ID of the unlinked money: its charge, its `PaymentIntent`, or its first ID.
fn own_id(unlinked: &Facts) -> Result<String, Problem> {
    let ids = unlinked.payment_ids();
    let with_prefix = |prefix: &str| ids.iter().find(|id| id.starts_with(prefix));
    let id = with_prefix("ch_").or_else(|| with_prefix("pi_")).or_else(|| ids.first());
    id.map(|id| (*id).to_owned()).ok_or_else(not_waiting)
}

/// The payment that has an object with this Stripe ID.
fn payment_with(rows: Rows<'_>, stripe_id: &str) -> Result<(String, Facts), Problem> {
    let sql =
        "SELECT payment_id FROM payment_object WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3";
    let found: Option<String> = rows.one(sql, args![stripe_id], |row| row.get(0))?;
    let message = "must be the ID of a session, invoice, PaymentIntent or charge of a payment known here";
    let payment_id = found.ok_or_else(|| Problem::field("payment", message))?;
    let facts = known_facts(rows, &payment_id)?;
    Ok((payment_id, facts))
}

fn differs_in_currency(one: &Facts, other: &Facts) -> bool {
    let currency = |facts| Money::of(facts).ok().map(|money| money.currency());
    currency(one).zip(currency(other)).is_some_and(|(one, other)| one != other)
}

#[cfg(test)]
mod tests;
