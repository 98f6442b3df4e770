//! Recurring payments: a subscription, its invoices, and which payment paid which invoice.

use serde::Serialize;
use serde_json::{Map, Value, json};
use trac_core::time::Timestamp;

use crate::catalogue::Price;
use crate::chance::stripe_id;

/// An active or cancelled subscription. Each renewal is one interval after the previous one, as with Stripe's
/// test clocks, so that the dashboard can step through the months.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) item: String,
    pub(crate) customer: String,
    pub(crate) email: String,
    pub(crate) price: Price,
    pub(crate) quantity: i64,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) started: i64,
    pub(crate) periods: u32,
    pub(crate) canceled: bool,
}

/// The paid invoice of one period.
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) period_end: i64,
    pub(crate) is_first: bool,
}

impl Subscription {
    pub(crate) fn amount_minor(&self) -> i64 {
        self.price.amount_minor.saturating_mul(self.quantity)
    }

    /// The start of period number `periods` (from 0).
    fn period_start(&self, periods: u32) -> i64 {
        let months = match self.price.interval.as_deref() {
            Some("year") => periods.saturating_mul(12),
            _ => periods,
        };
        Timestamp::from_unix_secs(self.started).plus_months(months).unix_secs()
    }

    /// The time when the current period was billed.
    pub(crate) fn billed_at(&self) -> i64 {
        self.period_start(self.periods.saturating_sub(1))
    }

    /// Begins the next period and bills it.
    pub(crate) fn bill(&mut self) -> Invoice {
        let created = self.period_start(self.periods);
        let is_first = self.periods == 0;
        self.periods = self.periods.saturating_add(1);
        Invoice { id: stripe_id("in_1", 23), created, period_end: self.period_start(self.periods), is_first }
    }

    /// The subscription in its own events; the periods are on the items.
    pub(crate) fn object(&self, at: i64) -> Value {
        let start = self.period_start(self.periods.saturating_sub(1));
        let status = if self.canceled { "canceled" } else { "active" };
        let ended = self.canceled.then_some(at);
        json!({
            "id": self.id,
            "object": "subscription",
            "billing_mode": {"type": "flexible"},
            "cancel_at": null,
            "cancel_at_period_end": false,
            "canceled_at": ended,
            "cancellation_details": {"comment": null, "feedback": null,
                "reason": self.canceled.then_some("cancellation_requested")},
            "collection_method": "charge_automatically",
            "created": self.started,
            "currency": self.price.currency,
            "customer": self.customer,
            "customer_account": null,
            "ended_at": ended,
            "items": {"object": "list", "has_more": false, "data": [{
                "id": self.item, "object": "subscription_item", "created": self.started,
                "current_period_start": start, "current_period_end": self.period_start(self.periods),
                "price": self.price_object(), "quantity": self.quantity, "subscription": self.id,
            }]},
            "livemode": false,
            "metadata": self.metadata,
            "start_date": self.started,
            "status": status,
            "trial_end": null,
            "trial_start": null,
        })
    }

    /// The invoice in `invoice.paid`: the subscription under `parent`, prices under `pricing`, and no payment
    /// (that is in `invoice_payment.paid`).
    pub(crate) fn invoice_object(&self, invoice: &Invoice) -> Value {
        let amount = self.amount_minor();
        let reason = if invoice.is_first { "subscription_create" } else { "subscription_cycle" };
        json!({
            "id": invoice.id,
            "object": "invoice",
            "amount_due": amount,
            "amount_overpaid": 0,
            "amount_paid": amount,
            "amount_paid_off_stripe": 0,
            "amount_remaining": 0,
            "amount_shipping": 0,
            "attempted": true,
            "billing_reason": reason,
            "collection_method": "charge_automatically",
            "created": invoice.created,
            "currency": self.price.currency,
            "customer": self.customer,
            "customer_email": self.email,
            "discounts": [],
            "ending_balance": 0,
            "lines": {"object": "list", "has_more": false, "data": [self.line_object(invoice)]},
            "livemode": false,
            "metadata": {},
            "parent": {"type": "subscription_details", "quote_details": null,
                "subscription_details": {"subscription": self.id, "metadata": self.metadata}},
            "period_start": invoice.created,
            "period_end": invoice.created,
            "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": 0,
            "shipping_cost": null,
            "starting_balance": 0,
            "status": "paid",
            "status_transitions": {"finalized_at": invoice.created, "paid_at": invoice.created,
                "marked_uncollectible_at": null, "voided_at": null},
            "subtotal": amount,
            "subtotal_excluding_tax": amount,
            "total": amount,
            "total_discount_amounts": [],
            "total_excluding_tax": amount,
            "total_taxes": [],
        })
    }

    /// The lines of the invoice created at this time, as Stripe lists them.
    pub(crate) fn lines(&self, invoice: &str, created: i64) -> Vec<Value> {
        let period = (0..self.periods).find(|period| self.period_start(*period) == created);
        let period_end = self.period_start(period.unwrap_or_default().saturating_add(1));
        let is_first = period == Some(0);
        vec![self.line_object(&Invoice { id: invoice.to_owned(), created, period_end, is_first })]
    }

    fn line_object(&self, invoice: &Invoice) -> Value {
        json!({
            "id": format!("il_1{}", invoice.id.trim_start_matches("in_1")),
            "object": "line_item",
            "amount": self.amount_minor(),
            "currency": self.price.currency,
            "description": self.price.product.name,
            "discount_amounts": [],
            "invoice": invoice.id,
            "livemode": false,
            "metadata": self.metadata,
            "parent": {"type": "subscription_item_details", "invoice_item_details": null,
                "subscription_item_details": {"invoice_item": null, "proration": false,
                    "subscription": self.id, "subscription_item": self.item}},
            "period": {"start": invoice.created, "end": invoice.period_end},
            "pretax_credit_amounts": [],
            "pricing": {"type": "price_details", "unit_amount_decimal": self.price.amount_minor.to_string(),
                "price_details": {"price": self.price.id, "product": self.price.product.id}},
            "quantity": self.quantity,
            "subtotal": self.amount_minor(),
            "taxes": [],
        })
    }

    fn price_object(&self) -> Value {
        json!({
            "id": self.price.id, "object": "price", "active": true, "currency": self.price.currency,
            "product": self.price.product.id, "type": "recurring", "unit_amount": self.price.amount_minor,
            "recurring": {"interval": self.price.interval, "interval_count": 1, "usage_type": "licensed"},
        })
    }
}
