//! The click's ID rides through checkout into Stripe.
//!
//! - [`mod@reference`]: what is written into `client_reference_id` and metadata, and what is read from them.
//! - [`metadata`]: the fields of a Checkout Session that a merchant's server makes.
//! - [`link`]: which URLs are Payment Links, and how they are given the reference.

pub mod reference;
pub mod metadata;
pub mod link;
