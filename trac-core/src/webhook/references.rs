//! What a `metadata` map says about attribution.
//!
//! Metadata of a Checkout Session is not copied to its subscription, invoice or PaymentIntent; each object is read for
//! itself. Source: <https://docs.stripe.com/metadata>.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The values of one metadata map that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct References {
    /// Values under the click keys of all dialects, in reading order; whether they are clicks is for the store to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clicks: Vec<String>,
    /// The merchant's own ID of the customer (`tracCustomerExternalId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}
