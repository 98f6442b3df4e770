//! `/api/v1/leads`: the reported sign-ups of visitors, with the decision about each.

use serde_json::{Value, json};
use trac_core::reason::Reason;

use super::conversions::commission_id;
use crate::api::list::Filter::Is;
use crate::api::list::{Resource, document, time, word};
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// Leads, each with its stored decision.
pub(crate) static LEADS: Resource = Resource {
    name: "lead",
    columns: concat!(
        "l.id, l.customer_external_id, l.event_name, l.email, l.name, l.metadata, l.deferred, l.created_at, ",
        "p.id AS conversion_id, p.click_id, ",
        "p.rule, p.reason, ",
        commission_id!(),
        " AS commission_id, ",
        "l.status"
    ),
    from: "lead AS l LEFT JOIN payment_object AS o ON o.workspace_id = l.workspace_id AND o.mode = l.mode \
           AND o.stripe_id = l.id LEFT JOIN payment AS p ON p.workspace_id = o.workspace_id AND p.mode = o.mode \
           AND p.id = o.payment_id",
    within: "l.workspace_id = ?1 AND l.mode = ?2",
    id: "l.id",
    order: &["l.id"],
    filters: &[
        ("customer_external_id", Is("l.customer_external_id")),
        ("event_name", Is("l.event_name")),
        ("click_id", Is("p.click_id")),
        ("reason", Is("coalesce(p.reason, 'noted')")),
        ("status", Is("l.status")),
        ("commission_id", Is(commission_id!())),
        ("deferred", Is("CASE WHEN l.deferred THEN 'true' ELSE 'false' END")),
    ],
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let (click_id, decided) = (word(row, "click_id")?, word(row, "reason")?);
    // Beyond a limit, a customer's leads that pages report are recorded but not settled: they have no decision.
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
        "status": word(row, "status")?,
        "attributed": !click_id.is_null() && !refused,
        "click_id": click_id,
        "rule": word(row, "rule")?,
        "reason": reason,
        "commission_id": word(row, "commission_id")?,
        "conversion_id": word(row, "conversion_id")?,
        "created_at": time(row, "created_at")?,
    }))
}
