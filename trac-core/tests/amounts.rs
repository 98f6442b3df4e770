//! Amounts to the minor unit: currencies with no, three or unused decimals; rounding of halves; the smallest
//! and the largest amounts that Stripe accepts.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test"
)]

mod ledger;
mod stripe;

use ledger::Ledger;
use serde_json::{Value, json};
use stripe::{by, charge, invoice, session, terms};
use trac_core::money::Currency;

/// Checks the net commission of a sale of `amount` after `back` was refunded, in minor units (`want`) and as
/// displayed (`shown`).
#[track_caller]
fn check(rate_bps: u32, currency: &str, (amount, back): (i64, i64), want: i64, shown: &str) {
    let own = json!({"payment_intent": "pi_1", "currency": currency, "metadata": by("clk_1")});
    let refunded = json!({"payment_intent": "pi_1", "currency": currency, "amount_refunded": back});
    let mut ledger = Ledger::new(terms(json!({"commission": {"type": "percentage", "rate_bps": rate_bps}})));
    ledger.deliver(&session("cs_1", 0, amount, own));
    ledger.deliver(&charge("charge.refunded", "ch_1", 9, amount, refunded));
    let code = currency.to_lowercase();
    let net = ledger.sums().get(&("part1".into(), code.clone())).copied().unwrap_or_default();
    assert_eq!(net, want, "{rate_bps} bps of {amount} {currency}, {back} back");
    assert_eq!(Currency::parse(&code).unwrap().display(net), shown);
}

#[test]
fn a_share_is_computed_in_stripes_minor_unit_of_each_currency() {
    check(1_500, "jpy", (999, 0), 150, "150 JPY");
    check(1_500, "JPY", (999, 333), 100, "100 JPY");
    check(1_000, "kwd", (12_340, 0), 1_234, "1.234 KWD");
    check(1_000, "kwd", (12_340, 10), 1_233, "1.233 KWD");
    check(2_000, "isk", (150_000, 0), 30_000, "300.00 ISK");
    check(333, "isk", (100, 0), 3, "0.03 ISK");
    check(1_000, "ugx", (150_000, 0), 15_000, "150.00 UGX");
    check(1_000, "ugx", (150_000, 50_000), 10_000, "100.00 UGX");
    check(2_000, "huf", (499_000, 0), 99_800, "998.00 HUF");
    check(725, "huf", (12_345, 0), 895, "8.95 HUF");
    check(2_000, "usd", (1_999, 0), 400, "4.00 USD");
}

#[test]
fn halves_are_rounded_up_and_smaller_fractions_down() {
    check(1_000, "usd", (25, 0), 3, "0.03 USD");
    check(1_000, "usd", (24, 0), 2, "0.02 USD");
    check(5_000, "usd", (1, 0), 1, "0.01 USD");
    check(4_999, "usd", (1, 0), 0, "0.00 USD");
    check(725, "usd", (1_999, 0), 145, "1.45 USD");
    check(1, "usd", (5_000, 0), 1, "0.01 USD");
    check(1, "usd", (4_999, 0), 0, "0.00 USD");
    // Half of 3 cents is reversed: 1.5, rounded up, so 1 is left. Half of 1 cent is rounded up: nothing is left.
    check(1_000, "usd", (30, 15), 1, "0.01 USD");
    check(1_000, "usd", (10, 5), 0, "0.00 USD");
    check(1_000, "usd", (10, 4), 1, "0.01 USD");
}

#[test]
fn the_largest_and_the_smallest_amounts_are_exact() {
    check(2_000, "usd", (999_999_999_999, 0), 200_000_000_000, "2000000000.00 USD");
    check(725, "idr", (999_999_999_999, 0), 72_500_000_000, "725000000.00 IDR");
    check(9_999, "usd", (999_999_999_999, 333_333_333_333), 666_599_999_999, "6665999999.99 USD");
    check(10_000, "usd", (1, 0), 1, "0.01 USD");
    check(10_000, "usd", (1, 1), 0, "0.00 USD");
    check(10_000, "jpy", (1, 0), 1, "1 JPY");
    check(10_000, "usd", (999_999_999_999, 1), 999_999_999_998, "9999999999.98 USD");
    // Stripe's amounts have at most twelve digits.
    check(10_000, "usd", (1_000_000_000_000, 0), 0, "0.00 USD");
    check(10_000, "usd", (i64::MAX, 1), 0, "0.00 USD");
}

#[test]
fn amounts_in_two_currencies_are_never_added() {
    let own = |currency: &str| json!({"currency": currency, "metadata": by("clk_1"), "subscription": null});
    let mut ledger = Ledger::new(terms(json!({})));
    ledger.deliver(&invoice("in_1", 0, 1_000, own("eur")));
    ledger.deliver(&invoice("in_2", 1, 1_000, own("usd")));
    let sums: Vec<Value> = ledger.sums().into_iter().map(|((_, code), net)| json!([code, net])).collect();
    assert_eq!(sums, [json!(["eur", 200]), json!(["usd", 200])]);
}
