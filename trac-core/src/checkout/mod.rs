//! Carrying the click ID through checkout into Stripe.
//!
//! - [`mod@reference`]: what is written into `client_reference_id` and metadata, and what is read from them.
//! - [`metadata`]: the fields of a Checkout Session that a merchant's server creates.
//! - [`link`]: which URLs are Payment Links, and how the reference is added to them.

pub mod reference;
pub mod metadata;
pub mod link;
