//! Amounts that cannot be read are not guessed: the event has the reason `unreadable`, is stored, and has no effect.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use serde_json::{Value, json};
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, NoFacts};
use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, sign};

fn read(event: &str) -> Result<Facts, NoFacts> {
    let now = Timestamp::from_unix_secs(1_760_000_000);
    let header = sign(event.as_bytes(), "whsec", now);
    let verified = Unverified::new(&header, event.as_bytes()).verify(["whsec"], now, TOLERANCE_SECS).unwrap();
    Facts::read(&Event::read(verified).unwrap(), now)
}

/// An object of each kind with every amount that is read from it.
fn objects() -> [(&'static str, Value); 7] {
    [
        (
            "checkout.session.completed",
            json!({"id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 12, "currency": "usd",
                "total_details": {"amount_tax": 1, "amount_shipping": 1}}),
        ),
        (
            "invoice.paid",
            json!({"id": "in_1", "amount_paid": 12, "total": 12, "currency": "usd", "tax": 1,
                "amount_paid_off_stripe": 0, "shipping_cost": {"amount_subtotal": 1}, "total_taxes": [{"amount": 1}],
                "lines": {"data": [{"amount": 12, "discount_amounts": [{"amount": 1}],
                    "taxes": [{"amount": 1, "tax_behavior": "inclusive"}]}]}}),
        ),
        (
            "invoice.paid",
            json!({"id": "in_2", "amount_paid": 12, "currency": "usd", "total_tax_amounts": [{"amount": 1}],
                "lines": {"data": [{"amount": 12, "tax_amounts": [{"amount": 1, "inclusive": true}]}]}}),
        ),
        ("payment_intent.succeeded", json!({"id": "pi_1", "amount_received": 12, "currency": "usd"})),
        (
            "charge.refunded",
            json!({"id": "ch_1", "amount": 12, "amount_captured": 12, "amount_refunded": 3, "currency": "usd"}),
        ),
        ("refund.created", json!({"id": "re_1", "amount": 3, "status": "succeeded", "charge": "ch_1"})),
        (
            "charge.dispute.created",
            json!({"id": "du_1", "amount": 12, "charge": "ch_1", "balance_transactions": [{"amount": -12}]}),
        ),
    ]
}

/// The JSON pointers of all numbers and currencies in an object.
fn money(object: &Value, at: &str, found: &mut Vec<String>) {
    match object {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| money(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| money(value, &format!("{at}/{n}"), found));
        }
        Value::Number(_) => found.push(at.into()),
        _ if at.ends_with("currency") => found.push(at.into()),
        _ => {}
    }
}

#[test]
fn an_invalid_amount_or_currency_makes_the_event_unreadable() {
    let mut places = 0;
    for (kind, object) in objects() {
        let event =
            |object: &Value| json!({"id": "evt_1", "type": kind, "data": {"object": object}}).to_string();
        assert!(read(&event(&object)).is_ok(), "{kind}");
        let mut found = Vec::new();
        money(&object, "", &mut found);
        places += found.len();
        for place in found {
            let mut marked = object.clone();
            *marked.pointer_mut(&place).unwrap() = json!("MARK");
            let marked = event(&marked);
            for wrong in [
                "\"12\"",
                "\"\"",
                "12.5",
                "1e3",
                "12.0",
                "9223372036854775808",
                "1000000000000",
                "-1000000000000",
                "true",
                "{}",
                "[12]",
            ] {
                let error = read(&marked.replace("\"MARK\"", wrong)).unwrap_err();
                assert_eq!(error, NoFacts::Unreadable, "{kind} {place} {wrong}");
            }
        }
    }
    assert_eq!(places, 28);
}

#[test]
fn an_absent_or_null_amount_makes_the_event_unreadable_only_if_it_is_needed() {
    let needed = |kind: &str, place: &str| {
        matches!(
            (kind, place),
            ("checkout.session.completed", "/amount_total" | "/currency")
                | ("invoice.paid", "/amount_paid" | "/currency")
                | ("refund.created" | "charge.dispute.created", "/amount")
        )
    };
    for (kind, object) in objects() {
        let mut found = Vec::new();
        money(&object, "", &mut found);
        for place in found {
            let mut without = object.clone();
            *without.pointer_mut(&place).unwrap() = Value::Null;
            let event = json!({"id": "evt_1", "type": kind, "data": {"object": without}}).to_string();
            assert_eq!(read(&event).is_err(), needed(kind, &place), "{kind} {place}");
        }
    }
    for (status, mode) in [("unpaid", "payment"), ("no_payment_required", "subscription"), ("paid", "setup")]
    {
        let object = json!({"id": "cs_1", "mode": mode, "payment_status": status, "amount_total": null});
        let event = json!({"id": "evt_1", "type": "checkout.session.completed", "data": {"object": object}});
        assert!(read(&event.to_string()).is_ok(), "{status} {mode}");
    }
}
