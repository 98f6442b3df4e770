//! `/api/v1/refusals`: calls that were refused before anything was recorded, newest first.

use axum::Router;
use serde_json::{Value, json};

use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, list_of, number, one_of, time, word};
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;
use crate::trac::refusal::Cause;

/// Refused calls, one row for each route, cause and hour.
pub(crate) static REFUSALS: Resource = Resource {
    name: "refusal",
    columns: "r.id, r.route, r.cause, r.message, r.calls, r.created_at, r.last_at",
    from: "refusal AS r",
    within: "r.workspace_id = ?1 AND r.mode = ?2",
    id: "r.id",
    order: &["r.last_at", "r.id"],
    filters: &[("route", Is("r.route")), ("cause", Is("r.cause"))],
    kept: Kept::Nothing,
    read,
};

pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/refusals", list_of(&REFUSALS)).route("/refusals/{id}", one_of(&REFUSALS))
}

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let code: String = row.get("cause")?;
    let cause = Cause::ALL.iter().find(|cause| cause.as_str() == code);
    Ok(json!({
        "id": word(row, "id")?,
        "route": word(row, "route")?,
        "cause": code,
        "message": word(row, "message")?,
        "remedy": cause.map(|cause| cause.remedy()),
        "calls": number(row, "calls")?,
        "created_at": time(row, "created_at")?,
        "last_at": time(row, "last_at")?,
    }))
}
