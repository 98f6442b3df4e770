//! `/api/v1/attributions`: the audit log. Each row has every candidate, the rule that decided, and the chosen
//! click or the reason for none; a row is added when a decision differs from the one before.

use serde_json::{Value, json};
use trac_core::commission::decision::Decision;
use trac_core::time::Timestamp;

use crate::api::list::Filter::Is;
use crate::api::list::{Counts, Kept, Resource, time, word};
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// Decisions.
pub(crate) static ATTRIBUTIONS: Resource = Resource {
    name: "attribution",
    columns: "a.id, a.payment_id, a.event_id, a.decision, a.at",
    from: "attribution AS a",
    within: "a.workspace_id = ?1 AND a.mode = ?2",
    id: "a.id",
    order: &["a.id"],
    filters: &[("payment_id", Is("a.payment_id")), ("event_id", Is("a.event_id"))],
    kept: Kept::Counts(&[Counts {
        from: "attribution_count AS a",
        within: "a.workspace_id = ?1 AND a.mode = ?2",
        filters: &[],
        young: None,
        combination: &[],
    }]),
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let decision: Decision = row.document("decision")?;
    let attribution = decision.attribution.as_ref();
    Ok(json!({
        "id": word(row, "id")?,
        "payment_id": word(row, "payment_id")?,
        "event_id": word(row, "event_id")?,
        "stripe": decision.stripe,
        "candidates": decision.candidates,
        "rule": attribution.map(|attribution| attribution.rule),
        "click_id": attribution.map(|attribution| &attribution.click_id),
        "bound_by": attribution.map(|attribution| &attribution.bound_by),
        "bound_at": attribution.map(|attribution| attribution.bound_at.to_rfc3339()),
        "reason": decision.reason,
        "same_as": decision.same_as,
        "occurred_at": decision.time.map(Timestamp::to_rfc3339),
        "created_at": time(row, "at")?,
    }))
}
