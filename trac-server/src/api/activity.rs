//! `/api/v1/activity`: everything that a person, a key or the server changed, with its state before and after.
//!
//! A change and its row are written in one transaction. Rows are only appended. Secrets are not part of them: the
//! states are those that the API shows.

use axum::Router;
use serde_json::{Map, Value, json};

use crate::access::{Actor, Merchant};
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, document, list_of, one_of, time, word};
use crate::id::Kind;
use crate::store::StoreError;
use crate::store::rows::{Row, Rows, args};
use crate::trac::Trac;

pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/activity", list_of(&ACTIVITY)).route("/activity/{id}", one_of(&ACTIVITY))
}

/// All changes.
pub(crate) static ACTIVITY: Resource = Resource {
    name: "activity",
    columns: "a.id, a.at, a.actor_kind, a.actor_id, a.actor_name, a.action, a.object_kind, a.object_id, a.before, a.after",
    from: "activity AS a",
    within: "a.workspace_id = ?1 AND a.mode = ?2",
    id: "a.id",
    order: &["a.id"],
    filters: &[
        ("object_id", Is("a.object_id")),
        ("actor_id", Is("a.actor_id")),
        ("object_kind", Is("a.object_kind")),
        ("action", Is("a.action")),
    ],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "at": time(row, "at")?,
        "actor": {
            "kind": word(row, "actor_kind")?,
            "id": word(row, "actor_id")?,
            "name": word(row, "actor_name")?,
        },
        "action": word(row, "action")?,
        "object": { "kind": word(row, "object_kind")?, "id": word(row, "object_id")? },
        "before": document(row, "before")?,
        "after": document(row, "after")?,
    }))
}

/// A change of one object.
pub(crate) struct Change<'a> {
    /// The kind of object, as in `partner`.
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
    /// What was done: `created`, `changed`, `deleted` …
    pub(crate) verb: &'a str,
    pub(crate) before: Option<&'a Value>,
    pub(crate) after: Option<&'a Value>,
}

impl Merchant {
    /// Records a change that the caller made.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn record(&self, rows: Rows<'_>, trac: &Trac, change: &Change<'_>) -> Result<(), StoreError> {
        record(rows, trac, &self.actor, change)
    }
}

/// Records a change. A change that left the object as it was is not recorded.
///
/// # Errors
/// The store's.
pub(crate) fn record(
    rows: Rows<'_>,
    trac: &Trac,
    actor: &Actor,
    change: &Change<'_>,
) -> Result<(), StoreError> {
    let Change { kind, id, verb, before, after } = change;
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => {
            let (before, after) = differences(before, after);
            if before.is_empty() && after.is_empty() {
                return Ok(());
            }
            (Some(Value::Object(before)), Some(Value::Object(after)))
        }
        (before, after) => (before.cloned(), after.cloned()),
    };
    let text = |state: Option<Value>| state.map(|state| state.to_string());
    let kind = kind.to_lowercase().replace(' ', "_");
    rows.write(
        "INSERT INTO activity (workspace_id, mode, id, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, \
         before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        args![
            trac.ids.make(Kind::Activity),
            trac.clock.now(),
            actor.kind.as_str(),
            actor.id,
            actor.name,
            format!("{kind}.{verb}"),
            kind,
            id,
            text(before),
            text(after)
        ],
    )?;
    Ok(())
}

/// The fields of two states of an object that differ.
fn differences(before: &Value, after: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let fields = |one: &Value, other: &Value| -> Map<String, Value> {
        let object = one.as_object().cloned().unwrap_or_default();
        object.into_iter().filter(|(name, value)| other.get(name) != Some(value)).collect()
    };
    (fields(before, after), fields(after, before))
}

#[cfg(test)]
mod tests;
