//! Workspaces: one per merchant, made with keys and webhook endpoints for both modes.

mod profile;
mod go_live;
pub(crate) mod refusals;

use axum::Router;
use serde_json::{Value, json};
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use crate::access::Actor;
use crate::api::activity::{Change, record};
use crate::id::{Ids, Kind};
pub use crate::keys::KeyKind;
use crate::keys::{KEYS, NewKey};
use crate::people;
use crate::store::rows::{Rows, args};
use crate::store::{
    Everywhere, PUBLIC_URL, Priority, Scope, Store, StoreError, StoreErrorKind, set_setting, setting,
};
use crate::trac::Trac;
use crate::webhook::EVENT_TYPES;

pub use go_live::{as_text, go_live};

/// `/workspace` and `/go-live`.
pub(crate) fn routes() -> Router<Trac> {
    profile::routes().merge(go_live::routes())
}

/// How long a link of [`login_link`] is valid.
const LOGIN_LINK_SECS: i64 = 15 * 60;

/// Makes a workspace and returns what `trac workspace create --json` prints: its keys, which are shown this
/// once and stored as hashes, and the webhook addresses for Stripe.
///
/// # Errors
/// [`StoreError`] if nothing can be written.
pub async fn create(trac: &Trac, name: &str) -> Result<Value, StoreError> {
    let (trac, name) = (trac.clone(), name.to_owned());
    let store = trac.store.clone();
    let created = store.write(Priority::Api, move |tx| {
        let id = trac.ids.make(Kind::Workspace);
        let now = trac.clock.now();
        tx.write("INSERT INTO workspace (id, name, created_at) VALUES (?1, ?2, ?3)", args![id, name, now])?;
        let key = |kind, mode| {
            let scope = Scope::new(&id, mode);
            Ok::<_, StoreError>(NewKey::insert(tx.within(&scope), &trac, kind, None)?.key)
        };
        let endpoint = |mode| add_endpoint(tx.within(&Scope::new(&id, mode)), &trac.ids, now);
        let address = |endpoint: &str| format!("{}/api/webhooks/{endpoint}", trac.public_url);
        let (test, live) = (endpoint(Mode::Test)?, endpoint(Mode::Live)?);
        let shown = Scope::new(&id, Mode::Test);
        Ok(json!({
            "workspace_id": id,
            "keys": {
                "pk_test": key(KeyKind::Publishable, Mode::Test)?,
                "sk_test": key(KeyKind::Secret, Mode::Test)?,
                "pk_live": key(KeyKind::Publishable, Mode::Live)?,
                "sk_live": key(KeyKind::Secret, Mode::Live)?,
            },
            "endpoints": {
                "test": { "id": test, "url": address(&test) },
                "live": { "id": live, "url": address(&live) },
            },
            "events": EVENT_TYPES,
            "dashboard_url": people::new_link(tx.within(&shown), &trac, people::LINK_SECS, None)?,
        }))
    });
    created.await
}

/// All workspaces, the oldest first, with the number of active secret keys of each mode.
///
/// # Errors
/// [`StoreError`] if nothing can be read.
pub async fn list(trac: &Trac) -> Result<Value, StoreError> {
    let now = trac.clock.now();
    let listed = trac.store.read(move |tx| {
        let keys = |mode| {
            format!(
                "(SELECT count(*) FROM api_key AS k WHERE k.workspace_id = w.id AND k.mode = '{mode}' AND k.kind = 'secret' \
                 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?1))"
            )
        };
        let sql = format!(
            "SELECT id, name, created_at, {}, {} FROM workspace AS w ORDER BY created_at, id",
            keys("test"),
            keys("live")
        );
        tx.all(&sql, args![now], |row| {
            Ok(json!({
                "id": row.get::<String>(0)?,
                "name": row.get::<String>(1)?,
                "created_at": row.get::<Timestamp>(2)?.to_rfc3339(),
                "secret_keys": { "test": row.get::<i64>(3)?, "live": row.get::<i64>(4)? },
            }))
        })
    });
    listed.await.map(Value::Array)
}

/// Makes a key for a workspace, and returns what `trac key create --json` prints: the only time that the key
/// is shown.
///
/// # Errors
/// [`StoreError`] if there is no such workspace, or nothing can be written.
pub async fn create_key(
    trac: &Trac,
    workspace_id: &str,
    (kind, mode): (KeyKind, Mode),
    name: Option<&str>,
) -> Result<Value, StoreError> {
    let (trac, scope, name) = (trac.clone(), Scope::new(workspace_id, mode), name.map(ToOwned::to_owned));
    let store = trac.store.clone();
    let written = store.write_in(&scope, Priority::Api, move |rows| {
        let scope = rows.scope();
        must_be_known(rows.everywhere(), scope.workspace_id())?;
        let new = NewKey::insert(rows, &trac, kind, name.as_deref())?;
        let row = KEYS.one(rows, &trac, &new.id)?;
        let (of, id, verb) = (KEYS.name, new.id.as_str(), "created");
        let change = Change { kind: of, id, verb, before: None, after: row.as_ref() };
        record(rows, &trac, &Actor::system("trac key create"), &change)?;
        Ok(json!({
            "id": new.id,
            "workspace_id": scope.workspace_id(),
            "kind": kind.as_str(),
            "mode": scope.mode_str(),
            "name": name,
            "key": new.key,
        }))
    });
    written.await
}

/// Makes a link that opens the dashboard of a workspace once, within a quarter of an hour, as the person with this e-mail
/// address. Without one, the workspace must not have people yet.
///
/// # Errors
/// [`StoreError`] if there is no such workspace or person, or nothing can be written. The message names the people of the
/// workspace.
pub async fn login_link(
    trac: &Trac,
    workspace_id: &str,
    mode: Mode,
    email: Option<&str>,
) -> Result<Value, StoreError> {
    let (trac, scope, email) = (trac.clone(), Scope::new(workspace_id, mode), email.map(ToOwned::to_owned));
    let store = trac.store.clone();
    let written = store.write_in(&scope, Priority::Api, move |rows| {
        let scope = rows.scope();
        must_be_known(rows.everywhere(), scope.workspace_id())?;
        let expires_at = trac.clock.now().plus_secs(LOGIN_LINK_SECS).to_rfc3339();
        let person = person_of_link(rows.everywhere(), scope.workspace_id(), email.as_deref())?;
        let (id, after) = (scope.workspace_id(), json!({ "expires_at": expires_at, "email": email }));
        let (kind, verb) = ("workspace", "login_link_made");
        let change = Change { kind, id, verb, before: None, after: Some(&after) };
        record(rows, &trac, &Actor::system("trac login-link"), &change)?;
        Ok(json!({
            "url": people::new_link(rows, &trac, LOGIN_LINK_SECS, person.as_deref())?,
            "workspace_id": id,
            "mode": scope.mode_str(),
            "email": email,
            "expires_at": expires_at,
        }))
    });
    written.await
}

/// The person of a login link; `None` while the workspace has no people.
fn person_of_link(
    tx: Everywhere<'_>,
    workspace_id: &str,
    email: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let refused = |detail: String| StoreError::new(StoreErrorKind::Unavailable, detail);
    let found = match email {
        Some(email) => people::member_of_email(tx, workspace_id, email)?,
        None => None,
    };
    let known = people::emails(tx, workspace_id)?.join(", ");
    match (email, found) {
        (_, Some(person)) => Ok(Some(person)),
        (None, None) if known.is_empty() => Ok(None),
        (None, None) => {
            Err(refused(format!("people open this workspace: name one of them with --email: {known}")))
        }
        (Some(email), None) if known.is_empty() => Err(refused(format!(
            "{email} is not a person of {workspace_id}: it has no people yet, leave out --email"
        ))),
        (Some(email), None) => Err(refused(format!("{email} is not a person of {workspace_id}: {known}"))),
    }
}

/// The dashboard's active sessions and unused links, of a workspace or of all.
///
/// # Errors
/// [`StoreError`] if there is no such workspace, or the store cannot be read.
pub async fn sessions(trac: &Trac, workspace: Option<&str>) -> Result<Vec<Value>, StoreError> {
    must_be_known_if_named(trac, workspace).await?;
    people::sessions(trac, workspace).await
}

/// Ends all sessions and unused links, of a workspace or of all. Returns their number.
///
/// # Errors
/// [`StoreError`] if there is no such workspace, or nothing can be written.
pub async fn end_sessions(trac: &Trac, workspace: Option<&str>) -> Result<usize, StoreError> {
    must_be_known_if_named(trac, workspace).await?;
    people::end_sessions(trac, workspace).await
}

async fn must_be_known_if_named(trac: &Trac, workspace: Option<&str>) -> Result<(), StoreError> {
    let Some(id) = workspace.map(ToOwned::to_owned) else { return Ok(()) };
    trac.store.read(move |tx| must_be_known(tx, &id)).await
}

/// Returns an error if no workspace has this ID.
fn must_be_known(tx: Everywhere<'_>, workspace_id: &str) -> Result<(), StoreError> {
    if tx.exists("SELECT 1 FROM workspace WHERE id = ?1", args![workspace_id])? {
        return Ok(());
    }
    let detail = format!("there is no workspace {workspace_id} here: trac workspace list shows all");
    Err(StoreError::new(StoreErrorKind::Unavailable, detail))
}

/// The public URL that the server on this data folder last had.
///
/// # Errors
/// [`StoreError`] if nothing can be read.
pub async fn last_public_url(store: &Store) -> Result<Option<String>, StoreError> {
    store.read(|tx| setting(tx, PUBLIC_URL)).await
}

/// Stores the public URL, for [`last_public_url`].
///
/// # Errors
/// [`StoreError`] if nothing can be written.
pub async fn remember_public_url(store: &Store, public_url: &str) -> Result<(), StoreError> {
    let public_url = public_url.to_owned();
    store.write(Priority::Api, move |tx| set_setting(tx, PUBLIC_URL, &public_url)).await
}

fn add_endpoint(rows: Rows<'_>, ids: &Ids, now: Timestamp) -> Result<String, StoreError> {
    let id = ids.make(Kind::Endpoint);
    rows.write(
        "INSERT INTO webhook_endpoint (workspace_id, mode, id, stripe_account, secrets, created_at) \
         VALUES (?1, ?2, ?3, NULL, '[]', ?4)",
        args![id, now],
    )?;
    Ok(id)
}
