//! A report: somebody other than Stripe says that money was paid. The merchant's own word counts; what a browser says is a
//! claim, held until the merchant approves it or Stripe tells of the same payment.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::join::{Join, Latest, earliest, greatest};
use crate::money::Currency;
use crate::time::Timestamp;

/// What is known of one report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The transaction's ID: Stripe's own, or the merchant's under [`transaction_id`].
    pub transaction: String,
    /// What was bought or done, in the merchant's word.
    pub event_type: String,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// Minor units.
    pub amount: Option<Latest<(i64, Currency)>>,
    /// What the merchant says went back of it so far, in minor units.
    pub refunded_minor: i64,
    /// The merchant's own ID of the customer.
    pub customer: Option<String>,
    /// The click ID told with it; whether it is a click is for the store to say.
    pub click: Option<String>,
    /// Whether the merchant itself told it.
    pub by_merchant: bool,
    /// What the merchant says of a claim: whether it is approved.
    pub verdict: Option<Latest<bool>>,
    /// The buyer's e-mail addresses.
    pub emails: BTreeSet<String>,
}

impl Report {
    /// Whether the merchant stands by it.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.by_merchant || self.verdict.as_ref().is_some_and(|verdict| verdict.value)
    }

    /// Whether the merchant refused it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.by_merchant && self.verdict.as_ref().is_some_and(|verdict| !verdict.value)
    }
}

/// The ID under which payments are joined: Stripe's `cs_`, `pi_`, `ch_`, `py_` and `in_` as they are, any other set apart
/// from them.
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
    fn an_id_of_stripes_stays_as_it_is_and_any_other_is_set_apart() {
        for id in ["cs_1", "pi_1", "ch_1", "py_1", "in_1"] {
            assert_eq!(transaction_id(id), id);
        }
        for id in ["17", "sub_1", "CS_1", ""] {
            assert_eq!(transaction_id(id), format!("transaction:{id}"));
        }
    }
}
