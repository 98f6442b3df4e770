//! `/healthz`, `/readyz` and `/metrics`: for whatever watches the server.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::time::timeout;

use crate::problem::Problem;
use crate::store::{PUBLIC_URL, Priority, StoreError, StoreErrorKind, set_setting, setting};
use crate::tally::Tally;
use crate::trac::Trac;

/// The setting that `/readyz` writes.
const CHECKED_AT: &str = "checked_at";
/// Whoever watches asks with less patience than a writer has.
const READY_LIMIT: Duration = Duration::from_secs(2);
/// How often it was said that the store is not ready: anybody can ask.
static TOLD: Tally<()> = Tally::new();

pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Figures for Prometheus.
async fn metrics(State(trac): State<Trac>) -> impl IntoResponse {
    let text = trac.metrics.text(trac.store.waiting(), trac.store.spooled());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Whether the store can be read and takes writes, and no clicks wait beside it: `200`, with or without a workspace, or `503`.
async fn ready(State(trac): State<Trac>) -> Result<&'static str, Problem> {
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the store did not answer in time"));
    let checked = timeout(READY_LIMIT, check(&trac)).await.unwrap_or_else(late);
    match (checked, trac.store.spooled()) {
        (Ok(()), _) if !trac.store.takes_no_clicks() => match trac.store.has_room_for_clicks() {
            Ok(()) => Ok("ready\n"),
            Err(low) => Err(not_ready(&format!("No clicks are recorded: {low}. Webhooks are taken."))),
        },
        (Ok(()), clicks) => Err(not_ready(&format!("{clicks} clicks wait to be brought into the store."))),
        (Err(error), clicks) => {
            if let Some(times) = TOLD.count((), trac.clock.now()) {
                tracing::warn!(%error, clicks, times, "the store cannot take this now");
            }
            let waiting = if clicks > 0 { format!(" {clicks} clicks wait on disk.") } else { String::new() };
            Err(not_ready(&format!("The store cannot be read and written now.{waiting}")))
        }
    }
}

/// Reads, and writes something new: a commit that changes nothing never reaches the disk, and would say that a full one is ready.
async fn check(trac: &Trac) -> Result<(), StoreError> {
    trac.store.read(|connection| setting(connection, PUBLIC_URL).map(|_| ())).await?;
    let checked_at = trac.clock.now().to_rfc3339();
    trac.store.write(Priority::Webhook, move |tx| set_setting(tx, CHECKED_AT, &checked_at)).await
}

fn not_ready(message: &str) -> Problem {
    Problem::store_busy(message.to_owned())
}
