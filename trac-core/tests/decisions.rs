//! The decision about one payment. Each row is the reported facts, and the expected reason, amount and base.
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

use ledger::{Ledger, T0, event};
use serde_json::{Value, json};
use stripe::{by, charge, dispute, intent, invoice, merged, refund, session, terms};
use trac_core::commission::claim::Source;
use trac_core::commission::settle::{Occasion, Settlement, settle};
use trac_core::money::Currency;
use trac_core::time::{DAY_SECS as DAY, Timestamp};
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::lead::Lead;
use trac_core::webhook::report::Report;

/// An event of Stripe's, or facts reported by the merchant or a page.
enum Step {
    Sent(Value),
    Reported(Box<Facts>),
}

use Step::{Reported, Sent};

fn ledger_of(other_terms: Value, steps: &[Step]) -> Ledger {
    let mut ledger = Ledger::new(terms(other_terms));
    for one in steps {
        match one {
            Sent(event) => ledger.deliver(event),
            Reported(facts) => ledger.add_facts(Facts::clone(facts), None),
        };
    }
    ledger
}

/// The settlement of the last payment, as if nothing had been settled before.
fn settled(other_terms: Value, steps: &[Step]) -> Settlement {
    let mut ledger = ledger_of(other_terms, steps);
    for known in ledger.world.payments.values_mut() {
        known.commissions.clear();
    }
    settle(&ledger.world, Occasion::default()).into_values().next_back().unwrap()
}

#[track_caller]
fn check(steps: &[Step], reason: &str, gross: Option<i64>, base: Option<i64>) {
    let decision = settled(json!({}), steps).decision;
    assert_eq!((decision.reason.as_str(), decision.gross_minor, decision.base_minor), (reason, gross, base));
    assert_eq!(decision.currency.is_some(), gross.is_some());
}

fn own(other: Value) -> Value {
    merged(json!({"metadata": by("clk_1")}), other)
}

fn report(id: &str, amount: Option<i64>, change: impl FnOnce(&mut Report)) -> Step {
    let at = Timestamp::from_unix_secs(T0);
    let amount = amount.map(|amount| Latest { at, value: (amount, Currency::parse("usd").unwrap()) });
    let click = Some("clk_1".into());
    let mut report = Report { transaction: "cs_1".into(), at: Some(at), amount, click, ..Report::default() };
    change(&mut report);
    Reported(Box::new(Facts { reports: [(id.into(), report)].into(), ..Facts::default() }))
}

fn verdict(approved: bool) -> impl FnOnce(&mut Report) {
    let at = Timestamp::from_unix_secs(T0);
    move |report| report.verdict = Some(Latest { at, value: approved })
}

#[test]
fn without_money_the_reason_names_what_is_missing() {
    let status = |kind: &str, other: Value| {
        let object =
            json!({"id": "cs_1", "mode": "payment", "amount_total": 900, "currency": "usd", "created": T0});
        Sent(event(kind, 0, merged(object, own(other))))
    };
    let completed = |other: Value| status("checkout.session.completed", other);
    let held_back = || Sent(charge("charge.succeeded", "ch_1", 0, 900, own(json!({"captured": false}))));
    let failed = || Sent(charge("charge.refunded", "ch_1", 0, 900, own(json!({"status": "failed"}))));
    let back = || Sent(refund("refund.created", "re_1", 0, 900, "succeeded", json!({"charge": "ch_1"})));
    check(&[completed(json!({"payment_status": "paid"}))], "ok", Some(900), Some(900));
    check(&[completed(json!({"payment_status": "unpaid"}))], "unpaid_session", None, None);
    check(&[completed(json!({"payment_status": "paid", "mode": "setup"}))], "setup_mode", None, None);
    let failure = || status("checkout.session.async_payment_failed", json!({"payment_status": "unpaid"}));
    check(&[failure()], "payment_failed", None, None);
    check(&[completed(json!({"payment_status": "unpaid"})), failure()], "payment_failed", None, None);
    let late = || status("checkout.session.async_payment_succeeded", json!({"payment_status": "paid"}));
    check(&[late(), completed(json!({"payment_status": "unpaid"}))], "ok", Some(900), Some(900));
    check(&[held_back()], "uncaptured", None, None);
    check(&[failed()], "uncaptured", None, None);
    check(&[back()], "payment_unknown", None, None);
    check(&[Sent(session("cs_1", 0, 0, own(json!({}))))], "zero_amount", Some(0), None);
}

#[test]
fn the_charge_gives_the_amount_of_an_intent_that_received_nothing() {
    let of = || own(json!({"payment_intent": "pi_1"}));
    let captured = || Sent(charge("charge.succeeded", "ch_1", 0, 700, of()));
    check(&[Sent(intent("pi_1", 0, 0, own(json!({})))), captured()], "ok", Some(700), Some(700));
    check(&[Sent(intent("pi_1", 0, 100, own(json!({})))), captured()], "ok", Some(100), Some(100));
    let expanded = json!({"id": "ch_1", "amount": 700, "amount_captured": 0, "status": "succeeded"});
    let nothing = intent("pi_1", 0, 0, own(json!({"latest_charge": expanded})));
    check(&[Sent(nothing), captured()], "ok", Some(700), Some(700));
}

#[test]
fn money_paid_outside_stripe_counts_only_if_the_program_counts_it() {
    let check = |how: Value, strict: (&str, Option<i64>), usual: (&str, Option<i64>)| {
        let decided = |counts: bool| {
            let steps = [Sent(invoice("in_1", 0, 900, own(how.clone())))];
            let decision = settled(json!({"count_out_of_band": counts}), &steps).decision;
            (decision.reason.as_str(), decision.base_minor)
        };
        assert_eq!((decided(false), decided(true)), (strict, usual), "{how}");
    };
    check(json!({"paid_out_of_band": true}), ("paid_out_of_band", None), ("ok", Some(900)));
    check(json!({"amount_paid_off_stripe": 900}), ("paid_out_of_band", None), ("ok", Some(900)));
    check(json!({"amount_paid_off_stripe": 1_000}), ("paid_out_of_band", None), ("ok", Some(900)));
    check(json!({"amount_paid_off_stripe": 300}), ("ok", Some(600)), ("ok", Some(900)));
    check(json!({"amount_paid": 0}), ("zero_amount", None), ("zero_amount", None));
    let nothing = json!({"amount_paid": 0, "paid_out_of_band": true});
    check(nothing, ("paid_out_of_band", None), ("zero_amount", None));
}

#[test]
fn a_claim_is_held_until_the_merchant_or_stripe_confirms_it() {
    let is_held = |steps: &[Step]| {
        let settlement = settled(json!({}), steps);
        settlement.changes.iter().map(|change| change.claim.as_ref().unwrap().held).collect::<Vec<_>>()
    };
    let claim = |amount: Option<i64>| report("rep_1", amount, |_| ());
    let by_merchant = |amount: Option<i64>| report("rep_2", amount, |report| report.by_merchant = true);
    let from_stripe = || Sent(session("cs_1", 0, 800, own(json!({}))));
    let stray = || Sent(refund("refund.created", "re_1", 0, 1, "pending", json!({"charge": "ch_1"})));

    check(&[claim(Some(500))], "client_reported", Some(500), Some(500));
    assert_eq!(is_held(&[claim(Some(500))]), [true]);
    check(&[claim(None)], "client_reported", None, None);
    check(&[report("rep_1", Some(500), verdict(true))], "ok", Some(500), Some(500));
    assert_eq!(is_held(&[report("rep_1", Some(500), verdict(true))]), [false]);
    check(&[report("rep_1", Some(500), verdict(false))], "rejected_by_merchant", None, None);
    check(&[by_merchant(Some(600))], "ok", Some(600), Some(600));
    assert_eq!(is_held(&[by_merchant(Some(600))]), [false]);
    check(&[by_merchant(None)], "zero_amount", None, None);
    check(&[by_merchant(Some(0))], "zero_amount", Some(0), None);
    // The merchant's report takes precedence over a claim, and Stripe's event over both.
    check(&[claim(Some(500)), by_merchant(Some(600))], "ok", Some(600), Some(600));
    check(&[claim(Some(500)), by_merchant(None)], "zero_amount", None, None);
    check(&[claim(Some(500)), from_stripe()], "ok", Some(800), Some(800));
    assert_eq!(is_held(&[claim(Some(500)), from_stripe()]), [false]);
    let unpaid = || Sent(session("cs_1", 0, 800, own(json!({"payment_status": "unpaid"}))));
    check(&[by_merchant(Some(600)), unpaid()], "unpaid_session", None, None);
    check(&[claim(Some(500)), unpaid()], "unpaid_session", None, None);
    check(&[stray()], "payment_unknown", None, None);
}

#[test]
fn a_commission_has_a_source_a_month_and_a_due_date() {
    let claim = |steps: &[Step]| {
        let days = json!({"hold_days": {"sale": 10, "recurring": 20}});
        let settlement = settled(days, steps);
        let claim = settlement.changes[0].claim.clone().unwrap();
        (claim.source, claim.recurring_month, claim.matures_at.secs_since(claim.payment_time) / DAY)
    };
    assert_eq!(claim(&[Sent(session("cs_1", 0, 900, own(json!({}))))]), (Source::Sale, None, 10));
    let first = || Sent(invoice("in_1", 0, 900, own(json!({}))));
    assert_eq!(claim(&[first()]), (Source::Recurring, Some(1), 20));
    let later = Sent(invoice("in_2", 65 * DAY, 900, json!({})));
    assert_eq!(claim(&[first(), later]), (Source::Recurring, Some(3), 20));
}

#[test]
fn a_renewal_a_change_of_plan_a_customer_and_a_cap_have_reasons_of_their_own() {
    let first = || Sent(invoice("in_1", 0, 900, own(json!({}))));
    let reason = |other_terms: Value, steps: &[Step]| settled(other_terms, steps).decision.reason.as_str();
    let proration = json!({"lines": {"data": [{"amount": 900, "proration": true}]}});
    assert_eq!(
        reason(json!({}), &[first(), Sent(invoice("in_2", 30 * DAY, 900, json!({})))]),
        "ok_recurring"
    );
    let changed = || Sent(invoice("in_2", 30 * DAY, 900, proration.clone()));
    assert_eq!(reason(json!({}), &[first(), changed()]), "ok_proration");
    assert_eq!(reason(json!({}), &[Sent(invoice("in_1", 0, 900, own(proration.clone())))]), "ok");
    let fixed =
        json!({"commission": {"type": "fixed", "amount_minor": 901, "currency": "usd", "cap_at_sale": true}});
    assert_eq!(reason(fixed, &[first()]), "ok_capped");
    let of_customer = |id: &str, at: i64, other: Value| {
        Sent(session(id, at, 900, merged(json!({"customer": "cus_1"}), other)))
    };
    let lookup = || json!({"attribute_by_customer": true});
    let story = [of_customer("cs_1", 0, own(json!({}))), of_customer("cs_2", DAY, json!({}))];
    assert_eq!(reason(lookup(), &story), "ok_customer_lookup");
    let named = Sent(event("customer.updated", 0, json!({"id": "cus_1", "metadata": by("clk_1")})));
    assert_eq!(reason(json!({}), &[named, of_customer("cs_2", DAY, json!({}))]), "ok_customer_lookup");
}

#[test]
fn a_dispute_holds_a_commission_while_it_is_open() {
    let sale = || Sent(session("cs_1", 0, 900, own(json!({"payment_intent": "pi_1"}))));
    let is_held = |kind: &str, status: &str| {
        let steps = [sale(), Sent(dispute(kind, 9, 900, status, json!({})))];
        settled(json!({}), &steps).changes[0].claim.as_ref().unwrap().held
    };
    assert!(is_held("created", "needs_response"));
    assert!(is_held("created", "a_status_to_come"));
    assert!(!is_held("created", "warning_needs_response"));
    assert!(!is_held("closed", "lost"));
    assert!(!is_held("closed", "won"));
    assert!(!is_held("funds_reinstated", "needs_response"));
}

#[test]
fn each_entry_has_its_reason() {
    let entries = |steps: &[Step]| -> Vec<(&str, i64, &str)> {
        let ledger = ledger_of(json!({"cancel_policy": "void_pending"}), steps);
        let later_entries = ledger.entries.iter().skip(1);
        later_entries.map(|(_, kind, amount, reason)| (kind.as_str(), *amount, *reason)).collect()
    };
    let sale = || Sent(session("cs_1", 0, 1_000, own(json!({"payment_intent": "pi_1"}))));
    let back = |amount: i64| {
        let other = json!({"payment_intent": "pi_1", "amount_refunded": amount});
        Sent(charge("charge.refunded", "ch_1", 9, 1_000, other))
    };
    let of = || json!({"charge": "ch_1", "payment_intent": "pi_1"});
    let failed = |id: &str, amount: i64| Sent(refund("refund.failed", id, 10, amount, "failed", of()));
    let contested = |kind: &str, status: &str| Sent(dispute(kind, 11, 500, status, json!({})));
    let taken = || contested("funds_withdrawn", "needs_response");
    let won = || contested("closed", "won");

    assert_eq!(entries(&[sale(), back(500)]), [("reverse", -100, "refund_partial")]);
    assert_eq!(entries(&[sale(), back(1_000)]), [("reverse", -200, "refund_full")]);
    let twice = [("reverse", -100, "refund_partial"), ("reverse", -100, "refund_full")];
    assert_eq!(entries(&[sale(), back(500), back(1_000)]), twice);
    let gone = [("reverse", -100, "refund_partial"), ("restore", 100, "refund_failed")];
    assert_eq!(entries(&[sale(), back(500), failed("re_1", 500)]), gone);
    let disputed = [("reverse", -100, "dispute"), ("restore", 100, "dispute_won")];
    assert_eq!(entries(&[sale(), taken(), won()]), disputed);
    let both =
        [("reverse", -100, "refund_partial"), ("reverse", -100, "dispute"), ("restore", 100, "dispute_won")];
    assert_eq!(entries(&[sale(), back(500), taken(), won()]), both);
    // A refund after the dispute has its own reason.
    let other = [("reverse", -100, "dispute"), ("reverse", -20, "refund_partial")];
    assert_eq!(entries(&[sale(), taken(), back(100)]), other);
    let three = [
        ("reverse", -100, "refund_partial"),
        ("restore", 100, "refund_failed"),
        ("reverse", -100, "dispute"),
        ("restore", 100, "dispute_won"),
    ];
    assert_eq!(entries(&[sale(), back(500), failed("re_1", 500), taken(), won()]), three);

    // A dispute that has taken no money yet is the only link between the refund and the sale.
    let stray = Sent(refund("refund.created", "re_1", 10, 500, "succeeded", json!({"charge": "ch_1"})));
    let tied = [sale(), stray, contested("created", "needs_response")];
    assert_eq!(entries(&tied), [("reverse", -100, "refund_partial")]);

    let first = || Sent(invoice("in_1", 0, 1_000, own(json!({}))));
    let ended =
        || Sent(event("customer.subscription.deleted", DAY, json!({"id": "sub_1", "customer": "cus_1"})));
    assert_eq!(entries(&[first(), ended()]), [("reverse", -200, "subscription_canceled")]);
    let larger = Sent(invoice("in_1", 0, 1_500, own(json!({}))));
    assert_eq!(entries(&[sale(), Sent(session("cs_1", 0, 1_500, own(json!({}))))]), [("adjust", 100, "ok")]);
    assert_eq!(entries(&[first(), larger]), [("adjust", 100, "ok")]);
}

#[test]
fn a_decision_names_every_object_of_the_payment() {
    let ids = |steps: &[Step]| serde_json::to_value(settled(json!({}), steps).decision.stripe).unwrap();
    let all = [
        Sent(session(
            "cs_1",
            0,
            900,
            own(json!({"invoice": "in_1", "customer": "cus_1", "subscription": "sub_1"})),
        )),
        Sent(event(
            "invoice_payment.paid",
            1,
            json!({"invoice": "in_1", "payment": {"payment_intent": "pi_1"}}),
        )),
        Sent(charge("charge.succeeded", "ch_1", 2, 900, json!({"payment_intent": "pi_1"}))),
    ];
    let want = json!({"checkout_session": "cs_1", "payment_intent": "pi_1", "charge": "ch_1", "invoice": "in_1",
        "subscription": "sub_1", "customer": "cus_1"});
    assert_eq!(ids(&all), want);
    let bank_debit = [Sent(charge("charge.succeeded", "py_1", 0, 900, own(json!({"customer": null}))))];
    let want = json!({"checkout_session": null, "payment_intent": null, "charge": "py_1", "invoice": null,
        "subscription": null, "customer": null});
    assert_eq!(ids(&bank_debit), want);
}

#[test]
fn the_rule_that_decided_is_recorded() {
    let rule = |steps: &[Step]| {
        let lookup = json!({"attribute_by_customer": true});
        let attribution = settled(lookup, steps).decision.attribution.unwrap();
        serde_json::to_value(attribution.rule).unwrap()
    };
    let of_customer = |id: &str, at: i64, other: Value| {
        Sent(session(id, at, 900, merged(json!({"customer": "cus_1"}), other)))
    };
    let first = || Sent(invoice("in_1", 0, 900, own(json!({}))));
    let snapshot = json!({"subscription_details": {"metadata": by("clk_1")}});
    let known = Sent(event("customer.updated", 0, json!({"id": "cus_1", "metadata": by("clk_1")})));
    assert_eq!(rule(&[of_customer("cs_1", 0, own(json!({})))]), "session_metadata");
    assert_eq!(
        rule(&[of_customer("cs_1", 0, json!({"client_reference_id": "clk_1"}))]),
        "client_reference_id"
    );
    assert_eq!(rule(&[Sent(invoice("in_1", 0, 900, snapshot))]), "subscription_metadata");
    assert_eq!(rule(&[first()]), "invoice_metadata");
    assert_eq!(rule(&[Sent(intent("pi_1", 0, 900, own(json!({}))))]), "payment_metadata");
    assert_eq!(rule(&[first(), Sent(invoice("in_2", 30 * DAY, 900, json!({})))]), "subscription");
    assert_eq!(rule(&[known, of_customer("cs_1", 0, json!({}))]), "customer_metadata");
    let twice = [of_customer("cs_1", 0, own(json!({}))), of_customer("cs_2", DAY, json!({}))];
    assert_eq!(rule(&twice), "customer");
}

#[test]
fn a_refused_click_is_not_credited_and_a_sale_of_zero_keeps_its_click() {
    let credited = |other_terms: Value, steps: &[Step]| {
        let decision = settled(other_terms, steps).decision;
        (
            decision.reason.as_str(),
            decision.credited_click().map(ToOwned::to_owned),
            decision.source().as_str(),
        )
    };
    let sale = |amount: i64| Sent(session("cs_1", 0, amount, own(json!({}))));
    let clicked = || Some("clk_1".to_owned());
    assert_eq!(credited(json!({}), &[sale(900)]), ("ok", clicked(), "sale"));
    assert_eq!(credited(json!({}), &[sale(0)]), ("zero_amount", clicked(), "sale"));
    assert_eq!(credited(json!({"status": "draft"}), &[sale(900)]), ("program_inactive", None, "sale"));
    assert_eq!(
        credited(json!({"attribution_window_days": 0}), &[sale(900)]),
        ("click_expired", None, "sale")
    );
    let month = Sent(invoice("in_1", 0, 900, own(json!({}))));
    assert_eq!(credited(json!({}), &[month]), ("ok", clicked(), "recurring"));
    let without_click = Sent(session("cs_1", 0, 900, json!({})));
    assert_eq!(credited(json!({}), &[without_click]), ("no_attribution_yet", None, "sale"));
}

#[test]
fn a_refund_of_an_unknown_sale_has_a_reason_that_names_what_is_missing() {
    let back = |id: &str, other: Value| {
        let other = merged(json!({"amount_refunded": 100}), other);
        Sent(charge("charge.refunded", id, 9, 700, other))
    };
    let sale = || Sent(invoice("in_1", 0, 900, own(json!({}))));
    check(&[back("ch_1", json!({"customer": null}))], "payment_unknown", Some(700), None);
    check(&[back("ch_1", json!({}))], "payment_unknown", Some(700), None);
    check(&[sale(), back("ch_1", json!({}))], "payment_unlinked", Some(700), None);
    check(&[sale(), back("ch_1", json!({"customer": "cus_2"}))], "payment_unknown", Some(700), None);
    check(&[sale(), back("ch_1", json!({"amount_refunded": 0}))], "no_attribution_yet", Some(700), None);
    check(&[sale(), back("ch_1", own(json!({})))], "ok", Some(700), Some(700));
    let without_click = Sent(session("cs_1", 0, 900, json!({"payment_intent": "pi_1"})));
    let of_it = back("ch_1", json!({"payment_intent": "pi_1", "customer": null}));
    check(&[without_click, of_it], "no_attribution_yet", Some(900), None);
    let contested = Sent(dispute("created", 9, 700, "needs_response", json!({})));
    let bare = back("ch_1", json!({"amount_refunded": 0}));
    check(&[sale(), bare, contested], "payment_unlinked", Some(700), None);
}

#[test]
fn only_a_replay_looks_terms_up_again() {
    let again = |steps: &[Step], redecide: bool| {
        let mut ledger = ledger_of(json!({"lead_amount_minor": 300, "lead_currency": "usd"}), steps);
        let dearer = json!({"commission": {"type": "percentage", "rate_bps": 5_000}, "lead_amount_minor": 400,
            "lead_currency": "usd"});
        ledger.revise(terms(dearer), -10);
        let settled = settle(&ledger.world, Occasion { redecide, ..Occasion::from(Topic::Sale) });
        settled.into_values().next().unwrap().changes[0].sums.amount_minor
    };
    let sale = || [Sent(session("cs_1", 0, 1_000, own(json!({}))))];
    assert_eq!((again(&sale(), false), again(&sale(), true)), (200, 500));
    let at = Timestamp::from_unix_secs(T0);
    let lead = Lead {
        customer: "user_1".into(),
        at: Some(at),
        counted_at: Some(at),
        clicks: [(at, "clk_1".into())].into(),
        ..Lead::default()
    };
    let lead = || {
        [Reported(Box::new(Facts { leads: [("lead_1".into(), lead.clone())].into(), ..Facts::default() }))]
    };
    assert_eq!((again(&lead(), false), again(&lead(), true)), (300, 400));
    assert_eq!(Occasion::from(Topic::Sale), Occasion { news: Some(Topic::Sale), redecide: false });
}

#[test]
fn a_commission_is_taken_over_once() {
    let opened = json!({"mode": "subscription", "subscription": "sub_1", "customer": "cus_1"});
    let mut ledger = ledger_of(json!({}), &[Sent(session("cs_1", 0, 900, own(opened)))]);
    let taken_over = |ledger: &Ledger| -> Vec<bool> {
        let settled = settle(&ledger.world, Occasion::default());
        settled.values().flat_map(|one| &one.changes).map(|change| change.taken_over).collect()
    };
    assert_eq!(taken_over(&ledger), [false]);
    let mut invoiced = Ledger::new(terms(json!({})));
    invoiced.deliver(&invoice("in_1", 2, 900, json!({})));
    let mut both = ledger.clone();
    both.world.payments.extend(invoiced.world.payments.into_values().map(|known| ("pay9".into(), known)));
    assert_eq!(taken_over(&both), [true]);
    ledger.deliver(&invoice("in_1", 2, 900, json!({})));
    assert_eq!((taken_over(&ledger), ledger.entries.len()), (vec![false], 1));
}
