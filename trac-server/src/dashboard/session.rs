//! Who looks at the dashboard: a random token in a cookie that no script reads and no other site sends.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use rusqlite::{Connection, OptionalExtension as _, params};
use trac_core::program::Mode;
use trac_core::time::{DAY_SECS, Timestamp};

use crate::access::key_hash;
use crate::id::random_hex;
use crate::store::{Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;

const COOKIE: &str = "trac_session";
/// How long a session lasts.
const SESSION_SECS: i64 = 7 * DAY_SECS;
/// How long the link of a new workspace waits to be used.
pub(crate) const LINK_SECS: i64 = 7 * DAY_SECS;

/// A visitor who showed a key or a link, and so the scope of everything shown.
#[derive(Clone, Debug)]
pub(super) struct Session(pub(super) Scope);

impl FromRequestParts<Trac> for Session {
    /// The way to the door.
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Response> {
        let door = if parts.uri.path().ends_with("/dashboard") { "dashboard/login" } else { "login" };
        let closed = || Redirect::to(door).into_response();
        let token = token(&parts.headers).ok_or_else(closed)?;
        let now = trac.clock.now();
        let found = trac.store.read(move |connection| find(connection, "session", &token, now)).await;
        match found {
            Ok(Some(scope)) => Ok(Self(scope)),
            Ok(None) => Err(closed()),
            Err(error) => Err(crate::problem::Problem::from(error).into_response()),
        }
    }
}

/// The session's token in the cookies.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == COOKIE && !value.is_empty()).then(|| value.to_owned()))
}

/// The cookie of a token; an empty one takes it away.
pub(super) fn cookie(trac: &Trac, token: &str) -> Option<HeaderValue> {
    let secure = if trac.public_url.starts_with("https://") { "; Secure" } else { "" };
    let life_secs = if token.is_empty() { 0 } else { SESSION_SECS };
    let line = format!("{COOKIE}={token}; Path=/; Max-Age={life_secs}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&line).ok()
}

/// Begins a session; answers its token.
pub(super) async fn begin(trac: &Trac, scope: Scope) -> Result<String, StoreError> {
    let token = random_hex::<32>();
    let (kept, now) = (token.clone(), trac.clock.now());
    let begun = trac.store.write(Priority::Api, move |tx| {
        tx.execute("DELETE FROM dashboard_token WHERE expires_at < ?1", [now.unix_secs()])?;
        insert(tx, "session", &kept, scope.workspace_id(), scope.mode(), now.plus_secs(SESSION_SECS))
    });
    begun.await.map(|()| token)
}

/// Ends a session.
pub(super) async fn end(trac: &Trac, token: String) -> Result<(), StoreError> {
    let ended = trac.store.write(Priority::Api, move |tx| {
        tx.execute("DELETE FROM dashboard_token WHERE hash = ?1", [key_hash(&token).as_slice()])?;
        Ok(())
    });
    ended.await
}

/// Uses a link up: it opens the dashboard once.
pub(super) async fn redeem(trac: &Trac, link: String) -> Result<Option<Scope>, StoreError> {
    let now = trac.clock.now();
    let redeemed = trac.store.write(Priority::Api, move |tx| {
        let scope = find(tx, "link", &link, now)?;
        tx.execute("DELETE FROM dashboard_token WHERE hash = ?1", [key_hash(&link).as_slice()])?;
        Ok(scope)
    });
    redeemed.await
}

/// A link that opens the dashboard once, within so many seconds.
///
/// Its token stands in the query, which is not logged.
pub(crate) fn new_link(
    connection: &Connection,
    trac: &Trac,
    scope: &Scope,
    secs: i64,
) -> Result<String, StoreError> {
    let token = random_hex::<32>();
    let until = trac.clock.now().plus_secs(secs);
    insert(connection, "link", &token, scope.workspace_id(), scope.mode(), until)?;
    Ok(format!("{}/dashboard/enter?token={token}", trac.public_url))
}

fn insert(
    connection: &Connection,
    kind: &str,
    token: &str,
    workspace_id: &str,
    mode: Mode,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO dashboard_token (hash, kind, workspace_id, mode, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            key_hash(token).as_slice(),
            kind,
            workspace_id,
            mode.as_str(),
            expires_at.unix_secs()
        ])?;
    Ok(())
}

fn find(
    connection: &Connection,
    kind: &str,
    token: &str,
    now: Timestamp,
) -> Result<Option<Scope>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT workspace_id, mode FROM dashboard_token WHERE hash = ?1 AND kind = ?2 AND expires_at >= ?3",
    )?;
    let found = statement.query_row(params![key_hash(token).as_slice(), kind, now.unix_secs()], |row| {
        Ok(Scope::new(&row.get::<_, String>(0)?, mode_of(&row.get::<_, String>(1)?)))
    });
    Ok(found.optional()?)
}
