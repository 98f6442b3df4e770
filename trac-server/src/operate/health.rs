//! `/healthz`, `/readyz` and `/metrics`, for monitoring.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::time::timeout;

use crate::click::missing_script;
use crate::problem::Problem;
use crate::store::{PUBLIC_URL, Priority, StoreError, StoreErrorKind, set_setting, setting};
use crate::tally::Tally;
use crate::trac::Trac;

/// The setting that `/readyz` writes.
const CHECKED_AT: &str = "checked_at";
/// Shorter than a writer waits for the database: monitors expect a fast response.
const READY_LIMIT: Duration = Duration::from_secs(2);
/// Limits the warnings that the store is not ready: `/readyz` needs no key.
static WARNED: Tally<()> = Tally::new();

pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// `/metrics` and `/healthz` only, for a separate address that only monitors can reach.
pub fn metrics_service(trac: Trac) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(async |State(trac): State<Trac>| figures(&trac)))
        .with_state(trac)
}

async fn metrics(State(trac): State<Trac>) -> Response {
    if trac.metrics_apart { Problem::not_found("page").into_response() } else { figures(&trac) }
}

/// Figures for Prometheus.
fn figures(trac: &Trac) -> Response {
    let text = trac.metrics.text(trac.store.waiting(), trac.store.spooled());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// `200` if the store can be read and written, is not damaged, and the spool is empty, with or without a
/// workspace; otherwise `503`. A server without the script, or with too little free space to record clicks,
/// is ready and reports that in a line: if a load balancer removed it, webhooks would fail too.
async fn ready(State(trac): State<Trac>) -> Result<String, Problem> {
    if let Some((_, Some(damage))) = trac.soundness.last() {
        return Err(Problem::damaged(&damage));
    }
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the store did not respond in time"));
    let checked = timeout(READY_LIMIT, check(&trac)).await.unwrap_or_else(late);
    match (checked, trac.store.spooled()) {
        (Ok(()), _) if !trac.store.rejects_clicks() => {
            let low = trac.store.has_room_for_pages().err();
            let low = low.map(|low| format!("No clicks are recorded: {low}. Webhooks are received."));
            let checked = trac.soundness.last().map(|(at, _)| at.to_rfc3339());
            let checked = checked.map(|at| format!("no damage to the database at {at}"));
            Ok(ready_text([low.as_deref(), missing_script(), checked.as_deref()]))
        }
        (Ok(()), clicks) => Err(not_ready(&format!("{clicks} clicks wait to be written to the store."))),
        (Err(error), clicks) => {
            if let Some(times) = WARNED.count((), trac.clock.now()) {
                tracing::warn!(%error, clicks, times, "the store cannot be read and written now");
            }
            let waiting = if clicks > 0 { format!(" {clicks} clicks wait on disk.") } else { String::new() };
            Err(not_ready(&format!("The store cannot be read and written now.{waiting}")))
        }
    }
}

fn ready_text(lines: [Option<&str>; 3]) -> String {
    ["ready"]
        .into_iter()
        .chain(lines.into_iter().flatten())
        .fold(String::new(), |text, line| text + line + "\n")
}

/// Reads, and writes a new value: a commit without changes does not reach the disk and would succeed on a
/// full one.
async fn check(trac: &Trac) -> Result<(), StoreError> {
    trac.store.read(|tx| setting(tx, PUBLIC_URL).map(|_| ())).await?;
    let checked_at = trac.clock.now().to_rfc3339();
    trac.store.write(Priority::Webhook, move |tx| set_setting(tx, CHECKED_AT, &checked_at)).await
}

fn not_ready(message: &str) -> Problem {
    Problem::store_busy(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_readyz_has_a_line_for_each_notice() {
        assert_eq!(ready_text([None; 3]), "ready\n");
        assert_eq!(ready_text([Some("Low"), Some("Run: x"), Some("y")]), "ready\nLow\nRun: x\ny\n");
    }
}
