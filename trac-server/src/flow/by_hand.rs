//! `POST /api/v1/clicks`: a click recorded by hand, and the payments that waited for it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use trac_core::webhook::facts::{Facts, Topic};

use super::Considered;
use crate::access::Merchant;
use crate::api::fields::Fields;
use crate::click::{Wanted, record};
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
    let wanted = Wanted::read(fields, scope.mode())?;
    let store = trac.store.clone();
    let created = store.try_write(Priority::Api, move |tx| {
        let rows = tx.within(&scope);
        let named = wanted.click_id.clone();
        let click = record(rows, &trac, wanted)?;
        if let Some(id) = named {
            settle_waiting(rows, &trac, id.as_str())?;
        }
        Ok::<_, Problem>(click)
    });
    created.await.map(|click| (StatusCode::CREATED, Json(click)))
}

/// Settles the payments that carry this ID and were credited to nobody. Only a click that was named by hand can be waited
/// for: every other ID is made of chance, after nothing has carried it.
fn settle_waiting(rows: Rows<'_>, trac: &Trac, click_id: &str) -> Result<(), StoreError> {
    let sql = "SELECT p.facts FROM candidate AS c JOIN payment AS p ON p.workspace_id = c.workspace_id AND p.mode = c.mode \
               AND p.id = c.payment_id WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.value = ?3 AND p.click_id IS NULL";
    for facts in rows.all(sql, args![click_id], |row| row.document::<Facts>(0))? {
        let writing = Writing { rows, ids: &trac.ids, now: trac.clock.now(), event_id: None };
        // Joining what is known already changes nothing but lets everything be settled again.
        Considered::of(&writing, Topic::Sale, facts)?.keep(&writing)?;
    }
    Ok(())
}
