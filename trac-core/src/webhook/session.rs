//! `checkout.session.*`: a Checkout Session; Payment Links, Buy Buttons and Pricing Tables create them too.
//!
//! Source: <https://docs.stripe.com/api/checkout/sessions/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, Latest, earliest, greatest};
use super::linked::Linked;
use super::promotion;
use super::references::References;
use crate::money::Currency;
use crate::time::Timestamp;

/// The facts about one Checkout Session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// When the session was created.
    pub created: Option<Timestamp>,
    /// When it was paid: `created` of the first event that sets `paid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// `payment`, `subscription` or `setup`.
    pub mode: Option<Latest<String>>,
    /// Whether an event showed it completed with a `payment_status` other than `unpaid`. A late `unpaid`
    /// snapshot does not reset this.
    pub paid: bool,
    /// Whether a delayed payment method failed (`checkout.session.async_payment_failed`).
    pub failed: bool,
    /// The amounts of the session.
    pub amounts: Option<Latest<SessionAmounts>>,
    /// `cus_…`; absent for guests.
    pub customer: Option<String>,
    /// `sub_…`
    pub subscription: Option<String>,
    /// `in_…`: the same money.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub invoice: Linked,
    /// `pi_…`: the same money.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub payment_intent: Linked,
    /// `plink_…`
    pub payment_link: Option<String>,
    /// The buyer's e-mail addresses.
    pub emails: BTreeSet<String>,
    /// `client_reference_id`, written by this program or by the merchant.
    pub client_reference: Option<Latest<String>>,
    /// The references in its metadata.
    pub references: Option<Latest<References>>,
    /// The promotion codes used, normalised by [`super::promotion::normal`].
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub promotions: BTreeSet<String>,
}

/// The amounts of a session, from one snapshot, in minor units of the merchant's currency; the amounts shown
/// to the customer under Adaptive Pricing (`presentment_details`) are not used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionAmounts {
    /// `amount_total`: after discounts, with tax and shipping.
    pub total_minor: i64,
    /// `total_details.amount_tax`
    pub tax_minor: i64,
    /// `total_details.amount_shipping`
    pub shipping_minor: i64,
    /// `currency`
    pub currency: Currency,
}

impl Session {
    pub(super) fn read(fields: Fields<'_>, kind: &str, at: Timestamp) -> Result<Self, Unreadable> {
        let amounts = SessionAmounts::read(fields)?;
        let status = fields.text("payment_status");
        if status == Some("paid") && fields.text("mode") != Some("setup") && amounts.is_none() {
            return Err(Unreadable);
        }
        let unpaid = status == Some("unpaid");
        let completed =
            matches!(kind, "checkout.session.completed" | "checkout.session.async_payment_succeeded");
        let emails = [
            fields.text("customer_email"),
            fields.object("customer_details").and_then(|it| it.text("email")),
        ];
        Ok(Self {
            created: fields.time("created").or(Some(at)),
            mode: Latest::stated(at, fields.text("mode").map(Into::into)),
            paid: completed && !unpaid,
            paid_at: (completed && !unpaid).then_some(at),
            failed: kind == "checkout.session.async_payment_failed",
            amounts: Latest::stated(at, amounts),
            customer: fields.id("customer").map(Into::into),
            subscription: fields.id("subscription").map(Into::into),
            invoice: Linked::from_field(fields.id("invoice")),
            payment_intent: Linked::from_field(fields.id("payment_intent")),
            payment_link: fields.id("payment_link").map(Into::into),
            emails: emails.into_iter().flatten().map(Into::into).collect(),
            client_reference: Latest::stated(at, fields.id("client_reference_id").map(Into::into)),
            references: Latest::stated(at, fields.references("metadata")),
            promotions: promotion::read(fields),
        })
    }

    /// Whether the session has that `mode`.
    #[must_use]
    pub fn is_mode(&self, mode: &str) -> bool {
        self.mode.as_ref().is_some_and(|known| known.value == mode)
    }
}

impl SessionAmounts {
    fn read(fields: Fields<'_>) -> Result<Option<Self>, Unreadable> {
        let details = fields.object("total_details");
        let detail = |name| match details {
            Some(details) => Ok(details.amount(name)?.unwrap_or(0)),
            None => Ok(0),
        };
        let (tax_minor, shipping_minor) = (detail("amount_tax")?, detail("amount_shipping")?);
        let total = fields.amount("amount_total")?.zip(fields.currency()?);
        Ok(total.map(|(total_minor, currency)| Self { total_minor, tax_minor, shipping_minor, currency }))
    }
}

impl Join for Session {
    fn join(&mut self, other: Self) {
        earliest(&mut self.created, other.created);
        earliest(&mut self.paid_at, other.paid_at);
        greatest(&mut self.mode, other.mode);
        self.paid.join(other.paid);
        self.failed.join(other.failed);
        greatest(&mut self.amounts, other.amounts);
        greatest(&mut self.customer, other.customer);
        greatest(&mut self.subscription, other.subscription);
        self.invoice.join(other.invoice);
        self.payment_intent.join(other.payment_intent);
        greatest(&mut self.payment_link, other.payment_link);
        self.emails.join(other.emails);
        greatest(&mut self.client_reference, other.client_reference);
        greatest(&mut self.references, other.references);
        self.promotions.join(other.promotions);
    }
}
