//! `invoice.paid`: the payments of subscriptions, and of sessions that create an invoice.
//!
//! Two shapes are read, the new one first: since 2025-03-31.basil the subscription is under `parent`, taxes
//! are in `total_taxes`, prices under `pricing`. An old API version rendered today contains both shapes.
//! Source: <https://docs.stripe.com/api/invoices/object>.
//!
//! An event carries at most ten lines. Where there are more, the server can request the complete list from
//! Stripe, which becomes an event of type [`LINES_LISTED`].

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

/// The type of an event that this program makes: every line of an invoice, as listed by Stripe's API. Its
/// object is the invoice with only `id` and `lines`, so it states no money, time or buyer.
pub const LINES_LISTED: &str = "invoice.lines_listed";

/// The facts about one paid invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Invoice {
    /// When the invoice was created.
    pub created: Option<Timestamp>,
    /// `status_transitions.paid_at`: a renewal is charged about an hour after its invoice was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// The largest `lines.data[].period.end`: the end of the service paid for. Credits of a proration do not
    /// count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// The amounts of the invoice.
    pub amounts: Option<Latest<InvoiceAmounts>>,
    /// What was sold, from the newest list that contains every line. An incomplete list is not stored.
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
    /// The references in its own metadata.
    pub references: Option<Latest<References>>,
    /// The references in its snapshot of the subscription's metadata.
    pub subscription_references: Option<Latest<References>>,
    /// The promotion codes used, normalised by [`super::promotion::normal`].
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub promotions: BTreeSet<String>,
}

/// The amounts of an invoice, from one snapshot, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InvoiceAmounts {
    /// `amount_paid`
    pub paid_minor: i64,
    /// `total`: after discounts, with tax; differs from the amount paid if a customer balance was applied.
    pub total_minor: i64,
    /// All taxes in `total`.
    pub tax_minor: i64,
    /// `shipping_cost.amount_subtotal`
    pub shipping_minor: i64,
    /// `amount_paid_off_stripe`, from 2026-05-27.dahlia: the part of `paid_minor` that was paid outside
    /// Stripe.
    pub off_stripe_minor: i64,
    /// `paid_out_of_band`, up to 2025-02-24.acacia: all of it was paid outside Stripe. `paid_minor` is then
    /// 0, and `due_minor` was paid.
    pub out_of_band: bool,
    /// Whether a line is a proration: a change of plan within a period.
    pub proration: bool,
    /// `currency`
    pub currency: Currency,
    /// What was sold, in facts stored before [`Invoice::lines`] existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<InvoiceLine>>,
    /// `amount_due`: `total` less the applied customer balance.
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
            amounts: Latest::stated(at, Some(InvoiceAmounts::read(fields)?)),
            lines: Latest::stated(at, lines(fields)?),
            customer: fields.id("customer").map(Into::into),
            subscription: subscription(fields).map(Into::into),
            payment_intent: Linked::from_field(fields.id("payment_intent")),
            charge: Linked::from_field(fields.id("charge")),
            emails: fields.text("customer_email").map(Into::into).into_iter().collect(),
            references: Latest::stated(at, fields.references("metadata")),
            subscription_references: Latest::stated(at, subscription_references),
            promotions: promotion::read(fields),
        })
    }

    /// Reads an event of type [`LINES_LISTED`].
    pub(super) fn read_listed(fields: Fields<'_>, at: Timestamp) -> Result<Self, Unreadable> {
        Ok(Self {
            period_end: period_end(fields),
            lines: Latest::stated(at, lines(fields)?),
            ..Self::default()
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
    /// Every line, if a complete list was received.
    #[must_use]
    pub fn every_line(&self) -> Option<&[InvoiceLine]> {
        let known = self.lines.as_ref().map(|latest| &latest.value);
        known.or_else(|| self.amounts.as_ref()?.value.lines.as_ref()).map(Vec::as_slice)
    }
}

impl InvoiceAmounts {
    /// The amount paid, inside and outside Stripe.
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

/// Every line; [`None`] if the list is incomplete or empty.
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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use serde_json::{Value, json};

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn read(
        object: &Value,
        secs: i64,
        reader: fn(Fields<'_>, Timestamp) -> Result<Invoice, Unreadable>,
    ) -> Invoice {
        reader(Fields(object.as_object().unwrap()), at(secs)).ok().unwrap()
    }

    fn paid(lines: &Value, secs: i64) -> Invoice {
        let object =
            json!({ "id": "in_1", "amount_paid": 1_200, "currency": "usd", "created": 5, "lines": lines });
        read(&object, secs, Invoice::read)
    }

    fn listed(lines: &Value, secs: i64) -> Invoice {
        read(&json!({ "id": "in_1", "object": "invoice", "lines": lines }), secs, Invoice::read_listed)
    }

    /// A list of `count` lines of 100 each; the twelfth is of another product.
    fn list(count: usize, has_more: bool) -> Value {
        let line = |number: usize| {
            let product = if number == 12 { "prod_2" } else { "prod_1" };
            let pricing = json!({ "price_details": { "price": "price_1", "product": product } });
            json!({ "amount": 100, "pricing": pricing, "period": { "end": number } })
        };
        json!({ "has_more": has_more, "data": (1..=count).map(line).collect::<Vec<_>>() })
    }

    #[test]
    fn a_complete_list_of_lines_survives_any_order_and_repeats() {
        let complete = listed(&list(12, false), 50);
        let rows = [
            // `invoice.paid` before the list; after it; before it and in the same second.
            vec![paid(&list(10, true), 10), complete.clone()],
            vec![paid(&list(10, true), 90), complete.clone()],
            vec![paid(&list(10, true), 10), paid(&list(10, true), 50), complete.clone()],
            // The list twice, and once in part because the response was not read to its end.
            vec![paid(&list(10, true), 10), complete.clone(), listed(&list(12, false), 70)],
            vec![paid(&list(10, true), 10), complete.clone(), listed(&list(3, true), 99)],
            // Another rendering of `invoice.paid` contains every line.
            vec![paid(&list(10, true), 10), paid(&list(12, false), 10), complete],
        ];
        for (row, events) in rows.iter().enumerate() {
            let rotated = |by: usize| {
                let mut order = events.clone();
                order.rotate_left(by);
                order
            };
            let orders = (0..events.len()).map(rotated).flat_map(|order| {
                let backwards = order.iter().rev().cloned().collect();
                [[order.clone(), order.clone()].concat(), order, backwards]
            });
            let mut sums = orders.map(|order| {
                let mut sum = Invoice::default();
                for one in order {
                    sum.join(one);
                }
                sum
            });
            let first = sums.next().unwrap();
            assert!(sums.all(|sum| sum == first), "row {row}: the order matters");
            let products: Vec<_> =
                first.every_line().unwrap().iter().map(|line| line.product.as_deref()).collect();
            assert_eq!((products.len(), products[11]), (12, Some("prod_2")), "row {row}");
            assert_eq!(first.period_end, Some(at(12)), "row {row}");
            let stated = (first.created, first.amounts.map(|latest| latest.value.paid_minor));
            assert_eq!(stated, (Some(at(5)), Some(1_200)), "row {row}: a list states no money or time");
        }
    }

    #[test]
    fn a_list_of_lines_states_nothing_else() {
        let object = json!({ "id": "in_1", "amount_paid": 9, "total": 9, "currency": "eur", "created": 7, "customer": "cus_1",
            "subscription": "sub_1", "charge": "ch_1", "payment_intent": "pi_1", "customer_email": "a@example.com",
            "metadata": { "tracClickId": "clk_1" }, "lines": list(1, false) });
        let line =
            InvoiceLine { product: Some("prod_1".into()), price: Some("price_1".into()), net_minor: 100 };
        let want = Invoice {
            period_end: Some(at(1)),
            lines: Latest::stated(at(3), Some(vec![line])),
            ..Invoice::default()
        };
        assert_eq!(read(&object, 3, Invoice::read_listed), want);
        assert_eq!(listed(&list(0, false), 3), Invoice::default());
        assert_eq!(listed(&list(1, true), 3).every_line(), None);
    }

    #[test]
    fn a_listed_line_names_its_product_and_price_in_every_shape() {
        let check = |line: Value, product: Option<&str>, price: Option<&str>, net: i64| {
            let lines = listed(&json!({ "data": [line], "has_more": false }), 0).lines.unwrap().value;
            let found = (lines[0].product.as_deref(), lines[0].price.as_deref(), lines[0].net_minor);
            assert_eq!(found, (product, price, net), "{line}");
        };
        let renewal = json!({ "id": "il_1", "object": "line_item", "amount": 1_200, "invoice": "in_1",
            "discount_amounts": [{ "amount": 200 }],
            "parent": { "type": "subscription_item_details", "subscription_item_details": { "subscription": "sub_1" } },
            "pricing": { "type": "price_details", "price_details": { "price": "price_1", "product": "prod_1" } },
            "taxes": [{ "amount": 100, "tax_behavior": "inclusive" }, { "amount": 90, "tax_behavior": "exclusive" }] });
        check(renewal, Some("prod_1"), Some("price_1"), 900);
        let expanded = json!({ "id": "price_1", "product": "prod_1" });
        let details = json!({ "price": expanded, "product": { "id": "prod_1" } });
        check(
            json!({ "amount": 5, "pricing": { "price_details": details } }),
            Some("prod_1"),
            Some("price_1"),
            5,
        );
        let old = json!({ "amount": 1_200, "price": expanded, "discount_amounts": [{ "amount": 200 }],
            "tax_amounts": [{ "amount": 100, "inclusive": true }] });
        check(old, Some("prod_1"), Some("price_1"), 900);
        let plan = json!({ "amount": 7, "price": null, "plan": { "id": "plan_1", "product": "prod_1" } });
        check(plan, Some("prod_1"), Some("plan_1"), 7);
        check(json!({ "amount": -7, "pricing": null, "price": null }), None, None, -7);
    }
}
