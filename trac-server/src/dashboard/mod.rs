//! The dashboard for merchants. Its first page shows the whole flow, live; another explains why a sale was
//! credited or not.
//!
//! Pages are templates that escape at compile time, under a policy without inline scripts and styles. Requests
//! that change something are POSTs from this origin. All pages extend one base template, and all URLs in them
//! are relative, so that the router can be mounted under any path. Typed queries read the rows that pages show.

mod session;
mod words;
mod queries;
mod story;
mod changes;
mod layout;
mod sign_in;
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

/// All routes under `/dashboard`, and a redirect to it from the root.
pub(crate) fn routes(trac: &Trac) -> Router<Trac> {
    Router::new()
        .route("/", get(async || Redirect::to("dashboard")))
        .route("/dashboard/", get(async || Redirect::to("../dashboard")))
        .merge(flow_page::routes())
        .merge(changes::routes())
        .merge(why_page::routes(trac))
        .merge(sign_in::routes(trac))
        .merge(assets::routes())
        .layer(from_fn(guard))
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Sets the security headers of every page: no content from other origins, no frames, no caching.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer`, a browser without `Sec-Fetch-Site` would send `Origin: null` with a form.
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
