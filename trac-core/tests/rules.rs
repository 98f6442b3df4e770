//! The money rules that are easily got wrong, as what Stripe sends and what the ledger then holds. Each is delivered in
//! order, backwards, and twice over.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod ledger;

use ledger::{Ledger, T0, event};
use serde_json::{Value, json};
use trac_core::time::DAY_SECS as DAY;

/// The terms of most rows: a fifth of each payment, without what the contract switches on by itself.
fn terms(other: Value) -> Value {
    let usual = json!({
        "commission": {"type": "percentage", "rate_bps": 2_000}, "cancel_policy": "keep",
        "attribute_by_customer": false, "block_self_referral": false
    });
    merged(usual, other)
}

fn merged(mut object: Value, other: Value) -> Value {
    object.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    object
}

fn session(id: &str, at: i64, amount: i64, other: Value) -> Value {
    let usual = json!({
        "id": id, "mode": "payment", "payment_status": "paid", "amount_total": amount, "currency": "usd",
        "created": T0 + at
    });
    event("checkout.session.completed", at, merged(usual, other))
}

fn invoice(id: &str, at: i64, amount: i64, other: Value) -> Value {
    let usual = json!({
        "id": id, "status": "paid", "amount_paid": amount, "total": amount, "currency": "usd", "created": T0 + at,
        "subscription": "sub_1", "customer": "cus_1"
    });
    event("invoice.paid", at, merged(usual, other))
}

fn charge(kind: &str, id: &str, at: i64, amount: i64, other: Value) -> Value {
    let usual = json!({
        "id": id, "amount": amount, "amount_captured": amount, "captured": true, "amount_refunded": 0,
        "currency": "usd", "customer": "cus_1", "created": T0 + at, "status": "succeeded"
    });
    event(kind, at, merged(usual, other))
}

fn by(click: &str) -> Value {
    json!({"tracClickId": click})
}

/// What each of the two partners is left with, however the events arrive.
#[track_caller]
fn check(other_terms: Value, events: &[Value], want: [i64; 2]) {
    let backwards: Vec<Value> = events.iter().rev().cloned().collect();
    let orders = [events.to_vec(), backwards.clone(), [backwards, events.to_vec()].concat()];
    for (order, name) in orders.iter().zip(["in order", "backwards", "twice"]) {
        let mut ledger = Ledger::new(terms(other_terms.clone()));
        for event in order {
            ledger.deliver(event);
        }
        let sums = ledger.sums();
        let of = |partner: &str| -> i64 {
            sums.iter().filter(|((known, _), _)| known == partner).map(|(_, net)| net).sum()
        };
        assert_eq!([of("part1"), of("part2")], want, "{name}");
    }
}

#[test]
fn of_two_payments_in_one_second_the_same_is_first_whichever_arrives_first() {
    let two = [
        invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")})),
        invoice("in_2", 0, 5_000, json!({"metadata": by("clk_1")})),
    ];
    check(json!({"recurring": "first_payment"}), &two, [200, 0]);
}

#[test]
fn of_two_clicks_in_one_second_the_same_binds_the_subscription() {
    let three = [
        invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")})),
        invoice("in_2", 0, 1_000, json!({"metadata": by("clk_2")})),
        invoice("in_3", 30 * DAY, 1_000, json!({})),
    ];
    check(json!({}), &three, [400, 200]);
}

#[test]
fn of_two_clicks_in_one_second_the_same_binds_the_customer() {
    let three = [
        session("cs_1", 0, 1_000, json!({"customer": "cus_1", "metadata": by("clk_1")})),
        session("cs_2", 0, 1_000, json!({"customer": "cus_1", "metadata": by("clk_2")})),
        session("cs_3", DAY, 1_000, json!({"customer": "cus_1"})),
    ];
    check(json!({"attribute_by_customer": true}), &three, [200, 400]);
}
