//! Checkout: the click rides into Stripe.

mod metadata;

pub use metadata::{StripeMetadata, stripe_metadata};
