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
use crate::store::{Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;

pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/clicks", post(create))
}

async fn create(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = ClickBody::read(fields, scope.mode())?;
    let store = trac.store.clone();
    let created = store.try_write_in(&scope, Priority::Api, move |rows| {
        let chosen_id = body.click_id.clone();
        let click = record(rows, &trac, body)?;
        if let Some(id) = chosen_id {
            settle_waiting(rows, &trac, id.as_str())?;
        }
        Ok::<_, Problem>(click)
    });
    created.await.map(|click| (StatusCode::CREATED, Json(click)))
}

/// How many late clicks are settled at once.
const LATE: u32 = 100;

/// Settles the payments that name a click which arrived after them, at another node. Returns whether there may be more.
pub(crate) async fn settle_late(trac: &Trac) -> Result<bool, StoreError> {
    let late = trac.store.read(|tx| {
        let sql = "SELECT workspace_id, mode, click_id FROM late_click ORDER BY workspace_id, mode, click_id LIMIT ?1";
        tx.all(sql, args![LATE], |row| {
            Ok((Scope::new(row.text(0)?, mode_of(row.text(1)?)), row.get::<String>(2)?))
        })
    });
    let late = late.await?;
    let mut is_full = u32::try_from(late.len()).is_ok_and(|count| count >= LATE);
    for (scope, click_id) in late {
        let of = trac.clone();
        let settled = trac.store.write_in(&scope, Priority::Click, move |rows| {
            settle_again(rows, &of, &click_id, "TRUE")?;
            let sql = "DELETE FROM late_click WHERE workspace_id = ?1 AND mode = ?2 AND click_id = ?3";
            rows.write(sql, args![click_id])
        });
        if let Err(error) = settled.await {
            // The others must not wait for it.
            tracing::error!(%error, "the payments that name a late click could not be settled");
            is_full = false;
        }
    }
    Ok(is_full)
}

/// Settles the payments that have this click ID as a candidate and are not credited. Only an ID that the
/// caller chose can be on a payment before its click is recorded: all other IDs are random, and are made when
/// the click is recorded.
fn settle_waiting(rows: Rows<'_>, trac: &Trac, click_id: &str) -> Result<(), StoreError> {
    settle_again(rows, trac, click_id, "p.click_id IS NULL")
}

/// Settles the payments that have this click ID as a candidate. A click that was late can be a better one than that
/// which a payment is credited to.
fn settle_again(rows: Rows<'_>, trac: &Trac, click_id: &str, only: &str) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT p.facts FROM candidate AS c JOIN payment AS p ON p.workspace_id = c.workspace_id AND p.mode = c.mode \
         AND p.id = c.payment_id WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.value = ?3 AND {only}"
    );
    for facts in rows.all(&sql, args![click_id], |row| row.document::<Facts>(0))? {
        let writing = Writing { rows, ids: &trac.ids, now: trac.clock.now(), event_id: None };
        // Joining known facts again changes none of them; it only settles the payment again.
        Considered::of(&writing, Topic::Sale, facts)?.write(&writing)?;
    }
    Ok(())
}
