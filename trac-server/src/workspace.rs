//! Workspaces: one merchant each, made with keys and webhook endpoints for both modes.

use rusqlite::{Transaction, params};
use serde_json::{Value, json};
use trac_core::program::Mode;

use crate::api_key::{KeyKind, NewKey};
use crate::dashboard;
use crate::id::{Ids, Kind};
use crate::store::{PUBLIC_URL, Priority, Scope, Store, StoreError, set_setting, setting};
use crate::trac::Trac;
use crate::webhook::EVENT_TYPES;

pub use crate::dashboard::{end_sessions, sessions};

/// Makes a workspace and answers what `trac workspace create --json` prints: its keys, which are shown this once and
/// kept hashed, and the addresses to give to Stripe.
///
/// # Errors
/// [`StoreError`] if nothing can be written.
pub async fn create(trac: &Trac, name: &str) -> Result<Value, StoreError> {
    let (trac, name) = (trac.clone(), name.to_owned());
    let store = trac.store.clone();
    let created = store.write(Priority::Api, move |tx| {
        let id = trac.ids.make(Kind::Workspace);
        let now = trac.clock.now().unix_secs();
        tx.execute(
            "INSERT INTO workspace (id, name, created_at) VALUES (?1, ?2, ?3)",
            params![id, name, now],
        )?;
        let key = |kind, mode| {
            let scope = Scope::new(&id, mode);
            Ok::<_, StoreError>(NewKey::insert(tx, &trac, &scope, kind, None)?.key)
        };
        let endpoint = |mode| add_endpoint(tx, &trac.ids, &id, mode, now);
        let address = |endpoint: &str| format!("{}/api/webhooks/{endpoint}", trac.public_url);
        let (test, live) = (endpoint(Mode::Test)?, endpoint(Mode::Live)?);
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
            "dashboard_url": dashboard::new_link(tx, &trac, &id)?,
        }))
    });
    created.await
}

/// How the server on this data folder was last reached from outside.
///
/// # Errors
/// [`StoreError`] if nothing can be read.
pub async fn last_public_url(store: &Store) -> Result<Option<String>, StoreError> {
    store.read(|connection| setting(connection, PUBLIC_URL)).await
}

/// Remembers how the server is reached, for [`last_public_url`].
///
/// # Errors
/// [`StoreError`] if nothing can be written.
pub async fn remember_public_url(store: &Store, public_url: &str) -> Result<(), StoreError> {
    let public_url = public_url.to_owned();
    store.write(Priority::Api, move |tx| set_setting(tx, PUBLIC_URL, &public_url)).await
}

fn add_endpoint(
    tx: &Transaction<'_>,
    ids: &Ids,
    workspace_id: &str,
    mode: Mode,
    now: i64,
) -> Result<String, StoreError> {
    let id = ids.make(Kind::Endpoint);
    tx.execute(
        "INSERT INTO webhook_endpoint (id, workspace_id, mode, stripe_account, secrets, created_at) \
         VALUES (?1, ?2, ?3, NULL, '[]', ?4)",
        params![id, workspace_id, mode.as_str(), now],
    )?;
    Ok(id)
}
