//! A simulator of Stripe on loopback, for payments in the demo and the end-to-end tests.
//!
//! It is a development tool; merchants do not need it. It follows Stripe's documentation of the newest API
//! version and serves
//!
//! * the hosted payment page, for Payment Links (`/test_…?client_reference_id=…`) and Checkout Sessions
//!   (`POST /v1/checkout/sessions`, form-encoded, bearer key);
//! * `buy-button.js` and `pricing-table.js`, which define Stripe's two custom elements;
//! * the destinations of events (`/v2/core/event_destinations`, `/v1/webhook_endpoints`), with their secrets;
//! * the merchant's dashboard (`/dashboard`): refund, renew, cancel, dispute;
//! * the same actions as JSON for tests (`/stand-in/…`), and holding back, repeating and reordering
//!   deliveries.
//!
//! Every action results in signed events, posted to one webhook endpoint, the configured or the newest one, and retried
//! until the response is 2xx.
//!
//! Nothing here calls Stripe, no card is needed, no money moves.
// A Checkout Session is one long `json!`.
#![recursion_limit = "256"]

mod chance;
mod form;
mod catalogue;
mod session;
mod payment;
mod subscription;
mod event;
mod outbox;
mod destination;
mod merchant;
mod refusal;
mod pages;
mod api;
mod destinations_api;
mod control;
mod server;
mod shop;

pub use catalogue::{Catalogue, Price, Product};
pub use event::API_VERSION;
pub use outbox::{Delivery, Webhook, sign};
pub use server::{Config, StandIn};
pub use shop::{Shop, ShopOrigins};
