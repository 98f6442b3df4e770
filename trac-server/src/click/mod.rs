//! Click: a partner's link is followed.

mod destination;
mod links;
mod clicks;

use axum::Router;
use axum::routing::{delete, patch, post};

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
