//! `/api/v1/conversions`: every lead and sale, credited or not, and why.

use rusqlite::Row;
use serde_json::{Value, json};
use trac_core::commission::decision::Decision;
use trac_core::time::Timestamp;

use crate::list::{Resource, time, word};
use crate::store::StoreError;
use crate::trac::Trac;

/// The open commission of payment `p`.
macro_rules! commission_id {
    () => {
        "(SELECT max(c.id) FROM commission AS c WHERE c.workspace_id = p.workspace_id AND c.mode = p.mode \
         AND c.payment_id = p.id AND c.closed = 0 AND c.amount_minor <> 0)"
    };
}

pub(super) use commission_id;

/// What payment `p` is: a lead, a payment of a subscription, or another one.
macro_rules! source {
    () => {
        "(CASE WHEN p.decision ->> '$.lead_id' IS NOT NULL THEN 'lead' \
         WHEN p.subscription_id IS NOT NULL THEN 'recurring' ELSE 'sale' END)"
    };
}

/// Whether payment `p` has waited 72 hours for an attribution.
macro_rules! gave_up {
    () => {
        "(p.decision ->> '$.reason' = 'no_attribution_yet' AND p.created_at <= :now - 259200)"
    };
}

/// Payments and leads, with what was decided about them.
pub(crate) static CONVERSIONS: Resource = Resource {
    name: "conversion",
    columns: concat!(
        "p.id, p.decision, p.created_at, ",
        commission_id!(),
        " AS commission_id, CASE WHEN ",
        gave_up!(),
        " THEN 'no_click' ELSE p.decision ->> '$.reason' END AS reason"
    ),
    from: "payment AS p",
    within: "p.workspace_id = :workspace_id AND p.mode = :mode AND p.is_conversion",
    id: "p.id",
    order: &["p.id"],
    filters: &[
        ("click_id", "p.decision ->> '$.attribution.click_id'"),
        ("currency", "p.decision ->> '$.currency'"),
        ("reason", concat!("CASE WHEN ", gave_up!(), " THEN 'no_click' ELSE p.decision ->> '$.reason' END")),
        ("commission_id", commission_id!()),
        ("source", source!()),
        ("lead_id", "p.decision ->> '$.lead_id'"),
    ],
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let decision: Decision = serde_json::from_str(&row.get::<_, String>("decision")?)?;
    let attribution = decision.attribution.as_ref();
    Ok(json!({
        "id": word(row, "id")?,
        "source": decision.source().as_str(),
        "lead_id": decision.lead_id,
        "stripe": decision.stripe,
        "amount_minor": decision.gross_minor,
        "base_minor": decision.base_minor,
        "lost_minor": decision.lost_minor,
        "currency": decision.currency,
        "attributed": decision.credited_click().is_some(),
        "click_id": attribution.map(|attribution| &attribution.click_id),
        "rule": attribution.map(|attribution| attribution.rule),
        "reason": word(row, "reason")?,
        "commission_id": word(row, "commission_id")?,
        "occurred_at": decision.time.map(Timestamp::to_rfc3339),
        "created_at": time(row, "created_at")?,
    }))
}
