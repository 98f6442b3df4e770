//! A paused program: nothing new is attributed during the pause, and renewals of attributed subscriptions
//! continue to earn.
#![allow(missing_docs, clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test")]

mod ledger;
mod stripe;

use ledger::{Ledger, T0, check_in, event};
use serde_json::{Value, json};
use stripe::{by, invoice, merged, session, terms};
use trac_core::program::{History, Version};
use trac_core::time::{DAY_SECS as DAY, Timestamp};

/// The program pauses from the tenth day until the twentieth.
fn ledger() -> Ledger {
    let usual = json!({"attribute_by_customer": true});
    let mut ledger = Ledger::new(terms(usual.clone()));
    let version = |number: u32, from_day: i64, status: &str| Version {
        number,
        valid_from: Timestamp::from_unix_secs(T0 + from_day * DAY),
        terms: serde_json::from_value(terms(merged(usual.clone(), json!({"status": status})))).unwrap(),
    };
    let versions = [version(1, -999, "active"), version(2, 10, "paused"), version(3, 20, "active")];
    ledger.world.programs.insert("prog".into(), History::new(versions));
    ledger
}

#[track_caller]
fn check(events: &[Value], want: i64) {
    check_in(&ledger(), events, [want, 0]);
}

fn bought(id: &str, day: i64, other: Value) -> Value {
    session(id, day * DAY, 1_000, merged(json!({"customer": "cus_1"}), other))
}

fn invoiced(id: &str, day: i64, other: Value) -> Value {
    invoice(id, day * DAY, 1_000, other)
}

fn clicked() -> Value {
    json!({"metadata": by("clk_1")})
}

#[test]
fn a_renewal_in_the_pause_earns_and_a_new_sale_does_not() {
    let first = || invoiced("in_1", 0, clicked());
    check(&[first(), invoiced("in_2", 11, json!({}))], 400);
    check(&[first(), invoiced("in_2", 11, clicked())], 400);
    check(&[invoiced("in_1", 11, clicked())], 0);
    check(&[bought("cs_1", 11, clicked())], 0);
}

#[test]
fn a_purchase_of_a_known_customer_in_the_pause_is_a_new_sale() {
    let known = || bought("cs_1", 0, clicked());
    check(&[known(), bought("cs_2", 9, json!({}))], 400);
    check(&[known(), bought("cs_2", 11, json!({}))], 200);
    check(&[known(), bought("cs_2", 21, json!({}))], 400);
    // The first payment of a subscription that begins during the pause earns nothing; a renewal after it earns.
    check(&[known(), invoiced("in_1", 11, json!({}))], 200);
    check(&[known(), invoiced("in_1", 11, json!({})), invoiced("in_2", 41, json!({}))], 400);
    let updated = || event("customer.updated", 0, json!({"id": "cus_1", "metadata": by("clk_1")}));
    check(&[updated(), bought("cs_1", 0, json!({})), invoiced("in_1", 9, json!({}))], 400);
    check(&[updated(), bought("cs_1", 0, json!({})), invoiced("in_1", 11, json!({}))], 200);
}

#[test]
fn a_purchase_in_the_pause_binds_no_customer_afterwards() {
    check(&[bought("cs_1", 11, clicked()), bought("cs_2", 21, json!({}))], 0);
    check(&[bought("cs_1", 21, clicked()), bought("cs_2", 22, json!({}))], 400);
}
