//! `customer.subscription.*`: what a subscription's own metadata says, and when it ended.
//!
//! Source: <https://docs.stripe.com/api/subscriptions/object>.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::Fields;
use super::join::{Join, Latest, earliest, greatest};
use super::references::References;
use crate::time::Timestamp;

/// What is known of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscription {
    /// `cus_…`
    pub customer: Option<String>,
    /// What its metadata says.
    pub references: Option<Latest<References>>,
    /// `created` of `customer.subscription.deleted`: commissions not due by then may be voided.
    pub ended_at: Option<Timestamp>,
}

impl Subscription {
    pub(super) fn read(fields: Fields<'_>, kind: &str, at: Timestamp) -> Self {
        Self {
            customer: fields.id("customer").map(Into::into),
            references: Latest::said(at, fields.references("metadata")),
            ended_at: (kind == "customer.subscription.deleted").then_some(at),
        }
    }
}

impl Join for Subscription {
    fn join(&mut self, other: Self) {
        greatest(&mut self.customer, other.customer);
        greatest(&mut self.references, other.references);
        earliest(&mut self.ended_at, other.ended_at);
    }
}
