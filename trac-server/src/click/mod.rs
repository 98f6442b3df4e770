//! Click: a partner's link is followed.

mod extract;
#[cfg(feature = "server")]
mod destination;
#[cfg(feature = "server")]
mod links;
#[cfg(feature = "server")]
mod clicks;
#[cfg(feature = "server")]
mod visit;
#[cfg(feature = "server")]
mod visitor;
#[cfg(feature = "server")]
mod not_counted;
#[cfg(feature = "server")]
mod location;
#[cfg(feature = "server")]
mod find;
#[cfg(feature = "server")]
mod record;
#[cfg(feature = "server")]
mod redirect;
#[cfg(feature = "server")]
mod script;
#[cfg(feature = "server")]
mod track;
#[cfg(feature = "server")]
mod promo_code;
#[cfg(feature = "server")]
mod qr;

#[cfg(feature = "server")]
use std::time::Duration;

#[cfg(feature = "server")]
use axum::Router;
#[cfg(feature = "server")]
use axum::extract::DefaultBodyLimit;
#[cfg(feature = "server")]
use axum::routing::{delete, get, patch, post};
#[cfg(feature = "server")]
use tower_http::cors::{Any, CorsLayer};

#[cfg(feature = "server")]
use crate::fields::BODY_LIMIT_BYTES;
#[cfg(feature = "server")]
use crate::list::{list_of, one_of};
#[cfg(feature = "server")]
use crate::problem::Problem;
#[cfg(feature = "server")]
use crate::trac::Trac;

#[cfg(feature = "server")]
pub(crate) use clicks::{CLICKS, Wanted, record};
#[cfg(feature = "server")]
pub(crate) use destination::destination;
pub use extract::{Click, NoClick, RequestHead, get_click_id};
pub(crate) use extract::{arriving, stored};
#[cfg(feature = "server")]
pub(crate) use find::is_known;
#[cfg(feature = "server")]
pub(crate) use links::{LINKS, link_path};
pub(crate) use promo_code::click_by_promo_code;
#[cfg(feature = "server")]
pub(crate) use redirect::{SLUG, plain_visit, remember_links, visit};
#[cfg(feature = "server")]
pub use script::missing_script;

/// `/links` and `/clicks`.
#[cfg(feature = "server")]
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/links", list_of(&LINKS).merge(post(links::create)))
        .route("/links/{id}", one_of(&LINKS).merge(patch(links::change)).merge(delete(links::remove)))
        .route("/links/{id}/qr.svg", get(qr::draw))
        .route("/clicks", list_of(&CLICKS))
        .route("/clicks/{id}", one_of(&CLICKS))
}

/// What visitors and their browsers ask for: tracked links, the script and its clicks, from any origin, without credentials.
#[cfg(feature = "server")]
pub(crate) fn public_routes() -> Router<Trac> {
    let routes = redirect::routes().merge(script::routes()).merge(track::routes());
    for_any_origin(routes.layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES)))
}

/// Lets pages of any origin call these routes, without credentials.
#[cfg(feature = "server")]
pub(crate) fn for_any_origin(routes: Router<Trac>) -> Router<Trac> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        .allow_headers(Any)
        .max_age(Duration::from_hours(24));
    // Under the layer, so that a preflight is answered by it and not by the router's own refusal.
    routes.method_not_allowed_fallback(async || Problem::method_not_allowed()).layer(cors)
}

#[cfg(test)]
mod tests;
