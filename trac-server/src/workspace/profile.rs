//! `/api/v1/workspace`: the workspace of the key, with its settings, which apply to both modes.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::access::Merchant;
use crate::api::fields::{Fields, text};
use crate::api::frame::Frame;
use crate::api::list::{Kept, Resource, time, word};
use crate::click::destination;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Rows, args};
use crate::trac::Trac;

pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/workspace", get(show).patch(change))
}

/// The workspace of a scope, and no other.
static WORKSPACE: Resource = Resource {
    name: "workspace",
    columns: "w.id, w.name, w.fallback_url, w.created_at",
    from: "workspace AS w",
    within: "w.id = ?1",
    id: "w.id",
    order: &["w.id"],
    filters: &[],
    kept: Kept::Nothing,
    read: |row, _| {
        Ok(json!({
            "id": word(row, "id")?,
            "name": word(row, "name")?,
            "fallback_url": word(row, "fallback_url")?,
            "created_at": time(row, "created_at")?,
        }))
    },
};

async fn show(State(trac): State<Trac>, Merchant { scope, .. }: Merchant) -> Result<Json<Value>, Problem> {
    let store = trac.store.clone();
    let found = store.try_read(move |tx| WORKSPACE.find(tx.within(&scope), &trac, scope.workspace_id()));
    found.await.map(Json)
}

async fn change(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let name = fields.take("name", text(1..=200));
    let fallback = fields.take_nullable("fallback_url", destination);
    fields.finish()?;
    let id = caller.scope.workspace_id().to_owned();
    let frame = Frame { trac, caller, resource: &WORKSPACE };
    let changed = frame.change(id, move |rows, _, _| {
        if let Some(name) = name {
            set(rows, "name", Some(&name))?;
        }
        if let Some(fallback) = fallback {
            set(rows, "fallback_url", fallback.as_deref())?;
        }
        Ok(())
    });
    changed.await
}

fn set(rows: Rows<'_>, column: &'static str, value: Option<&str>) -> Result<(), StoreError> {
    let sql = format!("UPDATE workspace SET {column} = ?2 WHERE id = ?1");
    rows.everywhere().write(&sql, args![rows.scope().workspace_id(), value])?;
    Ok(())
}
