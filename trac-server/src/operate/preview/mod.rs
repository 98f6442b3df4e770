//! `POST /api/v1/programs/{id}/preview`: what the program's recent payments would have earned under other terms.
//!
//! The payments are decided again as a replay decides them, with the given terms in place of all versions of the
//! program. Nothing is written: the payments are read by queries, a few at a time, which no webhook waits for.

mod found;
mod priced;
mod compared;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::time::Instant;
use trac_core::time::DAY_SECS;

use crate::access::Merchant;
use crate::api::fields::{Fields, integer};
use crate::problem::Problem;
use crate::program::changed_terms;
use crate::trac::Trac;
use compared::Comparison;

/// The most payments that are priced; the newest ones.
const PAYMENTS_MAX: usize = 20_000;
/// The payments of one query.
const CHUNK: usize = 100;
/// When no further payments are priced, so that the answer arrives before the request's time limit.
const PRICING_MAX: Duration = Duration::from_secs(20);
const DAYS: i64 = 90;
const DAYS_MAX: i64 = 365;
/// The advice in the error for a preview that takes too long.
const NARROW: &str = "Ask for fewer days.";

/// `POST /api/v1/programs/{id}/preview`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/programs/{id}/preview", post(preview))
}

async fn preview(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let days: i64 = fields.take("days", integer(1..=DAYS_MAX)).unwrap_or(DAYS);
    let since = trac.clock.now().plus_secs(days.saturating_mul(DAY_SECS).saturating_neg());
    let (of, named, program_id) = (scope.clone(), trac.clone(), id.clone());
    let read = trac.store.query(&scope, NARROW, move |tx| {
        let rows = tx.within(&of);
        let changed = changed_terms(rows, &named, &program_id, fields)?;
        let payments = found::payments(rows, &program_id, since, PAYMENTS_MAX.saturating_add(1))?;
        Ok::<_, Problem>((changed, payments))
    });
    let (changed, mut payments) = read.await?;
    let mut comparison = Comparison::new(payments.len() > PAYMENTS_MAX);
    payments.truncate(PAYMENTS_MAX);
    let limit = Instant::now().checked_add(PRICING_MAX);
    let wanted: Arc<BTreeSet<_>> = Arc::new(payments.iter().cloned().collect());
    let mut seen = BTreeSet::new();
    for chunk in payments.chunks(CHUNK) {
        if limit.is_some_and(|limit| Instant::now() >= limit) {
            comparison.is_limited = true;
            break;
        }
        // The payments of a customer are priced together with the newest of them.
        let asked: Vec<_> = chunk.iter().filter(|id| !seen.contains(*id)).cloned().collect();
        let (of, terms, program_id, wanted) =
            (scope.clone(), changed.terms.clone(), id.clone(), Arc::clone(&wanted));
        let priced = trac.store.query(&scope, NARROW, move |tx| {
            priced::price(tx.within(&of), &program_id, &terms, &asked, &wanted)
        });
        for one in priced.await? {
            if seen.insert(one.payment_id.clone()) {
                comparison.add(&one);
            }
        }
    }
    Ok(Json(comparison.into_answer(days, since, &changed.program)))
}

#[cfg(test)]
mod tests;
