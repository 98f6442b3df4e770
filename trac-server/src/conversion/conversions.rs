//! `/api/v1/conversions`: every lead and sale, credited or not, and why.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use trac_core::commission::decision::Decision;
use trac_core::time::Timestamp;
use trac_core::webhook::report::Report;

use crate::access::Merchant;
use crate::api::list::Filter::{By, Is};
use crate::api::list::{Condition, Counts, Kept, NARROW, Resource, Young, time, word};
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::{Row, Rows, args};
use crate::trac::Trac;

/// The open commission of payment `p`.
macro_rules! commission_id {
    () => {
        "(SELECT max(c.id) FROM commission AS c WHERE c.workspace_id = p.workspace_id AND c.mode = p.mode \
         AND c.payment_id = p.id AND NOT c.closed AND c.amount_minor <> 0)"
    };
}

pub(super) use commission_id;

/// Whether a conversion still waits for an attribution.
macro_rules! waits {
    () => {
        "p.is_waiting AND p.created_at > ?3 - 259200"
    };
}

/// Payments and leads, with the decision about each.
pub(crate) static CONVERSIONS: Resource = Resource {
    name: "conversion",
    columns: concat!(
        "p.id, p.program_id, p.partner_id, p.decision, p.created_at, p.facts -> 'reports' AS reports, ",
        commission_id!(),
        " AS commission_id"
    ),
    from: "payment AS p",
    within: "p.workspace_id = ?1 AND p.mode = ?2 AND p.is_conversion",
    id: "p.id",
    order: &["p.id"],
    filters: &[
        ("click_id", Is("p.click_id")),
        ("program_id", Is("p.program_id")),
        ("partner_id", Is("p.partner_id")),
        ("currency", Is("p.currency")),
        ("reason", By(has_reason)),
        ("commission_id", By(of_commission)),
        ("source", Is("p.source")),
        ("attributed", By(is_credited)),
        ("lead_id", Is("p.lead_id")),
        ("external_transaction_id", Is("p.transaction_id")),
    ],
    kept: Kept::Counts(&[Counts {
        from: "payment_count AS p",
        within: "p.workspace_id = ?1 AND p.mode = ?2",
        filters: &["program_id", "currency", "reason", "source", "attributed"],
        young: Some(Young { is: waits!(), strays: true }),
        combination: &[
            ("p.program_id", "coalesce(p.program_id, '')"),
            ("p.source", "coalesce(p.source, '')"),
            ("p.reason", "coalesce(p.reason, '')"),
            ("p.currency", "coalesce(p.currency, '')"),
            ("p.is_credited", "p.is_credited"),
        ],
    }]),
    read,
};

/// The condition for a conversion to be shown with this reason. A conversion that waits for an attribution is
/// shown as `no_click` after 72 hours (see [`Reason::shown_after`]).
fn has_reason(reason: &str) -> Condition {
    let plain = Condition { of_these: "TRUE", ..Condition::of("p.reason = {}") };
    match reason {
        "no_click" => Condition {
            shown: concat!("p.reason = {} AND NOT (", waits!(), ")"),
            of_these: concat!("NOT (", waits!(), ")"),
            ..plain
        },
        "no_attribution_yet" => Condition { shown: waits!(), ..Condition::of("FALSE") },
        _ => plain,
    }
}

/// A commission is found by its own ID first: only its payment's open commission is then compared.
fn of_commission(_: &str) -> Condition {
    Condition::of(concat!(
        "p.id = (SELECT o.payment_id FROM commission AS o WHERE o.workspace_id = ?1 AND o.mode = ?2 AND o.id = {}) AND ",
        commission_id!(),
        " = {}"
    ))
}

fn is_credited(given: &str) -> Condition {
    Condition::of(if given == "true" { "p.is_credited" } else { "NOT p.is_credited" })
}

/// The ID of the conversion named by any of its IDs: its own, one it once had, a Stripe ID, or a lead's.
pub(crate) fn conversion_id(rows: Rows<'_>, id: &str) -> Result<Option<String>, StoreError> {
    let sql =
        "SELECT payment_id FROM payment_object WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id = ?3";
    rows.one(sql, args![id], |row| row.get(0))
}

/// Reads the conversion named by any of its IDs.
pub(crate) fn find_conversion(rows: Rows<'_>, trac: &Trac, id: &str) -> Result<Value, Problem> {
    let named = conversion_id(rows, id)?;
    if let Some(row) = CONVERSIONS.one(rows, trac, named.as_deref().unwrap_or(id))? {
        return Ok(row);
    }
    let other = rows.scope().other_mode();
    let named = conversion_id(rows.everywhere().within(&other), id)?;
    Err(CONVERSIONS.missing(rows, trac, named.as_deref().unwrap_or(id)))
}

pub(super) async fn one(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let found = store.query(&of, NARROW, move |tx| find_conversion(tx.within(&scope), &trac, &id));
    found.await.map(Json)
}

fn read(row: &Row<'_>, trac: &Trac) -> Result<Value, StoreError> {
    let waited_secs = trac.clock.now().secs_since(row.get("created_at")?);
    let decision: Decision = row.document("decision")?;
    let attribution = decision.attribution.as_ref();
    let transaction = decision.transaction.as_deref();
    let transaction = transaction.map(|id| id.strip_prefix("transaction:").unwrap_or(id));
    Ok(json!({
        "id": word(row, "id")?,
        "source": decision.source().as_str(),
        "lead_id": decision.lead_id,
        "external_transaction_id": transaction,
        "stripe": decision.stripe,
        "amount_minor": decision.gross_minor,
        "base_minor": decision.base_minor,
        "lost_minor": decision.lost_minor,
        "currency": decision.currency,
        "attributed": decision.credited_click().is_some(),
        "click_id": attribution.map(|attribution| &attribution.click_id),
        "program_id": word(row, "program_id")?,
        "partner_id": word(row, "partner_id")?,
        "rule": attribution.map(|attribution| attribution.rule),
        "claims": claims(row)?,
        "reason": decision.reason.shown_after(waited_secs),
        "commission_id": word(row, "commission_id")?,
        "occurred_at": decision.time.map(Timestamp::to_rfc3339),
        "created_at": time(row, "created_at")?,
    }))
}

/// The pages' claims of the payment, each with the merchant's verdict.
fn claims(row: &Row<'_>) -> Result<Vec<Value>, StoreError> {
    let reports: Option<String> = row.get("reports")?;
    let reports: BTreeMap<String, Report> =
        reports.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default();
    let claim = |report: Report| {
        let amount = report.amount.map(|amount| amount.value);
        json!({
            "click_id": report.click,
            "amount_minor": amount.map(|(minor, _)| minor),
            "currency": amount.map(|(_, currency)| currency),
            "status": report.verdict.map(|verdict| if verdict.value { "approved" } else { "rejected" }),
            "at": report.at.map(Timestamp::to_rfc3339),
        })
    };
    Ok(reports.into_values().filter(|report| !report.by_merchant).map(claim).collect())
}
