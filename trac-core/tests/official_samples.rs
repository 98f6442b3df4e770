//! Wraps Stripe's own sample objects in every event that carries such an object, signs and reads it. The
//! samples, one file for each API version, are in `../shared`; without that folder the tests are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test"
)]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, NoFacts, Topic};
use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, sign};

const NOW: Timestamp = Timestamp::from_unix_secs(1_795_248_000);

/// Which events carry which objects.
const CARRIED: &[(&str, &[&str])] = &[
    (
        "checkout.session",
        &[
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed",
            "checkout.session.expired",
        ],
    ),
    ("invoice", &["invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed", "invoice.voided"]),
    ("invoice_payment", &["invoice_payment.paid"]),
    ("credit_note", &["credit_note.created", "credit_note.voided"]),
    (
        "payment_intent",
        &["payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled"],
    ),
    (
        "charge",
        &["charge.succeeded", "charge.captured", "charge.refunded", "charge.failed", "charge.updated"],
    ),
    ("refund", &["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]),
    (
        "dispute",
        &[
            "charge.dispute.created",
            "charge.dispute.updated",
            "charge.dispute.funds_withdrawn",
            "charge.dispute.funds_reinstated",
            "charge.dispute.closed",
        ],
    ),
    (
        "subscription",
        &[
            "customer.subscription.created",
            "customer.subscription.updated",
            "customer.subscription.deleted",
            "customer.subscription.paused",
        ],
    ),
    ("payment_link", &["payment_link.created"]),
];

/// Every version's samples, with the version.
fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/stripe-events/resources");
    let Ok(files) = std::fs::read_dir(folder) else {
        eprintln!("skipped: no ../shared");
        return Vec::new();
    };
    let mut found: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter_map(|path| {
            let version = path.file_name()?.to_str()?.strip_prefix("resources__")?.strip_suffix(".json")?;
            let text = std::fs::read_to_string(&path).unwrap();
            Some((version.to_owned(), serde_json::from_str(&text).unwrap()))
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn read(version: &str, kind: &str, object: &Value) -> Result<Facts, NoFacts> {
    let event = json!({"id": "evt_sample", "object": "event", "api_version": version, "type": kind,
        "created": NOW.unix_secs(), "livemode": false, "data": {"object": object}});
    let body = event.to_string();
    let header = sign(body.as_bytes(), "whsec_sample", NOW);
    let unverified = Unverified::new(&header, body.as_bytes());
    let verified = unverified.verify(["whsec_sample"], NOW, TOLERANCE_SECS).unwrap();
    Facts::read(&Event::read(verified).unwrap(), NOW)
}

#[test]
fn every_sample_of_every_version_becomes_facts_or_a_reason() {
    let (mut read_as_facts, mut reasons) = (0, BTreeSet::new());
    for (version, resources) in samples() {
        for (name, kinds) in CARRIED {
            let Some(object) = resources.get(*name) else { continue };
            for kind in *kinds {
                match read(&version, kind, object) {
                    Ok(facts) => {
                        let id = object["id"].as_str().unwrap();
                        let names_it = facts.payment_ids().contains(id)
                            || facts.subscriptions.contains_key(id)
                            || matches!(*name, "invoice_payment" | "credit_note");
                        assert!(names_it, "{version} {kind}: {facts:?}");
                        read_as_facts += 1;
                    }
                    Err(NoFacts::Unreadable) => panic!("{version} {kind}: unreadable"),
                    Err(why) => {
                        let known = Topic::of(kind).is_none();
                        assert!(known, "{version} {kind}: {}", why.reason());
                        reasons.insert((*kind, why.reason()));
                    }
                }
                let mut nameless = object.clone();
                for id in ["id", "invoice"] {
                    nameless.as_object_mut().unwrap().remove(id);
                }
                let is_refused = matches!(read(&version, kind, &nameless), Err(NoFacts::Unreadable));
                assert_eq!(is_refused, Topic::of(kind).is_some(), "{version} {kind} without an ID");
            }
        }
    }
    eprintln!("{read_as_facts} samples read as facts; answered with a reason: {reasons:?}");
}

/// A sample after money has moved: the fields that this API version has are filled in, in its format.
fn filled(name: &str, sample: &Value) -> Value {
    let mut object = sample.clone();
    let has = |field: &str| sample.get(field).is_some();
    match name {
        "checkout.session" => {
            object["amount_total"] = json!(12_345);
            object["currency"] = json!("eur");
            object["payment_status"] = json!("paid");
            object["total_details"] =
                json!({"amount_tax": 345, "amount_shipping": 500, "amount_discount": 0});
            object["subscription"] = json!("sub_x");
            object["customer"] = json!({"id": "cus_x", "object": "customer"});
        }
        "invoice" => {
            for (field, value) in [("amount_paid", 12_345), ("total", 12_345)] {
                object[field] = json!(value);
            }
            if has("parent") {
                let details = json!({"subscription": "sub_x", "metadata": {"tracClickId": "clk_x"}});
                object["parent"] = json!({"type": "subscription_details", "subscription_details": details});
                object["total_taxes"] = json!([{"amount": 300}, {"amount": 45}]);
            } else {
                object["subscription"] = json!("sub_x");
                object["tax"] = json!(345);
            }
            if has("payment_intent") {
                object["payment_intent"] = json!("pi_x");
                object["charge"] = json!({"id": "ch_x", "object": "charge"});
            }
        }
        "payment_intent" => {
            object["amount_received"] = json!(12_345);
            object["customer"] = json!("cus_x");
            if has("latest_charge") {
                object["latest_charge"] = json!("ch_x");
            } else {
                object["charges"] = json!({"object": "list", "data": [{"id": "ch_x", "object": "charge"}]});
            }
            if has("invoice") {
                object["invoice"] = json!("in_x");
            } else {
                object["payment_details"] = json!({"order_reference": "in_x"});
            }
        }
        "charge" => {
            for (field, value) in [("amount", 12_345), ("amount_captured", 12_000), ("amount_refunded", 945)]
            {
                object[field] = json!(value);
            }
            object["captured"] = json!(true);
            object["payment_intent"] = json!("pi_x");
            if has("invoice") {
                object["invoice"] = json!("in_x");
            }
        }
        _ => {}
    }
    object
}

#[test]
fn amounts_and_links_are_read_from_the_shape_of_each_version() {
    let samples = samples();
    let check = |name: &str, kind: &str, table: &[(&str, Value)]| {
        for (version, resources) in &samples {
            let Some(object) = resources.get(name).map(|sample| filled(name, sample)) else { continue };
            let facts = serde_json::to_value(read(version, kind, &object).unwrap()).unwrap();
            let found = facts.as_object().unwrap().values().next().unwrap();
            let found = &found[object["id"].as_str().unwrap()];
            for (pointer, want) in table {
                let own = want
                    .as_str()
                    .and_then(|path| path.strip_prefix('$'))
                    .and_then(|path| object.pointer(path));
                let got = found.pointer(pointer).unwrap_or(&Value::Null);
                assert_eq!(got, own.unwrap_or(want), "{version} {kind} {pointer}");
            }
        }
    };
    check(
        "checkout.session",
        "checkout.session.completed",
        &[
            ("/amounts/value/total_minor", json!(12_345)),
            ("/amounts/value/tax_minor", json!(345)),
            ("/amounts/value/shipping_minor", json!(500)),
            ("/amounts/value/currency", json!("eur")),
            ("/paid", json!(true)),
            ("/payment_intent", json!("$/payment_intent")),
            ("/subscription", json!("sub_x")),
            ("/customer", json!("cus_x")),
        ],
    );
    check(
        "invoice",
        "invoice.paid",
        &[
            ("/amounts/value/paid_minor", json!(12_345)),
            ("/amounts/value/total_minor", json!(12_345)),
            ("/amounts/value/tax_minor", json!(345)),
            ("/amounts/value/currency", json!("$/currency")),
            ("/lines/value/0/net_minor", json!("$/lines/data/0/amount")),
            ("/subscription", json!("sub_x")),
            ("/customer", json!("$/customer")),
            ("/created", json!("$/created")),
        ],
    );
    check(
        "payment_intent",
        "payment_intent.succeeded",
        &[
            ("/received/value/0", json!(12_345)),
            ("/received/value/1", json!("$/currency")),
            ("/charge", json!("ch_x")),
            ("/invoice", json!("in_x")),
            ("/customer", json!("cus_x")),
        ],
    );
    check(
        "charge",
        "charge.refunded",
        &[
            ("/captured/value/captured_minor", json!(12_000)),
            ("/captured/value/authorised_minor", json!(12_345)),
            ("/refunded_minor", json!(945)),
            ("/payment_intent", json!("pi_x")),
        ],
    );
    check(
        "refund",
        "refund.created",
        &[
            ("/amount_minor", json!("$/amount")),
            ("/status", json!("succeeded")),
            ("/charge", json!("$/charge")),
        ],
    );
    check(
        "dispute",
        "charge.dispute.created",
        &[
            ("/amount_minor", json!("$/amount")),
            ("/stage", json!("inquiry")),
            ("/withdrawn", json!(false)),
            ("/charge", json!("$/charge")),
        ],
    );
    check("subscription", "customer.subscription.deleted", &[("/ended_at", json!(NOW.unix_secs()))]);
}

#[test]
fn links_that_only_old_or_only_new_versions_carry_are_read() {
    for (version, resources) in samples() {
        let is_old = resources["charge"].get("invoice").is_some();
        let invoice = filled("invoice", &resources["invoice"]);
        let facts = read(&version, "invoice.paid", &invoice).unwrap();
        assert_eq!(facts.payment_ids().contains("ch_x"), is_old, "{version}: invoice to charge");
        let charge = read(&version, "charge.refunded", &filled("charge", &resources["charge"])).unwrap();
        assert_eq!(charge.payment_ids().contains("in_x"), is_old, "{version}: charge to invoice");

        let Some(sample) = resources.get("invoice_payment") else { continue };
        let mut paid = sample.clone();
        paid["payment"]["payment_intent"] = json!("pi_x");
        let facts = read(&version, "invoice_payment.paid", &paid).unwrap();
        let want = BTreeSet::from([paid["invoice"].as_str().unwrap(), "pi_x"]);
        assert_eq!(facts.payment_ids(), want, "{version}: the link is its own event");
        let shares =
            facts.invoice_payments.values().map(|it| it.paid_minor.as_ref().map(|latest| latest.value));
        assert_eq!(shares.collect::<Vec<_>>(), [paid["amount_paid"].as_i64()], "{version}");
    }
}

#[test]
fn a_credit_note_ties_its_refunds_to_the_invoice_in_every_shape() {
    for (version, resources) in samples() {
        let Some(sample) = resources.get("credit_note") else { continue };
        let mut note = sample.clone();
        if note.get("refunds").is_some() {
            note["refunds"] = json!([{"amount_refunded": 100, "refund": {"id": "re_x", "object": "refund"}}]);
        } else {
            note["refund"] = json!("re_x");
        }
        let facts = read(&version, "credit_note.created", &note).unwrap();
        let want = BTreeSet::from([note["invoice"].as_str().unwrap(), "re_x"]);
        assert_eq!(facts.payment_ids(), want, "{version}");
    }
}
