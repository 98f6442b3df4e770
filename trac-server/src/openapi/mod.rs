//! The description of the API: one table of operations, and `/openapi.json`, which is generated from it.

pub(crate) mod operations;
mod words;
mod document;

use axum::Router;
use axum::routing::get;

use crate::trac::Trac;

/// `/openapi.json`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new().route("/openapi.json", get(document::serve))
}

#[cfg(test)]
mod tests;
