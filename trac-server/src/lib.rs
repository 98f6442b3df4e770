//! Affiliate attribution for Stripe merchants, on the server.
//!
//! A click becomes money in six steps, and each step is one module, in this order:
//!
//! ```text
//! click ─▶ cookie ─▶ checkout ─▶ webhook ─▶ conversion ─▶ commission
//! ```
//!
//! [`trac_core`] makes all decisions; this crate reads sockets, stores rows and supplies the time.
//!
//! # In a merchant's own server
//!
//! The SDK reads a visitor's click and adds it to Checkout Sessions, verifies Stripe's events, and reports
//! leads and conversions. This crate with `default-features = false` exports the same names.
//!
//! ```toml
//! trac-sdk = { git = "https://github.com/trac-rs/trac" }   # until it is published
//! ```
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
//! | you want | use |
//! |---|---|
//! | the click of a request | [`get_click_id`], or [`Click`] and `Option<Click>` as extractors |
//! | a cookie that lasts longer than one set by a script | [`ClickLayer`] |
//! | a Checkout Session that carries the click | [`stripe_metadata`] |
//! | a page's lead that counts as your own report | [`customer_token`] |
//! | Stripe's events, verified or rejected | [`StripeEvent`] with [`WebhookSecrets`]; [`verify_event`] |
//! | to report leads and conversions yourself | `TracClient`, with the feature `client` |
//! | signed events in your tests | [`sign`] with a settable [`Clock`](clock::Clock) |
//!
//! # The whole server
//!
//! With the feature `server`, which is on by default, `Store::open`, `Trac::new` and `router` mount the tracking
//! service inside an axum app. The program `trac` runs it alone, with `service` and `listen::serve`.

#[cfg(feature = "client")]
pub use trac_sdk::TracClient;
#[cfg(feature = "client")]
pub use trac_sdk::client;
pub use trac_sdk::clock;
pub use trac_sdk::{
    Click, ClickId, ClickLayer, ClickService, Event, NoClick, ParseClickIdError, RequestHead, SetCookie,
    StripeEvent, StripeEventRejection, StripeMetadata, Timestamp, UnreadableEvent, UnusableSecret,
    VerifyError, WebhookSecrets, customer_token, get_click_id, sign, stripe_metadata, verify_event,
};

cfg_if::cfg_if! {
    if #[cfg(feature = "server")] {
        // shared by all stages
        mod visible;
        mod key_kind;
        mod tally;
        mod id;
        mod http;
        pub mod log;
        pub mod config;
        pub mod store;
        mod problem;
        mod trac;
        mod access;
        mod api;
        mod keys;
        mod program;

        // stages
        mod click;
        mod webhook;
        mod conversion;
        mod commission;

        // across the stages
        mod flow;
        pub mod ask;
        pub mod explain;
        mod setup;
        mod web;
        mod mail;
        mod people;
        mod dashboard;
        pub mod workspace;
        mod operate;
        mod openapi;
        mod router;

        #[cfg(feature = "demo")]
        pub mod demo;
        #[cfg(test)]
        mod testing;

        pub use click::missing_script;
        pub use http::{listen, oidc, proxy};
        pub use operate::health::metrics_service;
        pub use operate::{doctor, export, housekeeping, postman, recount, replay, retention};
        pub use router::{router, service};
        pub use trac::{Carrier, Trac, UnusableAddress};
        pub use webhook::secrets;
    }
}
