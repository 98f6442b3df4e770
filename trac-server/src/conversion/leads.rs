//! `/api/v1/leads`: the reported sign-ups of visitors, with the decision about each.

use serde_json::{Value, json};
use trac_core::reason::Reason;

use super::conversions::commission_id;
use crate::api::list::Filter::{By, Is};
use crate::api::list::{Condition, Counts, Kept, Resource, document, time, word};
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
        ("reason", By(has_reason)),
        ("status", Is("l.status")),
        ("commission_id", By(of_commission)),
        ("deferred", By(is_deferred)),
    ],
    kept: Kept::Counts(&[Counts {
        from: "lead_count AS l",
        within: "l.workspace_id = ?1 AND l.mode = ?2",
        filters: &["event_name", "status", "deferred"],
        young: None,
        combination: &[],
    }]),
    read,
};

/// A lead without a decision is `noted`: see [`read`].
fn has_reason(reason: &str) -> Condition {
    Condition::of(if reason == "noted" {
        "coalesce(p.reason, 'noted') = {}"
    } else {
        "l.id IN (SELECT n.lead_id FROM payment AS n WHERE n.workspace_id = ?1 AND n.mode = ?2 AND n.lead_id IS NOT NULL \
         AND n.reason = {}) AND p.reason = {}"
    })
}

/// A commission is found by its own ID first: only its lead's open commission is then compared.
fn of_commission(_: &str) -> Condition {
    Condition::of(concat!(
        "l.id IN (SELECT n.lead_id FROM commission AS o JOIN payment AS n ON n.workspace_id = o.workspace_id AND n.mode = o.mode \
         AND n.id = o.payment_id WHERE o.workspace_id = ?1 AND o.mode = ?2 AND o.id = {}) AND ",
        commission_id!(),
        " = {}"
    ))
}

fn is_deferred(given: &str) -> Condition {
    Condition::of(if given == "true" { "l.deferred" } else { "NOT l.deferred" })
}

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
