//! Money paid or refunded outside Stripe.
#![allow(missing_docs, clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test")]

mod ledger;
mod stripe;

use ledger::{Ledger, check_in, event};
use serde_json::{Value, json};
use stripe::{by, charge, invoice, link, merged, terms};

#[track_caller]
fn check(other_terms: Value, events: &[Value], want: i64) {
    check_in(&Ledger::new(terms(other_terms)), events, [want, 0]);
}

fn counted() -> Value {
    json!({"count_out_of_band": true})
}

fn not_counted() -> Value {
    json!({"count_out_of_band": false})
}

fn paid(amount: i64, other: Value) -> Value {
    invoice("in_1", 0, amount, merged(json!({"metadata": by("clk_1")}), other))
}

/// A payment of the invoice outside Stripe, of this amount.
fn recorded(id: &str, amount: i64) -> Value {
    let payment = json!({"type": "payment_record", "payment_record": format!("pr_{id}")});
    event(
        "invoice_payment.paid",
        1,
        json!({"id": format!("inpay_{id}"), "invoice": "in_1", "amount_paid": amount, "payment": payment}),
    )
}

fn refunded(amount: i64, back: i64) -> Value {
    charge("charge.refunded", "ch_1", 9, amount, json!({"payment_intent": "pi_1", "amount_refunded": back}))
}

#[test]
fn an_old_invoice_paid_out_of_band_counts_its_amount_due() {
    let old = |paid_minor: i64, due: Value| {
        paid(paid_minor, json!({"total": 5_000, "paid_out_of_band": true, "amount_due": due}))
    };
    check(counted(), &[old(0, json!(5_000))], 1_000);
    check(not_counted(), &[old(0, json!(5_000))], 0);
    // A part was paid from the customer's balance; tax is subtracted in proportion.
    check(counted(), &[old(0, json!(4_000))], 800);
    let taxed =
        merged(json!({"total": 6_000, "tax": 1_000}), json!({"paid_out_of_band": true, "amount_due": 6_000}));
    check(counted(), &[paid(0, taxed)], 1_000);
    // Newer API versions include this money in `amount_paid`.
    check(counted(), &[old(5_000, json!(5_000))], 1_000);
    check(not_counted(), &[old(5_000, json!(5_000))], 0);
    check(counted(), &[old(0, json!(null))], 0);
}

#[test]
fn the_amount_paid_outside_is_the_larger_of_that_of_the_invoice_and_of_its_payment_records() {
    let off = |minor: i64| paid(10_000, json!({"amount_paid_off_stripe": minor}));
    let [none, half] = [0, 5_000].map(off);
    check(counted(), &[half.clone(), recorded("1", 6_000)], 2_000);
    check(not_counted(), std::slice::from_ref(&half), 1_000);
    check(not_counted(), &[half.clone(), recorded("1", 6_000)], 800);
    check(not_counted(), &[half, recorded("1", 4_000)], 1_000);
    check(not_counted(), &[none.clone(), recorded("1", 4_000), recorded("2", 3_000)], 600);
    check(not_counted(), &[none.clone(), recorded("1", 4_000), recorded("2", 6_000)], 0);
    check(not_counted(), &[none.clone(), recorded("1", 99_000)], 0);
    // Money paid by a PaymentIntent was paid through Stripe.
    let charged = json!({"type": "payment_intent", "payment_intent": "pi_1"});
    let charged = json!({"id": "inpay_9", "invoice": "in_1", "amount_paid": 4_000, "payment": charged});
    check(not_counted(), &[none, event("invoice_payment.paid", 1, charged)], 2_000);
}

#[test]
fn a_refund_takes_back_its_share_of_what_counted() {
    let sale = || [paid(10_000, json!({"amount_paid_off_stripe": 6_000})), link("in_1", "pi_1")];
    let with_refund = |back: i64| [&sale()[..], &[refunded(4_000, back)]].concat();
    check(not_counted(), &with_refund(0), 800);
    check(not_counted(), &with_refund(1_000), 600);
    check(not_counted(), &with_refund(4_000), 0);
    check(counted(), &with_refund(4_000), 1_200);
}

#[test]
fn a_credit_note_for_money_returned_outside_stripe_counts_as_a_refund() {
    let note = |kind: &str, id: &str, amount: i64| {
        let status = if kind == "voided" { "void" } else { "issued" };
        let object = json!({"id": id, "invoice": "in_1", "out_of_band_amount": amount, "refunds": [], "status": status});
        event(&format!("credit_note.{kind}"), 5, object)
    };
    let sale = || paid(10_000, json!({}));
    check(counted(), &[sale(), note("created", "cn_1", 4_000)], 1_200);
    check(counted(), &[sale(), note("created", "cn_1", 4_000), note("created", "cn_2", 6_000)], 0);
    check(counted(), &[sale(), note("created", "cn_1", 4_000), note("voided", "cn_1", 4_000)], 2_000);
    check(not_counted(), &[sale(), note("created", "cn_1", 4_000)], 1_200);
    // Nothing is taken back for money that did not count.
    let half = || paid(10_000, json!({"amount_paid_off_stripe": 5_000}));
    check(not_counted(), &[half(), note("created", "cn_1", 4_000)], 1_000);
    check(not_counted(), &[half(), note("created", "cn_1", 7_500)], 500);
    // A credit note with a refund counts only once, with the refund.
    let with_refund =
        json!({"id": "cn_1", "invoice": "in_1", "refunds": [{"refund": "re_1", "amount_refunded": 5_000}]});
    let refund =
        json!({"id": "re_1", "amount": 5_000, "status": "succeeded", "charge": "ch_1", "currency": "usd"});
    let events = [
        sale(),
        event("credit_note.created", 5, with_refund),
        event("refund.created", 5, refund),
        refunded(10_000, 5_000),
    ];
    check(counted(), &events, 1_000);
}
