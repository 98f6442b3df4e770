//! `POST /api/v1/clicks`: records the click that a merchant sends, and settles the payments that waited for it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use trac_core::webhook::facts::{Facts, Topic};

use super::Considered;
use crate::access::Merchant;
use crate::api::fields::Fields;
use crate::click::{ClickBody, record};
use crate::problem::Problem;
use crate::store::apply::Writing;
use crate::store::rows::{Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/clicks", post(create))
}

async fn create(
    State(trac): State<Trac>,
    Merchant(scope): Merchant,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = ClickBody::read(fields, scope.mode())?;
    let store = trac.store.clone();
    let created = store.try_write(Priority::Api, move |tx| {
        let rows = tx.within(&scope);
        let chosen_id = body.click_id.clone();
        let click = record(rows, &trac, body)?;
        if let Some(id) = chosen_id {
            settle_waiting(rows, &trac, id.as_str())?;
        }
        Ok::<_, Problem>(click)
    });
    created.await.map(|click| (StatusCode::CREATED, Json(click)))
}

/// Settles the payments that have this click ID as a candidate and are not credited. Only an ID that the
/// caller chose can be on a payment before its click is recorded: all other IDs are random, and are made when
/// the click is recorded.
fn settle_waiting(rows: Rows<'_>, trac: &Trac, click_id: &str) -> Result<(), StoreError> {
    let sql = "SELECT p.facts FROM candidate AS c JOIN payment AS p ON p.workspace_id = c.workspace_id AND p.mode = c.mode \
               AND p.id = c.payment_id WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.value = ?3 AND p.click_id IS NULL";
    for facts in rows.all(sql, args![click_id], |row| row.document::<Facts>(0))? {
        let writing = Writing { rows, ids: &trac.ids, now: trac.clock.now(), event_id: None };
        // Joining known facts again changes none of them; it only settles the payment again.
        Considered::of(&writing, Topic::Sale, facts)?.write(&writing)?;
    }
    Ok(())
}
