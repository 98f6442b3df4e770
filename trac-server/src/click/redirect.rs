//! `GET /s/{slug}`: a tracked link. The click is on disk before the visitor is sent on; if it cannot be, the visitor
//! is sent on without one.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rusqlite::{Connection, OptionalExtension as _, params};
use trac_core::click::{ClickId, dialect};
use trac_core::cookie::{self, Attributes};

use super::clicks::{NewClick, insert};
use super::extract::stored;
use super::location::location;
use super::visit::judge;
use super::visitor;
use crate::id::random_bits;
use crate::problem::Problem;
use crate::store::{Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;

const COOKIE_DAYS: u32 = 90;
const REFERRER_MAX: usize = 2_048;

pub(super) fn routes() -> Router<Trac> {
    Router::new().route("/s/{slug}", get(follow))
}

/// A link as its slug finds it, in whatever workspace.
struct Tracked {
    scope: Scope,
    id: String,
    program_id: String,
    partner_id: String,
    destination: String,
}

async fn follow(
    State(trac): State<Trac>,
    Path(slug): Path<String>,
    request: Parts,
) -> Result<Response, Problem> {
    let query = request.uri.query().map(ToOwned::to_owned);
    let wanted = slug.clone();
    let link = match trac.store.look_up(move |connection| find(connection, &wanted)).await {
        Ok(link) => link,
        Err(error) => return stranded(&trac, &slug, query.as_deref(), error),
    };
    trac.last_known.heard(&slug, link.as_ref().map(|link| link.destination.as_str()));
    let link = link.ok_or_else(|| Problem::not_found("link"))?;
    let destination = link.destination.clone();
    let recorded = match judge(&request.method, &request.headers) {
        Ok(()) => {
            let recorded = record(&trac, link, &request).await;
            if recorded.is_none() {
                trac.metrics.click_unrecorded();
            }
            recorded
        }
        Err(why) => {
            tracing::debug!(?why, "redirected and not counted");
            None
        }
    };
    Ok(redirect(&trac, &location(&destination, query.as_deref(), recorded.as_ref()), recorded.as_ref()))
}

/// Sends the visitor where the link led when the store could be read, without a click.
fn stranded(trac: &Trac, slug: &str, query: Option<&str>, error: StoreError) -> Result<Response, Problem> {
    let Some(destination) = trac.last_known.destination(slug) else { return Err(error.into()) };
    trac.metrics.click_unrecorded();
    tracing::error!(%error, "a link could not be read; the visitor was sent where it led before");
    Ok(redirect(trac, &location(&destination, query, None), None))
}

fn find(connection: &Connection, slug: &str) -> Result<Option<Tracked>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT workspace_id, mode, id, program_id, partner_id, destination FROM link \
         WHERE slug = ?1 AND deleted_at IS NULL",
    )?;
    let found = statement.query_row([slug], |row| {
        Ok(Tracked {
            scope: Scope::new(&row.get::<_, String>(0)?, mode_of(&row.get::<_, String>(1)?)),
            id: row.get(2)?,
            program_id: row.get(3)?,
            partner_id: row.get(4)?,
            destination: row.get(5)?,
        })
    });
    Ok(found.optional()?)
}

/// Writes the click down; `None` if that failed.
async fn record(trac: &Trac, link: Tracked, request: &Parts) -> Option<ClickId> {
    let now = trac.clock.now();
    let id = ClickId::new(now.unix_secs(), random_bits());
    let headers = &request.headers;
    let address = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let trail = visitor::Trail::new(address, text(headers, &header::USER_AGENT).as_deref());
    let last_click = stored(headers);
    let mut click = NewClick {
        id: id.clone(),
        program_id: link.program_id,
        partner_id: link.partner_id,
        link_id: Some(link.id.clone()),
        clicked_at: now,
        is_unique: true,
        visitor: None,
        referrer: text(headers, &header::REFERER),
        landing_url: Some(link.destination),
    };
    let scope = link.scope;
    let written = trac.store.write(Priority::Click, move |tx| {
        click.visitor = trail.map(|trail| trail.hash(tx, &link.id, now)).transpose()?;
        let came_before = match &last_click {
            Some(last) => was_on(tx, &scope, last, &link.id)?,
            None => false,
        };
        let seen_today = match &click.visitor {
            Some(visitor) => visitor::was_here(tx, &scope, visitor)?,
            None => false,
        };
        click.is_unique = !came_before && !seen_today;
        insert(tx, &scope, &click)
    });
    match written.await {
        Ok(()) => Some(id),
        Err(error) => {
            tracing::error!(%error, "a click could not be written; the visitor was sent on without one");
            None
        }
    }
}

/// Whether a click the visitor carries was made on this very link.
fn was_on(connection: &Connection, scope: &Scope, id: &ClickId, link_id: &str) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 AND link_id = ?4",
    )?;
    Ok(statement.exists(params![scope.workspace_id(), scope.mode_str(), id.as_str(), link_id])?)
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.chars().take(REFERRER_MAX).collect())
}

fn redirect(trac: &Trac, location: &str, id: Option<&ClickId>) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(location) {
        Ok(location) => headers.insert(header::LOCATION, location),
        Err(_) => return Problem::not_found("link").into_response(),
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let (Some(id), Some(name)) = (id, dialect::TRAC.cookies.first()) {
        let attributes = Attributes {
            domain: trac.cookie_domain.as_deref(),
            days: COOKIE_DAYS,
            secure: trac.public_url.starts_with("https://"),
        };
        if let Ok(cookie) = HeaderValue::from_str(&cookie::set(name, id, &attributes)) {
            headers.insert(header::SET_COOKIE, cookie);
        }
    }
    response
}
