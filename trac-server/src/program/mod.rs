//! Programs: what a merchant agreed with partners. The terms of programs and enrollments have versions,
//! because a payment is settled by the version in force at its time.

mod terms;
pub(crate) mod versions;
mod address;
mod programs;
pub(crate) mod addresses;
mod partners;
mod promotion_codes;
mod enrollments;
mod removal;

use axum::Router;
use axum::routing::{delete, patch, post};

use crate::api::list::{list_of, one_of};
use crate::trac::Trac;

/// `/programs`, `/partners` and `/enrollments`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/programs", list_of(&PROGRAMS).merge(post(programs::create)))
        .route(
            "/programs/{id}",
            one_of(&PROGRAMS).merge(patch(programs::change)).merge(delete(removal::program)),
        )
        .route("/partners", list_of(&PARTNERS).merge(post(partners::create)))
        .route(
            "/partners/{id}",
            one_of(&PARTNERS).merge(patch(partners::change)).merge(delete(removal::partner)),
        )
        .route("/enrollments", list_of(&ENROLLMENTS).merge(post(enrollments::create)))
        .route(
            "/enrollments/{id}",
            one_of(&ENROLLMENTS).merge(patch(enrollments::change)).merge(delete(removal::enrollment)),
        )
}

pub(crate) use enrollments::ENROLLMENTS;
pub(crate) use partners::PARTNERS;
pub(crate) use programs::{PROGRAMS, changed_terms};

#[cfg(test)]
mod tests;
