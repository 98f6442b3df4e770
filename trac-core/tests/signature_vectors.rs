//! Vectors that compare trac with Stripe's own libraries. They are in `../shared`; without that folder the tests are
//! skipped.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test")]

use std::path::Path;

use serde_json::Value;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::facts::{Facts, NoFacts};
use trac_core::webhook::signature::Unverified;

#[test]
fn every_vector_gets_the_wanted_verdict() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/signature-vectors.json");
    let Ok(text) = std::fs::read_to_string(file) else {
        eprintln!("skipped: no ../shared");
        return;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let wrong: Vec<_> = vectors
        .iter()
        .filter(|vector| verdict(vector) != vector["recommended"].as_str().unwrap())
        .map(|vector| format!("{}: {}, wanted {}", vector["name"], verdict(vector), vector["recommended"]))
        .collect();
    eprintln!("{} of {} vectors as wanted", vectors.len() - wrong.len(), vectors.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let fixed = &file["official_fixed_vector"];
    let (body, header) = (hex(&fixed["payload_hex"]), fixed["header"].as_str().unwrap());
    let at = Timestamp::from_unix_secs(fixed["t"].as_i64().unwrap());
    assert!(Unverified::new(header, &body).verify([fixed["secret"].as_str().unwrap()], at, 0).is_ok());
}

fn verdict(vector: &Value) -> &'static str {
    let (body, header) = (hex(&vector["payload_hex"]), vector["header"].as_str().unwrap());
    let now = Timestamp::from_unix_secs(vector["now"].as_i64().unwrap());
    let tolerance = u32::try_from(vector["tolerance"].as_i64().unwrap()).unwrap();
    let Ok(verified) =
        Unverified::new(header, &body).verify([vector["secret"].as_str().unwrap()], now, tolerance)
    else {
        return "reject";
    };
    match Event::read(verified).map(|event| Facts::read(&event, now)) {
        Err(_) => "reject",
        Ok(Err(NoFacts::UnsupportedThinEvent)) => "accept-signature, reject-type",
        Ok(_) => "accept",
    }
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap())
        .collect()
}
