//! `payment_intent.succeeded`: a PaymentIntent that collected money.
//!
//! Source: <https://docs.stripe.com/api/payment_intents/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, Latest, earliest, greatest};
use super::linked::Linked;
use super::references::References;
use crate::money::Currency;
use crate::time::Timestamp;

/// The facts about one PaymentIntent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentIntent {
    /// When it was created.
    pub created: Option<Timestamp>,
    /// `amount_received` and its currency; if it is missing or zero, the amount that the charges captured.
    pub received: Option<Latest<(i64, Currency)>>,
    /// `cus_…`
    pub customer: Option<String>,
    /// `payment_record`: the same money.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub payment_record: Linked,
    /// `ch_…`: `latest_charge`, or before 2022-11-15 the first of `charges`.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub charge: Linked,
    /// `in_…`: `invoice` up to 2025-02-24.acacia, else `payment_details.order_reference` if that is an invoice.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub invoice: Linked,
    /// The buyer's e-mail addresses.
    pub emails: BTreeSet<String>,
    /// The references in its metadata.
    pub references: Option<Latest<References>>,
}

impl PaymentIntent {
    pub(super) fn read(fields: Fields<'_>, at: Timestamp) -> Result<Self, Unreadable> {
        let first_charge = || fields.list("charges")?.into_iter().next()?.id("id");
        let order = || {
            let reference = fields.object("payment_details")?.text("order_reference")?;
            reference.starts_with("in_").then_some(reference)
        };
        let received = match fields.amount("amount_received")? {
            None | Some(0) => charged(fields)?,
            known => known,
        };
        let received = received.zip(fields.currency()?);
        Ok(Self {
            created: fields.time("created").or(Some(at)),
            received: Latest::stated(at, received),
            customer: fields.id("customer").map(Into::into),
            payment_record: Linked::from_field(fields.id("payment_record")),
            charge: Linked::from_field(fields.id("latest_charge").or_else(first_charge)),
            invoice: Linked::from_field(fields.id("invoice").or_else(order)),
            emails: fields.text("receipt_email").map(Into::into).into_iter().collect(),
            references: Latest::stated(at, fields.references("metadata")),
        })
    }
}

/// The amount captured by the charges inside the PaymentIntent: `charges.data` up to 2022-08-01, else
/// `latest_charge` if expanded. Emulators and very old API versions omit `amount_received`.
fn charged(fields: Fields<'_>) -> Result<Option<i64>, Unreadable> {
    let mut charges = fields.list("charges").unwrap_or_default();
    if charges.is_empty() {
        charges.extend(fields.object("latest_charge"));
    }
    let mut sum = None;
    for charge in charges {
        if charge.text("status") == Some("failed") || charge.bool("captured") == Some(false) {
            continue;
        }
        let captured = charge.amount("amount_captured")?.or(charge.amount("amount")?);
        sum = captured.map(|captured| captured.saturating_add(sum.unwrap_or(0))).or(sum);
    }
    Ok(sum)
}

impl Join for PaymentIntent {
    fn join(&mut self, other: Self) {
        earliest(&mut self.created, other.created);
        greatest(&mut self.received, other.received);
        greatest(&mut self.customer, other.customer);
        self.payment_record.join(other.payment_record);
        self.charge.join(other.charge);
        self.invoice.join(other.invoice);
        self.emails.join(other.emails);
        greatest(&mut self.references, other.references);
    }
}
