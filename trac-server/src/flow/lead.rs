//! `POST /api/track/lead`: a merchant's page or server tells that a visitor signed up.
//!
//! There is one lead for each customer and event name; whoever tells it again is answered what became of the first. A
//! deferred one ties the customer to the click and earns nothing until the same is told without `"mode": "deferred"`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;
use trac_core::click::ClickId;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::lead::Lead;

use super::{Considered, any_text, crowd};
use crate::access::Tracker;
use crate::conversion::LEADS;
use crate::fields::{Fields, Wrong, document, external_id, text};
use crate::id::Kind;
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::{Priority, Scope, StoreError};
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/api/track/lead", post(track))
}

/// The longest metadata kept, in bytes of JSON.
const METADATA_MAX: usize = 8_192;

/// What is told.
struct Told {
    customer: String,
    event_name: String,
    click: Option<ClickId>,
    email: Option<String>,
    name: Option<String>,
    metadata: Option<String>,
    deferred: bool,
}

impl Told {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let told = Self {
            event_name: fields.need("eventName", text(1..=100)).unwrap_or_default(),
            customer: fields.need("customerExternalId", external_id).unwrap_or_default(),
            // Whatever is no click ID is no click: a lead is not refused for what a page had in its cookie.
            click: fields.take("clickId", any_text).and_then(|id| ClickId::parse(&id).ok()),
            email: fields.take("customerEmail", text(0..=254)).filter(|email| !email.is_empty()),
            name: fields.take("customerName", text(0..=255)).filter(|name| !name.is_empty()),
            metadata: fields.take("metadata", document(METADATA_MAX)),
            deferred: fields.take("mode", is_deferred).unwrap_or_default(),
        };
        fields.finish()?;
        Ok(told)
    }
}

fn is_deferred(value: &Value) -> Result<bool, Wrong> {
    match value.as_str() {
        Some("deferred") => Ok(true),
        Some("async" | "wait") => Ok(false),
        _ => Err("must be deferred, or left out".to_owned()),
    }
}

async fn track(
    State(trac): State<Trac>,
    tracker: Tracker,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let told = Told::read(fields)?;
    tracker.count(&trac, "lead").await?;
    let (store, scope, is_merchant) = (trac.store.clone(), tracker.scope, tracker.is_merchant);
    let taken = store.try_write(Priority::Api, move |tx| {
        let (status, id) = take(tx, &trac, &scope, &told, is_merchant)?;
        let lead = LEADS.find(tx, &trac, &scope, &id)?;
        let answer = ["id", "attributed", "reason", "click_id", "commission_id"];
        let answer = answer.map(|name| (name.to_owned(), lead.get(name).cloned().unwrap_or_default()));
        Ok::<_, Problem>((status, Json(Value::Object(answer.into_iter().collect()))))
    });
    taken.await
}

/// Takes a lead in: `201` with the ID of a new one, `200` with that of one told before.
fn take(
    tx: &Connection,
    trac: &Trac,
    scope: &Scope,
    told: &Told,
    is_merchant: bool,
) -> Result<(StatusCode, String), Problem> {
    let now = trac.clock.now();
    let (status, id) = match known(tx, scope, told)? {
        Some((id, was_deferred)) if told.deferred || !was_deferred => return Ok((StatusCode::OK, id)),
        Some((id, _)) => {
            let mut count = tx.prepare_cached(
                "UPDATE lead SET deferred = 0 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
            )?;
            count.execute(params![scope.workspace_id(), scope.mode_str(), id])?;
            (StatusCode::OK, id)
        }
        None => {
            crowd::admit_lead(tx, scope, &told.customer, is_merchant)?;
            let id = trac.ids.make(Kind::Lead);
            insert(tx, scope, &id, told, now)?;
            (StatusCode::CREATED, id)
        }
    };
    let writing = Writing { tx, scope, ids: &trac.ids, now, event_id: Some(&id) };
    let facts = Facts { leads: [(id.clone(), facts(told, now))].into(), ..Facts::default() };
    Considered::of(&writing, Topic::Sale, facts, false)?.keep(&writing)?;
    Ok((status, id))
}

/// The lead of the same customer and event name, and whether it still waits.
fn known(tx: &Connection, scope: &Scope, told: &Told) -> Result<Option<(String, bool)>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT id, deferred FROM lead \
         WHERE workspace_id = ?1 AND mode = ?2 AND customer_external_id = ?3 AND event_name = ?4",
    )?;
    let key = params![scope.workspace_id(), scope.mode_str(), told.customer, told.event_name];
    Ok(statement.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn insert(tx: &Connection, scope: &Scope, id: &str, told: &Told, now: Timestamp) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO lead (workspace_id, mode, id, customer_external_id, event_name, email, name, metadata, deferred, \
         created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    statement.execute(params![
        scope.workspace_id(),
        scope.mode_str(),
        id,
        told.customer,
        told.event_name,
        told.email,
        told.name,
        told.metadata,
        told.deferred,
        now.unix_secs()
    ])?;
    Ok(())
}

fn facts(told: &Told, now: Timestamp) -> Lead {
    Lead {
        customer: told.customer.clone(),
        event_name: told.event_name.clone(),
        at: Some(now),
        counted_at: (!told.deferred).then_some(now),
        clicks: told.click.iter().map(|click| (now, click.as_str().to_owned())).collect(),
        emails: told.email.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests;
