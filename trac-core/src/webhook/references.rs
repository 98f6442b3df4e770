//! The values of a `metadata` map that concern attribution.
//!
//! Stripe does not copy the metadata of a Checkout Session to its subscription, invoice or PaymentIntent, so
//! the metadata of each object is read. Source: <https://docs.stripe.com/metadata>.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The values of one metadata map that concern attribution.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct References {
    /// Values under the click keys of all dialects, in reading order; the store decides whether they are
    /// clicks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clicks: Vec<String>,
    /// The merchant's own ID of the customer (`tracCustomerExternalId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}
