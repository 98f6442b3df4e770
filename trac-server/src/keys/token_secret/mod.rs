//! The token secret of a publishable key, with which the merchant's server signs customer tokens for its
//! pages: made on request, shown once, stored sealed.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use trac_core::webhook::customer_token;

use crate::access::{Merchant, key_hash};
use crate::api::activity::Change;
use crate::api::fields::Fields;
use crate::id::new_key;
use crate::keys::{KEYS, KeyKind, must_be_in_force};
use crate::problem::Problem;
use crate::store::rows::{Rows, args};
use crate::store::{Everywhere, Place, Priority, Scope, StoreError, Vault, mode_of};
use crate::trac::Trac;

/// Makes the token secret of a publishable key, in place of an earlier one.
pub(crate) async fn make(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    fields.finish()?;
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let made = store.try_write_in(&scope, Priority::Api, move |rows| {
        let key = KEYS.find(rows, &trac, &id)?;
        must_be_in_force(&key)?;
        if KeyKind::of(&key) == KeyKind::Secret {
            let message =
                "A secret key needs no customer tokens: its reports already count as the merchant's.";
            return Err(Problem::conflict("KEY_NOT_PUBLISHABLE", message));
        }
        let secret = new_key("ts", rows.scope().mode());
        set(rows, &trac.store.vault(), &id, &secret)?;
        let (kind, verb) = (KEYS.name, "token_secret_made");
        caller.record(rows, &trac, &Change { kind, id: &id, verb, before: None, after: None })?;
        Ok(json!({ "id": id, "token_secret": secret }))
    });
    made.await.map(|shown| (StatusCode::CREATED, Json(shown)))
}

/// Copies the token secret to the successor of a rolled key, so that the merchant server's tokens stay valid.
pub(crate) fn copy_to_successor(
    rows: Rows<'_>,
    vault: &Vault,
    old: &str,
    new: &str,
) -> Result<(), StoreError> {
    let sql = "SELECT token_secret FROM api_key WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    let found = rows.one(sql, args![old], |row| row.get::<Option<String>>(0))?;
    let sealed = found.ok_or_else(|| StoreError::internal("the rolled key does not exist"))?;
    let Some(sealed) = sealed else { return Ok(()) };
    let secret = vault.open(place(rows.scope(), old), &sealed)?;
    set(rows, vault, new, &secret)
}

/// Opens every token secret once, and seals again those that are due.
///
/// # Errors
/// [`crate::store::StoreErrorKind::Corrupt`] if one does not open.
pub(crate) fn reseal(tx: Everywhere<'_>, vault: &Vault, is_due: fn(&str) -> bool) -> Result<(), StoreError> {
    let sql = "SELECT id, workspace_id, mode, token_secret FROM api_key WHERE token_secret IS NOT NULL";
    let stored: Vec<(String, Scope, String)> = tx.all(sql, &[], |row| {
        let (workspace_id, mode): (String, String) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, Scope::new(&workspace_id, mode_of(&mode)), row.get(3)?))
    })?;
    for (id, scope, sealed) in stored {
        let secret = vault.open(place(&scope, &id), &sealed)?;
        if is_due(&sealed) {
            set(tx.within(&scope), vault, &id, &secret)?;
        }
    }
    Ok(())
}

/// Checks a page's customer token against the token secret of the publishable key in the same request.
///
/// # Errors
/// `422` for `customerToken`, with the fault.
pub(crate) async fn check(
    trac: &Trac,
    scope: &Scope,
    headers: &HeaderMap,
    token: &str,
    customer: &str,
) -> Result<(), Problem> {
    let wrong = |message: &str| Problem::field("customerToken", message);
    let key = headers.get("x-publishable-key").and_then(|value| value.to_str().ok()).map(str::trim);
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Err(wrong("is checked with a publishable key's token secret: send x-publishable-key"));
    };
    let (hash, of) = (key_hash(key), scope.clone());
    let found = trac.store.look_up(move |tx| of_key(tx.within(&of), hash)).await?;
    let Some((id, sealed)) = found else {
        return Err(wrong(
            "this key has no token secret yet: make one with POST /api/v1/api-keys/{id}/token-secret",
        ));
    };
    let secret = trac.store.vault().open(place(scope, &id), &sealed)?;
    customer_token::verify(token, customer, &secret, trac.clock.now())
        .map_err(|error| wrong(&error.to_string()))
}

/// The ID of a key and its sealed token secret, if it has one.
fn of_key(rows: Rows<'_>, hash: [u8; 32]) -> Result<Option<(String, String)>, StoreError> {
    let sql = "SELECT id, token_secret FROM api_key WHERE hash = ?3 AND workspace_id = ?1 AND mode = ?2 \
               AND kind = 'publishable' AND token_secret IS NOT NULL";
    rows.one(sql, args![hash], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn place<'a>(scope: &'a Scope, key_id: &'a str) -> Place<'a> {
    Place { scope, table: "api_key.token_secret", row: key_id }
}

fn set(rows: Rows<'_>, vault: &Vault, id: &str, secret: &str) -> Result<(), StoreError> {
    let sealed = vault.seal(place(rows.scope(), id), secret)?;
    let sql = "UPDATE api_key SET token_secret = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    rows.write(sql, args![id, sealed])?;
    Ok(())
}

#[cfg(test)]
mod tests;
