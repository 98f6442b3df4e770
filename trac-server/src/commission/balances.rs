//! `/api/v1/balances`: the amounts each partner has earned, was paid and is owed, by currency.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::commissions::status;
use crate::access::Merchant;
use crate::api::list::Filter::Is;
use crate::api::list::{Listing, NARROW, Resource, number, word};
use crate::problem::Problem;
use crate::program::PARTNERS;
use crate::store::StoreError;
use crate::store::rows::Row;
use crate::trac::Trac;

/// One row for each partner and currency.
///
/// Entries are summed for each commission, then commissions for each partner and currency. Two currencies are
/// never added. The commissions of claims that are not approved are `claimed_minor`, separate from
/// `pending_minor`.
pub(crate) static BALANCES: Resource = Resource {
    name: "balance",
    columns: "b.partner_id, b.currency, b.pending_minor, b.claimed_minor, b.approved_minor, b.paid_minor, \
              b.unpaid_of_paid_minor",
    from: concat!(
        "(SELECT s.partner_id, s.currency, ",
        "coalesce(sum_minor(s.net_minor) FILTER (WHERE s.status IN ('pending', 'held') AND NOT s.is_claim), 0) ",
        "AS pending_minor, ",
        "coalesce(sum_minor(s.net_minor) FILTER (WHERE s.status = 'held' AND s.is_claim), 0) AS claimed_minor, ",
        "coalesce(sum_minor(s.net_minor) FILTER (WHERE s.status = 'approved'), 0) AS approved_minor, ",
        "sum_minor(s.paid_minor) AS paid_minor, ",
        "coalesce(sum_minor(s.entries_minor - s.paid_minor) FILTER (WHERE s.status = 'paid'), 0) ",
        "AS unpaid_of_paid_minor FROM (SELECT c.partner_id, c.currency, ",
        "c.amount_minor - c.reversed_minor AS net_minor, ",
        status!(),
        " AS status, c.held AND c.reason = 'client_reported' AS is_claim, ",
        "(SELECT coalesce(sum_minor(n.amount_minor), 0) FROM ledger_entry AS n WHERE n.workspace_id = c.workspace_id ",
        "AND n.mode = c.mode AND n.commission_id = c.id) AS entries_minor, ",
        "(SELECT coalesce(sum_minor(n.amount_minor), 0) FROM payout_entry AS pe JOIN ledger_entry AS n ",
        "ON n.workspace_id = pe.workspace_id AND n.mode = pe.mode AND n.id = pe.entry_id ",
        "WHERE pe.workspace_id = c.workspace_id AND pe.mode = c.mode AND pe.commission_id = c.id) AS paid_minor ",
        "FROM commission AS c WHERE c.workspace_id = ?1 AND c.mode = ?2) AS s ",
        "GROUP BY s.partner_id, s.currency) AS b"
    ),
    within: "TRUE",
    id: "b.partner_id || ':' || b.currency",
    order: &["b.partner_id", "b.currency"],
    filters: &[("partner_id", Is("b.partner_id")), ("currency", Is("b.currency"))],
    read,
};

fn read(row: &Row<'_>, _: &Trac) -> Result<Value, StoreError> {
    let owed = row.get::<i64>("approved_minor")?.saturating_add(row.get("unpaid_of_paid_minor")?);
    Ok(json!({
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
    Merchant(scope): Merchant,
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
