//! `/api/v1/attributions`: the audit log. Every candidate looked at, the rule that decided, the click chosen or why
//! none; one row for each decision that differed from the one before.

use rusqlite::Row;
use serde_json::{Value, json};

use crate::list::{Resource, document, time, word};
use crate::store::StoreError;
use crate::trac::Trac;

/// Decisions.
pub(super) static ATTRIBUTIONS: Resource = Resource {
    name: "attribution",
    columns: "a.id, a.payment_id, a.event_id, a.decision, a.at",
    from: "attribution AS a",
    within: "a.workspace_id = :workspace_id AND a.mode = :mode",
    id: "a.id",
    order: &["a.id"],
    filters: &[("payment_id", "a.payment_id"), ("event_id", "a.event_id")],
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "payment_id": word(row, "payment_id")?,
        "event_id": word(row, "event_id")?,
        "decision": document(row, "decision")?,
        "created_at": time(row, "at")?,
    }))
}
