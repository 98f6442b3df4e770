//! Sequences of events that are easy to get wrong, each in every possible order.
//!
//! The steps of a story are Stripe's events and the merchant's changes. In every order each partner must have
//! the same net amount, and repeating all steps must change nothing.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test"
)]

mod ledger;
mod stripe;

use ledger::{Ledger, T0, event};
use serde_json::{Value, json};
use stripe::{by, charge, intent, invoice, link, merged, refund, session, terms};
use trac_core::program::EnrollmentStatus;
use trac_core::time::DAY_SECS as DAY;
use trac_core::webhook::facts::Facts;

/// One step of a story.
#[derive(Clone)]
enum Step {
    /// Stripe sends an event.
    Sent(Value),
    /// The merchant changes the terms from this time on.
    Revised(Value, i64),
    /// The first partner is banned from this time on.
    Banned(i64),
    /// The merchant states facts.
    Stated(Box<Facts>),
}

use Step::{Banned, Revised, Sent, Stated};

impl Step {
    fn apply(&self, ledger: &mut Ledger) -> usize {
        match self {
            Sent(event) => ledger.deliver(event),
            Stated(facts) => ledger.add_facts(Facts::clone(facts), None),
            Revised(other, at) => {
                ledger.revise(terms(other.clone()), *at);
                0
            }
            Banned(at) => {
                ledger.enroll("part1", EnrollmentStatus::Banned, *at);
                0
            }
        }
    }
}

/// Every order of `count` steps.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = orders(last);
    let longer = shorter.iter().flat_map(|order| {
        (0..=order.len()).map(|place| {
            let mut order = order.clone();
            order.insert(place, last);
            order
        })
    });
    longer.collect()
}

fn delivered(steps: &[Step], other_terms: &Value, order: &[usize]) -> Ledger {
    let mut ledger = Ledger::new(terms(other_terms.clone()));
    for place in order {
        steps[*place].apply(&mut ledger);
    }
    ledger
}

/// Checks the net amount of each of the two partners, in every order of the steps.
#[track_caller]
fn check(other_terms: Value, steps: &[Step], want: [i64; 2]) {
    assert!(steps.len() <= 6, "more than 720 orders");
    for order in orders(steps.len()) {
        let mut ledger = delivered(steps, &other_terms, &order);
        assert_eq!(ledger.left(), want, "{order:?}: {:?}", ledger.entries);
        for step in steps {
            let Sent(event) = step else { continue };
            assert_eq!(ledger.deliver(event), 0, "{order:?}: a repeat adds no entry");
        }
    }
}

/// The entries of one order: kind, amount, reason.
fn entries(other_terms: Value, steps: &[Step]) -> Vec<(&'static str, i64, &'static str)> {
    let order: Vec<usize> = (0..steps.len()).collect();
    let ledger = delivered(steps, &other_terms, &order);
    ledger.entries.iter().map(|(_, kind, amount, reason)| (kind.as_str(), *amount, *reason)).collect()
}

#[test]
fn there_are_as_many_orders_as_there_should_be() {
    let mut all = orders(4);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 24);
}

#[test]
fn two_payments_that_both_earned_and_turn_out_to_be_one_leave_one_commission() {
    let story = |of_intent: &str, at: i64| {
        let invoiced = json!({"invoice": "in_1", "metadata": by("clk_1")});
        [
            Sent(session("cs_1", 0, 1_000, invoiced)),
            Sent(intent("pi_1", at, 1_000, json!({"metadata": by(of_intent)}))),
            Sent(link("in_1", "pi_1")),
        ]
    };
    check(json!({}), &story("clk_1", 5), [200, 0]);
    check(json!({}), &story("clk_1", -5), [200, 0]);
    // The session's click takes precedence over the intent's, whichever commission is older.
    check(json!({}), &story("clk_2", 5), [200, 0]);
    check(json!({}), &story("clk_2", -5), [200, 0]);
    // The younger commission is closed.
    let want = [("earn", 200, "ok"), ("earn", 200, "ok"), ("adjust", -200, "duplicate_payment")];
    assert_eq!(entries(json!({}), &story("clk_1", 5)), want);
}

#[test]
fn two_payments_that_turn_out_to_be_one_after_a_refund_give_back_its_share_once() {
    let refunded = charge(
        "charge.refunded",
        "ch_1",
        9,
        1_000,
        json!({"payment_intent": "pi_1", "amount_refunded": 500}),
    );
    let steps = [
        Sent(session("cs_1", 0, 1_000, json!({"invoice": "in_1", "metadata": by("clk_1")}))),
        Sent(intent("pi_1", 5, 1_000, json!({"metadata": by("clk_1"), "latest_charge": "ch_1"}))),
        Sent(link("in_1", "pi_1")),
        Sent(refunded),
    ];
    check(json!({}), &steps, [100, 0]);
}

#[test]
fn a_better_click_after_settlement_moves_the_commission() {
    let of_charge = json!({"payment_intent": "pi_1", "metadata": by("clk_2")});
    let refunded = merged(of_charge.clone(), json!({"amount_refunded": 500}));
    let steps = [
        Sent(charge("charge.succeeded", "ch_1", 0, 1_000, of_charge)),
        Sent(session("cs_1", 0, 1_000, json!({"payment_intent": "pi_1", "metadata": by("clk_1")}))),
        Sent(charge("charge.refunded", "ch_1", DAY, 1_000, refunded)),
    ];
    check(json!({}), &steps, [100, 0]);
    let want = [
        ("earn", 200, "ok"),
        ("adjust", -200, "attribution_changed"),
        ("earn", 200, "ok"),
        ("reverse", -100, "refund_partial"),
    ];
    assert_eq!(entries(json!({}), &steps), want);

    // A renewal follows the click of its subscription.
    let subscribed = json!({
        "mode": "subscription", "subscription": "sub_1", "invoice": "in_1", "metadata": by("clk_1")
    });
    let steps = [
        Sent(invoice("in_1", 0, 1_000, json!({"metadata": by("clk_2")}))),
        Sent(invoice("in_2", 30 * DAY, 1_000, json!({}))),
        Sent(session("cs_1", 0, 1_000, subscribed)),
    ];
    check(json!({}), &steps, [400, 0]);
}

#[test]
fn terms_that_change_between_sale_and_refund_do_not_change_the_sales_commission() {
    let sale = || Sent(session("cs_1", 0, 1_000, json!({"payment_intent": "pi_1", "metadata": by("clk_1")})));
    let back = || {
        let of = json!({"charge": "ch_1", "payment_intent": "pi_1"});
        Sent(refund("refund.created", "re_1", 2 * DAY, 250, "succeeded", of))
    };
    let dearer = || json!({"commission": {"type": "percentage", "rate_bps": 5_000}});
    let check_with = |change: Step, want: i64| check(json!({}), &[sale(), change, back()], [want, 0]);
    check_with(Revised(dearer(), DAY), 150);
    check_with(Revised(json!({"status": "archived"}), DAY), 150);
    check_with(Revised(json!({"base": "gross", "recurring": "first_payment"}), DAY), 150);
}

#[test]
fn a_partner_who_is_banned_between_sale_and_refund_keeps_what_is_left_of_the_sale() {
    let sale = json!({"payment_intent": "pi_1", "metadata": by("clk_1")});
    let of = || json!({"charge": "ch_1", "payment_intent": "pi_1"});
    let steps = [
        Sent(session("cs_1", 0, 1_000, sale)),
        Banned(DAY),
        Sent(refund("refund.created", "re_1", 2 * DAY, 250, "succeeded", of())),
        Sent(refund("refund.created", "re_2", 3 * DAY, 250, "succeeded", of())),
    ];
    check(json!({}), &steps, [100, 0]);
    let after = Sent(session("cs_2", 2 * DAY, 1_000, json!({"metadata": by("clk_1")})));
    let mut ledger = delivered(&steps, &json!({}), &[0, 1, 2, 3]);
    assert_eq!(
        (after.apply(&mut ledger), ledger.left()),
        (0, [100, 0]),
        "a sale after the ban earns nothing"
    );
}

#[test]
fn an_invoice_paid_by_two_charges_gives_back_the_share_of_the_one_refunded() {
    let part = |n: u32, amount: i64, back: i64| {
        let other = json!({"payment_intent": format!("pi_{n}"), "amount_refunded": back});
        let kind = if back > 0 { "charge.refunded" } else { "charge.succeeded" };
        Sent(charge(kind, &format!("ch_{n}"), 60, amount, other))
    };
    let steps = [
        Sent(invoice("in_1", 0, 10_000, json!({"metadata": by("clk_1")}))),
        Sent(link("in_1", "pi_1")),
        Sent(link("in_1", "pi_2")),
        part(1, 6_000, 6_000),
        part(2, 4_000, 0),
    ];
    check(json!({}), &steps, [800, 0]);
    let both = [&steps[..4], &[part(2, 4_000, 1_000)]].concat();
    check(json!({}), &both, [600, 0]);
    // A refund that names only the other PaymentIntent is not counted for the known charge.
    let of = json!({"payment_intent": "pi_2"});
    let unseen = Sent(refund("refund.created", "re_1", DAY, 4_000, "succeeded", of));
    check(json!({}), &[&steps[..4], &[unseen]].concat(), [0, 0]);
}

#[test]
fn a_yearly_plan_limited_to_one_month_earns_for_its_first_year() {
    let steps = [
        Sent(invoice("in_1", 0, 12_000, json!({"metadata": by("clk_1")}))),
        Sent(invoice("in_2", 365 * DAY, 12_000, json!({}))),
        Sent(invoice("in_3", 730 * DAY, 12_000, json!({}))),
        Sent(invoice("in_0", -DAY, 0, json!({}))),
    ];
    check(json!({"recurring": {"months": 1}}), &steps, [2_400, 0]);
    check(json!({"recurring": {"months": 12}}), &steps, [2_400, 0]);
    check(json!({"recurring": {"months": 13}}), &steps, [4_800, 0]);
}

#[test]
fn a_bare_charge_earns_nothing_if_its_customer_has_a_payment_of_the_same_amount() {
    let subscribed = || Sent(invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")})));
    let of = |other: Value| merged(json!({"payment_intent": "pi_1", "metadata": by("clk_2")}), other);
    let bare = || Sent(charge("charge.succeeded", "ch_1", 60, 1_000, of(json!({}))));
    let intent = || {
        let other = of(json!({"customer": "cus_1", "latest_charge": "ch_1"}));
        Sent(intent("pi_1", 60, 1_000, other))
    };
    check(json!({}), &[subscribed(), bare()], [200, 0]);
    check(json!({}), &[subscribed(), intent()], [200, 0]);
    check(json!({}), &[subscribed(), bare(), intent(), Sent(link("in_1", "pi_1"))], [200, 0]);
    // A charge without a click of its own earns nothing; with one, a charge of another amount is another sale.
    let other =
        |metadata: Value| Sent(charge("charge.succeeded", "ch_2", 60, 5_000, json!({"metadata": metadata})));
    check(json!({"attribute_by_customer": true}), &[subscribed(), other(json!({}))], [200, 0]);
    check(json!({}), &[subscribed(), other(by("clk_2"))], [200, 1_000]);
}

#[test]
fn of_two_charges_that_could_be_one_payment_neither_is_matched_with_it() {
    let sale = || Sent(invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")})));
    let like_it = |n: u32, back: i64| {
        let other =
            json!({"payment_intent": format!("pi_{n}"), "amount_refunded": back, "metadata": by("clk_2")});
        let kind = if back > 0 { "charge.refunded" } else { "charge.succeeded" };
        Sent(charge(kind, &format!("ch_{n}"), 60 * i64::from(n), 1_000, other))
    };
    check(json!({}), &[sale(), like_it(1, 1_000)], [0, 0]);
    check(json!({}), &[sale(), like_it(1, 1_000), like_it(2, 0)], [200, 0]);
    check(json!({}), &[sale(), like_it(1, 1_000), like_it(2, 500)], [200, 0]);
    // The exact link decides which charge paid the invoice. The other charge is a separate sale, with its own click.
    let linked = [sale(), like_it(1, 1_000), like_it(2, 0), Sent(link("in_1", "pi_1"))];
    check(json!({}), &linked, [0, 200]);
    let linked = [sale(), like_it(1, 1_000), like_it(2, 0), Sent(link("in_1", "pi_2"))];
    check(json!({}), &linked, [200, 0]);
}

#[test]
fn a_session_that_names_no_invoice_and_its_invoice_earn_once() {
    let opened = json!({
        "mode": "subscription", "subscription": "sub_1", "customer": "cus_1", "metadata": by("clk_1")
    });
    let steps = [
        Sent(session("cs_1", 0, 1_000, opened)),
        Sent(invoice("in_1", 2, 1_000, json!({}))),
        Sent(invoice("in_2", 30 * DAY, 1_000, json!({}))),
        Sent(charge("charge.refunded", "ch_1", 5, 1_000, json!({"amount_refunded": 500}))),
    ];
    check(json!({}), &steps, [300, 0]);
    // The session's commission moves to the invoice's payment: it is not taken back and earned again.
    assert_eq!(entries(json!({}), &steps[..2]), [("earn", 200, "ok")]);
    let larger = [steps[0].clone(), Sent(invoice("in_1", 2, 1_500, json!({})))];
    check(json!({}), &larger, [300, 0]);
    assert_eq!(entries(json!({}), &larger), [("earn", 200, "ok"), ("adjust", 100, "ok")]);
}

#[test]
fn a_charge_that_earned_before_its_invoice_arrived_and_the_invoice_earn_once() {
    let steps = [
        Sent(charge("charge.succeeded", "ch_1", 60, 1_000, json!({"metadata": by("clk_1")}))),
        Sent(invoice("in_1", 0, 1_000, json!({}))),
        Sent(charge("charge.refunded", "ch_1", 90, 1_000, json!({"amount_refunded": 250}))),
    ];
    check(json!({}), &steps, [150, 0]);
    let want = [("earn", 200, "ok"), ("reverse", -50, "refund_partial")];
    assert_eq!(entries(json!({}), &steps), want);
}

#[test]
fn a_partner_who_is_the_buyer_of_any_payment_earns_nothing_from_that_customer() {
    let blocked = || json!({"block_self_referral": true, "attribute_by_customer": true});
    let of_customer = |id: &str, at: i64, email: Value| {
        let other =
            json!({"customer": "cus_1", "metadata": by("clk_1"), "customer_details": {"email": email}});
        Sent(session(id, at, 1_000, other))
    };
    let own = || of_customer("cs_1", 0, json!("Partner1+shop@googlemail.com"));
    check(blocked(), &[own()], [0, 0]);
    check(json!({}), &[own()], [200, 0]);
    // A payment without an e-mail address, by a customer known as the partner, is a self-referral too.
    let nameless =
        || [of_customer("cs_2", DAY, json!(null)), Sent(invoice("in_1", 2 * DAY, 1_000, json!({})))];
    check(blocked(), &nameless(), [400, 0]);
    check(blocked(), &[&[own()][..], &nameless()].concat(), [0, 0]);
    // A purchase by another partner is not a self-referral.
    let other = of_customer("cs_1", 0, json!("partner.2@gmail.com"));
    check(blocked(), &[&[other][..], &nameless()].concat(), [600, 0]);
}

#[test]
fn a_refund_reported_by_two_events_is_counted_once_whatever_they_name() {
    let paid = json!({"metadata": by("clk_1"), "payment_intent": "pi_1", "charge": "ch_1"});
    let sale = || Sent(invoice("in_1", 0, 1_000, paid.clone()));
    let back = |intent: Value| {
        let other = json!({"payment_intent": intent, "amount_refunded": 500});
        Sent(charge("charge.refunded", "ch_1", DAY, 1_000, other))
    };
    let one = |of: Value| Sent(refund("refund.created", "re_1", DAY, 500, "succeeded", of));
    let noted = json!({"id": "cn_1", "invoice": "in_1", "refunds": [{"refund": "re_1"}]});
    let note = || Sent(event("credit_note.created", DAY, noted.clone()));
    check(json!({}), &[sale(), back(json!(null)), one(json!({"payment_intent": "pi_1"}))], [100, 0]);
    check(json!({}), &[sale(), back(json!("pi_1")), one(json!({"payment_intent": "pi_1"}))], [100, 0]);
    check(json!({}), &[sale(), back(json!("pi_1")), one(json!({"charge": "ch_1"}))], [100, 0]);
    check(json!({}), &[sale(), back(json!("pi_1")), one(json!({})), note()], [100, 0]);
    check(json!({}), &[sale(), one(json!({})), note()], [100, 0]);
}

#[test]
fn inference_by_time_ends_at_an_exact_second() {
    let opened = json!({
        "mode": "subscription", "subscription": "sub_1", "customer": "cus_1", "metadata": by("clk_1")
    });
    let invoiced = |at: i64| {
        [Sent(session("cs_1", 0, 1_000, opened.clone())), Sent(invoice("in_1", at, 1_000, json!({})))]
    };
    // A session lasts 24 hours. The payment may be one hour after that, or five minutes before the session, because
    // clocks differ.
    check(json!({}), &invoiced(25 * 3_600), [200, 0]);
    check(json!({}), &invoiced(25 * 3_600 + 1), [400, 0]);
    check(json!({}), &invoiced(-300), [200, 0]);
    check(json!({}), &invoiced(-301), [400, 0]);
    // A session that names another invoice, or an invoice that has a session, is not matched by inference.
    let other = merged(opened.clone(), json!({"invoice": "in_9"}));
    let named = [Sent(session("cs_1", 0, 1_000, other)), invoiced(60)[1].clone()];
    check(json!({}), &named, [400, 0]);
    let exact = merged(opened.clone(), json!({"invoice": "in_1"}));
    let with_session =
        [Sent(session("cs_0", 0, 1_000, exact)), invoiced(60)[0].clone(), invoiced(60)[1].clone()];
    check(json!({}), &with_session, [400, 0]);
    let entry_count = |at: i64| delivered(&invoiced(at), &json!({}), &[0, 1]).entries.len();
    assert_eq!((entry_count(25 * 3_600), entry_count(25 * 3_600 + 1)), (1, 2));

    let charged = |at: i64| {
        let refunded = charge("charge.refunded", "ch_1", at, 1_000, json!({"amount_refunded": 1_000}));
        [Sent(invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")}))), Sent(refunded)]
    };
    check(json!({}), &charged(3_600), [0, 0]);
    check(json!({}), &charged(3_601), [200, 0]);
    check(json!({}), &charged(-3_600), [0, 0]);
    check(json!({}), &charged(-3_601), [200, 0]);
    // The customer, the currency and the amount must be the same.
    let unlike = |other: Value| {
        let other = merged(json!({"amount_refunded": 1_000}), other);
        let refunded = charge("charge.refunded", "ch_1", 60, 1_000, other);
        [charged(0)[0].clone(), Sent(refunded)]
    };
    check(json!({}), &unlike(json!({})), [0, 0]);
    check(json!({}), &unlike(json!({"customer": "cus_2"})), [200, 0]);
    check(json!({}), &unlike(json!({"customer": null})), [200, 0]);
    check(json!({}), &unlike(json!({"currency": "eur"})), [200, 0]);
    check(json!({}), &unlike(json!({"amount": 1_001, "amount_captured": 1_001})), [200, 0]);
}

#[test]
fn a_settled_payment_keeps_its_terms_even_if_new_terms_are_backdated() {
    let of_charge = json!({"payment_intent": "pi_1", "metadata": by("clk_1")});
    let sale = Sent(charge("charge.succeeded", "ch_1", 0, 1_000, of_charge.clone()));
    let dearer = || Revised(json!({"commission": {"type": "percentage", "rate_bps": 5_000}}), -10);
    let refunded = merged(of_charge, json!({"amount_refunded": 500}));
    let refunded = Sent(charge("charge.refunded", "ch_1", DAY, 1_000, refunded));
    let better = |click: &str| {
        let other = json!({"payment_intent": "pi_1", "metadata": by(click)});
        Sent(session("cs_1", 0, 1_000, other))
    };
    let left = |steps: &[Step]| {
        let order: Vec<usize> = (0..steps.len()).collect();
        delivered(steps, &json!({}), &order).left()
    };
    assert_eq!(left(&[sale.clone(), dearer(), refunded.clone()]), [100, 0]);
    assert_eq!(left(&[sale.clone(), dearer(), better("clk_1")]), [200, 0]);
    assert_eq!(left(&[sale.clone(), Banned(-10), refunded.clone()]), [100, 0]);
    let paused = Revised(json!({"status": "paused"}), -10);
    assert_eq!(left(&[sale.clone(), paused, refunded.clone()]), [100, 0]);
    // With another click, the versions are looked up again.
    assert_eq!(left(&[sale.clone(), dearer(), better("clk_2")]), [0, 500]);
    assert_eq!(left(&[dearer(), sale, refunded]), [250, 0]);
}

#[test]
fn the_end_of_a_subscription_voids_commissions_that_are_due_after_it() {
    let ends = |at: i64| {
        let object = json!({"id": "sub_1", "customer": "cus_1", "status": "canceled"});
        [
            Sent(invoice("in_1", 0, 1_000, json!({"metadata": by("clk_1")}))),
            Sent(invoice("in_2", 5 * DAY, 1_000, json!({}))),
            Sent(event("customer.subscription.deleted", at, object)),
        ]
    };
    let void = || json!({"cancel_policy": "void_pending", "hold_days": {"recurring": 30}});
    check(void(), &ends(30 * DAY - 1), [0, 0]);
    check(void(), &ends(30 * DAY), [200, 0]);
    check(void(), &ends(35 * DAY), [400, 0]);
    check(json!({"cancel_policy": "keep"}), &ends(DAY), [400, 0]);
    let other =
        Sent(event("customer.subscription.deleted", DAY, json!({"id": "sub_2", "customer": "cus_1"})));
    check(void(), &[&ends(DAY)[..2], &[other]].concat(), [400, 0]);
}

#[test]
fn the_series_of_a_customer_begins_with_the_first_positive_payment_by_that_click() {
    let first_payment = || json!({"recurring": "first_payment", "attribute_by_customer": true});
    let of_customer = |id: &str, day: i64, amount: i64, click: Option<&str>| {
        let metadata = click.map_or(json!({}), by);
        Sent(session(id, day * DAY, amount, json!({"customer": "cus_1", "metadata": metadata})))
    };
    let returning = || of_customer("cs_9", 9, 1_000, None);
    check(first_payment(), &[of_customer("cs_1", 0, 1_000, Some("clk_1")), returning()], [200, 0]);
    let free = || of_customer("cs_1", 1, 0, Some("clk_1"));
    check(first_payment(), &[free(), returning(), of_customer("cs_10", 10, 1_000, None)], [200, 0]);
    check(first_payment(), &[of_customer("cs_0", 0, 1_000, Some("clk_2")), free(), returning()], [200, 200]);
}

/// The amount of a PaymentIntent that paid an invoice.
fn part(invoice: &str, amount: i64) -> Step {
    let payment = json!({"type": "payment_intent", "payment_intent": "pi_1"});
    Sent(event(
        "invoice_payment.paid",
        1,
        json!({"id": format!("inpay_{invoice}"), "invoice": invoice, "amount_paid": amount, "payment": payment}),
    ))
}

#[test]
fn a_payment_intent_that_pays_two_invoices_is_two_payments_and_its_losses_are_split() {
    let invoiced =
        |id: &str, at: i64, amount: i64| Sent(invoice(id, at, amount, json!({"metadata": by("clk_1")})));
    let refunded = |back: i64| {
        Sent(charge(
            "charge.refunded",
            "ch_1",
            9,
            10_000,
            json!({"payment_intent": "pi_1", "amount_refunded": back}),
        ))
    };
    let four = || {
        [
            invoiced("in_1", 0, 4_000),
            invoiced("in_2", 40 * DAY, 6_000),
            part("in_1", 4_000),
            part("in_2", 6_000),
        ]
    };
    check(json!({}), &four(), [2_000, 0]);
    // 5,000 of 10,000 went back: 2,000 of the first invoice and 3,000 of the second.
    check(json!({}), &[&four()[..], &[refunded(5_000)]].concat(), [1_000, 0]);
    check(json!({}), &[&four()[..], &[refunded(10_000)]].concat(), [0, 0]);
    // Rounding loses nothing: 3,333 is 1,333 and 2,000, of which the commission's shares are 267 and 400.
    check(json!({}), &[&four()[..], &[refunded(3_333)]].concat(), [1_333, 0]);
    // Only the first invoice is covered, so only its part is taken back.
    check(json!({"recurring": "first_payment"}), &[&four()[..], &[refunded(5_000)]].concat(), [400, 0]);
    let contested = json!({"id": "du_1", "amount": 10_000, "charge": "ch_1", "payment_intent": "pi_1", "currency": "usd",
        "status": "lost"});
    let contested = Sent(event("charge.dispute.closed", 9, contested));
    check(json!({}), &[&four()[..], &[contested]].concat(), [0, 0]);
}

#[test]
fn a_payment_intent_that_earned_before_its_invoices_arrived_earns_what_they_do() {
    let steps = [
        Sent(intent("pi_1", 0, 10_000, json!({"metadata": by("clk_1"), "latest_charge": "ch_1"}))),
        part("in_1", 4_000),
        part("in_2", 6_000),
        Sent(invoice("in_1", 0, 4_000, json!({}))),
        Sent(refund("refund.created", "re_1", 5, 5_000, "succeeded", json!({"charge": "ch_1"}))),
    ];
    // The second invoice is not known yet; its share is the amount that the PaymentIntent paid for it.
    check(json!({}), &steps, [1_000, 0]);
    let known = [&steps[..], &[Sent(invoice("in_2", 0, 6_000, json!({})))]].concat();
    check(json!({}), &known, [1_000, 0]);
}

#[test]
fn invoices_without_a_stated_share_divide_the_rest_of_the_charge() {
    let old = |id: &str, amount: i64| {
        Sent(invoice(id, 0, amount, json!({"metadata": by("clk_1"), "charge": "ch_1"})))
    };
    let refunded = Sent(charge(
        "charge.refunded",
        "ch_1",
        9,
        10_000,
        json!({"payment_intent": "pi_1", "amount_refunded": 5_000}),
    ));
    let steps = [
        old("in_1", 4_000),
        Sent(invoice("in_2", 0, 6_000, json!({"metadata": by("clk_1")}))),
        part("in_2", 6_000),
        refunded,
    ];
    check(json!({}), &steps, [1_000, 0]);
}

#[test]
fn a_session_belongs_to_its_own_invoice_even_if_its_money_paid_another_too() {
    let steps = [
        Sent(session(
            "cs_1",
            0,
            4_000,
            json!({"invoice": "in_1", "payment_intent": "pi_1", "metadata": by("clk_1")}),
        )),
        Sent(invoice("in_1", 0, 4_000, json!({"subscription": null}))),
        Sent(invoice("in_2", 60, 6_000, json!({"subscription": null, "metadata": by("clk_2")}))),
        part("in_1", 4_000),
        part("in_2", 6_000),
    ];
    check(json!({}), &steps, [800, 1_200]);
}

#[test]
fn an_object_whose_link_changes_between_events_is_linked_to_both() {
    let sale = |intent: &str| {
        Sent(session("cs_1", 0, 1_000, json!({"payment_intent": intent, "metadata": by("clk_1")})))
    };
    for (old, new) in [("pi_1", "pi_2"), ("pi_2", "pi_1")] {
        let direct = Sent(intent(old, 5, 1_000, json!({"metadata": by("clk_1")})));
        check(json!({}), &[sale(old), sale(new), direct.clone()], [200, 0]);
        let other = Sent(intent(new, 6, 1_000, json!({"metadata": by("clk_1")})));
        check(json!({}), &[sale(old), sale(new), direct, other], [200, 0]);
    }
    let charged = |intent: &str| {
        let other = json!({"payment_intent": intent, "amount_refunded": 500});
        Sent(charge("charge.refunded", "ch_1", 9, 1_000, other))
    };
    check(json!({}), &[sale("pi_1"), charged("pi_2"), charged("pi_1")], [100, 0]);
    // A session that named two invoices belongs to one of them; the other earns by its own click or nothing.
    let of = |invoice: &str| {
        Sent(session(
            "cs_1",
            0,
            1_000,
            json!({"mode": "subscription", "invoice": invoice, "metadata": by("clk_1")}),
        ))
    };
    let paid =
        |id: &str, subscription: &str| Sent(invoice(id, 0, 1_000, json!({"subscription": subscription})));
    check(json!({}), &[of("in_1"), of("in_2"), paid("in_1", "sub_1"), paid("in_2", "sub_2")], [200, 0]);
}

#[test]
fn an_invoice_loses_in_proportion_to_its_share_of_the_payment() {
    let invoiced = |id: &str, amount: i64| Sent(invoice(id, 0, amount, json!({"metadata": by("clk_1")})));
    let refunded = json!({"payment_intent": "pi_1", "amount_refunded": 5_000});
    let refunded = Sent(charge("charge.refunded", "ch_1", 9, 10_000, refunded));
    // The stated shares are equal, so each invoice loses half of the 5,000: the first 2,500 of its 6,000, the second
    // 2,500 of 5,000, its half of the charge.
    let steps = [
        invoiced("in_1", 6_000),
        invoiced("in_2", 4_000),
        part("in_1", 4_000),
        part("in_2", 4_000),
        refunded.clone(),
    ];
    check(json!({}), &steps, [700 + 400, 0]);
    // Invoices of older API versions name the charge themselves. No object states their shares, so these are equal.
    let old = |id: &str, amount: i64| {
        Sent(invoice(id, 0, amount, json!({"metadata": by("clk_1"), "charge": "ch_1"})))
    };
    check(json!({}), &[old("in_1", 6_000), old("in_2", 4_000), refunded], [700 + 400, 0]);
    // A credit outside Stripe reduces only its own invoice.
    let note = json!({"id": "cn_1", "invoice": "in_1", "out_of_band_amount": 3_000, "refunds": [], "status": "issued"});
    let credited = [&steps[..4], &[Sent(event("credit_note.created", 9, note))]].concat();
    check(json!({}), &credited, [600 + 800, 0]);
    // If no object states the shares, they are equal.
    let linked = |invoice: &str| {
        let payment = json!({"type": "payment_intent", "payment_intent": "pi_1"});
        let object = json!({"id": format!("inpay_{invoice}"), "invoice": invoice, "payment": payment});
        Sent(event("invoice_payment.paid", 1, object))
    };
    let sale = session("cs_1", 0, 1_000, json!({"payment_intent": "pi_1", "metadata": by("clk_1")}));
    check(json!({}), &[Sent(sale), linked("in_1"), linked("in_2")], [200, 0]);
}

/// The merchant's statement about a customer: the second at which it was made, from when on, and who earns.
fn assigned(customer: &str, stated: i64, from: i64, to: Value) -> Step {
    let to = match to.as_str() {
        Some(word @ ("nobody" | "usual")) => json!(word),
        _ => json!({"click": {"click_id": to, "program_id": "prog", "partner_id": "of the click"}}),
    };
    let one = json!({"at": T0 + 90 * DAY + stated, "from": T0 + from, "to": to});
    Stated(serde_json::from_value(json!({"assignments": {customer: [one]}})).unwrap())
}

#[test]
fn an_assigned_customer_earns_for_the_partner_from_that_time_on() {
    let sale = |id: &str, day: i64, other: Value| {
        let own = json!({"customer": "cus_1", "metadata": by("clk_1")});
        Sent(session(id, day * DAY, 1_000, merged(own, other)))
    };
    let two = |step: Step| [sale("cs_1", 0, json!({})), sale("cs_2", 2, json!({})), step];
    check(json!({}), &two(assigned("cus_1", 0, DAY, json!("clk_2"))), [200, 200]);
    check(json!({}), &two(assigned("cus_1", 0, 2 * DAY, json!("clk_2"))), [200, 200]);
    check(json!({}), &two(assigned("cus_1", 0, 2 * DAY + 1, json!("clk_2"))), [400, 0]);
    check(json!({}), &two(assigned("cus_1", 0, 0, json!("clk_2"))), [0, 400]);
    check(json!({}), &two(assigned("cus_1", 0, DAY, json!("nobody"))), [200, 0]);
    check(json!({}), &two(assigned("cus_2", 0, 0, json!("clk_2"))), [400, 0]);
    // The click is outside the window, and later than the payments: the merchant's decision counts.
    check(
        json!({"attribution_window_days": 1}),
        &two(assigned("cus_1", 0, 0, json!("clk_late_2"))),
        [0, 400],
    );
    // A value that is no click leaves the decision to the rules.
    check(json!({}), &two(assigned("cus_1", 0, 0, json!("clk_of_nobody"))), [400, 0]);
    // A payment before the assignment is not credited because of one after it.
    let plain = |id: &str, day: i64| sale(id, day, json!({"metadata": {}}));
    check(
        json!({}),
        &[plain("cs_1", 0), plain("cs_2", 2), assigned("cus_1", 0, DAY, json!("clk_2"))],
        [0, 200],
    );
    // Nor is a later one because of the assignment, once it is taken back.
    let undone = [
        plain("cs_1", 0),
        plain("cs_2", 2),
        assigned("cus_1", 0, 0, json!("clk_2")),
        assigned("cus_1", 1, 0, json!("usual")),
    ];
    check(json!({}), &undone, [0, 0]);
}

#[test]
fn the_latest_statement_about_a_customer_counts_in_any_order() {
    let sale = |id: &str, day: i64| {
        Sent(session(id, day * DAY, 1_000, json!({"customer": "cus_1", "metadata": by("clk_1")})))
    };
    let sales = [sale("cs_1", 0), sale("cs_2", 2)];
    let stated = |steps: &[Step], want| check(json!({}), &[&sales[..], steps].concat(), want);
    let to_second = || assigned("cus_1", 0, 0, json!("clk_2"));
    stated(&[to_second(), assigned("cus_1", 1, DAY, json!("clk_1"))], [200, 200]);
    stated(&[to_second(), assigned("cus_1", 1, DAY, json!("nobody"))], [0, 200]);
    stated(&[to_second(), assigned("cus_1", 1, 0, json!("usual"))], [400, 0]);
    stated(&[assigned("cus_1", 1, DAY, json!("nobody")), assigned("cus_1", 2, 0, json!("clk_2"))], [0, 400]);
    // Of the same second, the greater one.
    stated(&[assigned("cus_1", 0, 0, json!("nobody")), to_second()], [0, 400]);
}

#[test]
fn an_assignment_covers_everything_that_is_known_of_the_customer() {
    let subscribed = || {
        let first = json!({"mode": "subscription", "subscription": "sub_1", "customer": "cus_1", "invoice": "in_1",
            "metadata": {"tracCustomerExternalId": "user_1", "tracClickId": "clk_1"}});
        [
            Sent(session("cs_1", 0, 1_000, first)),
            Sent(invoice("in_1", 0, 1_000, json!({}))),
            Sent(invoice("in_2", 31 * DAY, 1_000, json!({"customer": null}))),
        ]
    };
    for customer in ["cus_1", "user_1"] {
        let steps = |from| [&subscribed()[..], &[assigned(customer, 0, from, json!("clk_2"))]].concat();
        check(json!({}), &steps(0), [0, 400]);
        check(json!({}), &steps(DAY), [200, 200]);
    }
    // The customer's metadata names the merchant's ID only later.
    let named = json!({"id": "cus_1", "metadata": {"tracCustomerExternalId": "user_1"}});
    let steps = [
        Sent(session("cs_1", 0, 1_000, json!({"customer": "cus_1", "metadata": by("clk_1")}))),
        Sent(event("customer.updated", 9 * DAY, named)),
        assigned("user_1", 0, 0, json!("clk_2")),
    ];
    check(json!({}), &steps, [0, 200]);
    // A charge without an invoice may be the money of one that is not known yet.
    let steps = [
        Sent(charge("charge.succeeded", "ch_1", 0, 1_000, json!({}))),
        assigned("cus_1", 0, 0, json!("clk_2")),
    ];
    check(json!({}), &steps, [0, 0]);
}

#[test]
fn the_rules_about_program_and_partner_apply_to_assigned_customers_too() {
    let sent = |id: &str, day: i64| Sent(invoice(id, day * DAY, 1_000, json!({})));
    let assigned = || assigned("cus_1", 0, 0, json!("clk_1"));
    // The merchant's change comes first, since a settled payment keeps its terms.
    let check_after = |other_terms: Value, change: Step, want: [i64; 2]| {
        let steps = [change, sent("in_1", 0), sent("in_2", 31), assigned()];
        for order in orders(3) {
            let order: Vec<usize> = [0].into_iter().chain(order.into_iter().map(|place| place + 1)).collect();
            let ledger = delivered(&steps, &other_terms, &order);
            assert_eq!(ledger.left(), want, "{order:?}: {:?}", ledger.entries);
        }
    };
    let revised = |status: &str, at: i64| Revised(json!({"status": status}), at);
    check_after(json!({}), Banned(90 * DAY), [400, 0]);
    check_after(json!({}), Banned(DAY), [200, 0]);
    check_after(json!({"recurring": "first_payment"}), Banned(90 * DAY), [200, 0]);
    check_after(json!({}), revised("archived", DAY), [200, 0]);
    // A paused program pays for the renewals of subscriptions, and for nothing new.
    check_after(json!({}), revised("paused", DAY), [400, 0]);
    check_after(json!({}), revised("paused", -DAY), [200, 0]);
    let own = json!({"customer_email": "partner.1@gmail.com"});
    let bought = [Sent(invoice("in_1", 0, 1_000, own)), assigned()];
    check(json!({"block_self_referral": true}), &bought, [0, 0]);
}
