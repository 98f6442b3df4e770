//! One-time payments: a `PaymentIntent`, its charge, its refunds and its dispute.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::chance::{now, stripe_id};

/// One payment as the merchant's dashboard lists it. Its ID is the `PaymentIntent`'s.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) charge: String,
    pub(crate) session: Option<String>,
    pub(crate) invoice: Option<String>,
    pub(crate) subscription: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) email: String,
    pub(crate) description: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) refunded_minor: i64,
    pub(crate) dispute: Option<Dispute>,
    pub(crate) created: i64,
    pub(crate) metadata: Map<String, Value>,
}

/// A dispute: the buyer's bank withdrew the money, and returns it if the dispute is `won`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    /// `needs_response`, `won` or `lost`.
    pub(crate) status: &'static str,
    pub(crate) created: i64,
}

impl Payment {
    pub(crate) fn refundable_minor(&self) -> i64 {
        self.amount_minor.saturating_sub(self.refunded_minor)
    }

    /// The charge in `charge.succeeded` and `charge.refunded`: `amount_refunded` is the total so far,
    /// `refunded` is true only after a full refund, and newer API versions have no `invoice`.
    pub(crate) fn charge_object(&self) -> Value {
        json!({
            "id": self.charge,
            "object": "charge",
            "amount": self.amount_minor,
            "amount_captured": self.amount_minor,
            "amount_refunded": self.refunded_minor,
            "application": null,
            "application_fee_amount": null,
            "balance_transaction": null,
            "billing_details": {"address": {"city": null, "country": "US", "line1": null, "line2": null,
                "postal_code": "94107", "state": null}, "email": self.email, "name": "Ada Buyer", "phone": null,
                "tax_id": null},
            "calculated_statement_descriptor": "KETTLE AND LEAF",
            "captured": true,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "dispute": self.dispute.as_ref().map(|dispute| &dispute.id),
            "disputed": self.dispute.is_some(),
            "failure_code": null,
            "failure_message": null,
            "livemode": false,
            "metadata": self.metadata,
            "outcome": {"network_status": "approved_by_network", "risk_level": "normal",
                "seller_message": "Payment complete.", "type": "authorized"},
            "paid": true,
            "payment_intent": self.id,
            "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
            "receipt_email": null,
            "refunded": self.refunded_minor >= self.amount_minor,
            "review": null,
            "shipping": null,
            "status": "succeeded",
            "transfer_data": null,
        })
    }

    /// The `PaymentIntent` in `payment_intent.succeeded`.
    pub(crate) fn intent_object(&self) -> Value {
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount_minor,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": self.amount_minor,
            "capture_method": "automatic_async",
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "customer_account": null,
            "description": self.description,
            "latest_charge": self.charge,
            "livemode": false,
            "metadata": self.metadata,
            "payment_details": {"customer_reference": null,
                "order_reference": self.invoice.as_ref().or(self.session.as_ref())},
            "payment_method_types": ["card"],
            "receipt_email": null,
            "shipping": null,
            "status": "succeeded",
        })
    }

    /// A refund of `amount_minor`, in `refund.created`.
    pub(crate) fn refund_object(&self, amount_minor: i64) -> Value {
        json!({
            "id": stripe_id("re_3", 23),
            "object": "refund",
            "amount": amount_minor,
            "balance_transaction": null,
            "charge": self.charge,
            "created": now(),
            "currency": self.currency,
            "customer": self.customer,
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "metadata": {},
            "payment_intent": self.id,
            "reason": "requested_by_customer",
            "status": "succeeded",
        })
    }

    /// The link to the paid invoice, in `invoice_payment.paid`; `None` for a payment without an invoice.
    pub(crate) fn invoice_payment_object(&self) -> Option<Value> {
        let invoice = self.invoice.as_ref()?;
        Some(json!({
            "id": format!("inpay_1{}", invoice.trim_start_matches("in_1")),
            "object": "invoice_payment",
            "amount_paid": self.amount_minor,
            "amount_requested": self.amount_minor,
            "created": self.created,
            "currency": self.currency,
            "invoice": invoice,
            "is_default": true,
            "livemode": false,
            "payment": {"type": "payment_intent", "payment_intent": self.id},
            "status": "paid",
            "status_transitions": {"canceled_at": null, "paid_at": self.created},
        }))
    }

    /// The dispute, with the balance transactions of the withdrawal and, if won, the return.
    pub(crate) fn dispute_object(&self, dispute: &Dispute) -> Value {
        let withdrawal = json!({"object": "balance_transaction", "amount": -self.amount_minor, "fee": 1_500,
            "currency": self.currency, "reporting_category": "dispute"});
        let reversal = json!({"object": "balance_transaction", "amount": self.amount_minor, "fee": 0,
            "currency": self.currency, "reporting_category": "dispute_reversal"});
        let transactions =
            if dispute.status == "won" { vec![withdrawal, reversal] } else { vec![withdrawal] };
        json!({
            "id": dispute.id,
            "object": "dispute",
            "amount": self.amount_minor,
            "balance_transactions": transactions,
            "charge": self.charge,
            "created": dispute.created,
            "currency": self.currency,
            "is_charge_refundable": false,
            "livemode": false,
            "metadata": {},
            "payment_intent": self.id,
            "payment_method_details": {"type": "card",
                "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"}},
            "reason": "fraudulent",
            "status": dispute.status,
        })
    }
}
