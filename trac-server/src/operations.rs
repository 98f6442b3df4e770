//! `/healthz` and `/readyz`: for whatever watches the server.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::problem::Problem;
use crate::store::{PUBLIC_URL, StoreError, setting};
use crate::trac::Trac;

pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

/// Whether the store can be read: `200`, with or without a workspace, or `503`.
async fn ready(State(trac): State<Trac>) -> Result<&'static str, Problem> {
    let read = trac.store.read(|connection| setting(connection, PUBLIC_URL).map(|_| ())).await;
    read.map_err(|error| StoreError::new(crate::store::StoreErrorKind::Unavailable, error.to_string()))?;
    Ok("ready\n")
}
