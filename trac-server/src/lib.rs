//! Affiliate attribution for Stripe merchants, on the server.
//!
//! A click becomes money in six steps, and each step is one module, in this order:
//!
//! ```text
//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission
//! ```
//!
//! What is decided is decided by [`trac_core`]; here is what reads sockets, keeps rows and tells the time.
//!
//! # In a merchant's own server
//!
//! ```toml
//! trac-server = { version = "0.1", default-features = false }
//! ```
//!
//! is the SDK alone, for any axum app: the click that brought a visitor, put on a Checkout Session, and Stripe's
//! events, verified.
//!
//! ```
//! use axum::Router;
//! use axum::routing::{get, post};
//! use trac_server::{Click, ClickLayer, StripeEvent, WebhookSecrets, stripe_metadata};
//!
//! /// Makes a Checkout Session that carries the click, if there is one.
//! async fn buy(click: Option<Click>) -> String {
//!     let mut fields = vec![("mode".to_owned(), "payment".to_owned())];
//!     if let Some(click) = click {
//!         let metadata = stripe_metadata(&click, Some("user_17"));
//!         fields.extend(metadata.session_fields().map(|(name, value)| (name, value.to_owned())));
//!     }
//!     format!("POST /v1/checkout/sessions with {fields:?}")
//! }
//!
//! async fn paid(event: StripeEvent) -> String {
//!     format!("{} is authentic", event.id)
//! }
//!
//! let secrets = WebhookSecrets::new(["whsec_from_the_dashboard"])?;
//! let shop: Router = Router::new()
//!     .route("/buy", post(buy))
//!     .route("/webhook", post(paid))
//!     .with_state(secrets)
//!     .layer(ClickLayer::new());
//! # Ok::<(), trac_server::UnusableSecret>(())
//! ```
//!
//! | wanted | called |
//! |---|---|
//! | the click of a request | [`get_click_id`], or [`Click`] and `Option<Click>` as extractors |
//! | a cookie that outlives script storage | [`ClickLayer`] |
//! | a Checkout Session that carries the click | [`stripe_metadata`] |
//! | a lead of a page that counts as the merchant's word | [`customer_token`] |
//! | Stripe's events, verified or rejected | [`StripeEvent`] with [`WebhookSecrets`] |
//! | leads and conversions of one's own | `TracClient`, with the feature `client` |
//!
//! # The whole server
//!
//! With the feature `server`, which is on by default, `Store::open`, `Trac::new` and `router` mount the tracking
//! service inside an axum app, and the program `trac` runs it by itself, by `service` and `listen::serve`.

// ground
pub mod clock;
#[cfg(feature = "server")]
pub mod proxy;
#[cfg(feature = "server")]
mod visible;
#[cfg(feature = "server")]
mod key_kind;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
mod id;
#[cfg(feature = "server")]
mod request_id;
#[cfg(feature = "server")]
pub mod log;
#[cfg(feature = "server")]
mod tally;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
mod problem;
#[cfg(feature = "server")]
mod path;
#[cfg(feature = "server")]
mod patience;
#[cfg(feature = "server")]
mod bodies;
#[cfg(feature = "server")]
mod fields;
#[cfg(feature = "server")]
mod parameters;
#[cfg(feature = "server")]
mod last_known;
#[cfg(feature = "server")]
mod hosts;
#[cfg(feature = "server")]
mod day_salt;
#[cfg(feature = "server")]
mod limit;
#[cfg(feature = "server")]
mod key_uses;
#[cfg(feature = "server")]
mod metrics;
#[cfg(feature = "server")]
mod refusal;
#[cfg(feature = "server")]
mod soundness;
#[cfg(feature = "server")]
mod uncounted;
#[cfg(feature = "server")]
mod trac;
#[cfg(feature = "server")]
mod catch_up;
#[cfg(feature = "server")]
mod access;
#[cfg(feature = "server")]
mod idempotency;
#[cfg(feature = "server")]
mod list;
#[cfg(feature = "server")]
mod refusals;
#[cfg(feature = "server")]
mod api_key;
#[cfg(feature = "server")]
mod program;

// stages
mod click;
mod cookie;
mod checkout;
mod webhook;
#[cfg(feature = "server")]
mod conversion;
#[cfg(feature = "server")]
mod commission;

// the SDK's voice
#[cfg(feature = "client")]
pub mod client;

// the whole
#[cfg(feature = "server")]
mod flow;
#[cfg(feature = "server")]
pub mod ask;
#[cfg(feature = "server")]
pub mod replay;
#[cfg(feature = "server")]
pub mod export;
#[cfg(feature = "server")]
pub mod explain;
#[cfg(feature = "server")]
mod dashboard;
#[cfg(feature = "server")]
pub mod workspace;
#[cfg(feature = "server")]
mod operations;
#[cfg(feature = "server")]
pub mod housekeeping;
#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
mod router;
#[cfg(feature = "server")]
pub mod listen;

#[cfg(feature = "demo")]
pub mod demo;

pub use checkout::{StripeMetadata, stripe_metadata};
pub use click::{Click, NoClick, RequestHead, get_click_id};
#[cfg(feature = "client")]
pub use client::TracClient;
pub use cookie::{ClickLayer, ClickService, SetCookie};
pub use trac_core::click::ClickId;
pub use trac_core::webhook::customer_token::customer_token;
pub use webhook::{StripeEvent, StripeEventRejection, UnusableSecret, WebhookSecrets};

#[cfg(feature = "server")]
pub use click::missing_script;
pub use operations::metrics_service;
#[cfg(feature = "server")]
pub use router::{router, service};
#[cfg(feature = "server")]
pub use trac::Trac;
#[cfg(feature = "server")]
pub use webhook::secrets;

#[cfg(test)]
mod test_app;
#[cfg(test)]
mod test_shop;
