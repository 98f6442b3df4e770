//! Conversion: what was paid, and which click it is credited to.

mod attributions;

use axum::Router;

use crate::list::{list_of, one_of};
use crate::trac::Trac;

/// `/attributions`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/attributions", list_of(&attributions::ATTRIBUTIONS))
        .route("/attributions/{id}", one_of(&attributions::ATTRIBUTIONS))
}
