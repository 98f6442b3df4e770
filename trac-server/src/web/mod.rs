//! What the pages for people share: the frame around every page, the blocks that pages are made of, forms, and the
//! protection against other sites.
//!
//! Pages are rendered by the server and work without JavaScript. Templates escape at compile time, under a policy
//! without inline scripts and styles. All URLs in pages are relative, so that the router can be mounted under any path.
//! A page is a list of [`Block`]s: a template for each kind of block, none for a single page.

mod words;
mod language;
mod assets;
mod own_forms;
mod layout;
mod cell;
mod table;
mod form;
mod chart;
mod block;
mod page;
mod error_page;

pub(crate) use block::{Block, Figure, Link, Notice, Payload, Secret, Step, Tone};
pub(crate) use cell::Cell;
pub(crate) use chart::{Bar, Chart};
pub(crate) use form::{Field, Form, Input, Trial, Wire, as_decimal};
pub(crate) use language::Language;
pub(crate) use layout::{GROUPS, Layout, Visitor, page_path, render};
pub(crate) use own_forms::own_forms_only;
pub(crate) use page::Page;
pub(crate) use table::{Choice, Empty, Filters, Head, Line, Pager, Table};
pub(crate) use words::{Amount, Code, Moment};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use self::error_page::Asked;
use crate::trac::Trac;

/// The style, the script and the icon of all pages.
pub(crate) fn routes() -> Router<Trac> {
    assets::routes()
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Sets the security headers of every page: no content from other origins, no frames, no caching. An error is shown as a
/// page to those who read pages.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let asked = Asked::of(request.uri().path(), request.headers());
    let mut response = next.run(request).await;
    if let Some(asked) = asked {
        response = asked.page(response);
    }
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
