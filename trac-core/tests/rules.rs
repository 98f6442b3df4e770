//! The money rules that are easily got wrong, as what Stripe sends and what the ledger then holds. Each is delivered in
//! order, backwards, and twice over.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test"
)]

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

#[test]
fn a_click_earns_nothing_of_what_was_paid_before_it() {
    let late = || json!({"metadata": by("clk_late"), "id": "sub_1"});
    // Through the metadata of a later invoice of the subscription.
    let of_invoice = [
        invoice("in_1", 0, 1_000, json!({})),
        invoice("in_2", 60 * DAY, 1_000, json!({"metadata": by("clk_late")})),
        invoice("in_3", 90 * DAY, 1_000, json!({})),
    ];
    check(json!({}), &of_invoice, [400, 0]);
    // Through the metadata the subscription has by then; what another click brought before stays.
    let of_subscription = [
        invoice("in_1", 0, 1_000, json!({"metadata": by("clk_2")})),
        invoice("in_2", 30 * DAY, 1_000, json!({})),
        event("customer.subscription.updated", 50 * DAY, late()),
        invoice("in_3", 60 * DAY, 1_000, json!({})),
    ];
    check(json!({}), &of_subscription, [200, 400]);
    // Through the metadata the customer has by then.
    let of_customer = [
        invoice("in_1", 0, 1_000, json!({})),
        event("customer.updated", 50 * DAY, json!({"id": "cus_1", "metadata": by("clk_late")})),
        invoice("in_2", 60 * DAY, 1_000, json!({})),
    ];
    check(json!({}), &of_customer, [200, 0]);
}

#[test]
fn under_first_click_a_customers_earlier_click_comes_before_the_payments_own() {
    let first_click = || json!({"attribution_model": "first_click", "attribute_by_customer": true});
    let sale = session("cs_1", 0, 1_000, json!({"customer": "cus_1", "metadata": by("clk_1")}));
    let subscribed = [
        sale.clone(),
        invoice("in_1", DAY, 1_000, json!({"metadata": by("clk_2")})),
        invoice("in_2", 31 * DAY, 1_000, json!({})),
        invoice("in_3", 61 * DAY, 1_000, json!({"metadata": by("clk_2")})),
    ];
    check(first_click(), &subscribed, [800, 0]);
    check(json!({"attribute_by_customer": true}), &subscribed, [200, 600]);

    let of_customer = event("customer.updated", 0, json!({"id": "cus_1", "metadata": by("clk_2")}));
    check(first_click(), &[of_customer, sale], [0, 200]);
}

#[test]
fn a_covered_payment_link_covers_what_is_bought_through_it() {
    let only = |products: &[&str]| json!({"products": products});
    let through = |link: &str| json!({"metadata": by("clk_1"), "payment_link": link});
    let single = [session("cs_1", 0, 1_000, through("plink_1"))];
    check(only(&["plink_1"]), &single, [200, 0]);
    check(only(&["plink_2"]), &single, [0, 0]);
    check(only(&["prod_1"]), &single, [0, 0]);

    let lines =
        json!({"lines": {"data": [{"amount": 1_000, "price": {"id": "price_1", "product": "prod_1"}}]}});
    let subscribed = [
        session(
            "cs_1",
            0,
            1_000,
            merged(
                through("plink_1"),
                json!({
                    "mode": "subscription", "subscription": "sub_1", "invoice": "in_1"
                }),
            ),
        ),
        invoice("in_1", 1, 1_000, lines.clone()),
        invoice("in_2", 30 * DAY, 1_000, lines),
    ];
    check(only(&["plink_1"]), &subscribed, [400, 0]);
    check(only(&["plink_2"]), &subscribed, [0, 0]);
    check(only(&["plink_2", "prod_1"]), &subscribed, [400, 0]);
}

#[test]
fn a_charge_that_names_an_invoice_unknown_here_is_no_other_payments_money() {
    let two = [
        invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")})),
        charge("charge.refunded", "ch_9", 60, 1_000, json!({"amount_refunded": 1_000, "invoice": "in_9"})),
    ];
    check(json!({}), &two, [200, 0]);
}

#[test]
fn a_charge_near_a_session_and_its_unnamed_invoice_is_their_money() {
    let subscribed = [
        session(
            "cs_1",
            0,
            1_000,
            json!({
                "mode": "subscription", "subscription": "sub_1", "customer": "cus_1", "metadata": by("clk_1")
            }),
        ),
        invoice("in_1", 1, 1_000, json!({})),
        charge("charge.refunded", "ch_1", 2, 1_000, json!({"amount_refunded": 500})),
    ];
    check(json!({}), &subscribed, [100, 0]);
}
