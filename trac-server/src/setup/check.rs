//! The check of the script on a merchant's page: a link with a token, and the report that the page sends with it.
//!
//! # Wire form
//! `POST /api/v1/setup/script-check {"page"}` → `{"url"}`, the page's URL with `trac_verify={token}` in its query. The
//! script on that page loads `/trac-verify.js`, which sends `POST /v1/setup/script-check {"token", "report"}`. A token
//! is valid for an hour and for one report. The table has its hash only.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use trac_core::time::Timestamp;

use super::report::{KeyOwner, Report};
use crate::access::{Merchant, key_hash, within_address_limit};
use crate::api::fields::{Fields, Wrong};
use crate::click::destination;
use crate::id::random_hex;
use crate::problem::Problem;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Everywhere, Priority, Scope, StoreError, mode_of};
use crate::trac::Trac;

/// The parameter of the page's URL.
const PARAMETER: &str = "trac_verify";
/// How long a token is valid.
pub(super) const VALID_SECS: i64 = 3_600;
/// The largest report.
pub(super) const BODY_LIMIT_BYTES: usize = 16 << 10;

/// A check that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) page: String,
    pub(super) created_at: Timestamp,
    pub(super) reported_at: Option<Timestamp>,
    pub(super) report: Option<Report>,
}

/// The check that was started last, if any.
///
/// # Errors
/// The store's.
pub(super) fn latest_check(rows: Rows<'_>) -> Result<Option<Check>, StoreError> {
    one(rows, "ORDER BY created_at DESC, reported_at IS NOT NULL, hash")
}

/// The check that was reported last, if any.
pub(super) fn latest_report(rows: Rows<'_>) -> Result<Option<Check>, StoreError> {
    one(rows, "AND reported_at IS NOT NULL ORDER BY reported_at DESC, hash")
}

fn one(rows: Rows<'_>, which: &str) -> Result<Option<Check>, StoreError> {
    let sql = format!(
        "SELECT page, created_at, reported_at, report FROM script_check WHERE workspace_id = ?1 AND mode = ?2 {which} LIMIT 1"
    );
    let read = |row: &Row<'_>| {
        let report: Option<String> = row.get(3)?;
        let report = report.map(|report| serde_json::from_str(&report)).transpose()?;
        Ok(Check { page: row.get(0)?, created_at: row.get(1)?, reported_at: row.get(2)?, report })
    };
    rows.one(&sql, &[], read)
}

/// `POST /api/v1/setup/script-check`.
pub(super) async fn start(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let page = fields.need("page", page).unwrap_or_default();
    fields.finish()?;
    let (token, now) = (random_hex::<16>(), trac.clock.now());
    let url = with_token(&page, &token);
    let started = trac.store.write_in(&caller.scope, Priority::Api, move |rows| {
        // The last report stays: it is the evidence of the step.
        rows.write(
            "DELETE FROM script_check WHERE workspace_id = ?1 AND mode = ?2 AND created_at < ?3 AND (reported_at IS NULL \
             OR reported_at < (SELECT max(reported_at) FROM script_check WHERE workspace_id = ?1 AND mode = ?2))",
            args![now.plus_secs(-VALID_SECS)],
        )?;
        rows.write(
            "INSERT INTO script_check (workspace_id, mode, hash, page, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            args![key_hash(&token), page, now],
        )
    });
    started.await?;
    Ok((StatusCode::CREATED, Json(json!({ "url": url }))))
}

fn page(value: &Value) -> Result<String, Wrong> {
    destination(value)
}

/// The page's URL with a token. An older token is replaced; the rest of the query and the fragment stay.
fn with_token(page: &str, token: &str) -> String {
    let (address, fragment) = match page.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (page, String::new()),
    };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(PARAMETER);
    let mut pairs: Vec<_> = query.split('&').filter(is_other).map(ToOwned::to_owned).collect();
    pairs.push(format!("{PARAMETER}={token}"));
    format!("{path}?{}{fragment}", pairs.join("&"))
}

/// `POST /v1/setup/script-check`, from a page: stores the report of a valid token, once.
pub(super) async fn report(State(trac): State<Trac>, request: Request) -> Result<Json<Value>, Problem> {
    let (parts, body) = request.into_parts();
    within_address_limit(&trac, trac.proxies.caller(&parts))?;
    let body: Result<Bytes, BytesRejection> =
        Bytes::from_request(Request::from_parts(parts, body), &()).await;
    let body = body.map_err(|_| Problem::too_large(BODY_LIMIT_BYTES))?;
    trac.store.has_room_for_pages()?;
    let mut fields = Fields::parse(&body)?;
    let token = fields.need("token", token);
    let sent = fields.need("report", |value| {
        value.is_object().then(|| value.clone()).ok_or_else(|| "must be an object".to_owned())
    });
    fields.finish()?;
    let (hash, sent) = (key_hash(&token.unwrap_or_default()), sent.unwrap_or_default());
    let now = trac.clock.now();
    let scope = trac.store.look_up(move |tx| scope_of(tx, hash, now)).await?.ok_or_else(unknown_token)?;
    let key = sent.get("key").and_then(Value::as_str).map(key_hash);
    let (mut report, of) = (Report::read(&sent), scope.clone());
    let stored = trac.store.try_write_in(&scope, Priority::Click, move |rows| {
        report.key = match key {
            Some(hash) => owner(rows.everywhere(), &of, hash, now)?,
            None => KeyOwner::None,
        };
        let sql = "UPDATE script_check SET reported_at = ?4, report = ?5 WHERE workspace_id = ?1 AND mode = ?2 \
                   AND hash = ?3 AND reported_at IS NULL";
        if rows.write(sql, args![hash, now, serde_json::to_string(&report)?])? == 0 {
            return Err(unknown_token());
        }
        let problem = report.problem();
        let (what, remedy) = match problem.clone() {
            Some((what, remedy)) => (what, Some(remedy)),
            None => (report.summary(), None),
        };
        Ok(json!({ "ok": problem.is_none(), "what": what, "remedy": remedy }))
    });
    stored.await.map(Json)
}

fn token(value: &Value) -> Result<String, Wrong> {
    let fits = |text: &&str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let text = value.as_str().filter(fits);
    text.map(ToOwned::to_owned).ok_or_else(|| "must be the token of the page's URL".to_owned())
}

fn unknown_token() -> Problem {
    let message = "This check was used already, is older than an hour, or was started by another server. Start another one \
                   on the set-up page.";
    Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}

/// The workspace and mode of a token that is valid.
fn scope_of(tx: Everywhere<'_>, hash: [u8; 32], now: Timestamp) -> Result<Option<Scope>, StoreError> {
    let sql = "SELECT workspace_id, mode FROM script_check WHERE hash = ?1 AND reported_at IS NULL AND created_at >= ?2";
    tx.one(sql, args![hash, now.plus_secs(-VALID_SECS)], |row| {
        let (workspace_id, mode): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Scope::new(&workspace_id, mode_of(&mode)))
    })
}

/// Whose key this is.
fn owner(tx: Everywhere<'_>, scope: &Scope, hash: [u8; 32], now: Timestamp) -> Result<KeyOwner, StoreError> {
    let sql = "SELECT workspace_id, mode, kind, revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2) FROM api_key \
               WHERE hash = ?1";
    let found = tx.one(sql, args![hash, now], |row| {
        let (workspace_id, mode, kind): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((workspace_id, mode, kind, row.get::<bool>(3)?))
    })?;
    Ok(match found {
        Some((_, _, kind, _)) if kind != "publishable" => KeyOwner::Unknown,
        Some((workspace_id, ..)) if workspace_id != scope.workspace_id() => KeyOwner::OtherWorkspace,
        Some((_, mode, ..)) if mode != scope.mode_str() => KeyOwner::OtherMode,
        Some((_, _, _, false)) => KeyOwner::Revoked,
        Some(_) => KeyOwner::Own,
        None => KeyOwner::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_added_to_the_query_of_the_page() {
        let check = |page: &str, want: &str| assert_eq!(with_token(page, "7"), want);
        check("https://shop.example", "https://shop.example?trac_verify=7");
        check("https://shop.example/", "https://shop.example/?trac_verify=7");
        check("https://shop.example/a?b=c&d", "https://shop.example/a?b=c&d&trac_verify=7");
        check("https://shop.example/a?#top", "https://shop.example/a?trac_verify=7#top");
        check("https://shop.example/#/a?b=c", "https://shop.example/?trac_verify=7#/a?b=c");
        check("https://shop.example/?trac_verify=6&b", "https://shop.example/?b&trac_verify=7");
    }
}
