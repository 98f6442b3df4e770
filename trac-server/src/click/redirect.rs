//! `GET /s/{slug}` and `GET /s/{program}/{code}`: tracked links; under `/t/`, those of test mode.
//!
//! The click is on disk before the visitor is redirected. If it cannot be written, or not in time, the
//! visitor is redirected without a click ID.

use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use tokio::time::timeout_at;
use trac_core::click::{ClickId, dialect};
use trac_core::cookie::{self, Attributes};
use trac_sdk::stored_click_id;

use super::find::{self, newest};
use super::location::location;
use super::not_counted;
use super::record::{Deadlines, Written, record};
use super::visit::{NotCounted, judge};
use super::visitor::VisitorHash;
use crate::api::fields::is_of_token;
use crate::id::random_bits;
use crate::problem::Problem;
use crate::store::click::{Condition, NewClick};
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;
use crate::trac::known_links::{KnownLink, LINKS_MAX, LinkName};

const COOKIE_DAYS: u32 = 90;
/// How much of a referrer is stored, in bytes: enough for a site and a page.
const REFERRER_MAX: usize = 256;
/// How much of the `User-Agent` header is read, in bytes.
const AGENT_MAX: usize = 2_048;
/// How much of the `Accept` header is read, in bytes.
const ACCEPT_MAX: usize = 512;

pub(super) fn routes() -> Router<Trac> {
    let slug = async |State(trac): State<Trac>, Path(slug): Path<String>, request: Parts| {
        follow(&trac, LinkName::Slug(slug), &request).await
    };
    let code =
        async |State(trac): State<Trac>, Path((program, code)): Path<(String, String)>, request: Parts| {
            follow(&trac, LinkName::Code { program, code }, &request).await
        };
    let test_slug = async |State(trac): State<Trac>, Path(slug): Path<String>, request: Parts| {
        follow(&trac, LinkName::Test(LinkName::Slug(slug).into()), &request).await
    };
    let test_code =
        async |State(trac): State<Trac>, Path((program, code)): Path<(String, String)>, request: Parts| {
            follow(&trac, LinkName::Test(LinkName::Code { program, code }.into()), &request).await
        };
    // Software that forwards links often adds a slash at the end.
    Router::new()
        .route(SLUG, get(slug))
        .route("/s/{slug}/", get(slug))
        .route("/s/{program}/{code}", get(code))
        .route("/s/{program}/{code}/", get(code))
        .route("/t/{slug}", get(test_slug))
        .route("/t/{slug}/", get(test_slug))
        .route("/t/{program}/{code}", get(test_code))
        .route("/t/{program}/{code}/", get(test_code))
}

/// The route of [`visit`].
pub(crate) const SLUG: &str = "/s/{slug}";

/// The link of a plain visit: a `GET` of `/s/{slug}` without a body, whose slug has no percent-encoding. The
/// router handles all other requests for links.
pub(crate) fn plain_visit<B: HttpBody>(request: &Request<B>) -> Option<LinkName> {
    let slug = request.uri().path().strip_prefix("/s/").filter(|slug| !slug.is_empty())?;
    let is_visit = request.method() == Method::GET && request.body().is_end_stream();
    (is_visit && slug.bytes().all(is_of_token)).then(|| LinkName::Slug(slug.to_owned()))
}

/// Responds to a plain visit as its route does, and lets pages of any origin read the response.
pub(crate) async fn visit(trac: &Trac, name: LinkName, request: &Parts) -> Response {
    let mut response = follow(trac, name, request).await.into_response();
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

async fn follow(trac: &Trac, name: LinkName, request: &Parts) -> Result<Response, Problem> {
    let deadlines = Deadlines::start(trac);
    let judged = judge(&request.method, &request.headers).and_then(|()| within_limit(trac, request));
    let mut is_lost = false;
    if judged.is_ok()
        && let Some(link) = remembered(trac, &name)
    {
        // The link is not read first: it is compared with the stored one when the click is written.
        match click(trac, &link, request, Some(Arc::<KnownLink>::clone(&link)), deadlines).await {
            Written::Yes(id) => return Ok(redirect(trac, request, &link, Some(&id))),
            Written::No => {}
            Written::Lost => is_lost = true,
        }
    }
    // Boxed, so that this rare future does not enlarge every request's.
    let Some(link) = Box::pin(find(trac, name, deadlines)).await? else {
        let is_page = prefers_html(&request.headers);
        return if is_page { Ok(unknown_page()) } else { Err(Problem::not_found("link")) };
    };
    match if link.is_archived { Err(NotCounted::Archived) } else { judged } {
        Ok(()) if is_lost => {}
        Ok(()) => {
            if let Written::Yes(id) = Box::pin(click(trac, &link, request, None, deadlines)).await {
                return Ok(redirect(trac, request, &link, Some(&id)));
            }
        }
        Err(why) => not_counted::count(trac, &link, why),
    }
    Ok(redirect(trac, request, &link, None))
}

/// Counts a visit against the limit of its IP address; beyond the limit it is not recorded.
fn within_limit(trac: &Trac, request: &Parts) -> Result<(), NotCounted> {
    let counted = trac.limits.visits.count(trac.proxies.caller(request), trac.clock.unix_millis());
    counted.map_err(|_| NotCounted::Flood)
}

/// The link as it was last read under exactly this name, unless it is archived. The same name in another case
/// may be another partner's.
fn remembered(trac: &Trac, name: &LinkName) -> Option<Arc<KnownLink>> {
    trac.known_links.link(&name.path()).filter(|link| link.name == *name && !link.is_archived)
}

/// Records the visitor's click.
async fn click(
    trac: &Trac,
    link: &KnownLink,
    request: &Parts,
    only_if: Option<Arc<dyn Condition>>,
    deadlines: Deadlines,
) -> Written {
    let agent = text(&request.headers, &header::USER_AGENT, AGENT_MAX);
    let visitor = VisitorHash::new(trac.proxies.caller(request), agent.as_deref());
    let now = trac.clock.now();
    let click = NewClick {
        id: ClickId::new(now.unix_secs(), random_bits()),
        program_id: Arc::clone(&link.program_id),
        partner_id: Arc::clone(&link.partner_id),
        link_id: Some(Arc::clone(&link.id)),
        clicked_at: now,
        is_unique: None,
        visitor: None,
        last_click: stored_click_id(&request.headers),
        referrer: referrer(&request.headers),
        landing_url: Some(Arc::clone(&link.destination)),
    };
    record(trac, &link.scope, click, visitor, only_if, deadlines).await
}

/// Reads the link; if the store cannot be read in time, the link as it was last read. `None` if there is no
/// such link.
async fn find(trac: &Trac, name: LinkName, deadlines: Deadlines) -> Result<Option<Arc<KnownLink>>, Problem> {
    let path = name.path().into_owned();
    let read = trac.store.look_up(move |tx| find::find(tx, &name));
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the store was not read in time"));
    match timeout_at(deadlines.store(), read).await.unwrap_or_else(late) {
        Ok(link) => {
            let link = link.map(Arc::new);
            trac.known_links.remember(&path, link.as_ref());
            Ok(link)
        }
        Err(error) => {
            let Some(link) = trac.known_links.link(&path) else { return Err(error.into()) };
            let visitors = trac.metrics.link_unread();
            // Logged at the 1st, 2nd, 4th, 8th … visitor, so that the log does not fill a disk that is nearly
            // full.
            if visitors.is_power_of_two() {
                tracing::error!(%error, visitors, "a link could not be read; the visitor is redirected to its last known destination");
            }
            Ok(Some(link))
        }
    }
}

/// The page that a person sees at an address without a link.
const UNKNOWN_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Unknown link</title>\n<h1>This link is unknown</h1>\n\
    <p>There is no page at this address. It may be mistyped, or the link was removed.</p>\n</html>\n";

/// The response to a person who opens an address without a link.
fn unknown_page() -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'")];
    (StatusCode::NOT_FOUND, policy, Html(UNKNOWN_PAGE)).into_response()
}

/// Whether a caller prefers a page to JSON, as browsers do: its `Accept` header names `text/html` with a
/// greater weight than `application/json`. `*/*` alone names neither.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = text(headers, &header::ACCEPT, ACCEPT_MAX).unwrap_or_default();
    let (mut html, mut json) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let weight = match parts.next().unwrap_or_default() {
            kind if kind.eq_ignore_ascii_case("text/html") => &mut html,
            kind if kind.eq_ignore_ascii_case("application/json") => &mut json,
            _ => continue,
        };
        let given = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        *weight = given.map_or(1.0, |given| given.parse().unwrap_or(0.0));
    }
    html > json
}

/// Loads the newest links into memory, so that visitors can be redirected while the store cannot be read.
pub(crate) async fn remember_links(trac: &Trac) -> Result<(), StoreError> {
    let links = trac.store.read(|tx| newest(tx, LINKS_MAX)).await?;
    for link in links {
        let link = Arc::new(link);
        trac.known_links.remember(&link.name.path(), Some(&link));
    }
    Ok(())
}

/// The page a visitor came from, without its query and fragment, which may identify the visitor.
fn referrer(headers: &HeaderMap) -> Option<String> {
    let mut page = text(headers, &header::REFERER, REFERRER_MAX)?;
    page.truncate(page.find(['?', '#']).unwrap_or(page.len()));
    Some(page)
}

/// The first `bytes_max` bytes of a header; `None` if it is absent or not visible ASCII.
fn text(headers: &HeaderMap, name: &header::HeaderName, bytes_max: usize) -> Option<String> {
    // `to_str` returns ASCII only, so every byte index is a character boundary.
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.get(..bytes_max).unwrap_or(text).to_owned())
}

fn redirect(trac: &Trac, request: &Parts, link: &KnownLink, id: Option<&ClickId>) -> Response {
    let location = location(&link.destination, request.uri.query(), id);
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    match HeaderValue::try_from(location) {
        Ok(location) => headers.insert(header::LOCATION, location),
        Err(_) => return Problem::not_found("link").into_response(),
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let (Some(id), Some(name)) = (id, dialect::TRAC.cookies.first()) {
        let attributes = Attributes {
            domain: trac.hosts.cookie_domain(|| trac.proxies.host(request)),
            days: COOKIE_DAYS,
            secure: trac.public_url.starts_with("https://"),
        };
        if let Ok(cookie) = HeaderValue::from_str(&cookie::set(name, id, &attributes)) {
            headers.insert(header::SET_COOKIE, cookie);
        }
    }
    response
}
