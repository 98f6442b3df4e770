//! Webhooks: the endpoints that receive Stripe's events, and the log of these events.

pub(crate) mod delivery;
pub(crate) mod log;
pub(crate) mod stripe_key;
pub mod secrets;
pub(crate) mod accept;
mod endpoints;
mod events;
mod fields_read;

use axum::Router;
use axum::routing::{patch, post};

use crate::api::list::{list_of, one_of};
use crate::trac::Trac;

pub(crate) use endpoints::{ENDPOINTS, add_secret, create_row};
pub(crate) use events::{EVENTS, Shown, missing_event, remedy_of};
pub(crate) use fields_read::fields_read;

/// The event types to select in Stripe: the first five are needed, the others make refunds, disputes and
/// delayed payments exact.
pub(crate) const EVENT_TYPES: &[&str] = &[
    "checkout.session.completed",
    "invoice.paid",
    "invoice_payment.paid",
    "charge.refunded",
    "customer.subscription.deleted",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "charge.succeeded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
    "refund.created",
    "refund.updated",
    "refund.failed",
];

/// `/webhook-endpoints` and `/events`.
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/webhook-endpoints", list_of(&ENDPOINTS).merge(post(endpoints::create)))
        .route("/webhook-endpoints/{id}", one_of(&ENDPOINTS).merge(patch(endpoints::change)))
        .route("/events", list_of(&EVENTS))
        .route("/events/{id}", axum::routing::get(events::one))
}

#[cfg(test)]
mod tests;
