//! Click: a partner's link is followed.

mod destination;
mod links;
mod clicks;
mod visit;
mod visitor;
mod location;
mod redirect;
mod script;

use axum::Router;
use axum::routing::{delete, patch, post};
use tower_http::cors::{Any, CorsLayer};

use crate::list::{list_of, one_of};
use crate::trac::Trac;

/// `/links` and `/clicks`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/links", list_of(&links::LINKS).merge(post(links::create)))
        .route("/links/{id}", one_of(&links::LINKS).merge(patch(links::change)).merge(delete(links::remove)))
        .route("/clicks", list_of(&clicks::CLICKS).merge(post(clicks::create)))
        .route("/clicks/{id}", one_of(&clicks::CLICKS))
}

pub(crate) use clicks::CLICKS;

/// What visitors and their browsers ask for: tracked links and the script, from any origin, without credentials.
pub(crate) fn public_routes() -> Router<Trac> {
    let cors = CorsLayer::new().allow_origin(Any).allow_methods(Any).allow_headers(Any);
    redirect::routes().merge(script::routes()).layer(cors)
}

#[cfg(test)]
mod tests;
