//! What a payment or subscription is attributed to.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::candidate::Rule;
use crate::time::Timestamp;
use crate::webhook::assignment::Assignment;

/// The click a payment is credited to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The rule that decided.
    pub rule: Rule,
    /// The click.
    pub click_id: String,
    /// The payment or lead that first linked the click to this subscription or customer; often this one
    /// itself.
    pub bound_by: String,
    /// The time of that payment or lead, at which the attribution window is checked.
    pub bound_at: Timestamp,
}

/// The attribution of a subscription: that of its first credited payment, or if none is credited, of its
/// first attributed payment.
#[derive(Clone, Debug)]
pub struct Binder<'a> {
    /// Our ID of that payment.
    pub sale_id: &'a str,
    /// The attribution of that payment.
    pub attribution: Attribution,
}

/// The merchant's assignment that covers a payment, in place of all rules.
#[derive(Clone, Copy, Debug)]
pub struct Assigned<'a> {
    /// The ID of the customer who was assigned.
    pub customer: &'a str,
    /// The statement in force at the payment's time.
    pub assignment: &'a Assignment,
}
