//! Affiliate attribution for Stripe in a merchant's own server: the click that brought a visitor, put on a Checkout Session, and
//! Stripe's events, verified. For any axum app; [`ClickLayer`] and [`get_click_id`] for anything made of tower and `http`.
//!
//! What is decided is decided by [`trac_core`]; the crate `trac-server` exports all of this under the same names.
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
//! | wanted | called |
//! |---|---|
//! | the click of a request | [`get_click_id`], or [`Click`] and `Option<Click>` as extractors |
//! | a cookie that outlives script storage | [`ClickLayer`] |
//! | a Checkout Session that carries the click | [`stripe_metadata`] |
//! | a lead of a page that counts as the merchant's word | [`customer_token`] |
//! | Stripe's events, verified or rejected | [`StripeEvent`] with [`WebhookSecrets`] |
//! | leads and conversions of one's own | `TracClient`, with the feature `client` |

pub mod clock;
mod click;
mod layer;
pub mod body;
mod event;
#[cfg(feature = "client")]
pub mod client;

pub use click::{Click, NoClick, RequestHead, arriving_click_id, get_click_id, stored_click_id};
#[cfg(feature = "client")]
pub use client::TracClient;
pub use event::{StripeEvent, StripeEventRejection, UnusableSecret, WebhookSecrets};
pub use layer::{ClickLayer, ClickService, SetCookie};
pub use trac_core::checkout::metadata::{StripeMetadata, stripe_metadata};
pub use trac_core::click::ClickId;
pub use trac_core::webhook::customer_token::customer_token;
