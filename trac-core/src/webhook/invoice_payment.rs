//! `invoice_payment.paid`: which PaymentIntent, charge or payment record paid how much of which invoice.
//!
//! Since 2025-03-31.basil invoices and charges do not name each other; this event (from 2025-05-28.basil) is
//! the documented link, and without it a refund of a renewal cannot be traced to its invoice. One
//! PaymentIntent can pay several invoices; each invoice payment states how much of it went to its invoice.
//! Source: <https://docs.stripe.com/api/invoice-payment/object>.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, Latest, greatest};
use super::linked::Linked;
use crate::time::Timestamp;

/// The facts about one invoice payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InvoicePayment {
    /// `in_…`
    pub invoice: Linked,
    /// `payment.payment_intent`, `.charge` or `.payment_record`: the same money, or a part of it.
    pub payer: Linked,
    /// Whether the payer is a payment record: money paid outside Stripe.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub is_outside: bool,
    /// `amount_paid`: the part of the payer's money that went to this invoice, in minor units of the
    /// invoice's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_minor: Option<Latest<i64>>,
}

impl InvoicePayment {
    /// The invoice payment with its ID. [`None`] if `payment` names no PaymentIntent, charge or payment
    /// record.
    pub(super) fn read(fields: Fields<'_>, at: Timestamp) -> Result<Option<(String, Self)>, Unreadable> {
        let invoice = fields.id("invoice").ok_or(Unreadable)?;
        let paid = Latest::stated(at, fields.amount("amount_paid")?);
        let Some(payment) = fields.object("payment") else { return Ok(None) };
        let inside = payment.id("payment_intent").or_else(|| payment.id("charge"));
        let Some(payer) = inside.or_else(|| payment.id("payment_record")) else { return Ok(None) };
        let id = fields.id("id").map_or_else(|| format!("{invoice}/{payer}"), Into::into);
        Ok(Some((
            id,
            Self {
                invoice: Linked::to(invoice),
                payer: Linked::to(payer),
                is_outside: inside.is_none(),
                paid_minor: paid,
            },
        )))
    }
}

impl Join for InvoicePayment {
    fn join(&mut self, other: Self) {
        self.invoice.join(other.invoice);
        self.payer.join(other.payer);
        self.is_outside.join(other.is_outside);
        greatest(&mut self.paid_minor, other.paid_minor);
    }
}
