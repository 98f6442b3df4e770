//! The dashboard: what a merchant sees. Its first page shows the whole flow, live; another explains why a sale was credited,
//! or was not.
//!
//! Pages are templates that escape at compile time, under a policy without inline script or style. What changes
//! something is a POST from this very origin. All pages extend one base template; all addresses in them are relative, so that
//! the router can be mounted under any path. What pages show is read by typed queries.

mod session;
mod words;
mod queries;
mod story;
mod changes;
mod frame;
mod door;
mod assets;
mod flow_page;
mod why_page;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Redirect, Response};
use axum::routing::get;

use crate::trac::Trac;

pub(crate) use session::{LINK_SECS, end_sessions, new_link, sessions};

/// Everything under `/dashboard`, and the way there from the root.
pub(crate) fn routes(trac: &Trac) -> Router<Trac> {
    Router::new()
        .route("/", get(async || Redirect::to("dashboard")))
        .route("/dashboard/", get(async || Redirect::to("../dashboard")))
        .merge(flow_page::routes())
        .merge(changes::routes())
        .merge(why_page::routes(trac))
        .merge(door::routes(trac))
        .merge(assets::routes())
        .layer(from_fn(guard))
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Marks every page: nothing from elsewhere, in no frame, in no cache.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With none, browsers that say nothing else name no origin beside a form.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
