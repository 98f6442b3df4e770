//! `/healthz`, `/readyz` and `/metrics`: for whatever watches the server.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::problem::Problem;
use crate::store::{PUBLIC_URL, Priority, StoreError, StoreErrorKind, set_setting, setting};
use crate::trac::Trac;

/// The setting that `/readyz` writes.
const CHECKED_AT: &str = "checked_at";

pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Figures for Prometheus.
async fn metrics(State(trac): State<Trac>) -> impl IntoResponse {
    let text = trac.metrics.text(trac.store.waiting());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Whether the store can be read and takes writes: `200`, with or without a workspace, or `503`.
async fn ready(State(trac): State<Trac>) -> Result<&'static str, Problem> {
    let unavailable = |error: StoreError| StoreError::new(StoreErrorKind::Unavailable, error.to_string());
    let read = trac.store.read(|connection| setting(connection, PUBLIC_URL).map(|_| ())).await;
    read.map_err(unavailable)?;
    // A commit that changes nothing never reaches the disk, and would say that a full one is ready.
    let checked_at = trac.clock.now().to_rfc3339();
    let written =
        trac.store.write(Priority::Webhook, move |tx| set_setting(tx, CHECKED_AT, &checked_at)).await;
    written.map_err(unavailable)?;
    Ok("ready\n")
}
