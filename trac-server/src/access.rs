//! Who is calling: the key decides workspace and mode.
//!
//! Keys are random, so one look-up of a plain SHA-256 serves; the key itself is not kept.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use trac_core::program::Mode;

use crate::problem::Problem;
use crate::store::{Scope, StoreError, mode_of};
use crate::trac::Trac;

/// The holder of a secret key, and so the scope of everything the request may touch.
#[derive(Clone, Debug)]
pub(crate) struct Merchant(pub(crate) Scope);

impl FromRequestParts<Trac> for Merchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(bearer).ok_or_else(Problem::unauthorized)?.to_owned();
        let scope = trac.store.read(move |connection| secret_key_scope(connection, &key)).await?;
        scope.map(Self).ok_or_else(Problem::unauthorized)
    }
}

/// Whoever tells of leads and conversions: a page with a publishable key or the workspace's ID, or a server with a secret key.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    pub(crate) scope: Scope,
    /// Whether it is the merchant that speaks. What a publishable key or workspace ID tells, anybody could.
    pub(crate) is_merchant: bool,
    /// The hash of what was shown.
    shown: [u8; 32],
}

impl Tracker {
    /// Counts a call of this kind, or refuses it. A merchant's own server is not counted.
    pub(crate) fn count(&self, trac: &Trac, kind: &str) -> Result<(), Problem> {
        if self.is_merchant {
            return Ok(());
        }
        let mut key = Sha256::new();
        key.update(kind);
        key.update(self.shown);
        let counted = trac.limiter.count(key.finalize().into(), trac.clock.unix_millis());
        counted.map_err(Problem::rate_limited)
    }
}

impl FromRequestParts<Trac> for Tracker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, trac: &Trac) -> Result<Self, Problem> {
        if parts.headers.contains_key(AUTHORIZATION) {
            let Merchant(scope) = Merchant::from_request_parts(parts, trac).await?;
            return Ok(Self { scope, is_merchant: true, shown: [0; 32] });
        }
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let (key, workspace_id) = (header("x-publishable-key"), header("x-workspace-id"));
        let mode = match header("x-trac-mode") {
            None | Some("live") => Mode::Live,
            Some("test") => Mode::Test,
            Some(_) => return Err(Problem::field("x-trac-mode", "must be test or live")),
        };
        let (key, workspace_id) = (key.map(ToOwned::to_owned), workspace_id.map(ToOwned::to_owned));
        let shown = match (&key, &workspace_id) {
            (Some(key), _) => key_hash(key),
            (None, Some(id)) => key_hash(&format!("{id} {}", mode.as_str())),
            (None, None) => return Err(nobody()),
        };
        let scope = trac.store.read(move |connection| match (key, workspace_id) {
            (Some(key), _) => publishable_key_scope(connection, &key),
            (None, Some(id)) => workspace_scope(connection, &id, mode),
            (None, None) => Ok(None),
        });
        let scope = scope.await?.ok_or_else(nobody)?;
        Ok(Self { scope, is_merchant: false, shown })
    }
}

fn nobody() -> Problem {
    let message =
        "Send a publishable key, `x-publishable-key: pk_…`, or the workspace's ID, `x-workspace-id: ws_…`.";
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
}

/// The rows of a workspace named by its ID, if there is one.
fn workspace_scope(connection: &Connection, id: &str, mode: Mode) -> Result<Option<Scope>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM workspace WHERE id = ?1")?;
    Ok(statement.exists([id])?.then(|| Scope::new(id, mode)))
}

/// The token of `Bearer <token>`; the scheme's name is read in any case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What a secret key opens; `None` for a publishable, revoked or unknown one.
pub(crate) fn secret_key_scope(connection: &Connection, key: &str) -> Result<Option<Scope>, StoreError> {
    key_scope(connection, key, "secret")
}

/// Where a publishable key may track; `None` for a secret, revoked or unknown one.
pub(crate) fn publishable_key_scope(connection: &Connection, key: &str) -> Result<Option<Scope>, StoreError> {
    key_scope(connection, key, "publishable")
}

fn key_scope(connection: &Connection, key: &str, kind: &str) -> Result<Option<Scope>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT workspace_id, mode FROM api_key WHERE hash = ?1 AND kind = ?2 AND revoked_at IS NULL",
    )?;
    let scope = statement.query_row(params![key_hash(key).as_slice(), kind], |row| {
        let (workspace_id, mode): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Scope::new(&workspace_id, mode_of(&mode)))
    });
    Ok(scope.optional()?)
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
