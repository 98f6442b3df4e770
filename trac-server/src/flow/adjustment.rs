//! `POST /api/v1/adjustments`: an amount that the merchant gives to a partner or takes back by hand. It is a fact of
//! its own, without a payment, and earns a commission of the source `manual`, which is due at once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use trac_core::webhook::adjustment::Adjustment;
use trac_core::webhook::facts::{Facts, Topic};

use super::Considered;
use super::ruling::REASON_MAX;
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{AMOUNT_MAX, Fields, Wrong, currency, integer, text};
use crate::commission::COMMISSIONS;
use crate::id::Kind;
use crate::problem::Problem;
use crate::program::{PARTNERS, PROGRAMS};
use crate::store::apply::Writing;
use crate::store::rows::args;
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

pub(super) fn api_routes() -> Router<Trac> {
    Router::new().route("/adjustments", post(create))
}

/// An amount above or below zero.
fn signed(value: &Value) -> Result<i64, Wrong> {
    let amount = integer::<i64>(-AMOUNT_MAX..=AMOUNT_MAX)(value)?;
    if amount == 0 { Err("must not be 0".to_owned()) } else { Ok(amount) }
}

async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let now = trac.clock.now();
    let partner_id = fields.need("partner_id", text(1..=64));
    let program_id = fields.need("program_id", text(1..=64));
    let currency = fields.need("currency", currency);
    let amount_minor = fields.need("amount_minor", signed);
    let reason = fields.need("reason", text(1..=REASON_MAX));
    fields.finish()?;
    let adjustment = Adjustment {
        partner_id: partner_id.unwrap_or_default(),
        program_id: program_id.unwrap_or_default(),
        at: Some(now),
        amount: amount_minor.zip(currency),
        reason: reason.unwrap_or_default(),
    };
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let created = store.try_write_in(&scope, Priority::Api, move |rows| {
        PROGRAMS.find(rows, &trac, &adjustment.program_id)?;
        PARTNERS.find(rows, &trac, &adjustment.partner_id)?;
        let enrolled = "SELECT 1 FROM enrollment WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 AND partner_id = ?4";
        if !rows.exists(enrolled, args![adjustment.program_id, adjustment.partner_id])? {
            let message = "is not enrolled in this program: POST /enrollments first";
            return Err(Problem::field("partner_id", message));
        }
        let id = trac.ids.make(Kind::Adjustment);
        let writing = Writing { rows, ids: &trac.ids, now, event_id: Some(&id) };
        let news = Facts { adjustments: [(id.clone(), adjustment)].into(), ..Facts::default() };
        let considered = Considered::of(&writing, Topic::Sale, news)?;
        considered.write(&writing)?;
        let sql = "SELECT id FROM commission WHERE workspace_id = ?1 AND mode = ?2 AND payment_id = ?3";
        let payment_id = considered.admitted.payment_id.as_deref().unwrap_or_default();
        let commission_id = rows.one(sql, args![payment_id], |row| row.get::<String>(0))?;
        let commission_id =
            commission_id.ok_or_else(|| StoreError::internal("an adjustment has no commission"))?;
        let commission = COMMISSIONS.find(rows, &trac, &commission_id)?;
        let (kind, id, verb) = (COMMISSIONS.name, commission_id.as_str(), "adjusted");
        caller.record(rows, &trac, &Change { kind, id, verb, before: None, after: Some(&commission) })?;
        Ok::<_, Problem>(commission)
    });
    created.await.map(|commission| (StatusCode::CREATED, Json(commission)))
}

#[cfg(test)]
mod tests;
