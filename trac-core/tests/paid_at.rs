//! When a payment was paid, and until when its service lasts.
#![allow(missing_docs, clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test")]

mod ledger;
mod stripe;

use ledger::{Ledger, T0, event};
use serde_json::{Value, json};
use stripe::{charge, invoice, link, session, terms};
use trac_core::conversion::payment;
use trac_core::time::Timestamp;
use trac_core::webhook::facts::Facts;

/// The facts of the one payment that these events are about.
fn facts_of(events: &[Value]) -> Facts {
    let mut ledger = Ledger::new(terms(json!({})));
    for event in events {
        ledger.deliver(event);
    }
    assert_eq!(ledger.world.payments.len(), 1);
    ledger.world.payments.into_values().next().unwrap().facts
}

/// Seconds after `T0`.
fn since_t0(time: Option<Timestamp>) -> Option<i64> {
    time.map(|time| time.unix_secs() - T0)
}

#[track_caller]
fn check(events: &[Value], want: i64) {
    let reversed: Vec<Value> = events.iter().rev().cloned().collect();
    for order in [events, &reversed] {
        assert_eq!(since_t0(payment::paid_at(&facts_of(order))), Some(want));
    }
}

#[test]
fn the_time_of_a_payment_comes_from_its_best_object() {
    let transitions = json!({"status_transitions": {"paid_at": T0 + 3_650, "finalized_at": T0 + 3_640}});
    let charged = || charge("charge.succeeded", "ch_1", 3_640, 1_000, json!({"payment_intent": "pi_1"}));
    check(&[invoice("in_1", 0, 1_000, transitions)], 3_650);
    check(&[invoice("in_1", 0, 1_000, json!({"status_transitions": {"paid_at": null}}))], 0);
    check(&[invoice("in_1", 0, 1_000, json!({})), link("in_1", "pi_1"), charged()], 3_640);
    let uncaptured = json!({"payment_intent": "pi_1", "captured": false});
    let authorised = charge("charge.succeeded", "ch_1", 3_640, 1_000, uncaptured);
    check(&[invoice("in_1", 0, 1_000, json!({})), link("in_1", "pi_1"), authorised], 0);
}

#[test]
fn a_session_was_paid_when_it_was_first_seen_completed_and_not_unpaid() {
    let session = |kind: &str, at: i64, status: &str| {
        let object = json!({
            "id": "cs_1", "mode": "payment", "payment_status": status, "amount_total": 1_000, "currency": "usd",
            "created": T0
        });
        event(&format!("checkout.session.{kind}"), at, object)
    };
    check(&[session("completed", 500, "paid")], 500);
    check(&[session("completed", 500, "unpaid")], 0);
    check(&[session("completed", 500, "unpaid"), session("async_payment_succeeded", 9_000, "paid")], 9_000);
}

#[test]
fn the_service_ends_with_the_last_line_that_is_not_a_credit() {
    let until = |lines: Value| {
        let facts = facts_of(&[invoice("in_1", 0, 1_000, json!({"lines": {"data": lines}}))]);
        since_t0(payment::service_period_end(&facts))
    };
    let line = |amount: i64, end: i64| json!({"amount": amount, "period": {"start": T0, "end": T0 + end}});
    let with_proration = |amount: i64, end: i64| {
        let mut line = line(amount, end);
        line["parent"] = json!({"subscription_item_details": {"proration": true}});
        line
    };
    assert_eq!(until(json!([line(1_000, 100), line(0, 200)])), Some(200));
    assert_eq!(until(json!([line(1_000, 100), with_proration(-500, 300)])), Some(100));
    assert_eq!(until(json!([line(1_000, 100), with_proration(500, 300)])), Some(300));
    assert_eq!(until(json!([{"amount": 1_000, "period": null}])), None);
    assert_eq!(until(json!([])), None);
    let facts = facts_of(&[session("cs_1", 0, 1_000, json!({}))]);
    assert_eq!(payment::service_period_end(&facts), None);
}

#[test]
fn facts_stored_before_these_times_were_read_can_still_be_read() {
    let old = json!({
        "invoices": {"in_1": {"created": T0, "emails": []}}, "sessions": {"cs_1": {"created": T0, "emails": [], "paid": true}}
    });
    let facts: Facts = serde_json::from_value(old).unwrap();
    assert_eq!(since_t0(payment::paid_at(&facts)), Some(0));
    assert_eq!(payment::service_period_end(&facts), None);
}
