//! Promotion codes of partners: if no click is found, a sale is credited to the partner who held the code when
//! it was used.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    dead_code,
    reason = "a test"
)]

mod ledger;

use ledger::{Ledger, T0, event};
use serde_json::{Value, json};
use trac_core::time::DAY_SECS as DAY;

/// `promo_1` belongs to the first partner; `promo_2` to the second for one day, and to the first from day 10 on.
fn ledger(terms: Value) -> Ledger {
    let mut usual = json!({
        "commission": {"type": "percentage", "rate_bps": 2_000}, "cancel_policy": "keep",
        "attribute_by_customer": false, "block_self_referral": false, "attribution_window_days": 1
    });
    usual.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    let mut ledger = Ledger::new(usual);
    ledger.assign_codes(&[
        ("promo_1", "part1", 0, None),
        ("promo_2", "part2", 0, Some(1)),
        ("promo_2", "part1", 10, None),
    ]);
    ledger
}

fn session(id: &str, days: i64, other: Value) -> Value {
    let mut session = json!({
        "id": id, "mode": "payment", "payment_status": "paid", "amount_total": 1_000, "currency": "usd",
        "created": T0 + days * DAY, "customer": "cus_1"
    });
    session.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    event("checkout.session.completed", days * DAY, session)
}

fn invoice(id: &str, days: i64, other: Value) -> Value {
    let mut invoice = json!({
        "id": id, "status": "paid", "amount_paid": 1_000, "total": 1_000, "currency": "usd",
        "created": T0 + days * DAY, "subscription": "sub_1", "customer": "cus_1"
    });
    invoice.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    event("invoice.paid", days * DAY, invoice)
}

fn used(code: &str) -> Value {
    json!({"discounts": [{"promotion_code": code, "coupon": null}]})
}

/// Checks the net amount of each of the two partners, for every order of the events.
#[track_caller]
fn check(terms: Value, events: &[Value], want: [i64; 2]) {
    let backwards: Vec<Value> = events.iter().rev().cloned().collect();
    for (order, name) in [events.to_vec(), backwards.clone(), [backwards, events.to_vec()].concat()]
        .iter()
        .zip(["in order", "backwards", "twice"])
    {
        let mut ledger = ledger(terms.clone());
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
fn a_code_counts_for_the_partner_who_held_it_when_it_was_used() {
    let check = |event: Value, want| check(json!({}), &[event], want);
    check(session("cs_1", 0, used("promo_1")), [200, 0]);
    check(session("cs_1", 300, used("promo_1")), [200, 0]);
    check(session("cs_1", -300, used("promo_1")), [200, 0]);
    check(session("cs_1", 0, used("promo_2")), [0, 200]);
    check(session("cs_1", 1, used("promo_2")), [0, 0]);
    check(session("cs_1", 9, used("promo_2")), [0, 0]);
    check(session("cs_1", 10, used("promo_2")), [200, 0]);
    check(session("cs_1", 0, used("promo_of_the_merchant")), [0, 0]);
    check(invoice("in_1", 0, json!({"discount": {"promotion_code": "promo_2"}})), [0, 200]);
    check(invoice("in_1", 0, json!({"discounts": ["di_1"]})), [0, 0]);
}

#[test]
fn any_click_comes_before_a_code() {
    let clicked = |click: &str| {
        let mut both = used("promo_1");
        both["metadata"] = json!({"tracClickId": click});
        session("cs_1", 0, both)
    };
    check(json!({}), &[clicked("clk_2")], [0, 200]);
    // A value that is not a click is skipped; a click that may not earn ends the search.
    check(json!({}), &[clicked("clk_unknown")], [200, 0]);
    check(json!({"attribution_window_days": 0}), &[clicked("clk_2")], [0, 0]);
    // The internal click of a code does not count as a reference.
    let carried = session("cs_1", 0, json!({"client_reference_id": "clk_promo_1_part1"}));
    check(json!({}), &[carried], [0, 0]);
}

#[test]
fn a_code_typed_at_a_payment_comes_before_the_customers_attribution() {
    let sales = [
        session("cs_1", 0, json!({"metadata": {"tracClickId": "clk_2"}})),
        session("cs_2", 5, used("promo_1")),
    ];
    check(json!({"attribute_by_customer": true}), &sales, [200, 200]);
    check(json!({"attribute_by_customer": false}), &sales, [200, 200]);
    check(json!({"attribute_by_customer": true, "attribution_model": "first_click"}), &sales, [0, 400]);
}

#[test]
fn a_code_ties_the_subscription_from_then_on_but_not_the_customer() {
    let events = [
        invoice("in_0", -30, json!({})),
        invoice("in_1", 0, json!({"discount": {"promotion_code": "promo_2"}})),
        invoice("in_2", 30, json!({})),
        // The code on a renewal changes nothing: the renewal belongs to the subscription's partner.
        invoice("in_3", 60, json!({"discount": {"promotion_code": "promo_2"}})),
        session("cs_9", 61, json!({})),
    ];
    check(json!({"attribute_by_customer": true}), &events, [0, 600]);
    // A session and its invoice name the same code: one sale, one commission.
    let both = [
        session("cs_1", 0, {
            let mut both = used("promo_1");
            both["mode"] = json!("subscription");
            both["subscription"] = json!("sub_1");
            both["invoice"] = json!("in_1");
            both
        }),
        invoice("in_1", 0, json!({"discount": {"promotion_code": "promo_1"}})),
    ];
    check(json!({}), &both, [200, 0]);
}

#[test]
fn a_later_click_takes_nothing_from_an_earlier_code() {
    let events = [
        invoice("in_1", 0, used("promo_2")),
        invoice("in_2", 30, json!({})),
        // The click is forty days younger than the subscription.
        invoice("in_3", 60, json!({"metadata": {"tracClickId": "clk_late"}})),
        invoice("in_4", 90, json!({})),
    ];
    let long = |model: &str| json!({"attribution_window_days": 90, "attribution_model": model});
    check(long("last_click"), &events, [200, 600]);
    // The second partner was the first to be linked to the subscription.
    check(long("first_click"), &events, [0, 800]);
}
