//! The effects of reports with a publishable key on other customers and partners, and of payouts. Each story is
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
use trac_core::commission::settle::{Occasion, settle};
use trac_core::money::Currency;
use trac_core::time::{DAY_SECS as DAY, Timestamp};
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::join::Latest;
use trac_core::webhook::lead::Lead;
use trac_core::webhook::report::Report;

#[derive(Clone)]
enum Step {
    Event(Value),
    Facts(Box<Facts>),
}

fn merged(mut object: Value, other: Value) -> Value {
    object.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    object
}

fn terms(other: Value) -> Value {
    let usual = json!({ "commission": { "type": "percentage", "rate_bps": 2_000 },
        "lead_amount_minor": 300, "lead_currency": "usd" });
    merged(usual, other)
}

fn lead(id: &str, at: i64, click: Option<&str>, change: impl FnOnce(&mut Lead)) -> Step {
    let at = Timestamp::from_unix_secs(T0 + at);
    let clicks = click.map(|click| (at, click.into())).into_iter().collect();
    let mut lead = Lead {
        customer: "user_1".into(),
        event_name: id.into(),
        at: Some(at),
        counted_at: Some(at),
        clicks,
        ..Lead::default()
    };
    change(&mut lead);
    Step::Facts(Box::new(Facts { leads: [(id.into(), lead)].into(), ..Facts::default() }))
}

/// A lead that only a page reports.
fn by_page(id: &str, at: i64, click: Option<&str>) -> Step {
    lead(id, at, click, |_| ())
}

/// A lead that the merchant's server reports.
fn by_server(id: &str, at: i64, click: Option<&str>) -> Step {
    lead(id, at, click, |lead| {
        lead.vouched = true;
        lead.vouched_clicks = std::mem::take(&mut lead.clicks);
    })
}

fn claim(transaction: &str, at: i64, click: &str, change: impl FnOnce(&mut Report)) -> Step {
    let at = Timestamp::from_unix_secs(T0 + at);
    let mut report = Report {
        transaction: transaction.into(),
        at: Some(at),
        amount: Some(Latest { at, value: (90_000, Currency::parse("usd").unwrap()) }),
        click: Some(click.into()),
        customer: Some("user_1".into()),
        ..Report::default()
    };
    change(&mut report);
    let id = format!("rep_{transaction}");
    Step::Facts(Box::new(Facts { reports: [(id, report)].into(), ..Facts::default() }))
}

/// A purchase of 10.00 by `cus_1`.
fn bought(id: &str, at: i64, other: Value) -> Step {
    let session = json!({ "id": id, "mode": "payment", "payment_status": "paid", "amount_total": 1_000,
        "currency": "usd", "created": T0 + at, "customer": "cus_1" });
    Step::Event(event("checkout.session.completed", at, merged(session, other)))
}

fn by(click: &str) -> Value {
    json!({ "metadata": { "tracClickId": click } })
}

/// Metadata that names the customer.
fn of_user() -> Value {
    json!({ "metadata": { "tracCustomerExternalId": "user_1" } })
}

/// An invoice of 10.00 for `sub_1` of `cus_1`.
fn invoice(id: &str, at: i64, other: Value) -> Step {
    let usual = json!({ "id": id, "status": "paid", "amount_paid": 1_000, "total": 1_000, "currency": "usd",
        "created": T0 + at, "customer": "cus_1",
        "parent": { "subscription_details": { "subscription": "sub_1", "metadata": {} } } });
    Step::Event(event("invoice.paid", at, merged(usual, other)))
}

fn apply_all(ledger: &mut Ledger, steps: &[Step]) {
    for one in steps {
        apply(ledger, one);
    }
}

fn apply(ledger: &mut Ledger, step: &Step) {
    match step {
        Step::Event(event) => ledger.deliver(event),
        Step::Facts(facts) => ledger.add_facts(Facts::clone(facts), Some(Topic::Sale)),
    };
}

/// Checks the net amount of each of the two partners, held or not.
#[track_caller]
fn check(other_terms: Value, steps: &[Step], want: [i64; 2]) {
    let backwards: Vec<Step> = steps.iter().rev().cloned().collect();
    let orders = [steps.to_vec(), backwards.clone(), [backwards, steps.to_vec()].concat()];
    for (order, name) in orders.iter().zip(["in order", "backwards", "twice"]) {
        let mut ledger = Ledger::new(terms(other_terms.clone()));
        apply_all(&mut ledger, order);
        assert_eq!(ledger.left(), want, "{name}");
    }
}

/// The held amount, and the reasons of all decisions, sorted.
fn standing(other_terms: Value, steps: &[Step]) -> (i64, Vec<&'static str>) {
    let mut ledger = Ledger::new(terms(other_terms));
    apply_all(&mut ledger, steps);
    let mut held = 0;
    let mut reasons = Vec::new();
    for settlement in settle(&ledger.world, Occasion::default()).into_values() {
        reasons.push(settlement.decision.reason.as_str());
        let open = settlement.changes.iter().filter(|change| !change.closed);
        let is_held = |change: &&trac_core::commission::change::Change| {
            change.claim.as_ref().is_some_and(|claim| claim.held)
        };
        held += open.filter(is_held).map(|change| change.sums.net_minor()).sum::<i64>();
    }
    reasons.sort_unstable();
    (held, reasons)
}

#[test]
fn a_claim_ties_no_customer_and_makes_no_sale_a_self_referral() {
    let sale = || bought("cs_1", 0, merged(by("clk_1"), json!({ "customer_email": "buyer@example.com" })));
    let mut both = by("clk_1");
    both["metadata"]["tracCustomerExternalId"] = json!("user_1");
    let named = || bought("cs_1", 0, both.clone());
    let later = || bought("cs_2", DAY, of_user());
    // A claim of another transaction with the customer's ID, and a claim of the payment itself.
    for transaction in ["order 1", "cs_1", "cs_2", "pi_9"] {
        let other = || claim(transaction, 60, "clk_2", |_| ());
        let own = if matches!(transaction, "cs_1" | "cs_2") { 0 } else { 18_000 };
        check(json!({}), &[named(), other(), later()], [400, own]);
        check(json!({}), &[sale(), other()], [200, if transaction == "cs_2" { 18_000 } else { own }]);
        // A purchase without a click is credited only by a claim of that payment, which is held.
        let stranger = [bought("cs_2", DAY, of_user()), other()];
        let net = if transaction == "cs_2" { 200 } else { 18_000 };
        check(json!({}), &stranger, [0, net]);
        assert_eq!(standing(json!({}), &stranger).0, net, "{transaction}");
        // A partner's e-mail address in a claim makes no sale a self-referral.
        let accused = claim(transaction, 60, "clk_2", |report| {
            report.emails.insert("partner.1@gmail.com".into());
        });
        let mut ledger = Ledger::new(terms(json!({})));
        for one in [named(), accused, later()] {
            apply(&mut ledger, &one);
        }
        assert_eq!(ledger.left()[0], 400, "{transaction}");
    }
}

#[test]
fn a_claim_is_released_if_the_payment_names_the_same_click() {
    let claimed = || claim("cs_1", 60, "clk_1", |_| ());
    assert_eq!(
        standing(json!({}), &[claimed(), bought("cs_1", 0, json!({}))]),
        (200, vec!["client_reported"])
    );
    assert_eq!(standing(json!({}), &[claimed(), bought("cs_1", 0, by("clk_1"))]), (0, vec!["ok"]));
    // The payment is credited by another rule: the claim is ignored.
    check(json!({}), &[claimed(), bought("cs_1", 0, by("clk_2"))], [0, 200]);
    assert_eq!(standing(json!({}), &[claimed(), bought("cs_1", 0, by("clk_2"))]).0, 0);
    // A rejected claim has its own reason.
    let rejected = claim("order 1", 60, "clk_1", |report| {
        report.verdict = Some(Latest { at: Timestamp::from_unix_secs(T0 + 90), value: false });
    });
    assert_eq!(standing(json!({}), &[rejected]), (0, vec!["rejected_by_merchant"]));
    // An approved claim counts as a report.
    let approved = claim("cs_1", 60, "clk_1", |report| {
        report.verdict = Some(Latest { at: Timestamp::from_unix_secs(T0 + 90), value: true });
    });
    assert_eq!(standing(json!({}), &[approved, bought("cs_1", 0, json!({}))]), (0, vec!["ok"]));
}

#[test]
fn a_pages_lead_binds_only_an_unknown_customer() {
    let lead = |at: i64, click: &str| by_page("lead_page", at, Some(click));
    // The customer is unknown: the lead ties the customer if the first payment follows within thirty days.
    check(json!({}), &[lead(0, "clk_1"), bought("cs_1", DAY, of_user())], [500, 0]);
    check(json!({}), &[lead(0, "clk_1"), bought("cs_1", 30 * DAY, of_user())], [500, 0]);
    check(json!({}), &[lead(0, "clk_1"), bought("cs_1", 30 * DAY + 1, of_user())], [300, 0]);
    check(
        json!({ "client_lead_days": 2 }),
        &[lead(0, "clk_1"), bought("cs_1", 3 * DAY, of_user())],
        [300, 0],
    );
    // Once tied, the customer stays tied, also for the Stripe customer's later payments without the merchant's ID.
    let twice = [lead(0, "clk_1"), bought("cs_1", DAY, of_user()), bought("cs_2", 90 * DAY, json!({}))];
    check(json!({}), &twice, [700, 0]);
    // A payment, the customer's metadata or the merchant's lead, at the time of the lead or before, makes the
    // customer known.
    let known = json!({ "id": "cus_1", "metadata": { "tracCustomerExternalId": "user_1" } });
    let known = |at: i64| Step::Event(event("customer.updated", at, known.clone()));
    let paid = bought("cs_2", 2 * DAY, of_user());
    check(json!({}), &[bought("cs_1", DAY, of_user()), lead(DAY, "clk_1"), paid.clone()], [300, 0]);
    check(json!({}), &[known(DAY), lead(DAY, "clk_1"), paid.clone()], [300, 0]);
    check(json!({}), &[by_server("lead_1", 0, Some("clk_2")), lead(DAY, "clk_1"), paid.clone()], [0, 500]);
    // An earlier payment without the merchant's ID makes the Stripe customer known, too.
    check(json!({}), &[bought("cs_1", 0, json!({})), lead(DAY, "clk_1"), paid.clone()], [300, 0]);
    // A lead without a click does not prevent a later lead with a click from counting.
    check(json!({}), &[by_page("lead_0", 0, None), lead(DAY, "clk_1"), paid.clone()], [500, 0]);
    // A merchant's lead without a click does: the merchant knows the customer, and named no click.
    let known_to_merchant = [by_server("lead_0", 0, None), lead(DAY, "clk_1"), paid.clone()];
    check(json!({}), &known_to_merchant, [300, 0]);
    assert_eq!(standing(json!({}), &known_to_merchant).0, 300);
    // A rejected lead does not tie the customer.
    check(json!({}), &[rejected_one(lead(0, "clk_1")), paid.clone()], [0, 0]);
    // Nor does a later lead with the same click, under any event name. An earlier lead does, and so does a lead with
    // another click.
    let rejected = || rejected_one(by_page("lead_0", 0, Some("clk_1")));
    check(json!({}), &[rejected(), lead(DAY, "clk_1"), paid.clone()], [0, 0]);
    check(
        json!({}),
        &[lead(0, "clk_1"), rejected_one(by_page("lead_0", 5, Some("clk_1"))), paid.clone()],
        [500, 0],
    );
    check(json!({}), &[rejected(), lead(DAY, "clk_2"), paid.clone()], [0, 500]);
    // The merchant's own report for that partner counts.
    check(json!({}), &[rejected(), by_server("lead_1", DAY, Some("clk_1")), paid.clone()], [500, 0]);
    assert_eq!(standing(json!({}), &[rejected(), lead(DAY, "clk_1")]).1, ["rejected_by_merchant"; 2]);
    // A later lead of the merchant's takes precedence.
    let rebound = [lead(0, "clk_1"), by_server("lead_2", DAY, Some("clk_2")), paid];
    check(json!({}), &rebound, [0, 500]);
}

#[test]
fn pages_leads_earn_one_amount_and_are_held() {
    let many: Vec<Step> = (0..80).map(|n| by_page(&format!("lead_{n:02}"), n, Some("clk_1"))).collect();
    check(json!({}), &many, [300, 0]);
    assert_eq!(standing(json!({}), &many).0, 300);
    check(json!({ "lead_events": ["lead_07", "lead_09"] }), &many, [900, 0]);
    // Leads without a click inherit the customer's click, and earn nothing more.
    let inheriting: Vec<Step> = (1..80).map(|n| by_page(&format!("lead_{n:02}"), n, None)).collect();
    let inheriting = [vec![by_server("lead_00", 0, Some("clk_1"))], inheriting].concat();
    check(json!({}), &inheriting, [300, 0]);
    // The customer's first payment after the lead releases the commission; a payment before the lead does not.
    let lead = || by_page("lead_1", 0, Some("clk_1"));
    assert_eq!(standing(json!({}), &[lead(), bought("cs_1", DAY, of_user())]).0, 0);
    assert_eq!(standing(json!({}), &[lead(), bought("cs_1", -DAY, of_user())]).0, 300);
    assert_eq!(
        standing(json!({}), &[bought("cs_0", -DAY, of_user()), lead(), bought("cs_1", DAY, of_user())]).0,
        300
    );
    let free = merged(of_user(), json!({ "amount_total": 0 }));
    assert_eq!(standing(json!({}), &[lead(), bought("cs_1", DAY, free)]).0, 300);
}

#[test]
fn of_two_leads_of_a_page_the_earlier_one_that_counts_earns() {
    let second = || by_page("lead_2", DAY, Some("clk_2"));
    let first = || by_page("lead_1", 0, Some("clk_1"));
    check(json!({}), &[first(), second()], [300, 0]);
    check(json!({}), &[rejected_one(first()), second()], [0, 300]);
    let deferred = lead("lead_1", 0, Some("clk_1"), |lead| lead.counted_at = None);
    check(json!({}), &[deferred, second()], [0, 300]);
    // The merchant's lead takes precedence over both, even if it inherits the click of the first.
    check(json!({}), &[first(), by_server("lead_2", DAY, None)], [300, 0]);
}

#[test]
fn a_lead_without_a_click_inherits_that_of_an_earlier_lead_of_a_page() {
    let each = || json!({ "lead_events": ["lead_1", "lead_2"] });
    let [clicked, bare] = [Some("clk_1"), None].map(|click| move |id: &str, at: i64| by_page(id, at, click));
    check(each(), &[clicked("lead_1", 0), bare("lead_2", DAY)], [600, 0]);
    check(each(), &[bare("lead_1", 0), clicked("lead_2", DAY)], [300, 0]);
    // Within one second, their IDs decide.
    check(each(), &[clicked("lead_1", 0), bare("lead_2", 0)], [600, 0]);
    check(each(), &[bare("lead_1", 0), clicked("lead_2", 0)], [300, 0]);
}

#[test]
fn of_a_pages_leads_the_first_to_name_a_click_binds_the_customer() {
    let first = || by_page("lead_1", 0, Some("clk_1"));
    let second = || by_page("lead_2", DAY, Some("clk_2"));
    let paid = || bought("cs_1", 3 * DAY, of_user());
    check(json!({}), &[first(), second(), paid()], [500, 0]);
    // The first lead was reported with a click later than the second.
    let repeated = [by_page("lead_1", 0, None), by_page("lead_1", 2 * DAY, Some("clk_1"))];
    check(json!({}), &[&repeated[..], &[second(), paid()]].concat(), [300, 200]);
    // Of two clicks in the same second, the lead's own counts.
    check(json!({}), &[by_page("lead_1", 0, Some("clk_2")), first(), paid()], [500, 0]);
    // The payment releases every lead with the click that binds the customer, and none with another.
    let each = || json!({ "lead_events": ["lead_1", "lead_2"] });
    assert_eq!(standing(each(), &[first(), by_page("lead_2", DAY, Some("clk_1")), paid()]).0, 0);
    assert_eq!(standing(each(), &[first(), second(), paid()]).0, 300);
}

#[test]
fn a_fully_refunded_payment_releases_no_lead() {
    let back = |minor: i64| {
        let refunded = json!({ "id": "ch_1", "amount": 1_000, "amount_captured": 1_000, "amount_refunded": minor,
            "captured": true, "currency": "usd", "payment_intent": "pi_1", "created": T0 + DAY });
        let paid = bought("cs_1", DAY, merged(of_user(), json!({ "payment_intent": "pi_1" })));
        let lead = by_page("lead_1", 0, Some("clk_1"));
        standing(json!({}), &[lead, paid, Step::Event(event("charge.refunded", 2 * DAY, refunded))]).0
    };
    assert_eq!((back(0), back(999), back(1_000)), (0, 0, 300));
}

#[test]
fn a_leads_reason_depends_on_who_reported_or_approved_it() {
    let page = || [by_page("lead_1", 0, Some("clk_1"))];
    assert_eq!(standing(json!({}), &page()), (300, vec!["client_reported"]));
    assert_eq!(standing(json!({}), &[by_server("lead_1", 0, Some("clk_1"))]), (0, vec!["ok"]));
    let approved = lead("lead_1", 0, Some("clk_1"), |lead| {
        lead.verdict = Some(Latest { at: Timestamp::from_unix_secs(T0 + 9), value: true });
    });
    assert_eq!(standing(json!({}), &[approved]), (0, vec!["ok"]));
    let inherited = [by_server("lead_1", 0, Some("clk_1")), by_server("lead_2", DAY, None)];
    assert_eq!(standing(json!({}), &inherited), (0, vec!["ok", "ok_customer_lookup"]));
    assert_eq!(standing(json!({ "lead_amount_minor": 0 }), &page()), (0, vec!["zero_commission"]));
}

#[test]
fn a_pages_amount_time_and_buyer_are_ignored_if_the_merchant_reports() {
    let own = |at: i64, change: fn(&mut Report)| {
        claim("order 1", at, "clk_1", |report| {
            report.by_merchant = true;
            report.amount.as_mut().unwrap().value.0 = 5_000;
            change(report);
        })
    };
    let Step::Facts(mut merchants) = own(DAY, |_| ()) else { unreachable!() };
    let report = merchants.reports.pop_first().unwrap().1;
    merchants.reports.insert("rep_of_merchant".into(), report.clone());
    let merchants = Step::Facts(merchants);
    let page = claim("order 1", -40 * DAY, "clk_2", |report| {
        report.emails.insert("partner.1@gmail.com".into());
    });
    check(json!({}), &[page.clone(), merchants], [1_000, 0]);
    // A report without an amount waits for Stripe's amount; a page's claim does not supply it.
    let mut silent = report;
    silent.amount = None;
    let silent = Step::Facts(Box::new(Facts {
        reports: [("rep_of_merchant".into(), silent)].into(),
        ..Facts::default()
    }));
    check(json!({}), &[page, silent], [0, 0]);
    // The e-mail address of a page's lead makes neither that lead nor the merchant's a self-referral.
    let accused = lead("lead_1", 0, Some("clk_1"), |lead| {
        lead.emails.insert("partner.1@gmail.com".into());
    });
    check(json!({}), std::slice::from_ref(&accused), [300, 0]);
    check(json!({}), &[accused, by_server("lead_1", 1, Some("clk_1"))], [300, 0]);
    // A page's lead and the merchant's lead do not exclude each other.
    let page = || by_page("lead_page", 0, Some("clk_1"));
    for model in ["last_click", "first_click"] {
        check(
            json!({ "attribution_model": model }),
            &[page(), by_server("lead_1", DAY, Some("clk_2"))],
            [0, 300],
        );
    }
}

#[test]
fn a_renewal_stays_with_the_subscriptions_first_credited_payment_whatever_rule_credited_it() {
    let first_buy = bought("cs_1", 0, by("clk_1"));
    let started = invoice("in_1", DAY, json!({}));
    let renewed = || invoice("in_2", 40 * DAY, json!({}));
    // Rule (8), by the customer: the customer buys through another link in between.
    let other = bought("cs_2", 10 * DAY, by("clk_2"));
    check(json!({}), &[first_buy.clone(), started.clone(), other.clone(), renewed()], [600, 200]);
    // Rule (7), by the customer's metadata: it is rewritten in between.
    let customer = |at: i64, click: &str| {
        Step::Event(event(
            "customer.updated",
            at,
            json!({ "id": "cus_1", "metadata": { "tracClickId": click } }),
        ))
    };
    let rewritten = [customer(0, "clk_1"), started.clone(), customer(10 * DAY, "clk_2"), renewed()];
    check(json!({}), &rewritten, [400, 0]);
    // A code entered at the first payment counts for the subscription, too; see promotions.rs.
    // A payment whose click may not earn does not determine the subscription's click if a later payment is credited.
    let expired = invoice("in_1", LATE - 2 * DAY, by("clk_2"));
    let later =
        [expired, invoice("in_2", LATE + DAY, by("clk_late")), invoice("in_3", LATE + 31 * DAY, json!({}))];
    check(json!({}), &later, [400, 0]);
}

#[test]
fn metadata_of_a_customer_or_subscription_counts_from_the_time_of_its_event() {
    let customer = |at: i64, metadata: Value| {
        Step::Event(event("customer.updated", at, json!({ "id": "cus_1", "metadata": metadata })))
    };
    let by_customer = json!({ "attribute_by_customer": false });
    let sale = || bought("cs_1", DAY, json!({}));
    check(by_customer.clone(), &[customer(0, json!({ "tracClickId": "clk_1" })), sale()], [200, 0]);
    check(by_customer.clone(), &[customer(2 * DAY, json!({ "tracClickId": "clk_1" })), sale()], [0, 0]);
    // Within one checkout, clocks differ by seconds.
    check(by_customer.clone(), &[customer(DAY + 300, json!({ "tracClickId": "clk_1" })), sale()], [200, 0]);
    check(by_customer.clone(), &[customer(DAY + 301, json!({ "tracClickId": "clk_1" })), sale()], [0, 0]);
    let changed = [
        customer(0, json!({ "tracClickId": "clk_1" })),
        sale(),
        customer(2 * DAY, json!({ "tracClickId": "clk_2" })),
        bought("cs_2", 3 * DAY, json!({})),
        customer(4 * DAY, json!({})),
        bought("cs_3", 5 * DAY, json!({})),
    ];
    check(by_customer, &changed, [200, 200]);
    let subscription = |at: i64, click: &str| {
        let object = json!({ "id": "sub_1", "customer": "cus_1", "metadata": { "tracClickId": click } });
        Step::Event(event("customer.subscription.updated", at, object))
    };
    let rewritten = [
        subscription(0, "clk_1"),
        invoice("in_1", DAY, json!({})),
        subscription(2 * DAY, "clk_2"),
        invoice("in_2", 31 * DAY, json!({})),
    ];
    check(json!({ "attribution_window_days": 90 }), &rewritten, [200, 200]);
}

#[test]
fn a_paid_out_commission_stays_even_if_its_attribution_changes() {
    let paid_out = |before: &[Step], after: &[Step]| {
        let mut ledger = Ledger::new(terms(json!({})));
        apply_all(&mut ledger, before);
        ledger.pay_out();
        apply_all(&mut ledger, after);
        ledger.left()
    };
    let customer = |at: i64, metadata: Value| {
        Step::Event(event("customer.updated", at, json!({ "id": "cus_1", "metadata": metadata })))
    };
    // The attribution disappears: its metadata was emptied in the same second.
    let by_metadata = [customer(0, json!({ "tracClickId": "clk_1" })), bought("cs_1", DAY, json!({}))];
    assert_eq!(paid_out(&by_metadata, &[customer(DAY - 1, json!({}))]), [200, 0]);
    // The click may not earn any more: the buyer turns out to be the partner.
    let own = merged(by("clk_1"), json!({ "customer_email": "partner.1@gmail.com" }));
    assert_eq!(paid_out(&[bought("cs_1", 0, by("clk_1"))], &[bought("cs_2", 1, own.clone())]), [200, 0]);
    assert_eq!(paid_out(&[bought("cs_1", 0, by("clk_1"))], &[bought("cs_1", 0, own)]), [200, 0]);
    // The lead is rejected.
    let lead = || by_page("lead_1", 0, Some("clk_1"));
    let rejected = rejected_one(lead());
    assert_eq!(paid_out(&[lead(), bought("cs_1", DAY, of_user())], &[rejected]), [500, 0]);
    // The match becomes ambiguous: the charge could belong to two payments.
    let charge = json!({ "id": "ch_1", "amount": 1_000, "amount_captured": 1_000, "captured": true, "currency": "usd",
        "customer": "cus_1", "created": T0, "paid": true, "status": "succeeded", "metadata": { "tracClickId": "clk_1" } });
    let charge = Step::Event(event("charge.succeeded", 0, charge));
    let two = [bought("cs_1", 0, json!({})), bought("cs_2", 1, json!({}))];
    let left = paid_out(std::slice::from_ref(&charge), &two);
    // The first payment kept the paid-out commission when the charge was matched with it; the second is
    // credited by customer.
    assert_eq!(left, [400, 0]);
    // A refund still takes the commission back.
    let refund = json!({ "id": "ch_2", "amount": 1_000, "amount_captured": 1_000, "amount_refunded": 1_000, "captured": true,
        "currency": "usd", "customer": "cus_1", "payment_intent": "pi_1", "created": T0 });
    let refund = Step::Event(event("charge.refunded", DAY, refund));
    let sale = bought("cs_1", 0, merged(by("clk_1"), json!({ "payment_intent": "pi_1" })));
    assert_eq!(paid_out(&[sale], &[refund]), [0, 0]);
}

fn approved_one(step: Step) -> Step {
    let Step::Facts(mut facts) = step else { return step };
    let verdict = Some(Latest { at: Timestamp::from_unix_secs(T0 + 9), value: true });
    for lead in facts.leads.values_mut() {
        lead.verdict.clone_from(&verdict);
    }
    for report in facts.reports.values_mut() {
        report.verdict.clone_from(&verdict);
    }
    Step::Facts(facts)
}

#[test]
fn a_merchants_approval_does_not_cover_later_additions() {
    // A later click of a page's lead has no effect, even when the lead is approved.
    let lead = || by_page("lead_1", 0, Some("clk_1"));
    let repeat = || by_page("lead_1", 5, Some("clk_2"));
    let paid = || bought("cs_1", DAY, of_user());
    check(json!({}), &[lead(), repeat(), paid()], [500, 0]);
    check(json!({}), &[lead(), repeat(), paid(), approved_one(lead())], [500, 0]);
    // Nor has a later e-mail address.
    let accused = || {
        let Step::Facts(mut facts) = by_page("lead_1", 1, None) else { unreachable!() };
        facts.leads.values_mut().for_each(|lead| {
            lead.emails.insert("partner.1@gmail.com".into());
        });
        Step::Facts(facts)
    };
    check(json!({}), &[lead(), accused(), approved_one(lead())], [300, 0]);
    // An approved claim does not link its customer to other payments, and is not evidence of a self-referral.
    let whale = || {
        bought(
            "cs_1",
            0,
            merged(
                by("clk_1"),
                json!({ "metadata": { "tracClickId": "clk_1",
        "tracCustomerExternalId": "user_1" } }),
            ),
        )
    };
    let later = || bought("cs_2", DAY, of_user());
    let small = || {
        claim("order 7", 60, "clk_2", |report| {
            report.emails.insert("partner.2@gmail.com".into());
        })
    };
    check(json!({}), &[whale(), approved_one(small()), later()], [400, 18_000]);
    // The approved claim of a payment that Stripe reports does not tie the payment's customer either.
    let unknown = bought("cs_9", 0, json!({}));
    let of_payment = approved_one(claim("cs_9", 60, "clk_2", |_| ()));
    check(json!({}), &[unknown, of_payment, bought("cs_10", DAY, json!({}))], [0, 200]);
}

#[test]
fn a_rejected_lead_does_not_reject_other_leads() {
    let lead = || by_page("lead_1", 0, Some("clk_1"));
    // The partner's own click, in a lead that an outsider reports.
    let spam = || rejected_one(by_page("lead_spam", 5, Some("clk_1b")));
    check(json!({}), &[lead(), spam(), bought("cs_1", DAY, of_user())], [500, 0]);
    check(
        json!({}),
        &[spam(), by_page("lead_2", 9, Some("clk_1")), bought("cs_1", DAY, of_user())],
        [500, 0],
    );
}

#[test]
fn amount_and_time_of_a_claim_are_those_of_the_claim_that_names_the_click() {
    let bait = || {
        let Step::Facts(mut facts) = claim("order 1", -90 * DAY, "clk_1", |report| {
            report.click = None;
            report.amount.as_mut().unwrap().value.0 = 1;
            report.emails.insert("partner.1@gmail.com".into());
        }) else {
            unreachable!()
        };
        let report = facts.reports.pop_first().unwrap().1;
        facts.reports.insert("rep_0".into(), report);
        Step::Facts(facts)
    };
    let true_one = || claim("order 1", 60, "clk_1", |_| ());
    check(json!({}), &[bait(), true_one()], [18_000, 0]);
    check(json!({}), &[bait(), approved_one(true_one())], [18_000, 0]);
    assert_eq!(standing(json!({}), &[bait(), true_one()]), (18_000, vec!["client_reported"]));
}

fn rejected_one(step: Step) -> Step {
    let Step::Facts(mut facts) = step else { return step };
    for lead in facts.leads.values_mut() {
        lead.verdict = Some(Latest { at: Timestamp::from_unix_secs(T0 + 9), value: false });
    }
    Step::Facts(facts)
}

#[test]
fn every_earlier_address_of_a_partner_makes_a_purchase_a_self_referral() {
    let own = |address: &str, at: i64| {
        bought("cs_1", at, merged(by("clk_1"), json!({ "customer_email": address })))
    };
    let left = |address: &str, at: i64| {
        let mut ledger = Ledger::new(terms(json!({})));
        let since = |days: i64| Timestamp::from_unix_secs(T0 + days * DAY);
        let addresses = vec![(since(-100), "old@example.com".into()), (since(5), "new@example.com".into())];
        ledger.world.partner_emails.insert("part1".into(), addresses);
        apply(&mut ledger, &own(address, at));
        ledger.left()[0]
    };
    // The first address covers all earlier times, a later one only later sales: a change does not affect earlier sales.
    assert_eq!(left("old@example.com", 0), 0);
    assert_eq!(left("old@example.com", 9 * DAY), 0, "the earlier address still matches");
    assert_eq!(left("new@example.com", 4 * DAY), 200);
    assert_eq!(left("new@example.com", 5 * DAY), 0);
    assert_eq!(left("buyer@example.com", 9 * DAY), 200);
}

#[test]
fn the_end_of_a_subscription_voids_commissions_for_service_after_it() {
    let line = |end: i64| json!({ "lines": { "data": [{ "amount": 1_000, "period": { "start": T0, "end": T0 + end } }] } });
    let first = |end: Option<i64>| invoice("in_1", 0, merged(by("clk_1"), end.map_or(json!({}), line)));
    let deleted = |at: i64, ended: i64| {
        let object =
            json!({ "id": "sub_1", "customer": "cus_1", "status": "canceled", "ended_at": T0 + ended });
        Step::Event(event("customer.subscription.deleted", at, object))
    };
    let policy = |name: &str| json!({ "cancel_policy": name });
    // The subscription ends with month one, whose service was used: its pending commission stays.
    check(json!({}), &[first(Some(20 * DAY)), deleted(20 * DAY, 20 * DAY)], [200, 0]);
    check(policy("void_pending"), &[first(Some(20 * DAY)), deleted(20 * DAY, 20 * DAY)], [0, 0]);
    check(policy("keep"), &[first(Some(20 * DAY)), deleted(20 * DAY, 20 * DAY)], [200, 0]);
    // Ten days are unused, or the period is unknown.
    check(json!({}), &[first(Some(30 * DAY)), deleted(20 * DAY, 20 * DAY)], [0, 0]);
    check(json!({}), &[first(None), deleted(20 * DAY, 20 * DAY)], [0, 0]);
    // The commission was due before the end.
    check(json!({}), &[first(Some(60 * DAY)), deleted(30 * DAY, 30 * DAY)], [200, 0]);
    // A payment after the end was owed before it.
    for paid_at in [20 * DAY, 20 * DAY + 60] {
        let last = invoice("in_2", paid_at, json!({}));
        check(policy("void_pending"), &[first(None), deleted(20 * DAY, 20 * DAY), last], [200, 0]);
    }
}
