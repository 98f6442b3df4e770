//! Which of a customer's clicks counts for a payment that names none, and at which time its window is checked.
#![allow(missing_docs, clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test")]

mod ledger;
mod stripe;

use ledger::{Ledger, check_in, event};
use serde_json::{Value, json};
use stripe::{by, invoice, merged, session, terms};
use trac_core::conversion::world::Click;
use trac_core::program::{History, Version};
use trac_core::time::{DAY_SECS as DAY, Timestamp};

/// A ledger with a second program, in which `clk_other` is a click of the second partner.
fn ledger(first: Value, second: Value) -> Ledger {
    let mut ledger = Ledger::new(terms(first));
    let terms = serde_json::from_value(terms(second)).unwrap();
    let version = Version { number: 1, valid_from: Timestamp::from_unix_secs(0), terms };
    let world = &mut ledger.world;
    world.programs.insert("prog_other".into(), History::new([version]));
    let click = Click { program_id: "prog_other".into(), ..world.clicks.get("clk_2").unwrap().clone() };
    world.clicks.insert("clk_other".into(), click);
    let mut enrollment = world.enrollments.get(&("prog".into(), "part2".into())).unwrap().clone();
    enrollment.id = "enr_other".into();
    world.enrollments.insert(("prog_other".into(), "part2".into()), enrollment);
    ledger
}

fn bought(id: &str, at: i64, other: Value) -> Value {
    session(id, at, 1_000, merged(json!({"customer": "cus_1"}), other))
}

fn clicked(id: &str, at: i64, click: &str) -> Value {
    bought(id, at, json!({"metadata": by(click)}))
}

#[test]
fn of_clicks_in_two_programs_the_newest_counts() {
    let usual = || json!({"attribute_by_customer": true});
    let third = || bought("cs_3", 2 * DAY, json!({}));
    let other_last = [clicked("cs_1", 0, "clk_1"), clicked("cs_2", DAY, "clk_other"), third()];
    let other_first = [clicked("cs_1", 0, "clk_other"), clicked("cs_2", DAY, "clk_1"), third()];
    check_in(&ledger(usual(), usual()), &other_last, [200, 400]);
    check_in(&ledger(usual(), usual()), &other_first, [400, 200]);
    // Clicks of a program with `attribute_by_customer: false` are ignored.
    check_in(&ledger(usual(), json!({})), &other_last, [400, 200]);
    check_in(&ledger(json!({}), usual()), &other_first, [200, 400]);
}

#[test]
fn the_window_of_a_click_in_the_customers_metadata_is_judged_at_the_first_payment_after_it() {
    let updated = event("customer.updated", -DAY, json!({"id": "cus_1", "metadata": by("clk_1")}));
    let late = || bought("cs_3", 60 * DAY, json!({}));
    let usual = || ledger(json!({}), json!({}));
    check_in(&usual(), &[updated.clone(), late()], [0, 0]);
    check_in(&usual(), &[updated.clone(), bought("cs_2", DAY, json!({})), late()], [400, 0]);
    check_in(&usual(), &[updated, bought("cs_1", -DAY, json!({})), late()], [0, 0]);
}

#[test]
fn a_renewal_that_names_its_subscriptions_click_again_is_not_judged_again() {
    let three = [
        clicked("cs_1", 0, "clk_1"),
        invoice("in_1", DAY, 1_000, json!({})),
        invoice("in_2", 60 * DAY, 1_000, json!({"metadata": by("clk_1")})),
    ];
    check_in(&ledger(json!({"attribute_by_customer": true}), json!({})), &three, [600, 0]);
    let named =
        |id: &str, day: i64, click: &str| invoice(id, day * DAY, 1_000, json!({"metadata": by(click)}));
    let another = [named("in_1", 0, "clk_1"), named("in_2", 10, "clk_2"), named("in_3", 60, "clk_2")];
    check_in(&ledger(json!({}), json!({})), &another, [200, 400]);
}
