//! The set-up of a workspace, in steps that the store ticks off, never a person: the address, Stripe's events, the
//! script, the first link, click and sale.
//!
//! ```text
//! GET /api/v1/setup ─▶ evidence in the store ─▶ Step, Step, Step …
//! ```
//!
//! Each step reads a bounded number of rows by an index, whatever the size of the store. Two calls do what a merchant
//! would otherwise do by hand: `/setup/stripe` makes the destination at Stripe, `/setup/script-check` checks a page of
//! the shop.

mod step;
mod address;
mod arrivals;
mod connection;
mod event_types;
mod offer;
mod firsts;
mod report;
mod check;
mod script;
mod destination;
mod connect;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::access::Merchant;
use crate::api::list::NARROW;
use crate::click::for_any_origin;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::Rows;
use crate::trac::Trac;
use arrivals::Arrivals;
use connection::Endpoint;
use step::Step;

/// `/setup` and what is below it.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/setup", get(show))
        .route("/setup/stripe", post(connect::connect))
        .route("/setup/script-check", post(check::start))
}

/// The route to which a page sends its report: from any origin, without credentials.
pub(crate) fn public_routes() -> Router<Trac> {
    let report = Router::new().route("/v1/setup/script-check", post(check::report));
    for_any_origin(report.layer(DefaultBodyLimit::max(check::BODY_LIMIT_BYTES)))
}

/// All steps, in the order in which a merchant takes them.
///
/// # Errors
/// The store's.
fn steps(rows: Rows<'_>, trac: &Trac) -> Result<Vec<Step>, StoreError> {
    let now = trac.clock.now();
    let (arrivals, endpoints) = (Arrivals::read(rows)?, Endpoint::all(rows)?);
    let (first_event, first_visit) = (arrivals.first_at(rows)?, firsts::first_visit(rows)?);
    let reached_at = [first_event, first_visit].into_iter().flatten().min();
    let rejected = connection::rejected(rows, &endpoints, &arrivals, now)?;
    Ok(vec![
        address::step(&trac.public_url, rows.scope().mode(), reached_at),
        connection::endpoint(trac, &endpoints),
        connection::signing_secret(&endpoints, rejected.as_ref(), now),
        connection::first_event(rows, &arrivals, rejected.as_ref(), first_event, now)?,
        event_types::step(rows, &endpoints, &arrivals, now)?,
        script::step(rows, trac)?,
        offer::program(rows)?,
        offer::partner(rows)?,
        offer::link(rows, trac)?,
        firsts::first_click(first_visit),
        firsts::first_sale(rows)?,
    ])
}

fn steps_json(rows: Rows<'_>, trac: &Trac) -> Result<Vec<Value>, StoreError> {
    Ok(steps(rows, trac)?.iter().map(Step::to_json).collect())
}

/// `GET /api/v1/setup`.
async fn show(State(trac): State<Trac>, Merchant { scope, .. }: Merchant) -> Result<Json<Value>, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let steps = store.query(&of, NARROW, move |tx| steps_json(tx.within(&scope), &trac));
    let steps: Result<_, StoreError> = steps.await;
    Ok(Json(json!({ "steps": steps? })))
}

#[cfg(test)]
mod tests;
