//! Who is calling: the key decides workspace and mode.
//!
//! Keys are random, so one look-up of a plain SHA-256 serves; the key itself is not kept.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

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
