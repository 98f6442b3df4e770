//! `customer.created` and `customer.updated`: a customer's metadata and e-mail address.
//!
//! Source: <https://docs.stripe.com/api/customers/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::Fields;
use super::join::{Dated, Join};
use super::references::References;
use crate::time::Timestamp;

/// The facts about one customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    /// The customer's e-mail addresses.
    pub emails: BTreeSet<String>,
    /// The references in its metadata over time: a payment uses those in force at the payment's time.
    pub references: Dated<References>,
}

impl Customer {
    pub(super) fn read(fields: Fields<'_>, at: Timestamp) -> Self {
        Self {
            emails: fields.text("email").map(Into::into).into_iter().collect(),
            references: Dated::stated(at, fields.all_references("metadata")),
        }
    }
}

impl Join for Customer {
    fn join(&mut self, other: Self) {
        self.emails.join(other.emails);
        self.references.join(other.references);
    }
}
