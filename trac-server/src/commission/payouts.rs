//! `/api/v1/payouts`: money handed to a partner, as the set of entries it paid.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rusqlite::{Connection, Row, named_params, params};
use serde_json::{Value, json};
use trac_core::money::Currency;
use trac_core::time::Timestamp;

use super::commissions::status;
use crate::access::Merchant;
use crate::fields::{Fields, currency, text};
use crate::id::Kind;
use crate::list::{Resource, document, number, time, word};
use crate::problem::Problem;
use crate::program::PARTNERS;
use crate::store::{Priority, Scope, StoreError};
use crate::trac::Trac;

/// Payouts.
pub(crate) static PAYOUTS: Resource = Resource {
    name: "payout",
    columns: "o.id, o.partner_id, o.currency, o.amount_minor, o.created_at, \
              (SELECT json_group_array(commission_id) FROM (SELECT DISTINCT pe.commission_id FROM payout_entry AS pe \
              WHERE pe.workspace_id = o.workspace_id AND pe.mode = o.mode AND pe.payout_id = o.id \
              ORDER BY pe.commission_id)) AS commission_ids",
    from: "payout AS o",
    within: "o.workspace_id = :workspace_id AND o.mode = :mode",
    id: "o.id",
    order: &["o.id"],
    filters: &[("partner_id", "o.partner_id"), ("currency", "o.currency")],
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "partner_id": word(row, "partner_id")?,
        "currency": word(row, "currency")?,
        "amount_minor": number(row, "amount_minor")?,
        "commission_ids": document(row, "commission_ids")?,
        "created_at": time(row, "created_at")?,
    }))
}

/// Pays every unpaid entry of approved commissions, and the later entries of those paid before.
pub(super) async fn create(
    State(trac): State<Trac>,
    Merchant(scope): Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let partner_id = fields.need("partner_id", text(1..=64));
    let currency = fields.need("currency", currency);
    fields.finish()?;
    let (Some(partner_id), Some(currency)) = (partner_id, currency) else {
        return Err(Problem::malformed("The body names no partner and currency."));
    };
    let store = trac.store.clone();
    let created = store.try_write(Priority::Api, move |tx| {
        PARTNERS.find(tx, &trac, &scope, &partner_id)?;
        let now = trac.clock.now();
        let due = due(tx, &scope, &partner_id, currency, now)?;
        let total = due.iter().try_fold(0_i64, |sum, entry| sum.checked_add(entry.amount_minor));
        let total = total.ok_or_else(|| StoreError::internal("a payout is larger than 64 bits"))?;
        if total <= 0 {
            let message = format!("Nothing is owed: the sum is {}.", currency.display(total));
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "NOTHING_TO_PAY", message));
        }
        let id = trac.ids.make(Kind::Payout);
        tx.prepare_cached(
            "INSERT INTO payout (workspace_id, mode, id, partner_id, currency, amount_minor, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            scope.workspace_id(),
            scope.mode_str(),
            id,
            partner_id,
            currency.as_str(),
            total,
            now.unix_secs()
        ])?;
        for entry in &due {
            pay(tx, &scope, &id, entry)?;
        }
        PAYOUTS.find(tx, &trac, &scope, &id)
    });
    created.await.map(|payout| (StatusCode::CREATED, Json(payout)))
}

/// An entry that a payout pays.
struct Due {
    entry_id: String,
    commission_id: String,
    amount_minor: i64,
}

const DUE: &str = concat!(
    "SELECT n.id, n.commission_id, n.amount_minor FROM (SELECT c.id, ",
    status!(),
    " AS status FROM commission AS c WHERE c.workspace_id = :workspace_id AND c.mode = :mode ",
    "AND c.partner_id = :partner_id AND c.currency = :currency) AS s ",
    "JOIN ledger_entry AS n ON n.workspace_id = :workspace_id AND n.mode = :mode AND n.commission_id = s.id ",
    "WHERE s.status IN ('approved', 'paid') AND NOT EXISTS (SELECT 1 FROM payout_entry AS done ",
    "WHERE done.workspace_id = n.workspace_id AND done.mode = n.mode AND done.entry_id = n.id) ",
    "ORDER BY n.id"
);

fn due(
    connection: &Connection,
    scope: &Scope,
    partner_id: &str,
    currency: Currency,
    now: Timestamp,
) -> Result<Vec<Due>, StoreError> {
    let mut statement = connection.prepare_cached(DUE)?;
    let rows = statement.query_map(
        named_params! {
            ":workspace_id": scope.workspace_id(),
            ":mode": scope.mode_str(),
            ":partner_id": partner_id,
            ":currency": currency.as_str(),
            ":now": now.unix_secs(),
        },
        |row| Ok(Due { entry_id: row.get(0)?, commission_id: row.get(1)?, amount_minor: row.get(2)? }),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Marks an entry as paid. An entry is paid at most once: its ID is the key.
fn pay(connection: &Connection, scope: &Scope, payout_id: &str, entry: &Due) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO payout_entry (workspace_id, mode, entry_id, payout_id, commission_id) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            scope.workspace_id(),
            scope.mode_str(),
            entry.entry_id,
            payout_id,
            entry.commission_id
        ])?;
    Ok(())
}
