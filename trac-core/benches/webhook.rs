//! One event in one process: a Checkout Session of 2.4 kB, from its bytes to its ledger entry. For comparison,
//! the parts that cannot be avoided: the HMAC, and `serde_json` parsing the same bytes.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use trac_core::commission::settle::{Occasion, settle};
use trac_core::conversion::world::{Click, Enrollment, Known, World};
use trac_core::program::{EnrollmentTerms, History, Version};
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, Topic};
use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, sign};

const NOW: Timestamp = Timestamp::from_unix_secs(1_795_248_000);
const SECRET: &str = "whsec_0123456789abcdef0123456789abcdef";

/// A session with every field that Stripe sends for a Payment Link, most of them null.
fn body() -> Vec<u8> {
    let nulls = [
        "adaptive_pricing",
        "after_expiration",
        "allow_promotion_codes",
        "automatic_tax",
        "billing_address_collection",
        "cancel_url",
        "client_secret",
        "collected_information",
        "consent",
        "consent_collection",
        "currency_conversion",
        "customer_account",
        "customer_creation",
        "customer_email",
        "discounts",
        "excluded_payment_method_types",
        "invoice_creation",
        "locale",
        "name_collection",
        "origin_context",
        "payment_link",
        "payment_method_collection",
        "payment_method_configuration_details",
        "payment_method_options",
        "permissions",
        "phone_number_collection",
        "presentment_details",
        "recovered_from",
        "saved_payment_method_options",
        "setup_intent",
        "shipping_address_collection",
        "shipping_cost",
        "shipping_options",
        "submit_type",
        "subscription",
        "subscription_data",
        "tax_id_collection",
        "ui_mode",
        "wallet_options",
        "optional_items",
        "return_url",
        "redirect_on_completion",
        "custom_fields",
    ];
    let mut session = json!({
        "id": "cs_test_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6", "object": "checkout.session",
        "amount_subtotal": 12_900, "amount_total": 14_100, "client_reference_id": "clk_1795240000_0123456789abcdef",
        "created": 1_795_247_900, "currency": "eur", "customer": "cus_S1a2b3c4d5e6f7", "expires_at": 1_795_334_300,
        "custom_text": {"after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null},
        "customer_details": {"address": {"city": "Berlin", "country": "DE", "line1": "Unter den Linden 1", "line2": null,
            "postal_code": "10117", "state": null}, "email": "buyer@example.com", "name": "Ada Buyer", "phone": null,
            "tax_exempt": "none", "tax_ids": []},
        "invoice": null, "livemode": false, "metadata": {"tracClickId": "clk_1795240000_0123456789abcdef", "plan": "team"},
        "mode": "payment", "payment_intent": "pi_3S1a2b3c4d5e6f7g8h9i0j1k", "payment_method_types": ["card", "sepa_debit"],
        "payment_status": "paid", "status": "complete", "success_url": "https://shop.example.com/thanks",
        "total_details": {"amount_discount": 0, "amount_shipping": 700, "amount_tax": 500}, "url": null,
    });
    session.as_object_mut().unwrap().extend(nulls.map(|name| (name.to_owned(), Value::Null)));
    let event = json!({
        "id": "evt_1S1a2b3c4d5e6f7g8h9i0j1k", "object": "event", "api_version": "2026-08-26.dahlia",
        "created": 1_795_248_000, "data": {"object": session}, "livemode": false, "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null}, "type": "checkout.session.completed",
    });
    event.to_string().into_bytes()
}

/// A program and the click of that session.
fn world(attribution_model: &str) -> World {
    let mut world = World::default();
    let from = Timestamp::from_unix_secs(0);
    let terms = json!({"commission": {"type": "percentage", "rate_bps": 2_000}, "attribution_model": attribution_model});
    let terms = Version { number: 1, valid_from: from, terms: serde_json::from_value(terms).unwrap() };
    world.programs.insert("prog".into(), History::new([terms]));
    let first = Version { number: 1, valid_from: from, terms: EnrollmentTerms::default() };
    let enrollment = Enrollment { id: "enr".into(), history: History::new([first]) };
    world.enrollments.insert(("prog".into(), "part".into()), enrollment);
    let clicked_at = Timestamp::from_unix_secs(1_795_240_000);
    let click =
        Click { program_id: "prog".into(), partner_id: "part".into(), clicked_at, is_promotion: false };
    world.clicks.insert("clk_1795240000_0123456789abcdef".into(), click);
    world
}

/// From the bytes of an event to the amount of the commission.
fn amount_earned(header: &str, body: &[u8], world: &World) -> i64 {
    let verified = Unverified::new(header, body).verify([SECRET], NOW, TOLERANCE_SECS).unwrap();
    let event = Event::read(verified).unwrap();
    let facts = Facts::read(&event, NOW).unwrap();
    let mut world = world.clone();
    world.admit(facts, || "pay".into());
    let settled = settle(&world, Occasion::from(Topic::Sale));
    settled["pay"].changes[0].sums.amount_minor
}

fn one_session(criterion: &mut Criterion) {
    let (body, world) = (body(), world("last_click"));
    let header = sign(&body, SECRET, NOW);
    assert_eq!(amount_earned(&header, &body, &world), 2_580, "20 % of 141.00 less shipping and tax");
    assert!((2_300..2_500).contains(&body.len()), "{} bytes", body.len());
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Bytes(u64::try_from(body.len()).unwrap()));
    group.bench_function("hmac", |bencher| {
        bencher.iter(|| {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(b"1795248000.");
            mac.update(black_box(&body));
            mac.finalize().into_bytes()
        });
    });
    group.bench_function("serde_json_value", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(&body)).unwrap());
    });
    let verify =
        || Unverified::new(black_box(&header), black_box(&body)).verify([SECRET], NOW, TOLERANCE_SECS);
    group.bench_function("verify", |bencher| bencher.iter(|| verify().unwrap()));
    group.bench_function("verify_parse", |bencher| bencher.iter(|| Event::read(verify().unwrap()).unwrap()));
    group.bench_function("verify_parse_facts", |bencher| {
        bencher.iter(|| Facts::read(&Event::read(verify().unwrap()).unwrap(), NOW).unwrap());
    });
    group.bench_function("verify_parse_facts_settle", |bencher| {
        bencher.iter(|| amount_earned(black_box(&header), black_box(&body), black_box(&world)));
    });
    group.finish();
}

/// Settles large neighbourhoods of one event: one subscription's invoices, or one customer's sessions, the
/// first of them with a click; or sessions that all have a click, under `first_click`. The time is linear in
/// the number of payments, up to ten thousand.
fn neighbourhoods(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("neighbourhood");
    group.sample_size(10);
    for count in [10, 200, 1_000, 5_000, 10_000] {
        for (name, is_subscription, model) in [
            ("subscription", true, "last_click"),
            ("customer", false, "last_click"),
            ("first_click", false, "first_click"),
        ] {
            let mut world = world(model);
            for n in 0..count {
                let metadata = if n == 0 || model == "first_click" {
                    json!({"tracClickId": "clk_1795240000_0123456789abcdef"})
                } else {
                    json!({})
                };
                let created = NOW.unix_secs() + n * 86_400;
                let object = if is_subscription {
                    json!({"id": format!("in_{n:05}"), "amount_paid": 5_000, "total": 5_000, "currency": "eur",
                        "customer": "cus_1", "subscription": "sub_1", "created": created, "metadata": metadata})
                } else {
                    json!({"id": format!("cs_{n:05}"), "mode": "payment", "payment_status": "paid", "amount_total": 5_000,
                        "currency": "eur", "customer": "cus_1", "created": created, "metadata": metadata,
                        "payment_intent": format!("pi_{n:05}")})
                };
                let kind = if is_subscription { "invoice.paid" } else { "checkout.session.completed" };
                let facts = facts(&json!({"id": format!("evt_{n}"), "type": kind, "created": created,
                    "data": {"object": object}}));
                let known = Known { facts, commissions: Vec::new() };
                world.payments.insert(format!("pay_{n:05}"), known);
            }
            let earning = settle(&world, Occasion::from(Topic::Sale));
            assert!(earning.values().all(|one| one.changes.len() == 1), "every payment earns");
            group.bench_function(format!("{name}/{count}"), |bencher| {
                bencher.iter(|| settle(black_box(&world), Occasion::from(Topic::Sale)));
            });
        }
    }
    group.finish();
}

fn facts(event: &Value) -> Facts {
    let body = event.to_string();
    let header = sign(body.as_bytes(), SECRET, NOW);
    let verified = Unverified::new(&header, body.as_bytes()).verify([SECRET], NOW, TOLERANCE_SECS).unwrap();
    Facts::read(&Event::read(verified).unwrap(), NOW).unwrap()
}

criterion_group!(benches, one_session, neighbourhoods);
criterion_main!(benches);
