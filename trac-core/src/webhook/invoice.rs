//! `invoice.paid`: the money of subscriptions, and of sessions that make an invoice.
//!
//! Two shapes are read, new before old: since 2025-03-31.basil the subscription stands under `parent`, taxes in
//! `total_taxes`, prices under `pricing`; an old version rendered today carries both.
//! Source: <https://docs.stripe.com/api/invoices/object>.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable, sum_of};
use super::join::{Join, Latest, earliest, greatest};
use super::linked::Linked;
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
    /// `status_transitions.paid_at`: a renewal is charged about an hour after it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// The largest `lines.data[].period.end`: until when the service is paid for. Credits of a proration do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// What was paid.
    pub amounts: Option<Latest<InvoiceAmounts>>,
    /// What was sold, from the newest snapshot that carries every line: an event has ten at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Latest<Vec<InvoiceLine>>>,
    /// `cus_…`
    pub customer: Option<String>,
    /// `sub_…`
    pub subscription: Option<String>,
    /// `pi_…`, up to 2025-02-24.acacia: the same money.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub payment_intent: Linked,
    /// `ch_…`, up to 2025-02-24.acacia: the same money.
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub charge: Linked,
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
    /// `amount_paid_off_stripe`, from 2026-05-27.dahlia: the part of `paid_minor` that came another way.
    pub off_stripe_minor: i64,
    /// `paid_out_of_band`, up to 2025-02-24.acacia: all of it came another way. `paid_minor` is 0 then, and `due_minor` was paid.
    pub out_of_band: bool,
    /// Whether a line is a proration: a change of plan within a period.
    pub proration: bool,
    /// `currency`
    pub currency: Currency,
    /// What was sold, in facts kept before [`Invoice::lines`] was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<InvoiceLine>>,
    /// `amount_due`: `total` less what the customer's balance gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_minor: Option<i64>,
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
    pub(super) fn read(fields: Fields<'_>, at: Timestamp) -> Result<Self, Unreadable> {
        let details = fields.object("parent").and_then(|parent| parent.object("subscription_details"));
        let old_details = fields.object("subscription_details");
        let subscription_references = details
            .and_then(|details| details.references("metadata"))
            .or_else(|| old_details?.references("metadata"));
        Ok(Self {
            created: fields.time("created").or(Some(at)),
            paid_at: fields.object("status_transitions").and_then(|transitions| transitions.time("paid_at")),
            period_end: period_end(fields),
            amounts: Latest::said(at, Some(InvoiceAmounts::read(fields)?)),
            lines: Latest::said(at, lines(fields)?),
            customer: fields.id("customer").map(Into::into),
            subscription: subscription(fields).map(Into::into),
            payment_intent: Linked::seen(fields.id("payment_intent")),
            charge: Linked::seen(fields.id("charge")),
            emails: fields.text("customer_email").map(Into::into).into_iter().collect(),
            references: Latest::said(at, fields.references("metadata")),
            subscription_references: Latest::said(at, subscription_references),
            promotions: promotion::read(fields),
        })
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

impl Invoice {
    /// Every line, where some snapshot carried them all.
    #[must_use]
    pub fn every_line(&self) -> Option<&[InvoiceLine]> {
        let known = self.lines.as_ref().map(|latest| &latest.value);
        known.or_else(|| self.amounts.as_ref()?.value.lines.as_ref()).map(Vec::as_slice)
    }
}

impl InvoiceAmounts {
    /// What was paid, in whatever way.
    #[must_use]
    pub fn whole_minor(&self) -> i64 {
        let due = self.due_minor.filter(|_| self.out_of_band && self.paid_minor == 0);
        due.unwrap_or(self.paid_minor)
    }

    fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let paid_minor = fields.amount("amount_paid")?.ok_or(Unreadable)?;
        let shipping = match fields.object("shipping_cost") {
            Some(cost) => cost.amount("amount_subtotal")?,
            None => None,
        };
        let (new, old) = (fields.sum("total_taxes", "amount")?, fields.amount("tax")?);
        let tax = new.or(old).or(fields.sum("total_tax_amounts", "amount")?);
        Ok(Self {
            paid_minor,
            total_minor: fields.amount("total")?.unwrap_or(paid_minor),
            tax_minor: tax.unwrap_or(0),
            shipping_minor: shipping.unwrap_or(0),
            off_stripe_minor: fields.amount("amount_paid_off_stripe")?.unwrap_or(0),
            out_of_band: fields.bool("paid_out_of_band").unwrap_or(false),
            proration: fields.list("lines").is_some_and(|lines| lines.into_iter().any(is_proration)),
            currency: fields.currency()?.ok_or(Unreadable)?,
            lines: None,
            due_minor: fields.amount("amount_due")?,
        })
    }
}

fn lines(fields: Fields<'_>) -> Result<Option<Vec<InvoiceLine>>, Unreadable> {
    let more = fields.object("lines").and_then(|list| list.bool("has_more")).unwrap_or(false);
    let lines = fields.list("lines").unwrap_or_default().into_iter().map(InvoiceLine::read);
    let lines: Vec<_> = lines.collect::<Result<_, _>>()?;
    Ok((!more && !lines.is_empty()).then_some(lines))
}

impl InvoiceLine {
    fn read(line: Fields<'_>) -> Result<Self, Unreadable> {
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
        let discounts = line.sum("discount_amounts", "amount")?.unwrap_or(0);
        let amount = line.amount("amount")?.unwrap_or(0);
        Ok(Self {
            product: product.map(Into::into),
            price: price.map(Into::into),
            net_minor: amount.saturating_sub(discounts).saturating_sub(inclusive_tax(line)?),
        })
    }
}

fn period_end(fields: Fields<'_>) -> Option<Timestamp> {
    let lines = fields.list("lines").unwrap_or_default().into_iter();
    let is_credit =
        |line: &Fields<'_>| is_proration(*line) && line.int("amount").is_some_and(|amount| amount < 0);
    lines.filter(|line| !is_credit(line)).filter_map(|line| line.object("period")?.time("end")).max()
}

fn is_proration(line: Fields<'_>) -> bool {
    let of = |item: &str| line.object("parent").and_then(|parent| parent.object(item)?.bool("proration"));
    of("subscription_item_details")
        .or_else(|| of("invoice_item_details"))
        .or_else(|| line.bool("proration"))
        .unwrap_or(false)
}

/// Tax that is contained in the line's `amount`.
fn inclusive_tax(line: Fields<'_>) -> Result<i64, Unreadable> {
    let of = |taxes: Vec<Fields<'_>>, is_inclusive: fn(&Fields<'_>) -> bool| {
        sum_of(taxes.into_iter().filter(is_inclusive), "amount")
    };
    match (line.list("taxes"), line.list("tax_amounts")) {
        (Some(taxes), _) => of(taxes, |tax| tax.text("tax_behavior") == Some("inclusive")),
        (None, Some(taxes)) => of(taxes, |tax| tax.bool("inclusive") == Some(true)),
        (None, None) => Ok(0),
    }
}

impl Join for Invoice {
    fn join(&mut self, other: Self) {
        earliest(&mut self.created, other.created);
        earliest(&mut self.paid_at, other.paid_at);
        greatest(&mut self.period_end, other.period_end);
        greatest(&mut self.amounts, other.amounts);
        greatest(&mut self.lines, other.lines);
        greatest(&mut self.customer, other.customer);
        greatest(&mut self.subscription, other.subscription);
        self.payment_intent.join(other.payment_intent);
        self.charge.join(other.charge);
        self.emails.join(other.emails);
        greatest(&mut self.references, other.references);
        greatest(&mut self.subscription_references, other.subscription_references);
        self.promotions.join(other.promotions);
    }
}
