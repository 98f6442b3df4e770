//! Conversion: what was paid, and which click it is credited to.

mod analytics;
mod attributions;
mod conversions;
mod customers;
mod leads;

use axum::Router;
use axum::routing::get;

pub(crate) use attributions::ATTRIBUTIONS;
pub(crate) use conversions::{CONVERSIONS, conversion_id, find_conversion};
pub(crate) use customers::CUSTOMERS;
pub(crate) use leads::LEADS;

use crate::list::{list_of, one_of};
use crate::trac::Trac;

/// `/conversions`, `/leads`, `/customers`, `/analytics` and `/attributions`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/conversions", list_of(&CONVERSIONS))
        .route("/conversions/{id}", get(conversions::one))
        .route("/analytics", get(analytics::report))
        .route("/leads", list_of(&LEADS))
        .route("/leads/{id}", one_of(&LEADS))
        .route("/customers", list_of(&CUSTOMERS))
        .route("/customers/{id}", one_of(&CUSTOMERS))
        .route("/attributions", list_of(&ATTRIBUTIONS))
        .route("/attributions/{id}", one_of(&ATTRIBUTIONS))
}
