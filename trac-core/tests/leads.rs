//! Leads among payments: what they earn, and which click they tie a customer's payments to. Each story is
//! delivered in order, in reverse, and twice.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test"
)]

mod ledger;

use ledger::{LATE, Ledger, T0, event};
use serde_json::{Value, json};
use trac_core::money::Currency;
use trac_core::time::{DAY_SECS as DAY, Timestamp};
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::lead::Lead;
use trac_core::webhook::report::Report;

/// An event of Stripe's, or facts that the merchant or a page reports.
#[derive(Clone)]
enum Step {
    Event(Value),
    Facts(Box<Facts>),
}

/// A lead of `user_1`.
fn lead(id: &str, at: i64, click: Option<&str>) -> Step {
    let at = Timestamp::from_unix_secs(T0 + at);
    let lead = Lead {
        customer: "user_1".into(),
        event_name: id.into(),
        at: Some(at),
        counted_at: Some(at),
        vouched_clicks: click.map(|click| (at, click.into())).into_iter().collect(),
        vouched: true,
        ..Lead::default()
    };
    Step::Facts(Box::new(Facts { leads: [(id.into(), lead)].into(), ..Facts::default() }))
}

fn session(id: &str, at: i64, other: Value) -> Step {
    let mut session = json!({ "id": id, "mode": "payment", "payment_status": "paid", "amount_total": 1_000,
        "currency": "usd", "created": T0 + at });
    session.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    Step::Event(event("checkout.session.completed", at, session))
}

fn user_1() -> Value {
    json!({ "metadata": { "tracCustomerExternalId": "user_1" } })
}

/// Checks the net amount of each of the two partners: 20 % of each payment and 3.00 for each lead.
#[track_caller]
fn check(other_terms: Value, steps: &[Step], want: [i64; 2]) {
    let mut terms = json!({ "commission": { "type": "percentage", "rate_bps": 2_000 },
        "lead_amount_minor": 300, "lead_currency": "usd" });
    terms.as_object_mut().unwrap().extend(other_terms.as_object().unwrap().clone());
    let backwards: Vec<Step> = steps.iter().rev().cloned().collect();
    let orders = [steps.to_vec(), backwards.clone(), [backwards, steps.to_vec()].concat()];
    for (order, name) in orders.iter().zip(["in order", "backwards", "twice"]) {
        let mut ledger = Ledger::new(terms.clone());
        for one in order {
            match one {
                Step::Event(event) => ledger.deliver(event),
                Step::Facts(facts) => ledger.add_facts(Facts::clone(facts), Some(Topic::Sale)),
            };
        }
        assert_eq!(ledger.left(), want, "{name}");
    }
}

#[test]
fn a_lead_earns_its_amount_and_ties_the_customer_to_its_click() {
    let sign_up = || lead("lead_1", 0, Some("clk_1"));
    check(json!({}), &[sign_up()], [300, 0]);
    check(json!({}), &[sign_up(), session("cs_1", DAY, user_1())], [500, 0]);
    check(json!({}), &[sign_up(), session("cs_1", -DAY, user_1())], [300, 0]);
    check(json!({ "attribute_by_customer": false }), &[sign_up(), session("cs_1", DAY, user_1())], [300, 0]);
    let someone = json!({ "metadata": { "tracCustomerExternalId": "user_2" } });
    check(json!({}), &[sign_up(), session("cs_1", DAY, someone)], [300, 0]);
}

#[test]
fn a_payment_long_after_the_lead_is_judged_by_the_leads_time() {
    let late = session("cs_1", 300 * DAY, user_1());
    check(json!({}), &[lead("lead_1", 0, Some("clk_1")), late.clone()], [500, 0]);
    check(json!({}), &[lead("lead_1", 31 * DAY, Some("clk_1")), late], [0, 0]);
}

#[test]
fn a_click_reported_with_a_repeat_of_the_lead_is_judged_by_the_time_of_the_repeat() {
    let repeat = [lead("lead_1", -40 * DAY, None), lead("lead_1", 0, Some("clk_1"))];
    check(json!({}), &repeat, [300, 0]);
    check(json!({}), &[lead("lead_1", -40 * DAY, Some("clk_1"))], [0, 0]);
}

#[test]
fn of_two_clicks_reported_in_one_second_the_same_counts_for_the_lead_and_for_the_customer() {
    let both = [lead("lead_1", 0, Some("clk_2")), lead("lead_1", 0, Some("clk_1"))];
    check(json!({}), &[&both[..], &[session("cs_1", DAY, user_1())]].concat(), [500, 0]);
}

#[test]
fn a_click_inside_its_window_takes_precedence_over_a_newer_one_outside() {
    let leads = [lead("lead_1", 0, Some("clk_1")), lead("lead_2", 31 * DAY, Some("clk_2"))];
    let paid = session("cs_1", 32 * DAY, user_1());
    check(json!({}), &[&leads[..], &[paid]].concat(), [500, 0]);
}

#[test]
fn a_lead_reaches_payments_of_the_stripe_customer_that_once_named_it() {
    let mut named = user_1();
    named["customer"] = json!("cus_1");
    let unnamed = || json!({ "customer": "cus_1" });
    let sign_up = lead("lead_1", 0, Some("clk_2"));
    let story = [sign_up.clone(), session("cs_1", DAY, named), session("cs_2", 2 * DAY, unnamed())];
    check(json!({}), &story, [0, 700]);
    let mut customer = user_1();
    customer["id"] = json!("cus_1");
    let known = Step::Event(event("customer.updated", DAY, customer));
    check(json!({}), &[sign_up, known, session("cs_2", 2 * DAY, unnamed())], [0, 500]);
}

#[test]
fn a_lead_without_a_click_inherits_the_customers() {
    let story = [lead("lead_1", 0, Some("clk_1")), lead("lead_2", DAY, None)];
    check(json!({}), &story, [600, 0]);
    let unknown = [lead("lead_1", 0, Some("clk_unknown")), lead("lead_2", DAY, None)];
    check(json!({}), &unknown, [0, 0]);
    let mut paid = user_1();
    paid["client_reference_id"] = json!("clk_2");
    check(json!({}), &[session("cs_1", 0, paid), lead("lead_1", DAY, None)], [0, 500]);
}

#[test]
fn the_newest_lead_is_credited_with_a_payment_and_under_first_click_the_oldest() {
    let second = || lead("lead_2", LATE + DAY, Some("clk_late_2"));
    let story = [lead("lead_1", 0, Some("clk_1")), second(), session("cs_1", LATE + 2 * DAY, user_1())];
    check(json!({}), &story, [300, 500]);
    check(json!({ "attribution_model": "first_click" }), &story, [800, 0]);
}

#[test]
fn a_paused_program_and_a_program_without_a_lead_amount_give_nothing_for_a_lead() {
    let sign_up = [lead("lead_1", 0, Some("clk_1"))];
    check(json!({ "status": "paused" }), &sign_up, [0, 0]);
    check(json!({ "lead_amount_minor": 0 }), &sign_up, [0, 0]);
}

/// A report about a transaction.
fn report(id: &str, at: i64, change: impl FnOnce(&mut Report)) -> Step {
    let at = Timestamp::from_unix_secs(T0 + at);
    let amount = Some(Latest { at, value: (1_000, Currency::parse("usd").unwrap()) });
    let mut report = Report { transaction: "cs_1".into(), at: Some(at), amount, ..Report::default() };
    change(&mut report);
    Step::Facts(Box::new(Facts { reports: [(id.into(), report)].into(), ..Facts::default() }))
}

#[test]
fn a_report_and_stripes_events_for_one_payment_make_one_commission() {
    let reported = |amount: i64| {
        report("rep_1", 0, |report| {
            report.by_merchant = true;
            report.click = Some("clk_1".into());
            report.amount.as_mut().unwrap().value.0 = amount;
        })
    };
    check(json!({}), &[reported(5_000)], [1_000, 0]);
    check(json!({}), &[reported(5_000), session("cs_1", 60, json!({}))], [200, 0]);
    let by_session = session("cs_1", 60, json!({ "client_reference_id": "clk_2" }));
    check(json!({}), &[reported(5_000), by_session], [0, 200]);
}

#[test]
fn a_report_about_one_of_two_invoices_of_the_same_money_counts_for_that_one() {
    let invoice = |id: &str, amount: i64| {
        let object = json!({ "id": id, "status": "paid", "amount_paid": amount, "total": amount, "currency": "usd",
            "created": T0 });
        Step::Event(event("invoice.paid", 0, object))
    };
    let part = |invoice: &str, amount: i64| {
        let payment = json!({ "type": "payment_intent", "payment_intent": "pi_1" });
        let object = json!({ "id": format!("inpay_{invoice}"), "invoice": invoice, "amount_paid": amount,
            "payment": payment });
        Step::Event(event("invoice_payment.paid", 1, object))
    };
    let reported = report("rep_1", 0, |report| {
        report.by_merchant = true;
        report.transaction = "in_2".into();
        report.click = Some("clk_1".into());
    });
    let story =
        [invoice("in_1", 4_000), invoice("in_2", 6_000), part("in_1", 4_000), part("in_2", 6_000), reported];
    check(json!({}), &story, [1_200, 0]);
}

#[test]
fn a_claims_click_counts_only_if_no_other_is_found_and_binds_no_customer() {
    let claim = |click: &str| {
        report("rep_1", 0, |report| {
            report.click = Some(click.into());
            report.customer = Some("user_1".into());
        })
    };
    check(json!({}), &[claim("clk_1")], [200, 0]);
    check(json!({}), &[claim("clk_1"), session("cs_1", 60, json!({}))], [200, 0]);
    check(json!({}), &[claim("clk_1"), session("cs_2", 60, user_1())], [200, 0]);
    let near = lead("lead_1", -60, Some("clk_2"));
    check(json!({}), &[claim("clk_1"), near], [200, 300]);
}

#[test]
fn a_refused_claim_earns_nothing_and_a_reported_refund_takes_its_share() {
    let refused = report("rep_1", 0, |report| {
        report.click = Some("clk_1".into());
        report.verdict = Some(Latest { at: Timestamp::from_unix_secs(T0 + 9), value: false });
    });
    check(json!({}), std::slice::from_ref(&refused), [0, 0]);
    // The merchant's verdict on a claim arrives after the claim or before it.
    let claimed = report("rep_1", 0, |report| report.click = Some("clk_1".into()));
    check(json!({}), std::slice::from_ref(&claimed), [200, 0]);
    check(json!({}), &[claimed, refused], [0, 0]);
    let refunded = report("rep_1", 0, |report| {
        report.by_merchant = true;
        report.click = Some("clk_1".into());
        report.refunded_minor = 250;
    });
    check(json!({}), std::slice::from_ref(&refunded), [150, 0]);
    // Stripe's refunds take precedence over those that the merchant reports, as its amounts do.
    check(json!({}), &[refunded, session("cs_1", 0, json!({}))], [200, 0]);
}

#[test]
fn a_lead_with_the_partners_address_earns_nothing_and_later_payments_do() {
    let sign_up = |email: &str| {
        let Step::Facts(mut facts) = lead("lead_1", 0, Some("clk_1")) else {
            unreachable!("a lead is facts")
        };
        facts.leads.get_mut("lead_1").unwrap().emails.insert(email.into());
        Step::Facts(facts)
    };
    let mut named = user_1();
    named["customer"] = json!("cus_1");
    let sale = session("cs_1", DAY, named);
    let later = session("cs_2", 2 * DAY, json!({ "customer": "cus_1" }));
    let check_with = |email: &str, want: i64| {
        check(json!({}), &[sign_up(email), sale.clone(), later.clone()], [want, 0]);
    };
    check_with("buyer@example.com", 700);
    check_with("Part.ner1+lead@GMail.com", 400);
    check(json!({ "block_self_referral": false }), &[sign_up("partner1@gmail.com"), sale, later], [700, 0]);
}
