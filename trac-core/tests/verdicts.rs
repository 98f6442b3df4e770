//! The merchant's decisions about commissions, and adjustments.
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
use trac_core::commission::entry::Kind;
use trac_core::money::Currency;
use trac_core::time::Timestamp;
use trac_core::webhook::adjustment::Adjustment;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::verdict::{Ruling, Verdict, Verdicts};

const DAY: i64 = 86_400;

fn shop() -> Ledger {
    Ledger::new(
        json!({"commission": {"type": "percentage", "rate_bps": 2_000}, "cancel_policy": "void_pending"}),
    )
}

fn session(change: Value) -> Value {
    let mut session = json!({
        "id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 10_000, "currency": "usd",
        "created": T0, "payment_intent": "pi_1", "client_reference_id": "clk_2"
    });
    session.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    event("checkout.session.completed", 0, session)
}

fn refund(amount: i64) -> Value {
    let refund = json!({"id": "re_1", "amount": amount, "status": "succeeded", "payment_intent": "pi_1", "charge": "ch_1"});
    event("refund.created", 2 * DAY, refund)
}

fn verdict(object: &str, click: &str, at: i64, ruling: Ruling) -> Facts {
    let at = Timestamp::from_unix_secs(T0 + at);
    let value = Verdict { ruling, made_at: at, reason: "a reason".into() };
    let verdicts = Verdicts([(click.into(), Latest { at, value })].into());
    Facts { verdicts: [(object.into(), verdicts)].into(), ..Facts::default() }
}

fn judge(ledger: &mut Ledger, object: &str, click: &str, at: i64, ruling: Ruling) -> usize {
    ledger.add_facts(verdict(object, click, at, ruling), Some(Topic::Verdict))
}

fn adjust(ledger: &mut Ledger, id: &str, amount: i64) -> usize {
    let adjustment = Adjustment {
        partner_id: "part1".into(),
        program_id: "prog".into(),
        at: Some(Timestamp::from_unix_secs(T0)),
        amount: Some((amount, Currency::parse("usd").unwrap())),
        reason: "a bonus".into(),
    };
    let facts = Facts { adjustments: [(id.into(), adjustment)].into(), ..Facts::default() };
    ledger.add_facts(facts, Some(Topic::Sale))
}

fn entries(ledger: &Ledger) -> Vec<(Kind, i64, &str)> {
    ledger.entries.iter().map(|(_, kind, amount, reason)| (*kind, *amount, *reason)).collect()
}

#[test]
fn a_rejection_leaves_nothing_and_can_be_taken_back_after_a_refund() {
    let mut ledger = shop();
    ledger.deliver(&session(json!({})));
    assert_eq!(judge(&mut ledger, "cs_1", "clk_2", DAY, Ruling::Rejected), 1);
    assert_eq!(ledger.left(), [0, 0]);
    assert_eq!((ledger.deliver(&refund(2_500)), ledger.replay()), (0, 0));
    // A late rejection of an earlier day changes nothing.
    assert_eq!(judge(&mut ledger, "cs_1", "clk_2", 0, Ruling::Approved), 0);
    assert_eq!(judge(&mut ledger, "cs_1", "clk_2", 2 * DAY, Ruling::Restored), 1);
    assert_eq!(ledger.left(), [0, 1_500]);
    let want = [
        (Kind::Earn, 2_000, "ok"),
        (Kind::Reverse, -2_000, "rejected_by_merchant"),
        (Kind::Restore, 1_500, "restored_by_merchant"),
    ];
    assert_eq!(entries(&ledger), want);
}

#[test]
fn a_verdict_belongs_to_the_click_and_stays_when_the_credit_moves_away_and_back() {
    let mut ledger = shop();
    ledger.deliver(&session(json!({})));
    judge(&mut ledger, "cs_1", "clk_2", DAY, Ruling::Rejected);
    // A value of a higher rule: the payment is credited to the other partner, whose commission is not judged.
    ledger.deliver(&session(json!({"metadata": {"tracClickId": "clk_1"}})));
    assert_eq!(ledger.left(), [2_000, 0]);
    judge(&mut ledger, "pi_1", "clk_1", DAY, Ruling::Rejected);
    assert_eq!(ledger.left(), [0, 0]);
    judge(&mut ledger, "cs_1", "clk_2", 2 * DAY, Ruling::Restored);
    assert_eq!(ledger.left(), [0, 0]);
    judge(&mut ledger, "cs_1", "clk_1", 2 * DAY, Ruling::Approved);
    assert_eq!(ledger.left(), [2_000, 0]);
}

#[test]
fn a_rejection_after_the_payout_takes_everything_back() {
    let mut ledger = shop();
    ledger.deliver(&session(json!({})));
    ledger.pay_out();
    assert_eq!(judge(&mut ledger, "cs_1", "clk_2", DAY, Ruling::Rejected), 1);
    assert_eq!(ledger.left(), [0, 0]);
    // The credit moves, but the commission was paid out: it stays where it is, rejected.
    assert_eq!(ledger.deliver(&session(json!({"metadata": {"tracClickId": "clk_1"}}))), 0);
    assert_eq!(judge(&mut ledger, "cs_1", "clk_2", 2 * DAY, Ruling::Restored), 1);
    assert_eq!(ledger.left(), [0, 2_000]);
}

#[test]
fn an_approved_commission_outlives_its_subscription() {
    let bought = json!({"mode": "subscription", "subscription": "sub_1", "payment_intent": null});
    let deleted =
        event("customer.subscription.deleted", 3 * DAY, json!({"id": "sub_1", "status": "canceled"}));
    for (ruling, left) in [(Ruling::Held, 0), (Ruling::Approved, 2_000)] {
        for is_late in [false, true] {
            let mut ledger = shop();
            ledger.deliver(&session(bought.clone()));
            if is_late {
                ledger.deliver(&deleted);
            }
            judge(&mut ledger, "cs_1", "clk_2", 4 * DAY, ruling);
            if !is_late {
                ledger.deliver(&deleted);
            }
            assert_eq!(ledger.left(), [0, left], "{ruling:?} {is_late}");
        }
    }
}

#[test]
fn money_that_paid_two_invoices_is_judged_for_each_of_them() {
    let invoice = |id: &str| {
        event(
            "invoice.paid",
            0,
            json!({
                "id": id, "status": "paid", "amount_paid": 5_000, "total": 5_000, "currency": "usd", "created": T0,
                "metadata": {"tracClickId": "clk_1"}
            }),
        )
    };
    let paid = |id: &str| {
        event(
            "invoice_payment.paid",
            0,
            json!({
                "id": format!("inpay_{id}"), "invoice": id, "amount_paid": 5_000,
                "payment": {"type": "payment_intent", "payment_intent": "pi_1"}
            }),
        )
    };
    let messages = [invoice("in_1"), invoice("in_2"), paid("in_1"), paid("in_2")];
    for judged_after in 0..=messages.len() {
        let mut ledger = shop();
        for (n, message) in messages.iter().enumerate() {
            if n == judged_after {
                judge(&mut ledger, "in_2", "clk_1", DAY, Ruling::Rejected);
            }
            ledger.deliver(message);
        }
        judge(&mut ledger, "in_2", "clk_1", DAY, Ruling::Rejected);
        assert_eq!(ledger.left(), [1_000, 0], "{judged_after}");
    }
}

#[test]
fn an_adjustment_earns_its_amount_once_and_can_be_rejected() {
    for amount in [500, -500] {
        let mut ledger = shop();
        assert_eq!(adjust(&mut ledger, "adj_1", amount), 1);
        assert_eq!((adjust(&mut ledger, "adj_1", amount), ledger.replay()), (0, 0));
        assert_eq!(ledger.left(), [amount, 0]);
        assert_eq!(judge(&mut ledger, "adj_1", "adj_1", DAY, Ruling::Rejected), 1);
        assert_eq!((ledger.left(), ledger.replay()), ([0, 0], 0));
        assert_eq!(judge(&mut ledger, "adj_1", "adj_1", 2 * DAY, Ruling::Restored), 1);
        assert_eq!(ledger.left(), [amount, 0]);
        let (_, kind, _, reason) = ledger.entries.last().unwrap();
        let want = if amount > 0 { Kind::Restore } else { Kind::Adjust };
        assert_eq!((*kind, *reason), (want, "restored_by_merchant"));
    }
}
