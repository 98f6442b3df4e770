//! `/api/v1/payouts`: money paid to a partner, as the set of entries that it pays.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use trac_core::money::Currency;
use trac_core::time::Timestamp;

use super::commissions::status;
use crate::access::Merchant;
use crate::api::activity::Change;
use crate::api::fields::{Fields, currency, flag, text};
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Resource, number, time, word};
use crate::id::Kind;
use crate::problem::Problem;
use crate::program::PARTNERS;
use crate::store::rows::{Row, Rows, args};
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

/// Payouts.
pub(crate) static PAYOUTS: Resource = Resource {
    name: "payout",
    columns: "o.id, o.partner_id, o.currency, o.amount_minor, o.created_at, \
              (SELECT string_agg(commission_id, '\n' ORDER BY commission_id) FROM (SELECT DISTINCT pe.commission_id \
              FROM payout_entry AS pe WHERE pe.workspace_id = o.workspace_id AND pe.mode = o.mode AND pe.payout_id = o.id) AS d) \
              AS commission_ids",
    from: "payout AS o",
    within: "o.workspace_id = ?1 AND o.mode = ?2",
    id: "o.id",
    order: &["o.id"],
    filters: &[("partner_id", Is("o.partner_id")), ("currency", Is("o.currency"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    Ok(json!({
        "id": word(row, "id")?,
        "partner_id": word(row, "partner_id")?,
        "currency": word(row, "currency")?,
        "amount_minor": number(row, "amount_minor")?,
        "commission_ids": row.words("commission_ids")?,
        "created_at": time(row, "created_at")?,
    }))
}

/// Pays every unpaid entry of approved commissions, and later entries of commissions that were already paid.
/// Entries of a banned enrollment are left out, unless the body contains `"anyway": true`.
pub(super) async fn create(
    State(trac): State<Trac>,
    caller: Merchant,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let partner_id = fields.need("partner_id", text(1..=64));
    let currency = fields.need("currency", currency);
    let anyway = fields.take("anyway", flag).unwrap_or_default();
    fields.finish()?;
    let (Some(partner_id), Some(currency)) = (partner_id, currency) else {
        return Err(Problem::malformed("The body lacks partner_id or currency."));
    };
    let (store, scope) = (trac.store.clone(), caller.scope.clone());
    let created = store.try_write_in(&scope, Priority::Api, move |rows| {
        PARTNERS.find(rows, &trac, &partner_id)?;
        let now = trac.clock.now();
        let due = due(rows, &partner_id, currency, now)?;
        let (due, banned) = if anyway { (due, Vec::new()) } else { without_banned(due)? };
        let (total, left_out) = (sum(&due)?, sum(&banned)?);
        if total <= 0 && !banned.is_empty() {
            let message = format!(
                "The partner is banned from the program in which {} was earned. Send \"anyway\": true to pay it anyway.",
                currency.display(left_out)
            );
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "PARTNER_BANNED", message));
        }
        if total <= 0 {
            let message = format!("Nothing is owed: the sum is {}.", currency.display(total));
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "NOTHING_TO_PAY", message));
        }
        let id = trac.ids.make(Kind::Payout);
        rows.write(
            "INSERT INTO payout (workspace_id, mode, id, partner_id, currency, amount_minor, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            args![id, partner_id, currency.as_str(), total, now],
        )?;
        for entry in &due {
            pay(rows, &id, entry)?;
        }
        let mut payout = PAYOUTS.find(rows, &trac, &id)?;
        record(rows, &trac, &caller, &payout)?;
        if let (Some(payout), false) = (payout.as_object_mut(), banned.is_empty()) {
            let left_out = json!([{ "amount_minor": left_out, "reason": "partner_banned" }]);
            payout.insert("left_out".to_owned(), left_out);
        }
        Ok(payout)
    });
    created.await.map(|payout| (StatusCode::CREATED, Json(payout)))
}

/// Records the payout, without the IDs of its commissions: there can be many thousands, and `payout_entry` has them.
fn record(rows: Rows<'_>, trac: &Trac, caller: &Merchant, payout: &Value) -> Result<(), StoreError> {
    let mut after = payout.clone();
    if let Some(after) = after.as_object_mut() {
        after.remove("commission_ids");
    }
    let id = payout.get("id").and_then(Value::as_str).unwrap_or_default();
    caller.record(
        rows,
        trac,
        &Change { kind: PAYOUTS.name, id, verb: "created", before: None, after: Some(&after) },
    )
}

/// An entry that a payout pays.
struct Due {
    entry_id: String,
    commission_id: String,
    amount_minor: i64,
    enrollment_id: String,
    is_banned: bool,
}

fn sum(entries: &[Due]) -> Result<i64, StoreError> {
    let sum = entries.iter().try_fold(0_i64, |sum, entry| sum.checked_add(entry.amount_minor));
    sum.ok_or_else(|| StoreError::internal("the sum of a payout exceeds 64 bits"))
}

/// Splits entries into those to pay and those left out because their enrollment is banned. The entries of a
/// banned enrollment whose sum is not positive are not left out: a ban does not cancel a debt.
fn without_banned(due: Vec<Due>) -> Result<(Vec<Due>, Vec<Due>), StoreError> {
    let mut by_enrollment: BTreeMap<String, Vec<Due>> = BTreeMap::new();
    for entry in due {
        by_enrollment.entry(entry.enrollment_id.clone()).or_default().push(entry);
    }
    let (mut paid, mut banned) = (Vec::new(), Vec::new());
    for entries in by_enrollment.into_values() {
        let is_left_out = entries.iter().any(|entry| entry.is_banned) && sum(&entries)? > 0;
        let place = if is_left_out { &mut banned } else { &mut paid };
        place.extend(entries);
    }
    Ok((paid, banned))
}

const DUE: &str = concat!(
    "SELECT n.id, n.commission_id, n.amount_minor, s.enrollment_id, coalesce((SELECT v.status = 'banned' ",
    "FROM enrollment_version AS v WHERE v.workspace_id = ?1 AND v.mode = ?2 ",
    "AND v.enrollment_id = s.enrollment_id ORDER BY v.number DESC LIMIT 1), FALSE) AS is_banned ",
    "FROM (SELECT c.id, c.enrollment_id, ",
    status!(),
    " AS status FROM commission AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 ",
    "AND c.partner_id = ?4 AND c.currency = ?5) AS s ",
    "JOIN ledger_entry AS n ON n.workspace_id = ?1 AND n.mode = ?2 AND n.commission_id = s.id ",
    "WHERE s.status IN ('approved', 'paid') AND NOT EXISTS (SELECT 1 FROM payout_entry AS done ",
    "WHERE done.workspace_id = n.workspace_id AND done.mode = n.mode AND done.entry_id = n.id) ",
    "ORDER BY n.id"
);

fn due(rows: Rows<'_>, partner_id: &str, currency: Currency, now: Timestamp) -> Result<Vec<Due>, StoreError> {
    rows.all(DUE, args![now, partner_id, currency.as_str()], |row| {
        Ok(Due {
            entry_id: row.get(0)?,
            commission_id: row.get(1)?,
            amount_minor: row.get(2)?,
            enrollment_id: row.get(3)?,
            is_banned: row.get(4)?,
        })
    })
}

/// Marks an entry as paid. An entry is paid at most once, because its ID is the key of `payout_entry`.
fn pay(rows: Rows<'_>, payout_id: &str, entry: &Due) -> Result<(), StoreError> {
    rows.write(
        "INSERT INTO payout_entry (workspace_id, mode, entry_id, payout_id, commission_id) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        args![entry.entry_id, payout_id, entry.commission_id],
    )?;
    Ok(())
}
