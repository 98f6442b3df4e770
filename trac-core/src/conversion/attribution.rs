//! What a payment or subscription is attributed to.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::candidate::Rule;
use crate::time::Timestamp;

/// The click a payment is credited to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The rule that decided.
    pub rule: Rule,
    /// The click.
    pub click_id: String,
    /// The payment that first tied the click to this subscription or customer; often this one itself.
    pub bound_by: String,
    /// The time of that payment: the attribution window is judged there, once.
    pub bound_at: Timestamp,
}

/// What a subscription is attributed to: the attribution of its first credited payment.
#[derive(Clone, Debug)]
pub struct Binder<'a> {
    /// Our ID of that payment.
    pub sale_id: &'a str,
    /// What it is attributed to.
    pub attribution: Attribution,
}
