//! The decision about a payment, as it is recorded.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::claim::Source;
use crate::conversion::attribution::Attribution;
use crate::conversion::candidate::Candidate;
use crate::conversion::payment::StripeIds;
use crate::money::Currency;
use crate::reason::Reason;
use crate::time::Timestamp;

/// The decision about one payment: the answer to "why was or wasn't this mine?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Why it earns or does not earn.
    pub reason: Reason,
    /// The click it is credited to, even if it earns nothing.
    pub attribution: Option<Attribution>,
    /// Every candidate that was considered.
    pub candidates: Vec<Candidate>,
    /// When the payment happened.
    pub time: Option<Timestamp>,
    /// The amount paid, in minor units.
    pub gross_minor: Option<i64>,
    /// The base of the commission, in minor units.
    pub base_minor: Option<i64>,
    /// The currency of `gross_minor` and `base_minor`.
    pub currency: Option<Currency>,
    /// The payment that this one is inferred to be the same money as.
    pub same_as: Option<String>,
    /// The amount that went back, in minor units.
    pub lost_minor: i64,
    /// Whether only pages reported the payment and the merchant has not approved it: such money does not
    /// count as revenue.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub claimed: bool,
    /// Our ID of the lead, if this is a lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<String>,
    /// Our ID of the adjustment, if this is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjustment_id: Option<String>,
    /// The ID of the reported transaction, if any: Stripe's ID, or `transaction:` followed by the merchant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The Stripe IDs of the payment.
    pub stripe: StripeIds,
}

impl Decision {
    /// The click it is credited to: the one found, unless it was refused. A payment that earns nothing can
    /// still be credited.
    #[must_use]
    pub fn credited_click(&self) -> Option<&str> {
        let attribution = self.attribution.as_ref().filter(|_| !self.reason.refuses_click());
        attribution.map(|attribution| attribution.click_id.as_str())
    }

    /// Whether this is an adjustment, a lead, a payment of a subscription, or another sale.
    #[must_use]
    pub const fn source(&self) -> Source {
        if self.adjustment_id.is_some() {
            Source::Manual
        } else if self.lead_id.is_some() {
            Source::Lead
        } else if self.stripe.subscription.is_some() {
            Source::Recurring
        } else {
            Source::Sale
        }
    }
}
