//! Commissions: what a conversion earns, entry by entry, and the amounts owed and paid.

mod commissions;
mod balances;
mod payouts;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use balances::BALANCES;
pub(crate) use commissions::{COMMISSIONS, ENTRIES, verdict_json};
pub(crate) use payouts::PAYOUTS;

use crate::api::list::{list_of, one_of};
use crate::trac::Trac;

/// `/commissions`, `/balances` and `/payouts`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/commissions", list_of(&COMMISSIONS))
        .route("/commissions/{id}", one_of(&COMMISSIONS))
        .route("/commissions/{id}/entries", get(commissions::entries))
        .route("/balances", get(balances::list))
        .route("/payouts", list_of(&PAYOUTS).merge(post(payouts::create)))
        .route("/payouts/{id}", one_of(&PAYOUTS))
}

#[cfg(test)]
mod tests;
