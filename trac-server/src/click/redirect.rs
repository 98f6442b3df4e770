//! `GET /s/{slug}` and `GET /s/{program}/{code}`: tracked links. The click is on disk before the visitor is sent on; if it
//! cannot be, or not in time, the visitor is sent on without one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rusqlite::Connection;
use tokio::time::timeout_at;
use trac_core::click::{ClickId, dialect};
use trac_core::cookie::{self, Attributes};

use super::extract::stored;
use super::find::{by_code, by_slug, newest};
use super::location::location;
use super::not_counted;
use super::record::{Patience, Visit, Written};
use super::visit::{NotCounted, judge};
use super::visitor::Trail;
use crate::id::random_bits;
use crate::last_known::{KnownLink, LINKS_MAX};
use crate::problem::Problem;
use crate::store::click::NewClick;
use crate::store::{Group, StoreError, StoreErrorKind};
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
#[derive(Clone)]
enum Named {
    Slug(String),
    /// A partner's newest link in a program.
    Code {
        program: String,
        code: String,
    },
}

impl Named {
    /// Under which it is remembered.
    fn path(&self) -> String {
        match self {
            Self::Slug(slug) => slug.clone(),
            Self::Code { program, code } => format!("{program}/{code}"),
        }
    }

    fn find(&self, connection: &Connection) -> Result<Option<KnownLink>, StoreError> {
        match self {
            Self::Slug(slug) => by_slug(connection, slug),
            Self::Code { program, code } => by_code(connection, program, code),
        }
    }
}

async fn follow(trac: &Trac, named: Named, request: &Parts) -> Result<Response, Problem> {
    let patience = Patience::begin();
    let judged = judge(&request.method, &request.headers);
    let untaken = match remembered(trac, &named).filter(|_| judged.is_ok()) {
        Some(link) => {
            let visit = visit(trac, &link, request);
            match if_so(trac, named.clone(), &link, &visit, patience).await {
                Written::Yes => return Ok(redirect(trac, request, &link, Some(visit.id()))),
                Written::LinkChanged => None,
                Written::Not => Some((link, visit)),
            }
        }
        None => None,
    };
    let link = find(trac, named, patience).await?;
    let recorded = match if link.is_archived { Err(NotCounted::Archived) } else { judged } {
        Ok(()) => match untaken {
            // The same click, with its ID: the store may take it after all.
            Some((known, visit)) if known == link => visit.in_spool(trac, patience).await,
            Some(_) => visit(trac, &link, request).in_spool(trac, patience).await,
            None => visit(trac, &link, request).record(trac, patience).await,
        },
        Err(why) => {
            not_counted::count(trac, &link, why);
            None
        }
    };
    Ok(redirect(trac, request, &link, recorded.as_ref()))
}

/// The link as it was last heard of, if it leads its visitors on and the store takes their clicks.
fn remembered(trac: &Trac, named: &Named) -> Option<Arc<KnownLink>> {
    let link = trac.last_known.link(&named.path())?;
    (!link.is_archived && !trac.store.takes_no_clicks()).then_some(link)
}

/// Writes the click if the link is as it is remembered: what is compared in the click's own transaction need not be read before it.
async fn if_so(
    trac: &Trac,
    named: Named,
    link: &Arc<KnownLink>,
    visit: &Visit,
    patience: Patience,
) -> Written {
    let (last_known, link) = (trac.last_known.clone(), Arc::clone(link));
    let is_so = move |group: &Group<'_>| last_known.is_so_in(group.number, &link, || named.find(group.tx));
    visit.in_store(trac, is_so, patience).await
}

fn visit(trac: &Trac, link: &KnownLink, request: &Parts) -> Visit {
    let agent = text(&request.headers, &header::USER_AGENT);
    let trail = Trail::new(trac.proxies.caller(request), agent.as_deref());
    Visit::new(&link.scope, click(trac, link, &request.headers), trail)
}

/// The link, as the store says, or as it said when it could be read in time.
async fn find(trac: &Trac, named: Named, patience: Patience) -> Result<Arc<KnownLink>, Problem> {
    let path = named.path();
    let read = trac.store.look_up(move |connection| named.find(connection));
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
