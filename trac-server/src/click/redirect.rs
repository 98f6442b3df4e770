//! `GET /s/{slug}` and `GET /s/{program}/{code}`: tracked links; under `/t/`, those of test mode. The click is on disk before the visitor is sent on; if it
//! cannot be, or not in time, the visitor is sent on without one.

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
use super::record::{Patience, Written, record};
use super::visit::{NotCounted, judge};
use super::visitor::Trail;
use crate::api::fields::is_of_token;
use crate::id::random_bits;
use crate::problem::Problem;
use crate::store::click::{Condition, NewClick};
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;
use crate::trac::known_links::{KnownLink, LINKS_MAX, LinkName};

const COOKIE_DAYS: u32 = 90;
/// How much of a referrer is kept, in bytes: enough for a site and a page.
const REFERRER_MAX: usize = 256;
/// How much of a browser's name is looked at.
const AGENT_MAX: usize = 2_048;
/// How much of what a caller accepts is looked at.
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
    // Programs that pass links on like to end them with a slash.
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

/// The link of a plain visit: somebody goes to `/s/{slug}` as links are shown, and brings nothing along. What else can be asked
/// of a link, or otherwise, is for the routes.
pub(crate) fn plain_visit<B: HttpBody>(request: &Request<B>) -> Option<LinkName> {
    let slug = request.uri().path().strip_prefix("/s/").filter(|slug| !slug.is_empty())?;
    let is_visit = request.method() == Method::GET && request.body().is_end_stream();
    (is_visit && slug.bytes().all(is_of_token)).then(|| LinkName::Slug(slug.to_owned()))
}

/// Answers a visit of a link as its route does, to pages of any origin.
pub(crate) async fn visit(trac: &Trac, name: LinkName, request: &Parts) -> Response {
    let mut response = follow(trac, name, request).await.into_response();
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

async fn follow(trac: &Trac, name: LinkName, request: &Parts) -> Result<Response, Problem> {
    let patience = Patience::begin(trac);
    let judged = judge(&request.method, &request.headers).and_then(|()| within_limit(trac, request));
    let mut is_lost = false;
    if judged.is_ok()
        && let Some(link) = remembered(trac, &name)
    {
        // Compared when the click is kept, the link need not be read before.
        match click(trac, &link, request, Some(Arc::<KnownLink>::clone(&link)), patience).await {
            Written::Yes(id) => return Ok(redirect(trac, request, &link, Some(&id))),
            Written::No => {}
            Written::Lost => is_lost = true,
        }
    }
    // Not the common way: its room is taken when it is needed.
    let Some(link) = Box::pin(find(trac, name, patience)).await? else {
        let is_page = prefers_html(&request.headers);
        return if is_page { Ok(unknown_page()) } else { Err(Problem::not_found("link")) };
    };
    match if link.is_archived { Err(NotCounted::Archived) } else { judged } {
        Ok(()) if is_lost => {}
        Ok(()) => {
            if let Written::Yes(id) = Box::pin(click(trac, &link, request, None, patience)).await {
                return Ok(redirect(trac, request, &link, Some(&id)));
            }
        }
        Err(why) => not_counted::count(trac, &link, why),
    }
    Ok(redirect(trac, request, &link, None))
}

/// Counts a visit for its address; beyond the limit it is not recorded.
fn within_limit(trac: &Trac, request: &Parts) -> Result<(), NotCounted> {
    let counted = trac.limits.visits.count(trac.proxies.caller(request), trac.clock.unix_millis());
    counted.map_err(|_| NotCounted::Flood)
}

/// The link as it was last heard of under this very name, if it leads its visitors on. Another case may name another partner's.
fn remembered(trac: &Trac, name: &LinkName) -> Option<Arc<KnownLink>> {
    trac.last_known.link(&name.path()).filter(|link| link.name == *name && !link.is_archived)
}

/// Writes the visitor's click down.
async fn click(
    trac: &Trac,
    link: &KnownLink,
    request: &Parts,
    only_if: Option<Arc<dyn Condition>>,
    patience: Patience,
) -> Written {
    let agent = text(&request.headers, &header::USER_AGENT, AGENT_MAX);
    let trail = Trail::new(trac.proxies.caller(request), agent.as_deref());
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
    record(trac, &link.scope, click, trail, only_if, patience).await
}

/// The link, as the store says, or as it said when it could be read in time; `None` where there is none.
async fn find(trac: &Trac, name: LinkName, patience: Patience) -> Result<Option<Arc<KnownLink>>, Problem> {
    let path = name.path().into_owned();
    let read = trac.store.look_up(move |tx| find::find(tx, &name));
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the store was not read in time"));
    match timeout_at(patience.store(), read).await.unwrap_or_else(late) {
        Ok(link) => {
            let link = link.map(Arc::new);
            trac.last_known.heard(&path, link.as_ref());
            Ok(link)
        }
        Err(error) => {
            let Some(link) = trac.last_known.link(&path) else { return Err(error.into()) };
            let visitors = trac.metrics.link_unread();
            // Not for each of them: a disk that is full would be filled by the log.
            if visitors.is_power_of_two() {
                tracing::error!(%error, visitors, "a link could not be read; the visitor is sent where it led before");
            }
            Ok(Some(link))
        }
    }
}

/// What a person sees at an address that no link has.
const UNKNOWN_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Unknown link</title>\n<h1>This link is unknown</h1>\n\
    <p>No page is behind this address. It may be mistyped, or the link was taken away.</p>\n</html>\n";

/// The answer to a person who follows an address that no link has.
fn unknown_page() -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'")];
    (StatusCode::NOT_FOUND, policy, Html(UNKNOWN_PAGE)).into_response()
}

/// Whether a caller takes a page rather than JSON, as browsers do: it names `text/html`, with a greater weight than `application/json`.
/// `*/*` alone names neither.
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

/// Remembers where the links lead, so that a visitor is sent on where the store cannot be read.
pub(crate) async fn remember_links(trac: &Trac) -> Result<(), StoreError> {
    let links = trac.store.read(|tx| newest(tx, LINKS_MAX)).await?;
    for link in links {
        let link = Arc::new(link);
        trac.last_known.heard(&link.name.path(), Some(&link));
    }
    Ok(())
}

/// The page a visitor came from, without its query: that may say who the visitor is.
fn referrer(headers: &HeaderMap) -> Option<String> {
    let mut page = text(headers, &header::REFERER, REFERRER_MAX)?;
    page.truncate(page.find(['?', '#']).unwrap_or(page.len()));
    Some(page)
}

/// The beginning of a header; `None` for one that is no text.
fn text(headers: &HeaderMap, name: &header::HeaderName, bytes_max: usize) -> Option<String> {
    // What is text here is ASCII.
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
