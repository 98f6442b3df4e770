//! Events of Stripe's, with the fields that most test rows have in common.
#![allow(dead_code, reason = "each file of tests sends some of it")]

use serde_json::{Value, json};

use crate::ledger::{T0, event};

/// The terms of most rows: 20 % of each payment, with the options that are on by default switched off.
pub(crate) fn terms(other: Value) -> Value {
    let usual = json!({
        "commission": {"type": "percentage", "rate_bps": 2_000}, "cancel_policy": "keep",
        "attribute_by_customer": false, "block_self_referral": false
    });
    merged(usual, other)
}

pub(crate) fn merged(mut object: Value, other: Value) -> Value {
    object.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    object
}

pub(crate) fn session(id: &str, at: i64, amount: i64, other: Value) -> Value {
    let usual = json!({
        "id": id, "mode": "payment", "payment_status": "paid", "amount_total": amount, "currency": "usd",
        "created": T0 + at
    });
    event("checkout.session.completed", at, merged(usual, other))
}

pub(crate) fn invoice(id: &str, at: i64, amount: i64, other: Value) -> Value {
    let usual = json!({
        "id": id, "status": "paid", "amount_paid": amount, "total": amount, "currency": "usd", "created": T0 + at,
        "subscription": "sub_1", "customer": "cus_1"
    });
    event("invoice.paid", at, merged(usual, other))
}

pub(crate) fn charge(kind: &str, id: &str, at: i64, amount: i64, other: Value) -> Value {
    let usual = json!({
        "id": id, "amount": amount, "amount_captured": amount, "captured": true, "amount_refunded": 0,
        "currency": "usd", "customer": "cus_1", "created": T0 + at, "status": "succeeded"
    });
    event(kind, at, merged(usual, other))
}

pub(crate) fn by(click: &str) -> Value {
    json!({"tracClickId": click})
}

pub(crate) fn refund(kind: &str, id: &str, at: i64, amount: i64, status: &str, of: Value) -> Value {
    event(kind, at, merged(json!({"id": id, "amount": amount, "status": status, "currency": "usd"}), of))
}

pub(crate) fn dispute(kind: &str, at: i64, amount: i64, status: &str, other: Value) -> Value {
    let usual = json!({
        "id": "du_1", "amount": amount, "charge": "ch_1", "payment_intent": "pi_1", "currency": "usd", "status": status
    });
    event(&format!("charge.dispute.{kind}"), at, merged(usual, other))
}

/// The event that links a PaymentIntent to an invoice; since 2025-03-31.basil it is the only link.
pub(crate) fn link(invoice: &str, intent: &str) -> Value {
    let payment = json!({"type": "payment_intent", "payment_intent": intent});
    event(
        "invoice_payment.paid",
        1,
        json!({"id": format!("inpay_{intent}"), "invoice": invoice, "payment": payment}),
    )
}

pub(crate) fn intent(id: &str, at: i64, amount: i64, other: Value) -> Value {
    let usual = json!({
        "id": id, "amount": amount, "amount_received": amount, "currency": "usd", "created": T0 + at
    });
    event("payment_intent.succeeded", at, merged(usual, other))
}
