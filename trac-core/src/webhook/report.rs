//! A report: the merchant or a page, not Stripe, reports that money was paid. The merchant's report counts; a
//! page's report is a claim, whose commission is held until the merchant approves the claim or Stripe reports
//! the same payment.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::join::{Join, Latest, earliest, greatest};
use crate::money::Currency;
use crate::time::Timestamp;

/// The facts about one report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The ID of the transaction, as [`transaction_id`] writes it: Stripe's own, or the merchant's with a
    /// prefix.
    pub transaction: String,
    /// What was bought or done, as the merchant named it.
    pub event_type: String,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// The amount in minor units, and its currency.
    pub amount: Option<Latest<(i64, Currency)>>,
    /// The amount refunded so far, as the merchant reported it, in minor units.
    pub refunded_minor: i64,
    /// The merchant's own ID of the customer.
    pub customer: Option<String>,
    /// The click ID reported with it; the store decides whether it is a click.
    pub click: Option<String>,
    /// Whether the merchant itself reported it.
    pub by_merchant: bool,
    /// The merchant's decision about a claim: `true` if approved, `false` if rejected.
    pub verdict: Option<Latest<bool>>,
    /// The buyer's e-mail addresses.
    pub emails: BTreeSet<String>,
}

impl Report {
    /// Whether the merchant reported or approved it.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.by_merchant || self.verdict.as_ref().is_some_and(|verdict| verdict.value)
    }

    /// Whether the merchant rejected it.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        !self.by_merchant && self.verdict.as_ref().is_some_and(|verdict| !verdict.value)
    }
}

/// The ID under which payments are joined: Stripe's `cs_`, `pi_`, `ch_`, `py_` and `in_` unchanged, any other
/// with the prefix `transaction:`.
///
/// # Examples
/// ```
/// use trac_core::webhook::report::transaction_id;
///
/// assert_eq!(transaction_id("pi_3Q"), "pi_3Q");
/// assert_eq!(transaction_id("order 17"), "transaction:order 17");
/// ```
#[must_use]
pub fn transaction_id(external: &str) -> String {
    let is_stripes = ["cs_", "pi_", "ch_", "py_", "in_"].iter().any(|prefix| external.starts_with(prefix));
    if is_stripes { external.into() } else { format!("transaction:{external}") }
}

impl Join for Report {
    fn join(&mut self, other: Self) {
        greatest(&mut self.transaction, other.transaction);
        greatest(&mut self.event_type, other.event_type);
        earliest(&mut self.at, other.at);
        greatest(&mut self.amount, other.amount);
        greatest(&mut self.refunded_minor, other.refunded_minor);
        greatest(&mut self.customer, other.customer);
        greatest(&mut self.click, other.click);
        self.by_merchant.join(other.by_merchant);
        greatest(&mut self.verdict, other.verdict);
        self.emails.join(other.emails);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_ids_are_unchanged_and_others_get_a_prefix() {
        for id in ["cs_1", "pi_1", "ch_1", "py_1", "in_1"] {
            assert_eq!(transaction_id(id), id);
        }
        for id in ["17", "sub_1", "CS_1", ""] {
            assert_eq!(transaction_id(id), format!("transaction:{id}"));
        }
    }
}
