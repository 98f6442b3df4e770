//! `/api/v1/webhook-endpoints`: the addresses that Stripe posts to, each with its signing secrets and an
//! optional API key for requests to Stripe.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use trac_core::program::Mode;
use trac_core::webhook::signature::is_secret;

use super::stripe_key::{self, StripeKey};
use super::{EVENT_TYPES, secrets};
use crate::access::Merchant;
use crate::api::fields::{Fields, Wrong};
use crate::api::frame::{Frame, Noted};
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, time, word};
use crate::id::Kind;
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Row, Rows, args};
use crate::trac::Trac;

/// Endpoints. The API never returns their secrets.
pub(crate) static ENDPOINTS: Resource = Resource {
    name: "webhook endpoint",
    columns: "w.id, w.stripe_account, w.secrets, w.stripe_api_key_hint, w.stripe_api_key_problem, w.created_at",
    from: "webhook_endpoint AS w",
    within: "w.workspace_id = ?1 AND w.mode = ?2",
    id: "w.id",
    order: &["w.id"],
    filters: &[("stripe_account", Is("w.stripe_account"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, trac: &Trac) -> Result<Value, StoreError> {
    let id: String = row.get("id")?;
    let secrets: Vec<String> = row.document("secrets")?;
    Ok(json!({
        "id": id,
        "url": format!("{}/api/webhooks/{id}", trac.public_url),
        "stripe_account": word(row, "stripe_account")?,
        "signing_secret_count": secrets.len(),
        "stripe_api_key": word(row, "stripe_api_key_hint")?,
        "stripe_api_key_problem": word(row, "stripe_api_key_problem")?,
        "events": EVENT_TYPES,
        "created_at": time(row, "created_at")?,
    }))
}

pub(super) async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let secrets = fields.take("signing_secrets", signing_secrets).unwrap_or_default();
    let account = fields.take("stripe_account", stripe_account);
    let key = fields.take("stripe_api_key", stripe_api_key(caller.scope.mode()));
    fields.finish()?;
    let frame = Frame { trac, caller, resource: &ENDPOINTS };
    let created = frame.create(move |rows, trac| {
        let id = create_row(rows, trac, account.as_deref(), &secrets)?;
        if let Some(key) = key {
            stripe_key::set(rows, &trac.store.vault(), &id, Some(&key))?;
        }
        Ok(id)
    });
    created.await
}

/// Writes a new endpoint, and returns its ID.
///
/// # Errors
/// The store's.
pub(crate) fn create_row(
    rows: Rows<'_>,
    trac: &Trac,
    account: Option<&str>,
    secrets: &[String],
) -> Result<String, StoreError> {
    let id = trac.ids.make(Kind::Endpoint);
    let sealed = secrets::seal(&trac.store.vault(), rows.scope(), &id, secrets)?;
    rows.write(
        "INSERT INTO webhook_endpoint (workspace_id, mode, id, stripe_account, secrets, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        args![id, account, sealed, trac.clock.now()],
    )?;
    Ok(id)
}

/// Adds a signing secret to an endpoint, as the first one. The newest of its other secrets stay, for deliveries that
/// are under way.
///
/// # Errors
/// The store's.
pub(crate) fn add_secret(rows: Rows<'_>, trac: &Trac, id: &str, secret: String) -> Result<(), StoreError> {
    let mut all = vec![secret];
    all.extend(secrets_of(rows, trac, id)?);
    all.truncate(SECRETS_MAX);
    let sealed = secrets::seal(&trac.store.vault(), rows.scope(), id, &all)?;
    secrets::write_sealed(rows, id, &sealed)
}

/// The signing secrets of an endpoint.
fn secrets_of(rows: Rows<'_>, trac: &Trac, id: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT secrets FROM webhook_endpoint WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    let column = rows.one(sql, args![id], |row| row.get::<String>(0))?.unwrap_or_else(|| "[]".to_owned());
    secrets::open(&trac.store.vault(), rows.scope(), id, &column)
}

pub(super) async fn change(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let secrets = fields.take("signing_secrets", signing_secrets);
    let account = fields.take_nullable("stripe_account", stripe_account);
    let key = fields.take_nullable("stripe_api_key", stripe_api_key(caller.scope.mode()));
    fields.finish()?;
    let frame = Frame { trac, caller, resource: &ENDPOINTS };
    let changed = frame.change_noting("changed", id, move |rows, trac, id| {
        let mut noted = Noted::default();
        if let Some(secrets) = secrets {
            // The object shows only the number of secrets.
            if secrets != secrets_of(rows, trac, id)? {
                noted.insert("signing_secrets".to_owned(), "replaced".into());
            }
            let sealed = secrets::seal(&trac.store.vault(), rows.scope(), id, &secrets)?;
            secrets::write_sealed(rows, id, &sealed)?;
        }
        if let Some(account) = account {
            rows.write(
                "UPDATE webhook_endpoint SET stripe_account = ?4 \
                 WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
                args![id, account],
            )?;
        }
        if let Some(key) = key {
            stripe_key::set(rows, &trac.store.vault(), id, key.as_ref())?;
        }
        Ok(noted)
    });
    changed.await
}

/// The most secrets of an endpoint. Two are needed while a secret is rolled.
const SECRETS_MAX: usize = 16;

/// The prefixes of API keys, Stripe's and ours, which merchants confuse with signing secrets.
const KEY_PREFIXES: [&str; 3] = ["sk_", "rk_", "pk_"];

/// A list of secrets, each 1 to 255 printable ASCII characters without blanks, and not an API key.
fn signing_secrets(value: &Value) -> Result<Vec<String>, Wrong> {
    let wrong = || {
        format!(
            "must be a list of at most {SECRETS_MAX} secrets of 1 to 255 printable characters without blanks"
        )
    };
    let list = value.as_array().filter(|list| list.len() <= SECRETS_MAX).ok_or_else(wrong)?;
    let is_key = |text: &str| KEY_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    if list.iter().filter_map(Value::as_str).any(is_key) {
        return Err("this is an API key; the signing secret begins with whsec_".to_owned());
    }
    let secrets =
        list.iter().map(|secret| secret.as_str().filter(|secret| is_secret(secret)).map(ToOwned::to_owned));
    secrets.collect::<Option<Vec<_>>>().ok_or_else(wrong)
}

fn stripe_api_key(mode: Mode) -> impl FnOnce(&Value) -> Result<StripeKey, Wrong> {
    move |value| StripeKey::parse(value.as_str().unwrap_or_default(), mode)
}

fn stripe_account(value: &Value) -> Result<String, Wrong> {
    let sane = |id: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        id.starts_with("acct_") && (6..=255).contains(&id.len()) && id.bytes().all(plain)
    };
    let id = value.as_str().filter(sane);
    id.map(ToOwned::to_owned).ok_or_else(|| "must be a Stripe account ID such as acct_…".to_owned())
}
