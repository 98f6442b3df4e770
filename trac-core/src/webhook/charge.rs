//! `charge.*`: a charge, and how much of it went back.
//!
//! Source: <https://docs.stripe.com/api/charges/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, Latest, earliest, greatest};
use super::linked::Linked;
use super::references::References;
use crate::money::Currency;
use crate::time::Timestamp;

/// The facts about one charge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Charge {
    /// When it was created.
    pub created: Option<Timestamp>,
    /// The captured amounts; `None` while it is only authorised (Stripe sends `charge.succeeded` for that
    /// too).
    pub captured: Option<Latest<Captured>>,
    /// The largest `amount_refunded` received. Stripe's figure is cumulative.
    pub refunded_minor: i64,
    /// `cus_…`
    pub customer: Option<String>,
    /// `pi_…`: the same money.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub payment_intent: Linked,
    /// `in_…`, up to 2025-02-24.acacia: the same money.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub invoice: Linked,
    /// The buyer's e-mail addresses.
    pub emails: BTreeSet<String>,
    /// The references in its metadata.
    pub references: Option<Latest<References>>,
}

/// The amounts of a captured charge, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Captured {
    /// `amount_captured`; if the field is missing, as in old API versions, `amount`.
    pub captured_minor: i64,
    /// `amount`: the amount authorised. Stripe adds the amount that a partial capture released to
    /// `amount_refunded`.
    pub authorised_minor: i64,
    /// `currency`
    pub currency: Currency,
}

impl Charge {
    pub(super) fn read(fields: Fields<'_>, at: Timestamp) -> Result<Self, Unreadable> {
        let billing = fields.object("billing_details").and_then(|details| details.text("email"));
        let emails = [billing, fields.text("receipt_email")];
        Ok(Self {
            created: fields.time("created").or(Some(at)),
            captured: Latest::stated(at, Captured::read(fields)?),
            refunded_minor: fields.amount("amount_refunded")?.unwrap_or(0).max(0),
            customer: fields.id("customer").map(Into::into),
            payment_intent: Linked::from_field(fields.id("payment_intent")),
            invoice: Linked::from_field(fields.id("invoice")),
            emails: emails.into_iter().flatten().map(Into::into).collect(),
            references: Latest::stated(at, fields.references("metadata")),
        })
    }
}

impl Captured {
    fn read(fields: Fields<'_>) -> Result<Option<Self>, Unreadable> {
        let (authorised, captured) = (fields.amount("amount")?, fields.amount("amount_captured")?);
        let currency = fields.currency()?;
        let failed = fields.text("status") == Some("failed");
        if failed || fields.bool("captured") == Some(false) {
            return Ok(None);
        }
        Ok(authorised.zip(currency).map(|(authorised_minor, currency)| Self {
            captured_minor: captured.unwrap_or(authorised_minor),
            authorised_minor,
            currency,
        }))
    }
}

impl Join for Charge {
    fn join(&mut self, other: Self) {
        earliest(&mut self.created, other.created);
        greatest(&mut self.captured, other.captured);
        greatest(&mut self.refunded_minor, other.refunded_minor);
        greatest(&mut self.customer, other.customer);
        self.payment_intent.join(other.payment_intent);
        self.invoice.join(other.invoice);
        self.emails.join(other.emails);
        greatest(&mut self.references, other.references);
    }
}
