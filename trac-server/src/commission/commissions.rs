//! `/api/v1/commissions` and their entries, read only: only `flow` writes to the ledger, also what a merchant decides
//! about a commission.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use trac_core::commission::claim::Source;
use trac_core::webhook::adjustment::Adjustment;
use trac_core::webhook::facts::Facts;
use trac_core::webhook::verdict::{Ruling, Verdict, Verdicts};

use crate::access::Merchant;
use crate::api::list::Filter::{By, Is};
use crate::api::list::{
    Condition, Counts, Kept, Listing, NARROW, Resource, Young, document, number, time, word,
};
use crate::problem::Problem;
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// The status of commission `c` at the time `?3`. The column `state` decides all of it that does not
/// depend on the time.
macro_rules! status {
    () => {
        "CASE WHEN c.state <> 'open' THEN c.state WHEN c.matures_at <= ?3 THEN 'approved' ELSE 'pending' END"
    };
}
pub(super) use status;

/// A part of the facts of commission `c`'s payment.
macro_rules! facts {
    ($name:literal) => {
        concat!(
            "(SELECT p.facts -> '",
            $name,
            "' FROM payment AS p WHERE p.workspace_id = c.workspace_id AND p.mode = c.mode AND p.id = c.payment_id) AS ",
            $name
        )
    };
}

/// Open commissions that are still pending.
const PENDING: Option<Young> = Some(Young { is: "c.state = 'open' AND c.matures_at > ?3", strays: false });

/// Commissions. Their status is computed when they are read, so it does not depend on a timer.
pub(crate) static COMMISSIONS: Resource = Resource {
    name: "commission",
    columns: concat!(
        "c.id, c.payment_id, c.program_id, c.partner_id, c.enrollment_id, c.click_id, c.source, ",
        "c.recurring_month, c.currency, c.base_minor, c.amount_minor, c.reversed_minor, ",
        "sub_minor(c.amount_minor, c.reversed_minor) AS net_minor, c.reason, c.matures_at, c.stripe, c.created_at, ",
        status!(),
        " AS status, ",
        facts!("verdicts"),
        ", ",
        facts!("adjustments"),
    ),
    from: "commission AS c",
    within: "c.workspace_id = ?1 AND c.mode = ?2",
    id: "c.id",
    order: &["c.id"],
    filters: &[
        ("program_id", Is("c.program_id")),
        ("partner_id", Is("c.partner_id")),
        ("enrollment_id", By(of_enrollment)),
        ("click_id", Is("c.click_id")),
        ("payment_id", Is("c.payment_id")),
        ("source", Is("c.source")),
        ("currency", Is("c.currency")),
        ("reason", Is("c.reason")),
        ("status", By(has_status)),
    ],
    kept: Kept::Counts(&[
        Counts {
            from: "commission_count AS c",
            within: "c.workspace_id = ?1 AND c.mode = ?2",
            filters: &["program_id", "source", "currency", "reason", "status"],
            young: PENDING,
            combination: &[
                ("c.program_id", "c.program_id"),
                ("c.source", "c.source"),
                ("c.currency", "c.currency"),
                ("c.reason", "c.reason"),
                ("c.state", "c.state"),
            ],
        },
        Counts {
            from: "commission_partner_count AS c",
            within: "c.workspace_id = ?1 AND c.mode = ?2",
            filters: &["program_id", "partner_id", "enrollment_id", "source", "currency", "reason", "status"],
            young: PENDING,
            combination: &[
                ("c.partner_id", "c.partner_id"),
                ("c.program_id", "c.program_id"),
                ("c.source", "c.source"),
                ("c.currency", "c.currency"),
                ("c.reason", "c.reason"),
                ("c.state", "c.state"),
            ],
        },
    ]),
    read,
};

/// An enrollment is found by its partner, who has an index.
fn of_enrollment(_: &str) -> Condition {
    Condition::of(
        "c.enrollment_id = {} AND c.partner_id = (SELECT n.partner_id FROM enrollment AS n \
         WHERE n.workspace_id = ?1 AND n.mode = ?2 AND n.id = {})",
    )
}

/// An open commission is pending until it matures, then approved.
fn has_status(status: &str) -> Condition {
    let open = Condition::of("c.state = 'open'");
    match status {
        "pending" => Condition {
            shown: "c.state = 'open' AND c.matures_at > ?3",
            last: "FALSE",
            of_these: "c.matures_at > ?3",
            ..open
        },
        "approved" => Condition {
            shown: "c.state = 'open' AND c.matures_at <= ?3",
            of_these: "c.matures_at <= ?3",
            ..open
        },
        _ => Condition::of("c.state = {}"),
    }
}

/// The merchant's decision about a commission, as the API shows it; `null` if there is none or it was taken back.
pub(crate) fn verdict_json(verdict: Option<&Verdict>) -> Value {
    let in_force = verdict.filter(|verdict| verdict.ruling != Ruling::Restored);
    let shown = |verdict: &Verdict| {
        let reason = Some(verdict.reason.as_str()).filter(|reason| !reason.is_empty());
        json!({ "status": verdict.ruling.as_str(), "reason": reason, "at": verdict.made_at.to_rfc3339() })
    };
    in_force.map_or(Value::Null, shown)
}

/// The facts of the payment that only the merchant states: its decisions and the adjustment.
fn of_merchant(row: &Row<'_>) -> Result<Facts, StoreError> {
    let text = |name: &str| row.get::<Option<String>>(name);
    let verdicts: Option<BTreeMap<String, Verdicts>> =
        text("verdicts")?.as_deref().map(serde_json::from_str).transpose()?;
    let adjustments: Option<BTreeMap<String, Adjustment>> =
        text("adjustments")?.as_deref().map(serde_json::from_str).transpose()?;
    Ok(Facts {
        verdicts: verdicts.unwrap_or_default(),
        adjustments: adjustments.unwrap_or_default(),
        ..Facts::default()
    })
}

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let (of_merchant, click_id) = (of_merchant(row)?, row.get::<String>("click_id")?);
    let note = of_merchant.adjustments.values().next().map(|adjustment| adjustment.reason.as_str());
    let is_manual = row.get::<String>("source")? == Source::Manual.as_str();
    Ok(json!({
        "id": word(row, "id")?,
        "payment_id": word(row, "payment_id")?,
        "program_id": word(row, "program_id")?,
        "partner_id": word(row, "partner_id")?,
        "enrollment_id": word(row, "enrollment_id")?,
        "click_id": Some(&click_id).filter(|_| !is_manual),
        "source": word(row, "source")?,
        "recurring_month": number(row, "recurring_month")?,
        "status": word(row, "status")?,
        "currency": word(row, "currency")?,
        "base_minor": number(row, "base_minor")?,
        "amount_minor": number(row, "amount_minor")?,
        "reversed_minor": number(row, "reversed_minor")?,
        "net_minor": number(row, "net_minor")?,
        "reason": word(row, "reason")?,
        "verdict": verdict_json(of_merchant.verdict(&click_id)),
        "note": note,
        "matures_at": time(row, "matures_at")?,
        "stripe": document(row, "stripe")?,
        "created_at": time(row, "created_at")?,
    }))
}

/// Ledger entries.
pub(crate) static ENTRIES: Resource = Resource {
    name: "entry",
    columns: "n.id, n.commission_id, n.kind, n.amount_minor, n.currency, n.reason, n.event_id, n.corrects, n.at, \
              (SELECT pe.payout_id FROM payout_entry AS pe WHERE pe.workspace_id = n.workspace_id \
              AND pe.mode = n.mode AND pe.entry_id = n.id) AS payout_id",
    from: "ledger_entry AS n",
    within: "n.workspace_id = ?1 AND n.mode = ?2",
    id: "n.id",
    order: &["n.id"],
    filters: &[
        ("commission_id", Is("n.commission_id")),
        ("kind", Is("n.kind")),
        ("event_id", Is("n.event_id")),
    ],
    kept: Kept::Nothing,
    read: read_entry,
};

fn read_entry(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "commission_id": word(row, "commission_id")?,
        "kind": word(row, "kind")?,
        "amount_minor": number(row, "amount_minor")?,
        "currency": word(row, "currency")?,
        "reason": word(row, "reason")?,
        "event_id": word(row, "event_id")?,
        "corrects": word(row, "corrects")?,
        "payout_id": word(row, "payout_id")?,
        "at": time(row, "at")?,
        "created_at": time(row, "at")?,
    }))
}

/// The entries of one commission, newest first.
pub(super) async fn entries(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let list = store.query(&of, NARROW, move |tx| {
        let rows = tx.within(&scope);
        COMMISSIONS.find(rows, &trac, &id)?;
        ENTRIES.list(rows, &trac, &listing.only("commission_id", &id))
    });
    list.await.map(Json)
}
