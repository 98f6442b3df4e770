//! Clicks: a visitor follows a partner's link.

mod destination;
mod links;
mod clicks;
mod visit;
mod visitor;
mod not_counted;
mod location;
mod find;
mod record;
mod redirect;
mod script;
mod track;
mod promo_code;
mod qr;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, patch, post};
use tower_http::cors::{Any, CorsLayer};

use crate::api::fields::BODY_LIMIT_BYTES;
use crate::api::list::{list_of, one_of};
use crate::problem::Problem;
use crate::trac::Trac;

pub(crate) use clicks::{CLICKS, ClickBody, record};
pub(crate) use destination::destination;
pub(crate) use find::is_known;
pub(crate) use links::{LINKS, link_path};
pub(crate) use promo_code::click_by_promo_code;
pub(crate) use redirect::{SLUG, plain_visit, remember_links, visit};
pub use script::missing_script;

/// `/links` and `/clicks`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/links", list_of(&LINKS).merge(post(links::create)))
        .route("/links/{id}", one_of(&LINKS).merge(patch(links::change)).merge(delete(links::remove)))
        .route("/links/{id}/qr.svg", get(qr::draw))
        .route("/clicks", list_of(&CLICKS))
        .route("/clicks/{id}", one_of(&CLICKS))
}

/// The routes that visitors' browsers call: tracked links, the script and the script's clicks; from any
/// origin, without credentials.
pub(crate) fn public_routes() -> Router<Trac> {
    let routes = redirect::routes().merge(script::routes()).merge(track::routes());
    for_any_origin(routes.layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES)))
}

/// Lets pages of any origin call these routes, without credentials.
pub(crate) fn for_any_origin(routes: Router<Trac>) -> Router<Trac> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        .allow_headers(Any)
        .max_age(Duration::from_hours(24));
    // Set below the CORS layer, so that the layer responds to a preflight, not the router's `405`.
    routes.method_not_allowed_fallback(async || Problem::method_not_allowed()).layer(cors)
}

#[cfg(test)]
mod tests;
