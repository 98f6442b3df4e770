//! Sessions of the dashboard: a random token in a cookie that scripts cannot read (`HttpOnly`) and other sites
//! cannot send (`SameSite=Strict`).
//!
//! A session ends when the key that began it is revoked or rolled. During the overlap after a roll, the old
//! key can still begin sessions, which end when the overlap does. Every session ends after seven days, and
//! after twelve hours without a request for a page.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::{Value, json};
use trac_core::time::{DAY_SECS, Timestamp};

use crate::access::key_hash;
use crate::api::list::{time, word};
use crate::id::random_hex;
use crate::store::rows::{Rows, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;

const COOKIE: &str = "trac_session";
/// The name over https, under which no other host and no plain http can set a cookie.
/// Source: <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis-22#section-4.1.3.2>.
const HOST_COOKIE: &str = "__Host-trac_session";
/// How long a session lasts.
const SESSION_SECS: i64 = 7 * DAY_SECS;
/// How long a session lasts without a request for a page.
const IDLE_SECS: i64 = 12 * 3_600;
/// `seen_at` is updated at most this often, so that not every request for a page writes.
const SEEN_SECS: i64 = 600;
/// How long the link of a new workspace is valid.
pub(crate) const LINK_SECS: i64 = 7 * DAY_SECS;

/// Extracts the scope of the session; rejects a request without a valid session.
#[derive(Clone, Debug)]
pub(super) struct Session(pub(super) Scope);

impl FromRequestParts<Trac> for Session {
    /// A redirect to the login page.
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Response> {
        let sign_in = if parts.uri.path().ends_with("/dashboard") { "dashboard/login" } else { "login" };
        let closed = || Redirect::to(sign_in).into_response();
        let token = token(trac, &parts.headers).ok_or_else(closed)?;
        let now = trac.clock.now();
        let wanted = token.clone();
        let found = trac.store.read(move |tx| find(tx, "session", &wanted, now)).await;
        match found {
            Ok(Some(Found { scope, seen_at, .. })) => {
                // The script of an open page sends these requests, even if the page is not looked at.
                let is_from_script = ["/changes", "/live"].iter().any(|end| parts.uri.path().ends_with(end));
                if !is_from_script && seen_at.is_none_or(|seen| now.secs_since(seen) >= SEEN_SECS) {
                    record_seen(trac, token, now);
                }
                Ok(Self(scope))
            }
            Ok(None) => Err(closed()),
            Err(error) => Err(crate::problem::Problem::from(error).into_response()),
        }
    }
}

/// Records the time of a request for a page. The response does not wait for the write.
fn record_seen(trac: &Trac, token: String, now: Timestamp) {
    drop(trac.store.write(Priority::Api, move |tx| {
        tx.write("UPDATE dashboard_token SET seen_at = ?2 WHERE hash = ?1", args![key_hash(&token), now])
    }));
}

/// The name of the cookie.
fn cookie_name(trac: &Trac) -> &'static str {
    if trac.is_https() { HOST_COOKIE } else { COOKIE }
}

/// The session's token in the cookies.
pub(super) fn token(trac: &Trac, headers: &HeaderMap) -> Option<String> {
    let wanted = cookie_name(trac);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == wanted && !value.is_empty()).then(|| value.to_owned()))
}

/// The `Set-Cookie` value for a token; an empty token removes the cookie.
pub(super) fn cookie(trac: &Trac, token: &str) -> Option<HeaderValue> {
    let secure = if trac.is_https() { "; Secure" } else { "" };
    let life_secs = if token.is_empty() { 0 } else { SESSION_SECS };
    let name = cookie_name(trac);
    let line = format!("{name}={token}; Path=/; Max-Age={life_secs}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&line).ok()
}

/// Begins a session and returns its token. `key` is the hash of the key that was entered, if any.
pub(super) async fn begin(trac: &Trac, scope: Scope, key: Option<[u8; 32]>) -> Result<String, StoreError> {
    let token = random_hex::<32>();
    let (stored, now) = (token.clone(), trac.clock.now());
    let begun = trac.store.write(Priority::Api, move |tx| {
        tx.write("DELETE FROM dashboard_token WHERE expires_at < ?1", args![now])?;
        insert(tx.within(&scope), "session", &stored, now.plus_secs(SESSION_SECS))?;
        let sql = "UPDATE dashboard_token SET begun_at = ?2, seen_at = ?2, key_hash = ?3 WHERE hash = ?1";
        tx.write(sql, args![key_hash(&stored), now, key])?;
        Ok(())
    });
    begun.await.map(|()| token)
}

/// Ends a session.
pub(super) async fn end(trac: &Trac, token: String) -> Result<(), StoreError> {
    let ended = trac.store.write(Priority::Api, move |tx| {
        tx.write("DELETE FROM dashboard_token WHERE hash = ?1", args![key_hash(&token)])?;
        Ok(())
    });
    ended.await
}

/// Redeems a link, which is valid once. Returns its scope, or `None` if the link is invalid.
pub(super) async fn redeem(trac: &Trac, link: String) -> Result<Option<Scope>, StoreError> {
    let now = trac.clock.now();
    let redeemed = trac.store.write(Priority::Api, move |tx| {
        let scope = find(tx, "link", &link, now)?.map(|found| found.scope);
        let deleted = tx.write("DELETE FROM dashboard_token WHERE hash = ?1", args![key_hash(&link)])?;
        // Two requests may redeem it at once: one of them deletes it.
        Ok(scope.filter(|_| deleted > 0))
    });
    redeemed.await
}

/// Makes a link that opens the dashboard once, within `secs` seconds.
///
/// Its token is in the query, which is not logged.
pub(crate) fn new_link(rows: Rows<'_>, trac: &Trac, secs: i64) -> Result<String, StoreError> {
    let token = random_hex::<32>();
    let until = trac.clock.now().plus_secs(secs);
    insert(rows, "link", &token, until)?;
    Ok(format!("{}/dashboard/enter?token={token}", trac.public_url))
}

fn insert(rows: Rows<'_>, kind: &str, token: &str, expires_at: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO dashboard_token (workspace_id, mode, hash, kind, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    rows.write(sql, args![key_hash(token), kind, expires_at])?;
    Ok(())
}

/// The session or link of a token.
struct Found {
    scope: Scope,
    seen_at: Option<Timestamp>,
}

fn find(tx: Everywhere<'_>, kind: &str, token: &str, now: Timestamp) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT workspace_id, mode, seen_at FROM dashboard_token AS t WHERE hash = ?1 AND kind = ?2 \
               AND expires_at >= ?3 AND (seen_at IS NULL OR seen_at >= ?4) AND (key_hash IS NULL OR EXISTS \
               (SELECT 1 FROM api_key AS k WHERE k.hash = t.key_hash AND k.revoked_at IS NULL \
               AND (k.expires_at IS NULL OR k.expires_at > ?3)))";
    tx.one(sql, args![key_hash(token), kind, now, now.plus_secs(-IDLE_SECS)], |row| {
        let scope = Scope::new(&row.get::<String>(0)?, mode_of(&row.get::<String>(1)?));
        Ok(Found { scope, seen_at: row.get(2)? })
    })
}

/// The active sessions and unused links, of a workspace or of all.
pub(crate) async fn sessions(trac: &Trac, workspace: Option<&str>) -> Result<Vec<Value>, StoreError> {
    let (now, workspace) = (trac.clock.now(), workspace.map(ToOwned::to_owned));
    let read = trac.store.read(move |tx| {
        let sql = "SELECT t.kind, t.workspace_id, w.name, t.mode, t.begun_at, t.seen_at, t.expires_at, \
             k.prefix || '_…' || k.last_four AS key FROM dashboard_token AS t \
             JOIN workspace AS w ON w.id = t.workspace_id LEFT JOIN api_key AS k ON k.hash = t.key_hash \
             WHERE (CAST(?1 AS TEXT) IS NULL OR t.workspace_id = ?1) AND t.expires_at >= ?2 AND (t.seen_at IS NULL OR t.seen_at >= ?3) \
             AND (t.key_hash IS NULL OR (k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?2))) \
             ORDER BY t.workspace_id, t.mode, t.begun_at NULLS FIRST";
        tx.all(sql, args![workspace, now, now.plus_secs(-IDLE_SECS)], |row| {
            Ok(json!({
                "kind": word(row, "kind")?,
                "workspace_id": word(row, "workspace_id")?,
                "workspace": word(row, "name")?,
                "mode": word(row, "mode")?,
                "key": word(row, "key")?,
                "begun_at": time(row, "begun_at")?,
                "seen_at": time(row, "seen_at")?,
                "expires_at": time(row, "expires_at")?,
            }))
        })
    });
    read.await
}

/// Ends all sessions and unused links, of a workspace or of all. Returns their number.
pub(crate) async fn end_sessions(trac: &Trac, workspace: Option<&str>) -> Result<usize, StoreError> {
    let workspace = workspace.map(ToOwned::to_owned);
    let ended = trac.store.write(Priority::Api, move |tx| {
        tx.write(
            "DELETE FROM dashboard_token WHERE CAST(?1 AS TEXT) IS NULL OR workspace_id = ?1",
            args![workspace],
        )
    });
    ended.await
}
