//! Conversion: what was paid, and which click it is credited to.

mod attributions;
mod conversions;

use axum::Router;

pub(crate) use conversions::CONVERSIONS;

use crate::list::{list_of, one_of};
use crate::trac::Trac;

/// `/conversions` and `/attributions`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/conversions", list_of(&CONVERSIONS))
        .route("/conversions/{id}", one_of(&CONVERSIONS))
        .route("/attributions", list_of(&attributions::ATTRIBUTIONS))
        .route("/attributions/{id}", one_of(&attributions::ATTRIBUTIONS))
}
