//! What is decided about a payment, for the record.

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

/// What is decided about one payment: the answer to "why was or wasn't this mine?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Why it earns, or why not.
    pub reason: Reason,
    /// The click it is credited to, even where it earns nothing.
    pub attribution: Option<Attribution>,
    /// Every value that was looked at.
    pub candidates: Vec<Candidate>,
    /// When the payment happened.
    pub time: Option<Timestamp>,
    /// What was paid, in minor units.
    pub gross_minor: Option<i64>,
    /// What the commission is a share of, in minor units.
    pub base_minor: Option<i64>,
    /// The currency of both.
    pub currency: Option<Currency>,
    /// The payment this is inferred to be the same money as.
    pub same_as: Option<String>,
    /// What went back, in minor units.
    pub lost_minor: i64,
    /// Whether nobody but a page says that it was paid, and the merchant has not approved it: such money is no revenue.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub claimed: bool,
    /// Our ID of the lead, where it is one and no payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<String>,
    /// The transaction that was reported, where it was: Stripe's ID, or `transaction:` and the merchant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The Stripe IDs of the payment.
    pub stripe: StripeIds,
}

impl Decision {
    /// The click it is credited to: the one found, unless it was refused. A payment that earns nothing is credited all the
    /// same.
    #[must_use]
    pub fn credited_click(&self) -> Option<&str> {
        let attribution = self.attribution.as_ref().filter(|_| !self.reason.refuses_click());
        attribution.map(|attribution| attribution.click_id.as_str())
    }

    /// What it is about: a lead, a payment of a subscription, or another one.
    #[must_use]
    pub const fn source(&self) -> Source {
        if self.lead_id.is_some() {
            Source::Lead
        } else if self.stripe.subscription.is_some() {
            Source::Recurring
        } else {
            Source::Sale
        }
    }
}
