//! Who is calling: the key decides workspace and mode.
//!
//! Keys are random, so one look-up of a plain SHA-256 serves; the key itself is not kept.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::{AUTHORIZATION, ORIGIN};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use crate::problem::Problem;
use crate::store::rows::args;
use crate::store::{Everywhere, Scope, StoreError, mode_of};
use crate::trac::Trac;
use crate::trac::refusal::Cause;

/// The holder of a secret key, and so the scope of everything the request may touch.
#[derive(Clone, Debug)]
pub(crate) struct Merchant(pub(crate) Scope);

impl FromRequestParts<Trac> for Merchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(bearer).ok_or_else(Problem::unauthorized)?.to_owned();
        if let Some(key) = secret_key(trac, key.clone()).await? {
            return Ok(Self(key.scope));
        }
        let cause = turned_away(trac, route(&parts.extensions), Some(key), "secret").await?;
        Err(Problem::unauthorized_because(cause.meaning()))
    }
}

/// Whoever tells of leads and conversions: a page with a publishable key or the workspace's ID, or a server with a secret key.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    pub(crate) scope: Scope,
    /// Whether it is the merchant that speaks. What a publishable key or workspace ID tells, anybody could.
    pub(crate) is_merchant: bool,
    /// The route that was called.
    route: String,
}

impl Tracker {
    /// Counts a call of this kind, or rejects it. A merchant's own server is not counted.
    ///
    /// # Errors
    /// `429` over the limit; `503` for a page's call where the room left on the disk is kept for webhooks.
    pub(crate) async fn count(&self, trac: &Trac, kind: &'static str) -> Result<(), Problem> {
        if self.is_merchant {
            return Ok(());
        }
        trac.store.has_room_for_pages()?;
        within_limit(trac, &self.scope, &self.route, kind).await
    }
}

/// Counts a page's call for its address, or refuses it. That comes before all else: what one visitor sends uses up nothing of a
/// merchant's.
pub(crate) fn within_callers_limit(trac: &Trac, caller: Option<IpAddr>) -> Result<(), Problem> {
    trac.limits.calls.count(caller, trac.clock.unix_millis()).map_err(Problem::too_many_calls)
}

/// Counts a call of this kind for its workspace, or refuses it and notes that.
pub(crate) async fn within_limit(
    trac: &Trac,
    scope: &Scope,
    route: &str,
    kind: &'static str,
) -> Result<(), Problem> {
    let counted = trac.limits.workspaces.count(&(scope.clone(), kind), trac.clock.unix_millis());
    noted(trac, scope, route, counted).await
}

/// Refuses a call, and notes that, where [`within_limit`] would. It is not counted yet: what leads to nothing uses nothing up.
pub(crate) async fn has_room(
    trac: &Trac,
    scope: &Scope,
    route: &str,
    kind: &'static str,
) -> Result<(), Problem> {
    let room = trac.limits.workspaces.has_room(&(scope.clone(), kind), trac.clock.unix_millis());
    noted(trac, scope, route, room).await
}

async fn noted(trac: &Trac, scope: &Scope, route: &str, counted: Result<(), u32>) -> Result<(), Problem> {
    let Err(secs) = counted else { return Ok(()) };
    trac.refused(scope, route, Cause::RateLimited, "").await;
    Err(Problem::rate_limited(secs))
}

/// The route of a request, as it is mounted.
pub(crate) fn route(extensions: &Extensions) -> &str {
    extensions.get::<MatchedPath>().map_or("none", MatchedPath::as_str)
}

impl FromRequestParts<Trac> for Tracker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Problem> {
        // A template that had nothing to fill in leaves a header empty: nothing is shown by it.
        let header = |name: &str| {
            let value = parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
            value.filter(|value| !value.is_empty())
        };
        let mode = match header("x-trac-mode") {
            None | Some("live") => Mode::Live,
            Some("test") => Mode::Test,
            Some(_) => return Err(Problem::field("x-trac-mode", "must be test or live")),
        };
        let (key, workspace_id) = (header("x-publishable-key"), header("x-workspace-id"));
        let (key, workspace_id) = (key.map(ToOwned::to_owned), workspace_id.map(ToOwned::to_owned));
        if parts.headers.contains_key(AUTHORIZATION) {
            let Merchant(scope) = Merchant::from_request_parts(parts, trac).await?;
            return Ok(Self { scope, is_merchant: true, route: String::new() });
        }
        within_callers_limit(trac, trac.proxies.caller(parts))?;
        let route = route(&parts.extensions).to_owned();
        if let Some(key) = key {
            let key = Key::publishable(trac, &route, key, &parts.headers).await?;
            return Ok(Self { scope: key.scope, is_merchant: false, route });
        }
        let Some(id) = workspace_id else {
            let cause = turned_away(trac, &route, None, "publishable").await?;
            return Err(nobody(cause));
        };
        let now = trac.clock.now();
        let found = trac.store.look_up(move |tx| workspace_scope(tx, &id, mode, now)).await?;
        if let Some((scope, allowed)) = found {
            is_allowed(trac, &scope, &route, allowed.as_deref(), &parts.headers).await?;
            return Ok(Self { scope, is_merchant: false, route });
        }
        if let Some(only) = only_workspace(trac).await? {
            trac.refused(&Scope::new(&only, mode), &route, Cause::WorkspaceUnknown, "").await;
        }
        Err(nobody(Cause::WorkspaceUnknown))
    }
}

/// Nobody that is known here, and what to show.
fn nobody(cause: Cause) -> Problem {
    let message = format!(
        "{} Send a publishable key, `x-publishable-key: pk_…`, or the workspace's ID, `x-workspace-id: ws_…`.",
        cause.meaning()
    );
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
}

/// Notes that a key did not open a route, and says why. What nobody's key is, the only workspace sees, where there is one.
pub(crate) async fn turned_away(
    trac: &Trac,
    route: &str,
    key: Option<String>,
    wanted: &str,
) -> Result<Cause, StoreError> {
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        note_for_all(trac, route, Cause::KeyMissing, &[Mode::Test, Mode::Live]).await?;
        return Ok(Cause::KeyMissing);
    };
    let hash = key_hash(&key);
    let known = trac.store.read(move |tx| {
        let sql = "SELECT workspace_id, mode, kind FROM api_key WHERE hash = ?1";
        tx.one(sql, args![hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    });
    let known: Option<(String, String, String)> = known.await?;
    if let Some((workspace_id, mode, kind)) = known {
        let cause = if kind == wanted { Cause::KeyRevoked } else { Cause::KeyOfOtherKind };
        trac.refused(&Scope::new(&workspace_id, mode_of(&mode)), route, cause, "").await;
        return Ok(cause);
    }
    let modes: &[Mode] = match key.get(..8) {
        Some("pk_test_" | "sk_test_") => &[Mode::Test],
        Some("pk_live_" | "sk_live_") => &[Mode::Live],
        _ => &[Mode::Test, Mode::Live],
    };
    note_for_all(trac, route, Cause::KeyUnknown, modes).await?;
    Ok(Cause::KeyUnknown)
}

/// Notes a call that names no workspace for the only one there is, in these modes.
pub(crate) async fn note_for_all(
    trac: &Trac,
    route: &str,
    cause: Cause,
    modes: &[Mode],
) -> Result<(), StoreError> {
    let Some(only) = only_workspace(trac).await? else { return Ok(()) };
    for mode in modes {
        trac.refused(&Scope::new(&only, *mode), route, cause, "").await;
    }
    Ok(())
}

/// The workspace of a server that has only one.
async fn only_workspace(trac: &Trac) -> Result<Option<String>, StoreError> {
    let read = trac.store.read(|tx| {
        let ids = tx.all("SELECT id FROM workspace LIMIT 2", &[], |row| row.get::<String>(0))?;
        Ok(<[String; 1]>::try_from(ids).ok().map(|[only]| only))
    });
    read.await
}

/// What a workspace's ID opens, and to the pages of which origins; `None` for all.
type Named = (Scope, Option<Vec<String>>);

/// The rows of a workspace named by its ID, if there is one, and the origins whose pages may name it: those of its publishable keys,
/// unless one of them is for all, or there is none.
fn workspace_scope(
    tx: Everywhere<'_>,
    id: &str,
    mode: Mode,
    now: Timestamp,
) -> Result<Option<Named>, StoreError> {
    let sql = "SELECT (SELECT string_agg(coalesce(k.allowed_origins, 'null'), '\n') FROM api_key AS k WHERE k.workspace_id = w.id \
               AND k.mode = ?2 AND k.kind = 'publishable' AND k.revoked_at IS NULL \
               AND (k.expires_at IS NULL OR k.expires_at > ?3)) FROM workspace AS w WHERE w.id = ?1";
    let found = tx.one(sql, args![id, mode.as_str(), now], |row| row.words(0))?;
    let Some(of_keys) = found else { return Ok(None) };
    let of_keys = of_keys.iter().map(|origins| serde_json::from_str::<Option<Vec<String>>>(origins));
    let of_keys = of_keys.collect::<Result<Vec<_>, _>>()?;
    let allowed = of_keys.into_iter().collect::<Option<Vec<_>>>().filter(|of_keys| !of_keys.is_empty());
    Ok(Some((Scope::new(id, mode), allowed.map(|of_keys| of_keys.concat()))))
}

/// Refuses a page of an origin that is not allowed, and notes that. `None` allows all.
///
/// # Errors
/// `403`.
async fn is_allowed(
    trac: &Trac,
    scope: &Scope,
    route: &str,
    allowed: Option<&[String]>,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok());
    let is_allowed = allowed.is_none_or(|allowed| {
        origin.is_some_and(|origin| allowed.iter().any(|one| one.eq_ignore_ascii_case(origin)))
    });
    if is_allowed {
        return Ok(());
    }
    trac.refused(scope, route, Cause::OriginNotAllowed, "").await;
    Err(Problem::origin_not_allowed())
}

/// The token of `Bearer <token>`; the scheme's name is read in any case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A secret key that is in force; `None` for a publishable, revoked, expired or unknown one.
pub(crate) async fn secret_key(trac: &Trac, key: String) -> Result<Option<Key>, StoreError> {
    Key::find(trac, key, "secret").await
}

/// A key that is in force.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) scope: Scope,
    pub(crate) hash: [u8; 32],
    /// The origins whose pages may use it; `None` for all.
    allowed_origins: Option<Vec<String>>,
}

impl Key {
    /// A publishable key, shown by a page that may use it.
    ///
    /// # Errors
    /// `401` for a secret, revoked, expired or unknown key, `403` for a page of another origin.
    pub(crate) async fn publishable(
        trac: &Trac,
        route: &str,
        key: String,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let Some(found) = Self::find(trac, key.clone(), "publishable").await? else {
            let cause = turned_away(trac, route, Some(key), "publishable").await?;
            return Err(nobody(cause));
        };
        is_allowed(trac, &found.scope, route, found.allowed_origins.as_deref(), headers).await?;
        Ok(found)
    }

    async fn find(trac: &Trac, key: String, kind: &'static str) -> Result<Option<Self>, StoreError> {
        let now = trac.clock.now();
        let found = trac.store.look_up(move |tx| Self::read(tx, key_hash(&key), kind, now)).await?;
        if let Some(key) = &found {
            trac.key_uses.note(&trac.store, &key.scope, key.hash, now);
        }
        Ok(found)
    }

    fn read(
        tx: Everywhere<'_>,
        hash: [u8; 32],
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT workspace_id, mode, allowed_origins FROM api_key WHERE hash = ?1 AND kind = ?2 \
                   AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)";
        let found = tx.one(sql, args![hash, kind, now], |row| {
            let (workspace_id, mode): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((Scope::new(&workspace_id, mode_of(&mode)), row.get::<Option<String>>(2)?))
        })?;
        let Some((scope, origins)) = found else { return Ok(None) };
        let allowed_origins = origins.map(|text| serde_json::from_str(&text)).transpose()?;
        Ok(Some(Self { scope, hash, allowed_origins }))
    }
}

/// What is kept of a key.
pub(crate) fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_bearer_is_read_whatever_the_case_of_the_scheme() {
        let check = |header: &str, want: Option<&str>| assert_eq!(bearer(header), want, "{header}");
        check("Bearer sk_test_1", Some("sk_test_1"));
        check("bearer  sk_test_1 ", Some("sk_test_1"));
        check("Basic c2s6", None);
        check("sk_test_1", None);
        check("", None);
    }
}
