//! The signing secrets of endpoints, stored sealed. Also reseals all secrets under a new master key: these,
//! the keys for Stripe's API, the token secrets of publishable keys and the secrets of second factors.

use super::stripe_key;
use crate::access::totp_secret;
use crate::keys::token_secret;
use crate::store::rows::{Rows, args};
use crate::store::{Everywhere, Place, Priority, Scope, Store, StoreError, Vault, lease, mode_of};

fn place<'a>(scope: &'a Scope, endpoint_id: &'a str) -> Place<'a> {
    Place { scope, table: "webhook_endpoint", row: endpoint_id }
}

/// The value of an endpoint's column `secrets`: a JSON list of sealed texts.
pub(super) fn seal(
    vault: &Vault,
    scope: &Scope,
    endpoint_id: &str,
    secrets: &[String],
) -> Result<String, StoreError> {
    let sealed = secrets.iter().map(|secret| vault.seal(place(scope, endpoint_id), secret));
    Ok(serde_json::to_string(&sealed.collect::<Result<Vec<_>, _>>()?)?)
}

/// The secrets of an endpoint.
pub(super) fn open(
    vault: &Vault,
    scope: &Scope,
    endpoint_id: &str,
    column: &str,
) -> Result<Vec<String>, StoreError> {
    let sealed: Vec<String> = serde_json::from_str(column)?;
    sealed.iter().map(|text| vault.open(place(scope, endpoint_id), text)).collect()
}

/// Opens every secret once, so that a wrong master key is reported when the server starts and not when an
/// event arrives; seals secrets that an older version stored unsealed.
///
/// # Errors
/// [`crate::store::StoreErrorKind::Corrupt`] if one does not open.
pub async fn check_secrets(store: &Store) -> Result<(), StoreError> {
    reseal(store, |column| column.contains('"') && !all_sealed(column)).await
}

/// Reseals every secret under a new master key, and deletes the old key. The server may be running.
///
/// # Errors
/// [`StoreError`] if a secret does not open, or nothing can be written; then both keys, the old and the new,
/// stay in use.
pub async fn rotate_master_key(store: &Store) -> Result<(), StoreError> {
    let vault = store.vault();
    vault.begin_rotation()?;
    reseal(store, |_| true).await?;
    vault.end_rotation()
}

fn all_sealed(column: &str) -> bool {
    serde_json::from_str::<Vec<String>>(column)
        .is_ok_and(|secrets| secrets.iter().all(|text| Vault::is_sealed(text)))
}

/// Opens all secrets, and reseals those whose column `is_due`.
async fn reseal(store: &Store, is_due: fn(&str) -> bool) -> Result<(), StoreError> {
    let vault = store.vault();
    store
        .write(Priority::Api, move |tx| {
            lease::lock_all(tx)?;
            for SealedEndpoint { id, scope, column, stripe_api_key } in all(tx)? {
                let rows = tx.within(&scope);
                let secrets = open(&vault, &scope, &id, &column)?;
                let key = stripe_api_key
                    .map(|sealed| stripe_key::open(&vault, &scope, &id, &sealed))
                    .transpose()?;
                if is_due(&column) {
                    let sealed = seal(&vault, &scope, &id, &secrets)?;
                    write_sealed(rows, &id, &sealed)?;
                    if let Some(key) = key {
                        stripe_key::reseal(rows, &vault, &id, &key)?;
                    }
                }
            }
            token_secret::reseal(tx, &vault, is_due)?;
            totp_secret::reseal(tx, &vault, is_due)
        })
        .await
}

/// The sealed columns of an endpoint.
struct SealedEndpoint {
    id: String,
    scope: Scope,
    column: String,
    stripe_api_key: Option<String>,
}

fn all(tx: Everywhere<'_>) -> Result<Vec<SealedEndpoint>, StoreError> {
    let sql = "SELECT id, workspace_id, mode, secrets, stripe_api_key FROM webhook_endpoint";
    tx.all(sql, &[], |row| {
        let (workspace_id, mode): (String, String) = (row.get(1)?, row.get(2)?);
        let scope = Scope::new(&workspace_id, mode_of(&mode));
        Ok(SealedEndpoint { id: row.get(0)?, scope, column: row.get(3)?, stripe_api_key: row.get(4)? })
    })
}

/// Writes an endpoint's column `secrets`.
pub(super) fn write_sealed(rows: Rows<'_>, endpoint_id: &str, sealed: &str) -> Result<(), StoreError> {
    let sql = "UPDATE webhook_endpoint SET secrets = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    rows.write(sql, args![endpoint_id, sealed])?;
    Ok(())
}
