//! `invoice.paid`: the money of subscriptions, and of sessions that make an invoice.
//!
//! Two shapes are read, new before old: since 2025-03-31.basil the subscription stands under `parent`, taxes in
//! `total_taxes`, prices under `pricing`; an old version rendered today carries both.
//! Source: <https://docs.stripe.com/api/invoices/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::field::Fields;
use super::join::{Join, Latest, earliest, greatest};
use super::promotion;
use super::references::References;
use crate::money::Currency;
use crate::time::Timestamp;

/// What is known of one paid invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Invoice {
    /// When the invoice was made.
    pub created: Option<Timestamp>,
    /// What was paid.
    pub amounts: Option<Latest<InvoiceAmounts>>,
    /// `cus_…`
    pub customer: Option<String>,
    /// `sub_…`
    pub subscription: Option<String>,
    /// `pi_…`, up to 2025-02-24.acacia: the same money.
    pub payment_intent: Option<String>,
    /// `ch_…`, up to 2025-02-24.acacia: the same money.
    pub charge: Option<String>,
    /// The buyer's e-mail addresses.
    pub emails: BTreeSet<String>,
    /// What its own metadata says.
    pub references: Option<Latest<References>>,
    /// What the snapshot of the subscription's metadata says.
    pub subscription_references: Option<Latest<References>>,
    /// The promotion codes used, as [`super::promotion::normal`] writes them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub promotions: BTreeSet<String>,
}

/// The amounts of an invoice, from one snapshot, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InvoiceAmounts {
    /// `amount_paid`
    pub paid_minor: i64,
    /// `total`: after discounts, with tax; differs from what was paid where a customer balance took part.
    pub total_minor: i64,
    /// All taxes in `total`.
    pub tax_minor: i64,
    /// `shipping_cost.amount_subtotal`
    pub shipping_minor: i64,
    /// `amount_paid_off_stripe`, from 2026-08-26.dahlia: the part of `paid_minor` that came another way.
    pub off_stripe_minor: i64,
    /// `paid_out_of_band`, up to 2025-02-24.acacia: all of it came another way.
    pub out_of_band: bool,
    /// Whether a line is a proration: a change of plan within a period.
    pub proration: bool,
    /// `currency`
    pub currency: Currency,
    /// What was sold; `None` where the event does not carry every line.
    pub lines: Option<Vec<InvoiceLine>>,
}

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// `prod_…`
    pub product: Option<String>,
    /// `price_…` or a plan's ID.
    pub price: Option<String>,
    /// After discounts and without tax; negative for credits.
    pub net_minor: i64,
}

impl Invoice {
    pub(super) fn read(fields: Fields<'_>, at: Timestamp) -> Self {
        let details = fields.object("parent").and_then(|parent| parent.object("subscription_details"));
        let old_details = fields.object("subscription_details");
        let subscription_references = details
            .and_then(|details| details.references("metadata"))
            .or_else(|| old_details?.references("metadata"));
        Self {
            created: fields.time("created").or(Some(at)),
            amounts: Latest::said(at, InvoiceAmounts::read(fields)),
            customer: fields.id("customer").map(Into::into),
            subscription: subscription(fields).map(Into::into),
            payment_intent: fields.id("payment_intent").map(Into::into),
            charge: fields.id("charge").map(Into::into),
            emails: fields.text("customer_email").map(Into::into).into_iter().collect(),
            references: Latest::said(at, fields.references("metadata")),
            subscription_references: Latest::said(at, subscription_references),
            promotions: promotion::read(fields),
        }
    }
}

fn subscription(fields: Fields<'_>) -> Option<&str> {
    let details = fields.object("parent").and_then(|parent| parent.object("subscription_details"));
    let of_first_line = || {
        let line = fields.list("lines")?.into_iter().next()?;
        let item = line.object("parent").and_then(|parent| parent.object("subscription_item_details"));
        item.and_then(|item| item.id("subscription")).or_else(|| line.id("subscription"))
    };
    details
        .and_then(|details| details.id("subscription"))
        .or_else(|| fields.id("subscription"))
        .or_else(of_first_line)
}

impl InvoiceAmounts {
    fn read(fields: Fields<'_>) -> Option<Self> {
        let paid_minor = fields.int("amount_paid")?;
        let shipping = fields.object("shipping_cost").and_then(|cost| cost.int("amount_subtotal"));
        let tax = fields
            .sum("total_taxes", "amount")
            .or_else(|| fields.int("tax"))
            .or_else(|| fields.sum("total_tax_amounts", "amount"));
        Some(Self {
            paid_minor,
            total_minor: fields.int("total").unwrap_or(paid_minor),
            tax_minor: tax.unwrap_or(0),
            shipping_minor: shipping.unwrap_or(0),
            off_stripe_minor: fields.int("amount_paid_off_stripe").unwrap_or(0),
            out_of_band: fields.bool("paid_out_of_band").unwrap_or(false),
            proration: fields.list("lines").is_some_and(|lines| lines.into_iter().any(is_proration)),
            currency: fields.currency()?,
            lines: lines(fields),
        })
    }
}

fn lines(fields: Fields<'_>) -> Option<Vec<InvoiceLine>> {
    let more = fields.object("lines").and_then(|list| list.bool("has_more")).unwrap_or(false);
    let lines: Vec<_> = fields.list("lines")?.into_iter().map(InvoiceLine::read).collect();
    (!more && !lines.is_empty()).then_some(lines)
}

impl InvoiceLine {
    fn read(line: Fields<'_>) -> Self {
        let pricing = line.object("pricing").and_then(|pricing| pricing.object("price_details"));
        let (price, plan) = (line.object("price"), line.object("plan"));
        let product = pricing
            .and_then(|pricing| pricing.id("product"))
            .or_else(|| price?.id("product"))
            .or_else(|| plan?.id("product"));
        let price = pricing
            .and_then(|pricing| pricing.id("price"))
            .or_else(|| line.id("price"))
            .or_else(|| line.id("plan"));
        let discounts = line.sum("discount_amounts", "amount").unwrap_or(0);
        let amount = line.int("amount").unwrap_or(0);
        Self {
            product: product.map(Into::into),
            price: price.map(Into::into),
            net_minor: amount.saturating_sub(discounts).saturating_sub(inclusive_tax(line)),
        }
    }
}

fn is_proration(line: Fields<'_>) -> bool {
    let of = |item: &str| line.object("parent").and_then(|parent| parent.object(item)?.bool("proration"));
    of("subscription_item_details")
        .or_else(|| of("invoice_item_details"))
        .or_else(|| line.bool("proration"))
        .unwrap_or(false)
}

/// Tax that is contained in the line's `amount`.
fn inclusive_tax(line: Fields<'_>) -> i64 {
    let of = |list: &str, is_inclusive: fn(Fields<'_>) -> bool| {
        let taxes = line.list(list)?.into_iter().filter(|tax| is_inclusive(*tax));
        Some(taxes.filter_map(|tax| tax.int("amount")).fold(0, i64::saturating_add))
    };
    of("taxes", |tax| tax.text("tax_behavior") == Some("inclusive"))
        .or_else(|| of("tax_amounts", |tax| tax.bool("inclusive") == Some(true)))
        .unwrap_or(0)
}

impl Join for Invoice {
    fn join(&mut self, other: Self) {
        earliest(&mut self.created, other.created);
        greatest(&mut self.amounts, other.amounts);
        greatest(&mut self.customer, other.customer);
        greatest(&mut self.subscription, other.subscription);
        greatest(&mut self.payment_intent, other.payment_intent);
        greatest(&mut self.charge, other.charge);
        self.emails.join(other.emails);
        greatest(&mut self.references, other.references);
        greatest(&mut self.subscription_references, other.subscription_references);
        self.promotions.join(other.promotions);
    }
}
