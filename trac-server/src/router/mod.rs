//! All routes, in one router that can be nested in any axum app.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::api::fields::BODY_LIMIT_BYTES;
use crate::problem::Problem;
use crate::trac::Trac;
use crate::{
    api::{activity, idempotency},
    click, commission, conversion, dashboard, explain, flow, keys, mail, openapi, operate, people, program,
    setup, webhook, workspace,
};

mod time_limit;
mod catch_up;
mod around;
mod ahead;

pub use ahead::service;

/// The largest form of the dashboard: one with a program's products.
const FORM_LIMIT_BYTES: usize = 64 << 10;
/// The largest form of the sign-in and account pages, which anybody may send: one with two passwords.
const ACCOUNT_FORM_LIMIT_BYTES: usize = 16 << 10;

/// The whole server: tracked links, the script, webhooks, the management API and the dashboard.
///
/// Every response carries `X-Request-Id`, the caller's if it is valid. A request that takes longer than 30 s
/// gets `408`.
///
/// Nest it instead of merging it: it has a route `/` and a fallback, and axum panics if two merged routers
/// both have one of these.
///
/// # Examples
/// ```no_run
/// use trac_server::clock::Clock;
/// use trac_server::store::Store;
/// use trac_server::{Trac, router};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::open("trac-data".as_ref())?;
/// let trac = Trac::new(store, Clock::system(), "https://track.example.com");
/// let app: axum::Router = axum::Router::new().nest_service("/trac", router(trac));
/// # Ok(())
/// # }
/// ```
pub fn router(trac: Trac) -> Router {
    trac.store.use_spool();
    let api = Router::new()
        .merge(keys::routes())
        .merge(program::routes())
        .merge(click::routes())
        .merge(webhook::routes())
        .merge(conversion::routes())
        .merge(commission::routes())
        .merge(flow::api_routes())
        .merge(operate::replay::routes())
        .merge(operate::preview::routes())
        .merge(workspace::refusals::routes())
        .merge(activity::routes())
        .merge(mail::routes())
        .merge(people::api_routes())
        .merge(explain::routes())
        .merge(setup::routes())
        .merge(workspace::routes())
        .layer(from_fn_with_state(trac.clone(), idempotency::once))
        .layer(from_fn_with_state(trac.clone(), catch_up::before))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES));
    let accounts = people::routes(&trac).layer(DefaultBodyLimit::max(ACCOUNT_FORM_LIMIT_BYTES));
    let in_process = dashboard::Api::new(api.clone().with_state(trac.clone()));
    let dashboard = dashboard::routes(&trac, in_process)
        .layer(from_fn_with_state(trac.clone(), catch_up::before))
        .layer(DefaultBodyLimit::max(FORM_LIMIT_BYTES));
    Router::new()
        .nest("/api/v1", api)
        .merge(flow::routes())
        .merge(click::public_routes())
        .merge(setup::public_routes())
        .merge(accounts)
        .merge(dashboard)
        .merge(operate::health::routes())
        .merge(openapi::routes())
        .fallback(async || Problem::not_found("page"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(around::Around(trac.clone()))
        .with_state(trac)
}

#[cfg(test)]
mod tests;
