//! Affiliate attribution for Stripe in a merchant's own server: reads a visitor's click and adds it to Checkout
//! Sessions, verifies Stripe's events, and reports leads and conversions.
//!
//! ```toml
//! trac-sdk = { git = "https://github.com/trac-rs/trac" }   # until it is published
//! ```
//!
//! The feature `client` adds `TracClient`. The crate `trac-server` with `default-features = false` exports the
//! same names.
//!
//! ```
//! use axum::Router;
//! use axum::routing::{get, post};
//! use trac_sdk::{Click, ClickLayer, StripeEvent, WebhookSecrets, stripe_metadata};
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
//! # Ok::<(), trac_sdk::UnusableSecret>(())
//! ```
//!
//! | you want | use |
//! |---|---|
//! | the click of a request | [`get_click_id`], or [`Click`] and `Option<Click>` as extractors |
//! | a cookie that lasts longer than what scripts store | [`ClickLayer`] |
//! | a Checkout Session that carries the click | [`stripe_metadata`] |
//! | a page's lead that counts as your own report | [`customer_token`] |
//! | Stripe's events, verified or rejected | [`StripeEvent`] with [`WebhookSecrets`]; [`verify_event`] |
//! | to report leads and conversions yourself | `TracClient`, with the feature `client` |
//! | signed events in your tests | [`sign`] with a settable [`Clock`](clock::Clock) |
//!
//! # Without axum
//!
//! The extractors [`Click`] and [`StripeEvent`] are for axum 0.8. Everything else works without it:
//! [`ClickLayer`] around any tower service of `http` requests, [`get_click_id`] with an `http` request, and
//! [`stripe_metadata`], [`customer_token`], [`verify_event`] and `TracClient` anywhere. A webhook is then a
//! header and a body:
//!
//! ```
//! use trac_sdk::{StripeEventRejection, WebhookSecrets, verify_event};
//!
//! fn webhook(secrets: &WebhookSecrets, signature_header: &str, raw_body: &[u8]) -> Result<String, StripeEventRejection> {
//!     let event = verify_event(secrets, signature_header, raw_body)?;
//!     Ok(format!("{} is a {}", event.id, event.kind))
//! }
//!
//! let secrets = WebhookSecrets::new(["whsec_from_the_dashboard"])?;
//! assert!(webhook(&secrets, "", b"{}").is_err());
//! # Ok::<(), trac_sdk::UnusableSecret>(())
//! ```

pub mod clock;
mod click;
mod layer;
#[doc(hidden)]
pub mod body;
mod secrets;
mod verify;
mod event;
#[cfg(feature = "client")]
pub mod client;

pub use click::{Click, NoClick, RequestHead, get_click_id};
// For trac-server, which reads the same places.
#[doc(hidden)]
pub use click::{arriving_click_id, stored_click_id};
#[cfg(feature = "client")]
pub use client::TracClient;
pub use event::StripeEvent;
pub use layer::{ClickLayer, ClickService, SetCookie};
pub use secrets::{UnusableSecret, WebhookSecrets};
pub use trac_core::checkout::metadata::{StripeMetadata, stripe_metadata};
pub use trac_core::click::{ClickId, ParseClickIdError};
pub use trac_core::time::Timestamp;
pub use trac_core::webhook::customer_token::customer_token;
pub use trac_core::webhook::event::{Event, UnreadableEvent};
pub use trac_core::webhook::signature::VerifyError;
/// Signs a body as Stripe does, for your tests: sent with the header `Stripe-Signature`, it is an event.
///
/// # Examples
/// ```
/// use trac_sdk::{Timestamp, WebhookSecrets, clock::Clock, sign, verify_event};
///
/// let now = Timestamp::from_unix_secs(1_760_000_000);
/// let secrets = WebhookSecrets::new(["whsec_test"])?.with_clock(Clock::settable(now));
/// let body = br#"{"id":"evt_1","type":"invoice.paid"}"#;
/// assert!(verify_event(&secrets, &sign(body, "whsec_test", now), body).is_ok());
/// assert!(verify_event(&secrets, &sign(body, "whsec_test", now.plus_secs(-301)), body).is_err());
/// # Ok::<(), trac_sdk::UnusableSecret>(())
/// ```
#[doc(inline)]
pub use trac_core::webhook::signature::sign;
pub use verify::{StripeEventRejection, verify_event};
