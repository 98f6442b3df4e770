//! `payment_intent.succeeded`: a PaymentIntent that collected money.
//!
//! Source: <https://docs.stripe.com/api/payment_intents/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, Latest, earliest, greatest};
use super::references::References;
use crate::money::Currency;
use crate::time::Timestamp;

/// What is known of one PaymentIntent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentIntent {
    /// When it was made.
    pub created: Option<Timestamp>,
    /// `amount_received` and its currency.
    pub received: Option<Latest<(i64, Currency)>>,
    /// `cus_…`
    pub customer: Option<String>,
    /// `ch_…`: `latest_charge`, or before 2022-11-15 the first of `charges`.
    pub charge: Option<String>,
    /// `in_…`: `invoice` up to 2025-02-24.acacia, else `payment_details.order_reference` where that is an invoice.
    pub invoice: Option<String>,
    /// The buyer's e-mail addresses.
    pub emails: BTreeSet<String>,
    /// What its metadata says.
    pub references: Option<Latest<References>>,
}

impl PaymentIntent {
    pub(super) fn read(fields: Fields<'_>, at: Timestamp) -> Result<Self, Unreadable> {
        let first_charge = || fields.list("charges")?.into_iter().next()?.id("id");
        let order = || {
            let reference = fields.object("payment_details")?.text("order_reference")?;
            reference.starts_with("in_").then_some(reference)
        };
        let received = fields.amount("amount_received")?.zip(fields.currency()?);
        Ok(Self {
            created: fields.time("created").or(Some(at)),
            received: Latest::said(at, received),
            customer: fields.id("customer").map(Into::into),
            charge: fields.id("latest_charge").or_else(first_charge).map(Into::into),
            invoice: fields.id("invoice").or_else(order).map(Into::into),
            emails: fields.text("receipt_email").map(Into::into).into_iter().collect(),
            references: Latest::said(at, fields.references("metadata")),
        })
    }
}

impl Join for PaymentIntent {
    fn join(&mut self, other: Self) {
        earliest(&mut self.created, other.created);
        greatest(&mut self.received, other.received);
        greatest(&mut self.customer, other.customer);
        greatest(&mut self.charge, other.charge);
        greatest(&mut self.invoice, other.invoice);
        self.emails.join(other.emails);
        greatest(&mut self.references, other.references);
    }
}
