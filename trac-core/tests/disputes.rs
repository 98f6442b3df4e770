//! Disputes: money that a bank withdraws and returns.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test"
)]

mod ledger;
mod stripe;

use ledger::{Ledger, check_in};
use serde_json::{Value, json};
use stripe::{by, charge, dispute, session, terms};
use trac_core::commission::settle::{Occasion, settle};

fn sale() -> Value {
    session("cs_1", 0, 10_000, json!({"payment_intent": "pi_1", "metadata": by("clk_1")}))
}

#[track_caller]
fn check(events: &[Value], want: i64) {
    check_in(&Ledger::new(terms(json!({}))), &[&[sale()], events].concat(), [want, 0]);
}

fn moved(amounts: &[(i64, &str)]) -> Value {
    let each = amounts
        .iter()
        .map(|(amount, currency)| json!({"amount": amount, "currency": currency, "fee": 1_500}));
    json!({"balance_transactions": each.collect::<Vec<_>>()})
}

/// Whether the commission is held after these events, in order and in reverse.
#[track_caller]
fn is_held(events: &[Value]) -> bool {
    let all = [&[sale()], events].concat();
    let backwards: Vec<Value> = all.iter().rev().cloned().collect();
    let held = [all, backwards].map(|order| {
        let mut ledger = Ledger::new(terms(json!({})));
        for event in &order {
            ledger.deliver(event);
        }
        let settled = settle(&ledger.world, Occasion::default());
        settled.values().flat_map(|one| &one.changes).any(|change| change.claim.as_ref().unwrap().held)
    });
    assert_eq!(held[0], held[1]);
    held[0]
}

#[test]
fn the_longest_list_of_balance_transactions_counts() {
    let (out, back) = ((-10_000, "usd"), (10_000, "usd"));
    let withdrawn = || dispute("funds_withdrawn", 9, 10_000, "needs_response", moved(&[out]));
    let won = || dispute("closed", 20, 10_000, "won", moved(&[out, back]));
    let lost = || dispute("closed", 40, 10_000, "lost", moved(&[out, back, out]));
    check(&[withdrawn()], 0);
    check(&[withdrawn(), won()], 2_000);
    check(&[withdrawn(), won(), lost()], 0);
    check(&[won(), lost()], 0);
    // A part of the money was returned.
    check(&[withdrawn(), dispute("closed", 20, 10_000, "won", moved(&[out, (4_000, "usd")]))], 800);
    // A list of balance transactions from before the return does not contradict the return.
    check(&[withdrawn(), dispute("closed", 20, 10_000, "won", moved(&[out]))], 2_000);
    check(&[withdrawn(), dispute("funds_reinstated", 20, 10_000, "won", json!({}))], 2_000);
}

#[test]
fn a_dispute_in_another_currency_counts_by_movements_in_the_charges_currency_or_is_held_for_review() {
    let charged = || charge("charge.succeeded", "ch_1", 1, 10_000, json!({"payment_intent": "pi_1"}));
    let contested = |currency: &str, amount: i64, moved: Value| {
        let mut event = dispute("funds_withdrawn", 9, amount, "needs_response", moved);
        event["data"]["object"]["currency"] = json!(currency);
        event
    };
    // The dispute is in euros; the balance transactions are in dollars, the charge's currency.
    check(&[charged(), contested("eur", 9_000, moved(&[(-5_000, "usd")]))], 1_000);
    // The dispute is in dollars, the charge's currency; the balance transactions are in euros, and a third was
    // returned.
    check(&[charged(), contested("usd", 10_000, moved(&[(-9_000, "eur")]))], 0);
    check(&[charged(), contested("usd", 6_000, moved(&[(-5_400, "eur"), (1_800, "eur")]))], 1_200);
    // No object states the withdrawn amount in dollars.
    for unclear in [contested("eur", 9_000, json!({})), contested("eur", 9_000, moved(&[(-9_000, "eur")]))] {
        check(&[charged(), unclear.clone()], 2_000);
        assert!(is_held(&[charged(), unclear.clone()]));
        let mut lost = unclear.clone();
        lost["type"] = json!("charge.dispute.closed");
        lost["created"] = json!(lost["created"].as_i64().unwrap() + 99);
        lost["data"]["object"]["status"] = json!("lost");
        assert!(is_held(&[charged(), unclear.clone(), lost.clone()]), "the commission still needs review");
        lost["data"]["object"]["status"] = json!("won");
        assert!(!is_held(&[charged(), unclear, lost]));
    }
}

#[test]
fn an_unknown_status_keeps_the_hold_until_the_dispute_is_closed() {
    let contested = |kind: &str, at: i64, status: &str| dispute(kind, at, 10_000, status, json!({}));
    for status in
        ["needs_response", "under_review", "appeal_needs_response", "appeal_under_review", "prevented", "new"]
    {
        assert!(is_held(&[contested("created", 9, status)]), "{status}");
        assert!(!is_held(&[contested("created", 9, status), contested("closed", 20, "won")]), "{status}");
        assert!(!is_held(&[contested("created", 9, status), contested("closed", 20, status)]), "{status}");
    }
    assert!(!is_held(&[contested("created", 9, "warning_needs_response")]));
    // A dispute that is opened again holds the commission again.
    let closed = contested("closed", 20, "won");
    assert!(is_held(&[
        contested("created", 9, "needs_response"),
        closed,
        contested("updated", 30, "appeal_under_review")
    ]));
}

#[test]
fn disputes_stored_before_balance_transactions_were_read_are_still_read() {
    let old = json!({"amount_minor": 700, "stage": "open", "withdrawn": true, "reinstated": false, "charge": "ch_1",
        "payment_intent": null});
    let dispute: trac_core::webhook::dispute::Dispute = serde_json::from_value(old).unwrap();
    let usd = trac_core::money::Currency::parse("usd").unwrap();
    assert_eq!((dispute.lost_minor(usd), dispute.is_open()), (Some(700), true));
}
