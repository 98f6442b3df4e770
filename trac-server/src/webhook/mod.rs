//! Webhook: where Stripe tells what was paid, and the log of what it told.

mod body;
mod extract;
#[cfg(feature = "server")]
pub(crate) mod delivery;
#[cfg(feature = "server")]
pub(crate) mod log;
#[cfg(feature = "server")]
pub(crate) mod stripe_key;
#[cfg(feature = "server")]
mod endpoints;
#[cfg(feature = "server")]
pub mod secrets;
#[cfg(feature = "server")]
mod events;

#[cfg(feature = "server")]
use axum::Router;
#[cfg(feature = "server")]
use axum::routing::{patch, post};

#[cfg(feature = "server")]
use crate::list::{list_of, one_of};
#[cfg(feature = "server")]
use crate::trac::Trac;

#[cfg(all(test, feature = "server"))]
pub(crate) use body::tests::watched;
#[cfg(feature = "server")]
pub(crate) use endpoints::ENDPOINTS;
#[cfg(feature = "server")]
pub(crate) use events::{EVENTS, missing_event, remedy_of};
pub use extract::{StripeEvent, StripeEventRejection, UnusableSecret, WebhookSecrets};

/// The event types to select in Stripe: the first five are needed, the others make refunds, disputes and delayed
/// payments exact.
#[cfg(feature = "server")]
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
#[cfg(feature = "server")]
pub(crate) fn routes() -> Router<Trac> {
    Router::new()
        .route("/webhook-endpoints", list_of(&ENDPOINTS).merge(post(endpoints::create)))
        .route("/webhook-endpoints/{id}", one_of(&ENDPOINTS).merge(patch(endpoints::change)))
        .route("/events", list_of(&EVENTS))
        .route("/events/{id}", axum::routing::get(events::one))
}

#[cfg(test)]
mod tests;
