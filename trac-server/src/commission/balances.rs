//! `/api/v1/balances`: the amounts each partner has earned, was paid and is owed, by currency.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::access::Merchant;
use crate::api::list::Filter::Is;
use crate::api::list::{Kept, Listing, NARROW, Resource, number, word};
use crate::problem::Problem;
use crate::program::PARTNERS;
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// The open commissions of balance `b` that are not mature at the time `?3`.
macro_rules! immature {
    () => {
        "coalesce((SELECT sum_minor(sub_minor(c.amount_minor, c.reversed_minor)) FROM commission AS c WHERE c.workspace_id = b.workspace_id \
         AND c.mode = b.mode AND c.partner_id = b.partner_id AND c.currency = b.currency AND c.state = 'open' \
         AND c.matures_at > ?3), 0)"
    };
}

/// One row for each partner and currency, from the table `balance`, which triggers keep equal to the ledger. Two
/// currencies are never added.
///
/// Only the maturity of open commissions depends on the time: `pending_minor` contains those that are not mature
/// yet, and held ones. The commissions of claims that are not approved are `claimed_minor`, separate from both.
pub(crate) static BALANCES: Resource = Resource {
    name: "balance",
    columns: concat!(
        "b.partner_id || ':' || b.currency AS id, b.partner_id, b.currency, add_minor(b.held_minor, ",
        immature!(),
        ") AS pending_minor, b.claimed_minor, sub_minor(b.open_minor, ",
        immature!(),
        ") AS approved_minor, b.paid_minor, sub_minor(b.of_paid_minor, b.paid_minor) AS unpaid_of_paid_minor"
    ),
    from: "balance AS b",
    within: "b.workspace_id = ?1 AND b.mode = ?2",
    id: "b.partner_id || ':' || b.currency",
    order: &["b.partner_id", "b.currency"],
    filters: &[("partner_id", Is("b.partner_id")), ("currency", Is("b.currency"))],
    kept: Kept::Nothing,
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let owed = row.get::<i64>("approved_minor")?.saturating_add(row.get("unpaid_of_paid_minor")?);
    Ok(json!({
        "id": word(row, "id")?,
        "partner_id": word(row, "partner_id")?,
        "currency": word(row, "currency")?,
        "pending_minor": number(row, "pending_minor")?,
        "claimed_minor": number(row, "claimed_minor")?,
        "approved_minor": number(row, "approved_minor")?,
        "paid_minor": number(row, "paid_minor")?,
        "owed_minor": owed,
    }))
}

pub(super) async fn list(
    State(trac): State<Trac>,
    Merchant { scope, .. }: Merchant,
    listing: Listing,
) -> Result<Json<Value>, Problem> {
    let (store, of) = (trac.store.clone(), scope.clone());
    let list = store.query(&of, NARROW, move |tx| {
        let rows = tx.within(&scope);
        if let Some(partner_id) = listing.filter("partner_id") {
            PARTNERS.find(rows, &trac, partner_id)?;
        }
        BALANCES.list(rows, &trac, &listing)
    });
    list.await.map(Json)
}
