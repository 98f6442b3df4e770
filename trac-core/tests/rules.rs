//! The money rules that are easy to get wrong: events as Stripe sends them, and the ledger that must result.
//! Each case is delivered in order, in reverse, and twice.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "a test"
)]

mod ledger;
mod stripe;

use ledger::{Ledger, T0, check_in, event};
use serde_json::{Value, json};
use stripe::{by, charge, dispute, invoice, merged, refund, session, terms};
use trac_core::commission::settle::{Occasion, settle};
use trac_core::time::DAY_SECS as DAY;

/// Checks the net amount of each of the two partners, for every order of the events.
#[track_caller]
fn check(other_terms: Value, events: &[Value], want: [i64; 2]) {
    check_in(&Ledger::new(terms(other_terms)), events, want);
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
fn a_click_earns_nothing_from_payments_before_it() {
    let late = || json!({"metadata": by("clk_late"), "id": "sub_1"});
    // Through the metadata of a later invoice of the subscription.
    let of_invoice = [
        invoice("in_1", 0, 1_000, json!({})),
        invoice("in_2", 60 * DAY, 1_000, json!({"metadata": by("clk_late")})),
        invoice("in_3", 90 * DAY, 1_000, json!({})),
    ];
    check(json!({}), &of_invoice, [400, 0]);
    // Through the metadata that the subscription has by then; payments credited to an earlier click stay so.
    let of_subscription = [
        invoice("in_1", 0, 1_000, json!({"metadata": by("clk_2")})),
        invoice("in_2", 30 * DAY, 1_000, json!({})),
        event("customer.subscription.updated", 50 * DAY, late()),
        invoice("in_3", 60 * DAY, 1_000, json!({})),
    ];
    check(json!({}), &of_subscription, [200, 400]);
    // Through the metadata that the customer has by then.
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
fn a_covered_payment_link_covers_purchases_made_through_it() {
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
fn a_charge_that_names_an_unknown_invoice_is_not_matched_with_another_payment() {
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

#[test]
fn returned_money_takes_its_share_of_the_commission_once() {
    let sale = || {
        session(
            "cs_1",
            0,
            12_000,
            json!({
                "payment_intent": "pi_1", "metadata": by("clk_1"), "total_details": {"amount_tax": 2_000, "amount_shipping": 0}
            }),
        )
    };
    let back = |amount: i64| {
        charge(
            "charge.refunded",
            "ch_1",
            9,
            12_000,
            json!({
                "payment_intent": "pi_1", "amount_refunded": amount
            }),
        )
    };
    let of = || json!({"charge": "ch_1", "payment_intent": "pi_1"});
    let one = |kind: &str, id: &str, amount: i64, status: &str| refund(kind, id, 9, amount, status, of());
    let rows: [(&[Value], i64); 16] = [
        (&[back(6_000)], 1_000),
        (&[back(6_000), one("refund.created", "re_1", 6_000, "succeeded")], 1_000),
        (
            &[
                one("refund.created", "re_1", 3_000, "succeeded"),
                one("refund.updated", "re_1", 3_000, "succeeded"),
            ],
            1_500,
        ),
        (&[one("refund.created", "re_1", 3_000, "pending")], 2_000),
        (
            &[
                one("refund.created", "re_1", 3_000, "pending"),
                one("charge.refund.updated", "re_1", 3_000, "succeeded"),
            ],
            1_500,
        ),
        (&[back(12_000), one("refund.failed", "re_1", 12_000, "failed")], 2_000),
        (&[back(12_000), one("charge.refund.updated", "re_1", 12_000, "failed")], 2_000),
        (
            &[
                back(9_000),
                one("refund.updated", "re_1", 6_000, "failed"),
                one("refund.created", "re_2", 3_000, "succeeded"),
            ],
            1_500,
        ),
        (
            &[
                refund("refund.created", "re_1", 9, 6_000, "succeeded", json!({"payment_intent": "pi_1"})),
                back(6_000),
            ],
            1_000,
        ),
        (&[dispute("created", 9, 12_000, "needs_response", json!({}))], 2_000),
        (
            &[dispute(
                "created",
                9,
                12_000,
                "needs_response",
                json!({"balance_transactions": [{"amount": -12_000, "fee": 1_500}]}),
            )],
            0,
        ),
        (
            &[
                dispute("created", 9, 12_000, "warning_needs_response", json!({})),
                dispute("closed", 99, 12_000, "warning_closed", json!({})),
            ],
            2_000,
        ),
        (
            &[
                dispute("created", 9, 12_000, "needs_response", json!({})),
                dispute("closed", 99, 12_000, "lost", json!({})),
            ],
            0,
        ),
        (&[dispute("funds_withdrawn", 9, 3_000, "needs_response", json!({})), back(3_000)], 1_000),
        (
            &[
                dispute("funds_withdrawn", 9, 12_000, "needs_response", json!({})),
                dispute("funds_reinstated", 99, 12_000, "won", json!({})),
            ],
            2_000,
        ),
        (
            &[
                dispute("funds_withdrawn", 9, 12_000, "needs_response", json!({})),
                back(12_000),
                dispute("closed", 99, 12_000, "won", json!({})),
            ],
            0,
        ),
    ];
    for (later, want) in rows {
        check(json!({}), &[&[sale()], later].concat(), [want, 0]);
    }
}

#[test]
fn the_amount_comes_from_the_best_object_known() {
    let own = |other: Value| merged(json!({"metadata": by("clk_1")}), other);
    let authorised = || {
        charge(
            "charge.succeeded",
            "ch_1",
            0,
            10_000,
            own(json!({
                "captured": false, "amount_captured": 0, "payment_intent": "pi_1"
            })),
        )
    };
    let captured = |back: i64| {
        charge(
            "charge.captured",
            "ch_1",
            60,
            10_000,
            own(json!({
                "amount_captured": 6_000, "amount_refunded": back, "payment_intent": "pi_1"
            })),
        )
    };
    let intent = |amount: i64| {
        event(
            "payment_intent.succeeded",
            1,
            own(json!({
                "id": "pi_1", "amount": amount, "amount_received": amount, "currency": "usd", "created": T0
            })),
        )
    };
    let invoiced = |other: Value| invoice("in_1", 0, 5_000, own(other));
    let status = |status: &str| own(json!({"payment_status": status, "payment_intent": "pi_1"}));
    let outside = || json!({"count_out_of_band": false});
    let rows: [(Value, &[Value], i64); 17] = [
        (json!({}), &[authorised()], 0),
        (json!({}), &[authorised(), captured(4_000)], 1_200),
        (json!({}), &[authorised(), captured(7_000)], 600),
        (json!({}), &[intent(6_000), captured(4_000)], 1_200),
        (json!({}), &[intent(6_000)], 1_200),
        (json!({}), &[session("cs_1", 0, 6_000, status("unpaid"))], 0),
        (json!({}), &[session("cs_1", 0, 6_000, status("unpaid")), intent(6_000)], 1_200),
        (json!({}), &[session("cs_1", 0, 0, status("no_payment_required"))], 0),
        (json!({}), &[session("cs_1", 0, 6_000, own(json!({"mode": "setup"})))], 0),
        (
            json!({"include_shipping": true}),
            &[session(
                "cs_1",
                0,
                6_500,
                own(json!({"total_details": {"amount_tax": 1_000, "amount_shipping": 500}})),
            )],
            1_100,
        ),
        (
            json!({"base": "gross"}),
            &[session(
                "cs_1",
                0,
                6_500,
                own(json!({"total_details": {"amount_tax": 1_000, "amount_shipping": 500}})),
            )],
            1_200,
        ),
        (json!({}), &[invoiced(json!({"total": 5_000, "tax": 1_000, "total_taxes": null}))], 800),
        (json!({}), &[invoiced(json!({"total": -4_000, "amount_paid": 0}))], 0),
        (outside(), &[invoiced(json!({"paid_out_of_band": true}))], 0),
        (
            outside(),
            &[invoiced(json!({"amount_paid_off_stripe": 2_000, "total_taxes": [{"amount": 1_000}]}))],
            480,
        ),
        (json!({}), &[invoiced(json!({"paid_out_of_band": true}))], 1_000),
        (
            json!({"products": ["prod_1"]}),
            &[invoiced(json!({"total": 10_000, "lines": {"data": [
                {"amount": 4_000, "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}}},
                {"amount": 6_000, "price": {"id": "price_2", "product": "prod_2"}}
            ]}}))],
            400,
        ),
    ];
    for (terms, events, want) in rows {
        check(terms, events, [want, 0]);
    }
}

#[test]
fn months_end_a_day_early_and_begin_with_the_first_positive_payment() {
    let trial = |at: i64| {
        session(
            "cs_1",
            at,
            0,
            json!({
                "mode": "subscription", "subscription": "sub_1", "invoice": "in_0", "metadata": by("clk_1")
            }),
        )
    };
    let three = [
        trial(0),
        invoice("in_1", 14 * DAY, 1_000, json!({})),
        invoice("in_2", 14 * DAY + 61 * DAY - DAY - 1, 1_000, json!({})),
        invoice("in_3", 14 * DAY + 61 * DAY - DAY, 1_000, json!({})),
    ];
    check(json!({"recurring": {"months": 2}}), &three, [400, 0]);
    check(json!({"recurring": "first_payment"}), &three, [200, 0]);
}

#[test]
fn a_renewal_that_repeats_its_click_does_not_make_it_the_customers_latest() {
    for renewed_at in [20 * DAY, 30 * DAY] {
        let four = [
            invoice("in_1", 0, 1_000, json!({"subscription_details": {"metadata": by("clk_1")}})),
            session("cs_1", DAY, 1_000, json!({"customer": "cus_1", "metadata": by("clk_2")})),
            invoice("in_2", renewed_at, 1_000, json!({"subscription_details": {"metadata": by("clk_1")}})),
            session("cs_2", 31 * DAY, 1_000, json!({"customer": "cus_1"})),
        ];
        check(json!({"attribute_by_customer": true}), &four, [400, 400]);
    }
}

#[test]
fn terms_are_those_of_the_payments_time_whichever_of_its_objects_comes_first() {
    let opened_before_and_paid_after = [
        session(
            "cs_1",
            0,
            1_000,
            json!({
                "mode": "subscription", "subscription": "sub_1", "invoice": "in_1", "metadata": by("clk_1")
            }),
        ),
        invoice("in_1", 7_200, 1_000, json!({})),
    ];
    let revised = |to: Value| {
        let mut ledger = Ledger::new(terms(json!({})));
        ledger.revise(terms(to), 3_600);
        ledger
    };
    let dearer = revised(json!({"commission": {"type": "percentage", "rate_bps": 3_000}}));
    check_in(&dearer, &opened_before_and_paid_after, [300, 0]);
    check_in(&revised(json!({"status": "archived"})), &opened_before_and_paid_after, [0, 0]);
}

#[test]
fn a_paid_out_commission_is_taken_back_only_with_its_money() {
    let mut ledger = Ledger::new(terms(json!({"cancel_policy": "void_pending"})));
    let net = |ledger: &Ledger| ledger.sums().into_values().sum::<i64>();
    ledger.deliver(&invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1"), "charge": "ch_1"})));
    assert_eq!(ledger.pay_out().len(), 1);
    let ended = json!({"id": "sub_1", "status": "canceled", "customer": "cus_1"});
    assert_eq!(ledger.deliver(&event("customer.subscription.deleted", DAY, ended)), 0);
    let better = session("cs_1", 0, 1_000, json!({"invoice": "in_1", "metadata": by("clk_2")}));
    assert_eq!((ledger.deliver(&better), net(&ledger)), (0, 200));
    let settled = settle(&ledger.world, Occasion::default());
    let reasons: Vec<&str> = settled.values().map(|one| one.decision.reason.as_str()).collect();
    assert_eq!(reasons, ["attribution_frozen"]);
    let part = charge("charge.refunded", "ch_1", 9, 1_000, json!({"amount_refunded": 400}));
    assert_eq!((ledger.deliver(&part), net(&ledger)), (1, 120));
}

#[test]
fn if_only_payment_links_are_covered_other_purchases_are_not() {
    let reason = |products: &[&str], event: Value| {
        let mut ledger = Ledger::new(terms(json!({"products": products})));
        ledger.deliver(&event);
        let settled = settle(&ledger.world, Occasion::default());
        settled.values().next().map(|one| one.decision.reason.as_str()).unwrap()
    };
    let through =
        |link: Value| session("cs_1", 0, 1_000, json!({"metadata": by("clk_1"), "payment_link": link}));
    let more = json!({"metadata": by("clk_1"), "lines": {"data": [{"amount": 9}], "has_more": true}});
    let bare = || charge("charge.succeeded", "ch_1", 0, 1_000, json!({"metadata": by("clk_1")}));
    let links: &[&str] = &["plink_1", "plink_2"];
    assert_eq!(reason(links, through(json!("plink_2"))), "ok");
    assert_eq!(reason(links, through(json!("plink_3"))), "product_not_covered");
    assert_eq!(reason(links, through(json!(null))), "product_not_covered");
    assert_eq!(reason(links, invoice("in_1", 0, 1_000, more.clone())), "product_not_covered");
    // The session, which names the Payment Link, may still arrive.
    assert_eq!(reason(links, bare()), "products_unknown");
    assert_eq!(reason(&["plink_1", "prod_1"], through(json!("plink_3"))), "products_unknown");
    assert_eq!(reason(&["prod_1"], invoice("in_1", 0, 1_000, more)), "products_unknown");
}

#[test]
fn a_charge_in_another_currency_is_not_part_of_the_amount_and_its_refund_takes_its_share() {
    let sale = || session("cs_1", 0, 1_000, json!({"payment_intent": "pi_1", "metadata": by("clk_1")}));
    let yen = |kind: &str, amount: i64, back: i64| {
        let other = json!({"payment_intent": "pi_1", "currency": "jpy", "amount_refunded": back});
        charge(kind, "ch_1", 0, amount, other)
    };
    let of = || json!({"charge": "ch_1", "payment_intent": "pi_1"});
    let rows: [(&[Value], i64); 6] = [
        (&[yen("charge.succeeded", 150_000, 0)], 200),
        (&[yen("charge.refunded", 150_000, 75_000)], 100),
        (&[yen("charge.refunded", 150_000, 150_000)], 0),
        (
            &[
                yen("charge.succeeded", 150_000, 0),
                refund("refund.created", "re_1", 9, 15_000, "succeeded", of()),
            ],
            180,
        ),
        (
            &[
                yen("charge.succeeded", 150_000, 0),
                dispute("funds_withdrawn", 9, 150_000, "needs_response", json!({"currency": "jpy"})),
            ],
            0,
        ),
        // Next to a charge in the payment's currency, the foreign charge counts as the rest of the amount.
        (
            &[
                yen("charge.refunded", 150_000, 150_000),
                charge("charge.succeeded", "ch_2", 0, 600, json!({"payment_intent": "pi_1"})),
            ],
            120,
        ),
    ];
    for (later, want) in rows {
        check(json!({}), &[&[sale()], later].concat(), [want, 0]);
    }
}

#[test]
fn charges_that_could_be_several_payments_wait_for_review() {
    let mut ledger = Ledger::new(terms(json!({})));
    ledger.deliver(&invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")})));
    ledger.deliver(&charge("charge.succeeded", "ch_1", 60, 1_000, json!({})));
    let reasons = |ledger: &Ledger| -> Vec<&str> {
        settle(&ledger.world, Occasion::default()).values().map(|one| one.decision.reason.as_str()).collect()
    };
    assert_eq!(reasons(&ledger), ["ok", "duplicate_payment"]);
    ledger.deliver(&charge("charge.succeeded", "ch_2", 90, 1_000, json!({})));
    assert_eq!(reasons(&ledger), ["ok", "payment_unlinked", "payment_unlinked"]);
}

#[test]
fn an_invoice_with_more_lines_than_its_event_waits_until_all_are_known() {
    let line = |product: &str, amount: i64| json!({"amount": amount, "price": {"id": "price_1", "product": product}});
    let sent = |at: i64, lines: Value, more: bool| {
        let lines = json!({"data": lines, "has_more": more});
        invoice("in_1", at, 1_000, json!({"metadata": by("clk_1"), "lines": lines, "created": T0}))
    };
    let some = || sent(50, json!([line("prod_1", 600)]), true);
    let all = |at: i64| sent(at, json!([line("prod_1", 600), line("prod_2", 400)]), false);
    let only = || json!({"products": ["prod_1"]});
    check(only(), &[some()], [0, 0]);
    check(only(), &[some(), all(60)], [120, 0]);
    check(only(), &[some(), all(40)], [120, 0]);

    // Or until the server has fetched the lines from Stripe. These contain no amount paid, so they do not make
    // the invoice paid.
    let listed = |at: i64, lines: Value, more: bool| {
        let invoice = json!({"id": "in_1", "object": "invoice", "lines": {"data": lines, "has_more": more}});
        event("invoice.lines_listed", at, invoice)
    };
    let complete = || listed(90, json!([line("prod_1", 600), line("prod_2", 400)]), false);
    check(only(), &[complete()], [0, 0]);
    check(only(), &[some(), complete()], [120, 0]);
    check(only(), &[some(), complete(), sent(95, json!([line("prod_2", 600)]), true)], [120, 0]);
    check(only(), &[some(), complete(), listed(99, json!([line("prod_2", 400)]), true)], [120, 0]);
    check(only(), &[some(), complete(), all(60)], [120, 0]);
    // The invoice keeps its own time: the invoice that was made first is the first of the two.
    let later = || {
        invoice(
            "in_2",
            80,
            1_000,
            json!({"metadata": by("clk_1"), "lines": {"data": [line("prod_1", 1_000)]}}),
        )
    };
    let first = json!({"products": ["prod_1"], "recurring": "first_payment"});
    check(first, &[some(), later(), complete()], [120, 0]);
}

#[test]
fn no_more_is_covered_than_was_paid() {
    let lines = json!({"data": [
        {"amount": 5_000, "price": {"id": "price_1", "product": "prod_1"}},
        {"amount": -4_000, "price": {"id": "price_2", "product": "prod_2"}}
    ]});
    let sale = invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1"), "lines": lines}));
    check(json!({"products": ["prod_1"]}), &[sale], [200, 0]);
}

#[test]
fn a_known_sessions_tax_and_shipping_are_subtracted_whichever_object_gives_the_amount() {
    let details = json!({"amount_tax": 2_000, "amount_shipping": 1_000});
    let session_of = |other: Value| {
        let usual = json!({"metadata": by("clk_1"), "total_details": details, "payment_status": "unpaid"});
        session("cs_1", 0, 12_000, merged(usual, other))
    };
    let received = json!({"id": "pi_1", "amount_received": 12_000, "currency": "usd", "created": T0});
    let by_intent =
        [session_of(json!({"payment_intent": "pi_1"})), event("payment_intent.succeeded", 5, received)];
    check(json!({}), &by_intent, [1_800, 0]);
    check(json!({"base": "gross", "include_shipping": true}), &by_intent, [2_400, 0]);
    // Half of it was captured.
    let half = json!({"payment_intent": "pi_1", "amount_captured": 6_000});
    let part = charge("charge.succeeded", "ch_1", 5, 12_000, half);
    check(json!({}), &[session_of(json!({"payment_intent": "pi_1"})), part], [900, 0]);
    // An invoice that lists no tax of its own.
    let invoiced = |other: Value| [session_of(json!({"invoice": "in_1"})), invoice("in_1", 0, 12_000, other)];
    check(json!({}), &invoiced(json!({})), [1_800, 0]);
    check(json!({}), &invoiced(json!({"total_taxes": [{"amount": 1_000}]})), [2_000, 0]);
}

#[test]
fn a_payment_intent_without_amount_received_counts_what_its_charges_captured() {
    let sent = |other: Value| {
        let usual = json!({"id": "pi_1", "currency": "usd", "created": T0, "metadata": by("clk_1")});
        event("payment_intent.succeeded", 0, merged(usual, other))
    };
    let charges = json!([
        {"id": "ch_0", "amount": 9_000, "status": "failed"},
        {"id": "ch_1", "amount": 9_000, "amount_captured": 6_000, "captured": true, "status": "succeeded"}
    ]);
    check(json!({}), &[sent(json!({"charges": {"data": charges}}))], [1_200, 0]);
    let latest = json!({"id": "ch_1", "amount": 6_000, "status": "succeeded"});
    check(json!({}), &[sent(json!({"latest_charge": latest}))], [1_200, 0]);
    check(json!({}), &[sent(json!({"amount_received": 0, "latest_charge": latest}))], [1_200, 0]);
    check(json!({}), &[sent(json!({"amount_received": 5_000, "latest_charge": latest}))], [1_000, 0]);
    let silent = || sent(json!({"latest_charge": "ch_1"}));
    let mut ledger = Ledger::new(terms(json!({})));
    ledger.deliver(&silent());
    let settled = settle(&ledger.world, Occasion::default());
    assert_eq!(settled.values().next().unwrap().decision.reason.as_str(), "amount_unknown");
    let later = charge("charge.succeeded", "ch_1", 0, 6_000, json!({"payment_intent": "pi_1"}));
    check(json!({}), &[silent(), later], [1_200, 0]);
}

#[test]
fn a_renewals_refund_is_linked_by_the_time_of_its_payment() {
    let renewal = |paid_at: i64| {
        let transitions = json!({"paid_at": T0 + paid_at});
        invoice("in_1", 0, 9_900, json!({"metadata": by("clk_1"), "status_transitions": transitions}))
    };
    let refunded = |at: i64| {
        let other = json!({"amount_refunded": 9_900, "payment_intent": "pi_1", "created": T0 + at});
        charge("charge.refunded", "ch_1", 2 * DAY, 9_900, other)
    };
    check(json!({}), &[renewal(3_720), refunded(3_718)], [0, 0]);
    check(json!({}), &[renewal(3_720), refunded(120)], [0, 0]);
    check(json!({}), &[renewal(3_720), refunded(119)], [1_980, 0]);
    check(json!({}), &[renewal(3_720), refunded(7_320)], [0, 0]);
    check(json!({}), &[renewal(3_720), refunded(7_321)], [1_980, 0]);
}
