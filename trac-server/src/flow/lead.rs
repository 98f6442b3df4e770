//! `POST /api/track/lead`: a merchant's page or server reports that a visitor signed up.
//!
//! There is one lead for each customer and event name; the response to a repeat describes the first. A
//! deferred lead ties the customer to the click, and earns nothing until it is reported again without
//! `"mode": "deferred"`.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use trac_core::click::ClickId;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::lead::Lead;

use super::{Considered, any_text, limits};
use crate::access::Tracker;
use crate::api::fields::{Fields, Wrong, document, external_id, text};
use crate::click;
use crate::conversion::LEADS;
use crate::id::Kind;
use crate::keys::token_secret;
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/api/track/lead", post(track))
}

/// The longest metadata, in bytes of JSON.
const METADATA_MAX: usize = 8_192;

/// The body of a lead.
struct LeadBody {
    customer: String,
    event_name: String,
    click: Option<ClickId>,
    email: Option<String>,
    name: Option<String>,
    metadata: Option<String>,
    deferred: bool,
    /// The customer token, by which the merchant's server confirms the customer.
    token: Option<String>,
}

impl LeadBody {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let body = Self {
            event_name: fields.need("eventName", text(1..=100)).unwrap_or_default(),
            customer: fields.need("customerExternalId", external_id).unwrap_or_default(),
            // A value that is not a click ID is ignored: a lead is not rejected for the content of a page's
            // cookie.
            click: fields.take("clickId", any_text).and_then(|id| ClickId::parse(&id).ok()),
            email: fields.take("customerEmail", text(0..=254)).filter(|email| !email.is_empty()),
            name: fields.take("customerName", text(0..=255)).filter(|name| !name.is_empty()),
            metadata: fields.take("metadata", document(METADATA_MAX)),
            deferred: fields.take("mode", is_deferred).unwrap_or_default(),
            token: fields.take("customerToken", text(1..=255)),
        };
        fields.finish()?;
        Ok(body)
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
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = LeadBody::read(fields)?;
    let mut is_vouched = tracker.is_merchant;
    if let (false, Some(token)) = (is_vouched, &body.token) {
        token_secret::check(&trac, &tracker.scope, &headers, token, &body.customer).await?;
        is_vouched = true;
    }
    tracker.count(&trac, "lead").await?;
    let store = trac.store.clone();
    let recorded = store.try_write_in(&tracker.scope, Priority::Api, move |rows| {
        let (status, id) = record(rows, &trac, &body, is_vouched)?;
        let mut lead = LEADS.find(rows, &trac, &id)?;
        if names_other_mode(rows, &body, &lead)?
            && let Some(lead) = lead.as_object_mut()
        {
            lead.insert("reason".to_owned(), Reason::ModeMismatch.as_str().into());
        }
        if !is_vouched
            && !is_named(rows, &body, &lead)?
            && let Some(lead) = lead.as_object_mut()
        {
            lead.insert("click_id".to_owned(), Value::Null);
            lead.insert("commission_id".to_owned(), Value::Null);
        }
        let answer = ["id", "attributed", "reason", "click_id", "commission_id"];
        let answer = answer.map(|name| (name.to_owned(), lead.get(name).cloned().unwrap_or_default()));
        Ok::<_, Problem>((status, Json(Value::Object(answer.into_iter().collect()))))
    });
    recorded.await
}

/// Whether the page's body names the lead's click, and a page reported that click. Otherwise the response
/// contains neither the click nor the commission.
fn is_named(rows: Rows<'_>, body: &LeadBody, lead: &Value) -> Result<bool, StoreError> {
    let Some(click) = lead["click_id"].as_str() else { return Ok(true) };
    if body.click.as_ref().is_none_or(|named| named.as_str() != click) {
        return Ok(false);
    }
    let first = first_report(rows, body)?.and_then(|first| first.lead);
    Ok(first.is_some_and(|lead| lead.clicks.iter().any(|(_, reported)| reported == click)))
}

/// Records a lead: `201` with the ID of a new one, `200` with the ID of one that was reported before.
fn record(
    rows: Rows<'_>,
    trac: &Trac,
    body: &LeadBody,
    is_vouched: bool,
) -> Result<(StatusCode, String), Problem> {
    let now = trac.clock.now();
    let (status, id) = if let Some(first) = first_report(rows, body)? {
        if !first.is_extended_by(rows, body, is_vouched)? {
            return Ok((StatusCode::OK, first.id));
        }
        let sql =
            "UPDATE lead SET deferred = deferred AND ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
        rows.write(sql, args![first.id, body.deferred])?;
        (StatusCode::OK, first.id)
    } else {
        let settles = limits::settles_lead(rows, &body.customer, body.click.as_ref(), is_vouched)?;
        let id = trac.ids.make(Kind::Lead);
        insert(rows, &id, body, now)?;
        if !settles {
            return Ok((StatusCode::CREATED, id));
        }
        (StatusCode::CREATED, id)
    };
    let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(&id) };
    let facts = Facts { leads: [(id.clone(), facts(body, is_vouched, now))].into(), ..Facts::default() };
    Considered::of(&writing, Topic::Sale, facts)?.write(&writing)?;
    Ok((status, id))
}

/// Whether the lead has no click because the click that the body names is of the workspace's other mode.
fn names_other_mode(rows: Rows<'_>, body: &LeadBody, lead: &Value) -> Result<bool, StoreError> {
    let Some(named) = body.click.as_ref().filter(|_| lead["click_id"].is_null()) else { return Ok(false) };
    let other = rows.scope().other_mode();
    click::is_known(rows.everywhere().within(&other), named.as_str())
}

/// The lead of the same customer and event name, as it was reported before.
struct First {
    id: String,
    is_deferred: bool,
    /// The facts of the lead; `None` if it was recorded and not settled.
    lead: Option<Lead>,
}

impl First {
    /// Whether a repeat adds something: that the lead is no longer deferred, a known click if the first had
    /// none, or that the merchant vouches for it. The merchant can report another click at any time; a page
    /// cannot.
    fn is_extended_by(&self, rows: Rows<'_>, body: &LeadBody, is_vouched: bool) -> Result<bool, Problem> {
        let Some(lead) = &self.lead else {
            let click = body.click.as_ref();
            return Ok(is_vouched || limits::settles_lead(rows, &body.customer, click, is_vouched)?);
        };
        // A page cannot add to a lead that the merchant reported or approved.
        if !is_vouched && lead.is_trusted() {
            return Ok(false);
        }
        if (self.is_deferred && !body.deferred) || (is_vouched && !lead.vouched) {
            return Ok(true);
        }
        let Some(click) = body.click.as_ref().map(ClickId::as_str) else { return Ok(false) };
        if is_vouched {
            return Ok(lead.vouched_clicks.iter().all(|(_, reported)| reported != click));
        }
        for (_, reported) in lead.reported_clicks() {
            if click::is_known(rows, reported)? {
                return Ok(false);
            }
        }
        Ok(click::is_known(rows, click)?)
    }
}

/// The lead of the same customer and event name.
fn first_report(rows: Rows<'_>, body: &LeadBody) -> Result<Option<First>, StoreError> {
    let sql = "SELECT l.id, l.deferred, p.facts FROM lead AS l \
        LEFT JOIN payment_object AS o ON o.workspace_id = l.workspace_id AND o.mode = l.mode AND o.stripe_id = l.id \
        LEFT JOIN payment AS p ON p.workspace_id = o.workspace_id AND p.mode = o.mode AND p.id = o.payment_id \
        WHERE l.workspace_id = ?1 AND l.mode = ?2 AND l.customer_external_id = ?3 AND l.event_name = ?4";
    let found = rows.one(sql, args![body.customer, body.event_name], |row| {
        Ok((row.get::<String>(0)?, row.get::<bool>(1)?, row.get::<Option<String>>(2)?))
    })?;
    let Some((id, is_deferred, facts)) = found else { return Ok(None) };
    let facts: Option<Facts> = facts.as_deref().map(serde_json::from_str).transpose()?;
    let lead = facts.and_then(|mut facts| facts.leads.remove(&id));
    Ok(Some(First { id, is_deferred, lead }))
}

fn insert(rows: Rows<'_>, id: &str, body: &LeadBody, now: Timestamp) -> Result<(), StoreError> {
    rows.write(
        "INSERT INTO lead (workspace_id, mode, id, customer_external_id, event_name, email, name, metadata, deferred, \
         created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        args![
            id,
            body.customer,
            body.event_name,
            body.email,
            body.name,
            body.metadata,
            body.deferred,
            now
        ],
    )?;
    Ok(())
}

fn facts(body: &LeadBody, is_vouched: bool, now: Timestamp) -> Lead {
    let clicks = body.click.iter().map(|click| (now, click.as_str().to_owned())).collect();
    let (vouched_clicks, clicks) =
        if is_vouched { (clicks, BTreeSet::new()) } else { (BTreeSet::new(), clicks) };
    Lead {
        customer: body.customer.clone(),
        event_name: body.event_name.clone(),
        at: Some(now),
        counted_at: (!body.deferred).then_some(now),
        clicks,
        vouched_clicks,
        emails: body.email.iter().cloned().collect(),
        vouched: is_vouched,
        verdict: None,
    }
}

#[cfg(test)]
mod tests;
