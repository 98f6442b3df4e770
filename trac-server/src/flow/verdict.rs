//! `PATCH /api/v1/conversions/{id}` and `/leads/{id}`: the merchant's decision about a claim or a page's
//! lead, and the refunded total of a payment that Stripe does not report.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::patch;
use axum::{Json, Router};
use serde_json::{Value, json};
use trac_core::conversion::clawback::{counts_refunds, refunded_by_report};
use trac_core::conversion::payment::Money;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::lead::Lead;
use trac_core::webhook::report::Report;

use super::{Considered, any_text, facts_of};
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{AMOUNT_MAX, Fields, Wrong, integer};
use crate::conversion::{CONVERSIONS, LEADS, conversion_id, find_conversion};
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

pub(super) fn api_routes() -> Router<Trac> {
    Router::new().route("/conversions/{id}", patch(change)).route("/leads/{id}", patch(judge_lead))
}

fn is_approved(value: &Value) -> Result<bool, Wrong> {
    match value.as_str() {
        Some("approved") => Ok(true),
        Some("rejected") => Ok(false),
        _ => Err("must be approved or rejected".to_owned()),
    }
}

async fn judge_lead(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let judged = store.try_write_in(&scope, Priority::Api, move |rows| {
        let before = LEADS.find(rows, &trac, &id)?;
        let approved = fields.need("status", is_approved);
        fields.finish()?;
        let Some(conversion) = conversion_id(rows, &id)? else {
            let message = "Pages reported too many leads of this customer, and this one was not settled: report it from your \
                           server.";
            return Err(Problem::new(StatusCode::CONFLICT, "LEAD_NOT_SETTLED", message));
        };
        let mut leads = facts_of(rows, &conversion)?.ok_or_else(|| Problem::not_found("conversion"))?.leads;
        leads.retain(|lead_id, _| *lead_id == id);
        must_be_of_pages(&leads, approved != Some(false))?;
        let now = trac.clock.now();
        for lead in leads.values_mut() {
            lead.verdict = approved.map(|approved| new_verdict(lead.verdict.as_ref(), approved, now));
        }
        let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(&id) };
        let news = Facts { leads, ..Facts::default() };
        Considered::of(&writing, Topic::Sale, news)?.write(&writing)?;
        let judged = LEADS.find(rows, &trac, &id)?;
        let (kind, id, verb) = (LEADS.name, id.as_str(), verb_of(approved));
        caller.record(rows, &trac, &Change { kind, id, verb, before: Some(&before), after: Some(&judged) })?;
        Ok::<_, Problem>(judged)
    });
    judged.await.map(Json)
}

/// Refuses to judge a lead that the merchant's own server reported: a verdict would change nothing.
fn must_be_of_pages(leads: &BTreeMap<String, Lead>, approved: bool) -> Result<(), Problem> {
    let is_own = |lead: &Lead| lead.vouched && (!approved || !lead.vouched_clicks.is_empty());
    if !leads.values().any(is_own) {
        return Ok(());
    }
    let message = "Your own server reported this lead: there is no page's report to approve or reject.";
    Err(Problem::new(StatusCode::CONFLICT, "NOT_A_CLAIM", message))
}

/// The merchant's verdict, with a time after every earlier verdict, so that it is the latest.
fn new_verdict(before: Option<&Latest<bool>>, approved: bool, now: Timestamp) -> Latest<bool> {
    let at = before.map_or(now, |verdict| now.max(verdict.at.plus_secs(1)));
    Latest { at, value: approved }
}

/// The verb that records a verdict; without one, the refunded total was reported.
const fn verb_of(approved: Option<bool>) -> &'static str {
    match approved {
        Some(true) => "approved",
        Some(false) => "rejected",
        None => "refunded",
    }
}

async fn change(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let approved = fields.take("status", is_approved);
    let refunded = fields.take("refunded_cents", integer::<i64>(0..=AMOUNT_MAX));
    let click = fields.take("click_id", any_text);
    if click.is_some() && approved.is_none() {
        fields.note("click_id", "names the claim to approve or reject, and requires status");
    }
    fields.finish()?;
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let changed = store.try_write_in(&scope, Priority::Api, move |rows| {
        let id = conversion_id(rows, &id)?.unwrap_or(id);
        let conversion = find_conversion(rows, &trac, &id)?;
        let before = with_lead(rows, &trac, conversion.clone())?;
        let credited = credited_otherwise(&conversion);
        let mut facts = facts_of(rows, &id)?.ok_or_else(|| Problem::not_found("conversion"))?;
        if let Some(approved) = approved {
            judge(&mut facts, approved, (click.as_deref(), credited.as_deref()), trac.clock.now())?;
        }
        if let Some(refunded) = refunded {
            refund(&mut facts, refunded, paid_click(rows, &id)?.as_deref())?;
        }
        let writing = Writing { rows, ids: &trac.ids, now: trac.clock.now(), event_id: Some(&id) };
        let news = Facts { reports: facts.reports, leads: facts.leads, ..Facts::default() };
        Considered::of(&writing, Topic::Refund, news)?.write(&writing)?;
        let changed = find_conversion(rows, &trac, &id)?;
        if approved == Some(true) {
            must_be_credited(&changed)?;
        }
        let after = with_lead(rows, &trac, changed.clone())?;
        let (kind, id, verb) = (CONVERSIONS.name, id.as_str(), verb_of(approved));
        caller.record(rows, &trac, &Change { kind, id, verb, before: Some(&before), after: Some(&after) })?;
        Ok::<_, Problem>(changed)
    });
    changed.await.map(Json)
}

/// A conversion with the status of its lead, which changes by a verdict even if the conversion does not.
fn with_lead(rows: Rows<'_>, trac: &Trac, mut conversion: Value) -> Result<Value, StoreError> {
    let lead = conversion.get("lead_id").and_then(Value::as_str);
    let lead = lead.map(|id| LEADS.one(rows, trac, id)).transpose()?.flatten();
    if let (Some(lead), Some(conversion)) = (lead, conversion.as_object_mut()) {
        conversion.insert("lead".to_owned(), json!({ "status": lead.get("status") }));
    }
    Ok(conversion)
}

/// Rejects the approval of a claim if its payment stays credited to another click: a claim counts only if
/// nothing else decides the credit.
fn must_be_credited(conversion: &Value) -> Result<(), Problem> {
    let claims = conversion["claims"].as_array().map(Vec::as_slice).unwrap_or_default();
    let approved = claims.iter().filter(|claim| claim["status"] == "approved");
    let mut approved = approved.filter_map(|claim| claim["click_id"].as_str()).peekable();
    let credited = conversion["click_id"].as_str();
    let reason = conversion["reason"].as_str().and_then(Reason::from_code);
    let is_without_effect =
        matches!(reason, Some(Reason::AttributionFrozen | Reason::PaymentUnlinked | Reason::PaymentUnknown));
    if approved.peek().is_none() || (!is_without_effect && approved.any(|click| Some(click) == credited)) {
        return Ok(());
    }
    let credited = credited.unwrap_or("no click");
    let message = format!(
        "A claim counts only if nothing else decides the credit: this payment is credited to {credited} (rule {}, reason {}).",
        conversion["rule"].as_str().unwrap_or("none"),
        reason.map_or("none", Reason::as_str)
    );
    Err(Problem::new(StatusCode::CONFLICT, "CREDITED_OTHERWISE", message))
}

/// The click that a payment is credited to by another rule than `claim`.
fn credited_otherwise(conversion: &Value) -> Option<String> {
    let is_credited = conversion["attributed"] == true && conversion["rule"] != "claim";
    conversion["click_id"].as_str().filter(|_| is_credited).map(ToOwned::to_owned)
}

/// Approves or rejects the claims of a payment, or a lead. The latest verdict applies. Approving a claim
/// rejects the payment's other claims. `click` names the claim; it is required for an approval if several
/// clicks were claimed, or if the payment is `credited` to another click.
fn judge(
    facts: &mut Facts,
    approved: bool,
    (click, credited): (Option<&str>, Option<&str>),
    now: Timestamp,
) -> Result<(), Problem> {
    must_be_of_pages(&facts.leads, approved)?;
    for lead in facts.leads.values_mut() {
        lead.verdict = Some(new_verdict(lead.verdict.as_ref(), approved, now));
    }
    let claims = facts.reports.values_mut().filter(|report| !report.by_merchant);
    let claims: Vec<&mut Report> = claims.collect();
    if claims.is_empty() && facts.leads.is_empty() {
        let message = "Only you or Stripe reported this conversion: there is no claim to approve or reject.";
        return Err(Problem::new(StatusCode::CONFLICT, "NOT_A_CLAIM", message));
    }
    let clicks: BTreeSet<String> = claims.iter().filter_map(|claim| claim.click.clone()).collect();
    if click.is_some_and(|click| !clicks.contains(click)) {
        return Err(Problem::field("click_id", "no page claimed this payment with this click"));
    }
    let only = clicks.first().map(String::as_str);
    if approved
        && click.is_none()
        && !claims.is_empty()
        && (clicks.len() > 1 || credited.is_some_and(|credited| Some(credited) != only))
    {
        let named = Vec::from_iter(clicks).join(", ");
        let other = credited.map(|id| format!(", and it is credited to {id}")).unwrap_or_default();
        let message = format!("is required: pages claimed this payment with {named}{other}");
        return Err(Problem::field("click_id", &message));
    }
    // A claim without a click is approved only if no claim has one.
    let chosen = if approved { click.or(only) } else { click };
    for claim in claims {
        let is_chosen = claim.click.as_deref() == chosen;
        if approved || click.is_none() || is_chosen {
            claim.verdict = Some(new_verdict(claim.verdict.as_ref(), approved && is_chosen, now));
        }
    }
    Ok(())
}

/// The click of a payment's open commission, if a payout paid any of the commission's entries.
fn paid_click(rows: Rows<'_>, payment_id: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT c.click_id FROM commission AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.payment_id = ?3 \
               AND NOT c.closed AND EXISTS (SELECT 1 FROM payout_entry AS e WHERE e.workspace_id = c.workspace_id \
               AND e.mode = c.mode AND e.commission_id = c.id) ORDER BY c.id LIMIT 1";
    rows.one(sql, args![payment_id], |row| row.get(0))
}

/// Records how much of a reported payment was refunded so far.
fn refund(facts: &mut Facts, refunded_minor: i64, paid_click: Option<&str>) -> Result<(), Problem> {
    if facts.is_reported_by_stripe() {
        let message =
            "Stripe reports this payment: refund it there, and its event takes the commission back.";
        return Err(Problem::new(StatusCode::CONFLICT, "TOLD_BY_STRIPE", message));
    }
    let paid = Money::of_paid(facts, paid_click).map_or(0, |money| money.gross_minor());
    let before = refunded_by_report(facts);
    if !(before..=paid).contains(&refunded_minor) {
        let message = format!("is the total refunded so far: it must be from {before} to {paid}");
        return Err(Problem::field("refunded_cents", &message));
    }
    let is_counted = counts_refunds(facts);
    for report in facts.reports.values_mut().filter(|report| is_counted(report)) {
        report.refunded_minor = refunded_minor;
    }
    Ok(())
}
