//! Authentication: the key determines workspace and mode.
//!
//! Keys are random, so a plain SHA-256 is enough to look them up; the key itself is not stored.

pub(crate) mod role;
mod merchant;
pub(crate) mod totp_secret;

pub(crate) use merchant::{Actor, ActorKind, Merchant};

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
use crate::store::{Everywhere, Scope, StoreError, calls, mode_of};
use crate::trac::Trac;
use crate::trac::limit::{CALLS, WINDOW_MILLIS, seconds_to_wait};
use crate::trac::refusal::Cause;

/// The sender of leads and conversions: a page with a publishable key or the workspace's ID, or a server with
/// a secret key.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    pub(crate) scope: Scope,
    /// Whether a secret key was sent. A publishable key or workspace ID is public: any visitor can send it.
    pub(crate) is_merchant: bool,
    /// The matched route.
    route: String,
}

impl Tracker {
    /// Counts a call of this kind, or refuses it. Calls with a secret key are not counted.
    ///
    /// # Errors
    /// `429` over the limit; `503` for a page's call if the free space left on the disk is reserved for
    /// webhooks.
    pub(crate) async fn count(&self, trac: &Trac, kind: &'static str) -> Result<(), Problem> {
        if self.is_merchant {
            return Ok(());
        }
        trac.store.has_room_for_pages()?;
        within_limit(trac, &self.scope, &self.route, kind).await
    }
}

/// Counts a page's call against the limit of the caller's IP address, or refuses it. Checked before the
/// workspace's limit, so that refused calls of one visitor do not count against the workspace.
pub(crate) fn within_address_limit(trac: &Trac, caller: Option<IpAddr>) -> Result<(), Problem> {
    trac.limits.calls.count(caller, trac.clock.unix_millis()).map_err(Problem::too_many_calls)
}

/// Counts a call of this kind for its workspace, or refuses it and records the refusal.
pub(crate) async fn within_limit(
    trac: &Trac,
    scope: &Scope,
    route: &str,
    kind: &'static str,
) -> Result<(), Problem> {
    let now_millis = trac.clock.unix_millis();
    let counted = trac.limits.workspaces.count(&(scope.clone(), kind), now_millis);
    let counted = match counted {
        Ok(()) => count_at_all_nodes(trac, scope, kind, now_millis).await,
        refused => refused,
    };
    refuse_by_count(trac, scope, route, counted).await
}

/// Counts a call that this server would accept with those of the other servers on its database. While the database
/// is away, this server's count decides.
async fn count_at_all_nodes(
    trac: &Trac,
    scope: &Scope,
    kind: &'static str,
    now_millis: i64,
) -> Result<(), u32> {
    let limit = i64::try_from(CALLS).unwrap_or(i64::MAX);
    match calls::count(&trac.store, scope, kind, (now_millis, WINDOW_MILLIS, limit)).await {
        Ok(Some(oldest)) => Err(seconds_to_wait(oldest, now_millis)),
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::debug!(%error, "calls at other servers could not be counted");
            Ok(())
        }
    }
}

/// Refuses a call, and records that, if [`within_limit`] would. The call is not counted yet, so that a call
/// that fails later does not count against the limit.
pub(crate) async fn refuse_if_over_limit(
    trac: &Trac,
    scope: &Scope,
    route: &str,
    kind: &'static str,
) -> Result<(), Problem> {
    let room = trac.limits.workspaces.has_room(&(scope.clone(), kind), trac.clock.unix_millis());
    refuse_by_count(trac, scope, route, room).await
}

/// Refuses a call, and records that, if `counted` is `Err` with the seconds to wait.
async fn refuse_by_count(
    trac: &Trac,
    scope: &Scope,
    route: &str,
    counted: Result<(), u32>,
) -> Result<(), Problem> {
    let Err(secs) = counted else { return Ok(()) };
    trac.record_refusal(scope, route, Cause::RateLimited, "").await;
    Err(Problem::rate_limited(secs))
}

/// The route of a request, as mounted.
pub(crate) fn route(extensions: &Extensions) -> &str {
    extensions.get::<MatchedPath>().map_or("none", MatchedPath::as_str)
}

impl FromRequestParts<Trac> for Tracker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Problem> {
        // An empty header counts as absent: a page's template may have no value for it.
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
            let Merchant { scope, .. } = Merchant::from_request_parts(parts, trac).await?;
            return Ok(Self { scope, is_merchant: true, route: String::new() });
        }
        within_address_limit(trac, trac.proxies.caller(parts))?;
        let route = route(&parts.extensions).to_owned();
        if let Some(key) = key {
            let key = Key::publishable(trac, &route, key, &parts.headers).await?;
            return Ok(Self { scope: key.scope, is_merchant: false, route });
        }
        let Some(id) = workspace_id else {
            let cause = key_refusal(trac, &route, None, "publishable").await?;
            return Err(unknown_caller(cause));
        };
        let now = trac.clock.now();
        let found = trac.store.look_up(move |tx| workspace_scope(tx, &id, mode, now)).await?;
        if let Some((scope, allowed)) = found {
            require_allowed_origin(trac, &scope, &route, allowed.as_deref(), &parts.headers).await?;
            return Ok(Self { scope, is_merchant: false, route });
        }
        if let Some(only) = only_workspace(trac).await? {
            trac.record_refusal(&Scope::new(&only, mode), &route, Cause::WorkspaceUnknown, "").await;
        }
        Err(unknown_caller(Cause::WorkspaceUnknown))
    }
}

/// `401` for an unknown caller, with the header to send.
fn unknown_caller(cause: Cause) -> Problem {
    let message = format!(
        "{} Send a publishable key, `x-publishable-key: pk_…`, or the workspace's ID, `x-workspace-id: ws_…`.",
        cause.meaning()
    );
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
}

/// Records that a key was refused, and returns why. An unknown or missing key is recorded in the server's
/// workspace if it has only one.
pub(crate) async fn key_refusal(
    trac: &Trac,
    route: &str,
    key: Option<String>,
    wanted: &str,
) -> Result<Cause, StoreError> {
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        record_refusal_in_only_workspace(trac, route, Cause::KeyMissing, &[Mode::Test, Mode::Live]).await?;
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
        trac.record_refusal(&Scope::new(&workspace_id, mode_of(&mode)), route, cause, "").await;
        return Ok(cause);
    }
    let modes: &[Mode] = match key.get(..8) {
        Some("pk_test_" | "sk_test_") => &[Mode::Test],
        Some("pk_live_" | "sk_live_") => &[Mode::Live],
        _ => &[Mode::Test, Mode::Live],
    };
    record_refusal_in_only_workspace(trac, route, Cause::KeyUnknown, modes).await?;
    Ok(Cause::KeyUnknown)
}

/// Records a refused call of an unknown workspace in the server's only workspace, in these modes.
pub(crate) async fn record_refusal_in_only_workspace(
    trac: &Trac,
    route: &str,
    cause: Cause,
    modes: &[Mode],
) -> Result<(), StoreError> {
    let Some(only) = only_workspace(trac).await? else { return Ok(()) };
    for mode in modes {
        trac.record_refusal(&Scope::new(&only, *mode), route, cause, "").await;
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

/// The scope of a workspace's ID, and the origins whose pages may use it; `None` for all.
type ScopeAndOrigins = (Scope, Option<Vec<String>>);

/// The scope of a workspace by its ID, if it exists, and the origins whose pages may use the ID: those of its
/// active publishable keys, or all if one of them allows all or there are none.
fn workspace_scope(
    tx: Everywhere<'_>,
    id: &str,
    mode: Mode,
    now: Timestamp,
) -> Result<Option<ScopeAndOrigins>, StoreError> {
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

/// Refuses a page of an origin that is not allowed, and records that. If `allowed` is `None`, all are.
///
/// # Errors
/// `403`.
async fn require_allowed_origin(
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
    trac.record_refusal(scope, route, Cause::OriginNotAllowed, "").await;
    Err(Problem::origin_not_allowed())
}

/// The token of `Bearer <token>`; the scheme matches in any case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// An active secret key; `None` for a publishable, revoked, expired or unknown one.
pub(crate) async fn secret_key(trac: &Trac, key: String) -> Result<Option<Key>, StoreError> {
    Key::find(trac, key, "secret").await
}

/// An active key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) scope: Scope,
    pub(crate) hash: [u8; 32],
    id: String,
    /// Its name, else its hint.
    name: String,
    /// The origins whose pages may use it; `None` for all.
    allowed_origins: Option<Vec<String>>,
}

impl Key {
    /// The key as the actor of a change.
    pub(crate) fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Key, id: self.id.clone(), name: self.name.clone() }
    }

    /// A publishable key, sent by a page that may use it.
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
            let cause = key_refusal(trac, route, Some(key), "publishable").await?;
            return Err(unknown_caller(cause));
        };
        require_allowed_origin(trac, &found.scope, route, found.allowed_origins.as_deref(), headers).await?;
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
        let sql = "SELECT workspace_id, mode, allowed_origins, id, coalesce(name, prefix || '_…' || last_four) FROM api_key \
                   WHERE hash = ?1 AND kind = ?2 \
                   AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)";
        let found = tx.one(sql, args![hash, kind, now], |row| {
            let (workspace_id, mode): (String, String) = (row.get(0)?, row.get(1)?);
            let (id, name): (String, String) = (row.get(3)?, row.get(4)?);
            Ok((Scope::new(&workspace_id, mode_of(&mode)), row.get::<Option<String>>(2)?, id, name))
        })?;
        let Some((scope, origins, id, name)) = found else { return Ok(None) };
        let allowed_origins = origins.map(|text| serde_json::from_str(&text)).transpose()?;
        Ok(Some(Self { scope, hash, id, name, allowed_origins }))
    }
}

/// The stored hash of a key.
pub(crate) fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_a_bearer_token_matches_in_any_case() {
        let check = |header: &str, want: Option<&str>| assert_eq!(bearer(header), want, "{header}");
        check("Bearer sk_test_1", Some("sk_test_1"));
        check("bearer  sk_test_1 ", Some("sk_test_1"));
        check("Basic c2s6", None);
        check("sk_test_1", None);
        check("", None);
    }
}
