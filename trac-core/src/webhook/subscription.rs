//! `customer.subscription.*`: a subscription's own metadata, and when it ended.
//!
//! Source: <https://docs.stripe.com/api/subscriptions/object>.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::Fields;
use super::join::{Dated, Join, earliest, greatest};
use super::references::References;
use crate::time::Timestamp;

/// The facts about one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscription {
    /// `cus_…`
    pub customer: Option<String>,
    /// The references in its metadata over time: a payment uses those in force at the payment's time.
    pub references: Dated<References>,
    /// `created` of the event `customer.subscription.deleted`: commissions not due by then may be voided.
    pub ended_at: Option<Timestamp>,
    /// `ended_at` of the deleted subscription: a payment after it was owed before it, and its commission is
    /// not voided.
    pub over_at: Option<Timestamp>,
}

impl Subscription {
    pub(super) fn read(fields: Fields<'_>, kind: &str, at: Timestamp) -> Self {
        let is_deleted = kind == "customer.subscription.deleted";
        Self {
            customer: fields.id("customer").map(Into::into),
            references: Dated::stated(at, fields.all_references("metadata")),
            ended_at: is_deleted.then_some(at),
            over_at: fields.time("ended_at").filter(|_| is_deleted),
        }
    }
}

impl Join for Subscription {
    fn join(&mut self, other: Self) {
        greatest(&mut self.customer, other.customer);
        self.references.join(other.references);
        earliest(&mut self.ended_at, other.ended_at);
        earliest(&mut self.over_at, other.over_at);
    }
}
