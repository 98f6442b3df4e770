//! `/api/v1/leads`: what a merchant told of visitors who signed up, and what was decided about it.

use serde_json::{Value, json};
use trac_core::reason::Reason;

use super::conversions::commission_id;
use crate::api::list::{Resource, document, time, word};
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// Leads, each with the decision kept for it.
pub(crate) static LEADS: Resource = Resource {
    name: "lead",
    columns: concat!(
        "l.id, l.customer_external_id, l.event_name, l.email, l.name, l.metadata, l.deferred, l.created_at, ",
        "p.id AS conversion_id, p.decision ->> '$.attribution.click_id' AS click_id, ",
        "p.decision ->> '$.attribution.rule' AS rule, p.decision ->> '$.reason' AS reason, ",
        commission_id!(),
        " AS commission_id, ",
        "p.facts -> ('$.leads.\"' || l.id || '\".verdict.value') AS verdict"
    ),
    from: "lead AS l LEFT JOIN payment_object AS o ON o.workspace_id = l.workspace_id AND o.mode = l.mode \
           AND o.stripe_id = l.id LEFT JOIN payment AS p ON p.workspace_id = o.workspace_id AND p.mode = o.mode \
           AND p.id = o.payment_id",
    within: "l.workspace_id = ?1 AND l.mode = ?2",
    id: "l.id",
    order: &["l.id"],
    filters: &[
        ("customer_external_id", "l.customer_external_id"),
        ("event_name", "l.event_name"),
        ("click_id", "p.decision ->> '$.attribution.click_id'"),
        ("reason", "p.decision ->> '$.reason'"),
        (
            "status",
            "CASE p.facts -> ('$.leads.\"' || l.id || '\".verdict.value') \
             WHEN 'true' THEN 'approved' WHEN 'false' THEN 'rejected' END",
        ),
        ("commission_id", commission_id!()),
        ("deferred", "CASE WHEN l.deferred THEN 'true' ELSE 'false' END"),
    ],
    read,
};

/// The merchant's word of a lead, if it said anything.
fn verdict(approved: Option<&str>) -> Option<&'static str> {
    match approved {
        Some("true") => Some("approved"),
        Some("false") => Some("rejected"),
        _ => None,
    }
}

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let (click_id, decided) = (word(row, "click_id")?, word(row, "reason")?);
    // One of very many leads that pages report of one customer is recorded and not settled.
    let reason = if decided.is_null() { Reason::Noted.as_str().into() } else { decided };
    let refused = reason.as_str().and_then(Reason::from_code).is_some_and(Reason::refuses_click);
    Ok(json!({
        "id": word(row, "id")?,
        "customer_external_id": word(row, "customer_external_id")?,
        "event_name": word(row, "event_name")?,
        "customer_email": word(row, "email")?,
        "customer_name": word(row, "name")?,
        "metadata": document(row, "metadata")?,
        "deferred": row.get::<bool>("deferred")?,
        "status": verdict(row.get::<Option<String>>("verdict")?.as_deref()),
        "attributed": !click_id.is_null() && !refused,
        "click_id": click_id,
        "rule": word(row, "rule")?,
        "reason": reason,
        "commission_id": word(row, "commission_id")?,
        "conversion_id": word(row, "conversion_id")?,
        "created_at": time(row, "created_at")?,
    }))
}
