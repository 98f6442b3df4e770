//! `GET /s/{slug}` and `GET /s/{program}/{code}`: tracked links. The click is on disk before the visitor is sent on; if it
//! cannot be, or not in time, the visitor is sent on without one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::time::timeout_at;
use trac_core::click::{ClickId, dialect};
use trac_core::cookie::{self, Attributes};

use super::extract::stored;
use super::find::{by_code, by_slug, newest};
use super::location::location;
use super::not_counted;
use super::record::{Patience, record};
use super::visit::{NotCounted, judge};
use super::visitor::Trail;
use crate::id::random_bits;
use crate::last_known::{KnownLink, LINKS_MAX};
use crate::problem::Problem;
use crate::store::click::NewClick;
use crate::store::{StoreError, StoreErrorKind};
use crate::trac::Trac;

const COOKIE_DAYS: u32 = 90;
const REFERRER_MAX: usize = 2_048;

pub(super) fn routes() -> Router<Trac> {
    let slug = async |State(trac): State<Trac>, Path(slug): Path<String>, request: Parts| {
        follow(&trac, Named::Slug(slug), &request).await
    };
    let code =
        async |State(trac): State<Trac>, Path((program, code)): Path<(String, String)>, request: Parts| {
            follow(&trac, Named::Code { program, code }, &request).await
        };
    // Programs that pass links on like to end them with a slash.
    Router::new()
        .route("/s/{slug}", get(slug))
        .route("/s/{slug}/", get(slug))
        .route("/s/{program}/{code}", get(code))
        .route("/s/{program}/{code}/", get(code))
}

/// What a path names.
enum Named {
    Slug(String),
    /// A partner's newest link in a program.
    Code {
        program: String,
        code: String,
    },
}

async fn follow(trac: &Trac, named: Named, request: &Parts) -> Result<Response, Problem> {
    let patience = Patience::begin();
    let link = find(trac, named, patience).await?;
    let query = request.uri.query();
    let visit =
        if link.is_archived { Err(NotCounted::Archived) } else { judge(&request.method, &request.headers) };
    let recorded = match visit {
        Ok(()) => {
            let trail = Trail::new(
                trac.proxies.caller(request),
                text(&request.headers, &header::USER_AGENT).as_deref(),
            );
            record(trac, &link.scope, click(trac, &link, &request.headers), trail, patience).await
        }
        Err(why) => {
            not_counted::count(trac, &link, why);
            None
        }
    };
    Ok(redirect(trac, request, &location(&link.destination, query, recorded.as_ref()), recorded.as_ref()))
}

/// The link, as the store says, or as it said when it could be read in time.
async fn find(trac: &Trac, named: Named, patience: Patience) -> Result<Arc<KnownLink>, Problem> {
    let path = match &named {
        Named::Slug(slug) => slug.clone(),
        Named::Code { program, code } => format!("{program}/{code}"),
    };
    let read = trac.store.look_up(move |connection| match &named {
        Named::Slug(slug) => by_slug(connection, slug),
        Named::Code { program, code } => by_code(connection, program, code),
    });
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the store was not read in time"));
    match timeout_at(patience.store(), read).await.unwrap_or_else(late) {
        Ok(link) => {
            let link = link.map(Arc::new);
            trac.last_known.heard(&path, link.as_ref());
            link.ok_or_else(|| Problem::not_found("link"))
        }
        Err(error) => {
            let Some(link) = trac.last_known.link(&path) else { return Err(error.into()) };
            tracing::error!(%error, "a link could not be read; the visitor is sent where it led before");
            Ok(link)
        }
    }
}

/// Remembers where the links lead, so that a visitor is sent on where the store cannot be read.
pub(crate) async fn remember_links(trac: &Trac) -> Result<(), StoreError> {
    let links = trac.store.read(|connection| newest(connection, LINKS_MAX)).await?;
    for (slug, link) in links {
        trac.last_known.heard(&slug, Some(&Arc::new(link)));
    }
    Ok(())
}

fn click(trac: &Trac, link: &KnownLink, headers: &HeaderMap) -> NewClick {
    let now = trac.clock.now();
    NewClick {
        id: ClickId::new(now.unix_secs(), random_bits()),
        program_id: link.program_id.clone(),
        partner_id: link.partner_id.clone(),
        link_id: Some(link.id.clone()),
        clicked_at: now,
        is_unique: None,
        visitor: None,
        last_click: stored(headers),
        referrer: text(headers, &header::REFERER),
        landing_url: Some(link.destination.clone()),
    }
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.chars().take(REFERRER_MAX).collect())
}

fn redirect(trac: &Trac, request: &Parts, location: &str, id: Option<&ClickId>) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(location) {
        Ok(location) => headers.insert(header::LOCATION, location),
        Err(_) => return Problem::not_found("link").into_response(),
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let (Some(id), Some(name)) = (id, dialect::TRAC.cookies.first()) {
        let host = trac.proxies.host(request);
        let attributes = Attributes {
            domain: trac.hosts.cookie_domain(host.as_deref()),
            days: COOKIE_DAYS,
            secure: trac.public_url.starts_with("https://"),
        };
        if let Ok(cookie) = HeaderValue::from_str(&cookie::set(name, id, &attributes)) {
            headers.insert(header::SET_COOKIE, cookie);
        }
    }
    response
}
