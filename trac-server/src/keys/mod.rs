//! `/api/v1/api-keys`: API keys and the origins that may use them. A key is shown once, when it is made, and
//! stored as a hash.
//!
//! Rolling a key makes a successor, and the old key stays valid for `overlap_hours`. The last secret key of a
//! mode cannot be revoked: no call could make another.

pub(crate) mod token_secret;

pub use crate::key_kind::KeyKind;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::routing::{delete, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::access::{Merchant, key_hash};
use crate::api::activity::Change;
use crate::api::fields::{Fields, Wrong, integer, one_of as one_of_words, text};
use crate::api::frame::Frame;
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, document, list_of, one_of, time, word};
use crate::id::{Kind, new_key};
use crate::problem::Problem;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

pub(crate) fn routes() -> Router<Trac> {
    let one = one_of(&KEYS).merge(patch(change)).merge(delete(revoke));
    Router::new()
        .route("/api-keys", list_of(&KEYS).merge(post(create)))
        .route("/api-keys/{id}", one)
        .route("/api-keys/{id}/roll", post(roll))
        .route("/api-keys/{id}/token-secret", post(token_secret::make))
}

/// Keys of both kinds, active or not, without the keys themselves.
pub(crate) static KEYS: Resource = Resource {
    name: "API key",
    columns: "k.id, k.kind, k.name, k.prefix || '_…' || k.last_four AS hint, k.allowed_origins, k.token_secret IS NOT NULL AS has_token_secret, \
              k.created_at, k.last_used_at, k.expires_at, k.revoked_at, CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' \
              WHEN k.expires_at <= ?3 THEN 'expired' WHEN k.expires_at IS NOT NULL THEN 'expiring' \
              ELSE 'active' END AS status",
    from: "api_key AS k",
    within: "k.workspace_id = ?1 AND k.mode = ?2",
    id: "k.id",
    order: &["k.created_at", "k.id"],
    filters: &[("kind", Is("k.kind")), ("name", Is("k.name"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "kind": word(row, "kind")?,
        "name": word(row, "name")?,
        "hint": word(row, "hint")?,
        "status": word(row, "status")?,
        "allowed_origins": document(row, "allowed_origins")?,
        "has_token_secret": row.get::<bool>("has_token_secret")?,
        "created_at": time(row, "created_at")?,
        "last_used_at": time(row, "last_used_at")?,
        "expires_at": time(row, "expires_at")?,
        "revoked_at": time(row, "revoked_at")?,
    }))
}

/// A new key. Only its hash is stored, so the key itself can be shown only now.
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) key: String,
}

impl NewKey {
    /// Makes a key and stores its hash.
    pub(crate) fn insert(
        rows: Rows<'_>,
        trac: &Trac,
        kind: KeyKind,
        name: Option<&str>,
    ) -> Result<Self, StoreError> {
        let key = new_key(kind.prefix(), rows.scope().mode());
        let (prefix, random) = key.rsplit_once('_').unwrap_or_default();
        let last_four = random.get(random.len().saturating_sub(4)..).unwrap_or_default();
        let id = trac.ids.make(Kind::Key);
        rows.write(
            "INSERT INTO api_key (workspace_id, mode, hash, kind, prefix, last_four, created_at, id, name) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            args![key_hash(&key), kind.as_str(), prefix, last_four, trac.clock.now(), id, name],
        )?;
        Ok(Self { id, key })
    }

    /// The row together with the key, for the response that shows it once.
    fn shown_in(self, mut row: Value) -> Json<Value> {
        if let Some(object) = row.as_object_mut() {
            object.insert("key".to_owned(), Value::String(self.key));
        }
        Json(row)
    }
}

async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let kind = fields.need("kind", one_of_words("publishable, secret"));
    let name = fields.take("name", text(1..=100));
    let origins = fields.take("allowed_origins", allowed_origins);
    if origins.is_some() && kind == Some(KeyKind::Secret) {
        fields.note("allowed_origins", "is for publishable keys only: a secret key must never be in a page");
    }
    fields.finish()?;
    let kind = kind.unwrap_or(KeyKind::Publishable);
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let created = store.try_write_in(&scope, Priority::Api, move |rows| {
        let made = NewKey::insert(rows, &trac, kind, name.as_deref())?;
        if let Some(origins) = &origins {
            set_origins(rows, &made.id, Some(origins))?;
        }
        let row = KEYS.find(rows, &trac, &made.id)?;
        let change =
            Change { kind: KEYS.name, id: &made.id, verb: "created", before: None, after: Some(&row) };
        caller.record(rows, &trac, &change)?;
        Ok::<_, Problem>(made.shown_in(row))
    });
    created.await.map(|shown| (StatusCode::CREATED, shown))
}

async fn change(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    let name = fields.take_nullable("name", text(1..=100));
    let origins = fields.take_nullable("allowed_origins", allowed_origins);
    fields.finish()?;
    let frame = Frame { trac, caller, resource: &KEYS };
    let changed = frame.change(id, move |rows, trac, id| {
        if let Some(name) = name {
            set(rows, id, "UPDATE api_key SET name = ?4", name.as_deref())?;
        }
        if let Some(origins) = origins {
            if origins.is_some() && KeyKind::of(&KEYS.find(rows, trac, id)?) == KeyKind::Secret {
                return Err(Problem::field("allowed_origins", "is for publishable keys only"));
            }
            set_origins(rows, id, origins.as_deref())?;
        }
        Ok(())
    });
    changed.await
}

/// How many hours an old key may stay valid at most after it was rolled.
const OVERLAP_HOURS_MAX: i64 = 30 * 24;

/// Makes a successor with the same name and origins; the old key works for `overlap_hours` more (24).
async fn roll(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let overlap: i64 = fields.take("overlap_hours", integer(0..=OVERLAP_HOURS_MAX)).unwrap_or(24);
    fields.finish()?;
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let rolled = store.try_write_in(&scope, Priority::Api, move |rows| {
        let old = KEYS.find(rows, &trac, &id)?;
        must_be_in_force(&old)?;
        let name = old.get("name").and_then(Value::as_str);
        let made = NewKey::insert(rows, &trac, KeyKind::of(&old), name)?;
        token_secret::copy_to_successor(rows, &trac.store.vault(), &id, &made.id)?;
        if let Some(origins) = old.get("allowed_origins").filter(|origins| !origins.is_null()) {
            set(rows, &made.id, "UPDATE api_key SET allowed_origins = ?4", Some(&origins.to_string()))?;
        }
        let ends = trac.clock.now().plus_secs(overlap.saturating_mul(3_600));
        rows.write(
            "UPDATE api_key SET expires_at = CASE WHEN expires_at < ?4 THEN expires_at ELSE ?4 END \
             WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
            args![id, ends],
        )?;
        end_sessions(rows, &id)?;
        let mut rolled = KEYS.find(rows, &trac, &id)?;
        if let Some(rolled) = rolled.as_object_mut() {
            rolled.insert("successor_id".to_owned(), made.id.as_str().into());
        }
        let change =
            Change { kind: KEYS.name, id: &id, verb: "rolled", before: Some(&old), after: Some(&rolled) };
        caller.record(rows, &trac, &change)?;
        let row = KEYS.find(rows, &trac, &made.id)?;
        Ok::<_, Problem>(made.shown_in(row))
    });
    rolled.await.map(|shown| (StatusCode::CREATED, shown))
}

/// Refuses calls about a key that is revoked or expired.
pub(crate) fn must_be_in_force(key: &Value) -> Result<(), Problem> {
    match key.get("status").and_then(Value::as_str) {
        Some("active" | "expiring") => Ok(()),
        _ => Err(Problem::conflict("KEY_NOT_ACTIVE", "This key is no longer active: make a new one.")),
    }
}

/// Revokes the key at once; its row stays.
async fn revoke(
    State(trac): State<Trac>,
    caller: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let frame = Frame { trac, caller, resource: &KEYS };
    let revoked = frame.change_as("revoked", id, move |rows, trac, id| {
        let now = trac.clock.now();
        if KeyKind::of(&KEYS.find(rows, trac, id)?) == KeyKind::Secret {
            let another = "SELECT 1 FROM api_key WHERE workspace_id = ?1 AND mode = ?2 AND id <> ?3 AND kind = 'secret' \
                           AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?4) LIMIT 1";
            if !rows.exists(another, args![id, now])? {
                let message = "This is the last secret key of this mode. Make or roll one first.";
                return Err(Problem::conflict("LAST_SECRET_KEY", message));
            }
        }
        rows.write(
            "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?4) \
             WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3",
            args![id, now],
        )?;
        end_sessions(rows, id)?;
        Ok(())
    });
    revoked.await
}

/// Ends the dashboard sessions that were opened with a key.
fn end_sessions(rows: Rows<'_>, id: &str) -> Result<(), StoreError> {
    rows.write(
        "DELETE FROM dashboard_token WHERE workspace_id = ?1 AND mode = ?2 AND key_hash IN \
         (SELECT hash FROM api_key WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3)",
        args![id],
    )?;
    Ok(())
}

fn set_origins(rows: Rows<'_>, id: &str, origins: Option<&[String]>) -> Result<(), StoreError> {
    let origins = origins.map(serde_json::to_string).transpose()?;
    set(rows, id, "UPDATE api_key SET allowed_origins = ?4", origins.as_deref())
}

fn set(rows: Rows<'_>, id: &str, update: &'static str, value: Option<&str>) -> Result<(), StoreError> {
    let sql = format!("{update} WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3");
    rows.write(&sql, args![id, value])?;
    Ok(())
}

const ORIGINS_MAX: usize = 100;

/// Origins as browsers write them: scheme, host, and a port that is not the scheme's own.
fn allowed_origins(value: &Value) -> Result<Vec<String>, Wrong> {
    let wrong = || format!("must be a list of 1 to {ORIGINS_MAX} origins such as https://shop.example.com");
    let is_origin = |text: &&str| {
        let uri = text.parse::<Uri>().ok();
        uri.is_some_and(|uri| {
            let host = uri.authority().map(|host| host.as_str().to_owned()).unwrap_or_default();
            let own_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
            matches!(uri.scheme_str(), Some("http" | "https"))
                && !host.contains('@')
                && uri.port_u16() != Some(own_port)
                && **text == format!("{}://{host}", uri.scheme_str().unwrap_or_default())
        })
    };
    let list = value.as_array().filter(|list| (1..=ORIGINS_MAX).contains(&list.len())).ok_or_else(wrong)?;
    let origins = list.iter().map(|one| one.as_str().filter(is_origin).map(str::to_ascii_lowercase));
    origins.collect::<Option<Vec<_>>>().ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
