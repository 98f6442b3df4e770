//! The vectors of the stages that run in the browser too, run here natively and, compiled to WebAssembly, in a
//! headless browser (`cargo xtask test`). Each row is a name, an input and the expected result.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a vector that cannot be read is a failed test")]

use serde_json::{Value, json};
use trac_core::checkout::link::{Decision, decorate, is_payment_link};
use trac_core::click::{ClickId, Dialect, query};
use trac_core::cookie::{self, Attributes};
use trac_core::program::AttributionModel;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

fn check(vectors: &str, run: impl Fn(&Value) -> Value) {
    let rows: Vec<Value> = serde_json::from_str(vectors).unwrap();
    assert!(!rows.is_empty());
    for row in &rows {
        assert_eq!(run(row), row["want"], "{row}");
    }
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("{field} is not text in {row}"))
}

fn id(value: &Value) -> Option<ClickId> {
    value.as_str().map(|text| ClickId::parse(text).unwrap())
}

fn shown(id: Option<&ClickId>) -> Value {
    json!(id.map(ClickId::as_str))
}

fn model(row: &Value) -> AttributionModel {
    serde_json::from_value(row["model"].clone()).unwrap()
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn click_parameters_in_urls() {
    check(include_str!("vectors/click_query.json"), |row| {
        let url = text(row, "url");
        let dialect = || Dialect::named(text(row, "dialect")).unwrap();
        match text(row, "do") {
            "find" => shown(query::find(url, dialect()).as_ref()),
            "add" => json!(query::add(url, text(row, "parameter"), &id(&row["id"]).unwrap())),
            "strip" => json!(query::strip(url, dialect())),
            other => panic!("unknown operation {other}"),
        }
    });
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn cookies() {
    check(include_str!("vectors/cookie.json"), |row| match text(row, "do") {
        "find" => {
            let headers = row["headers"].as_array().unwrap();
            shown(
                cookie::find_across(headers.iter().map(|header| header.as_str().unwrap().as_bytes()))
                    .as_ref(),
            )
        }
        "set" => {
            let attributes = Attributes {
                domain: row["domain"].as_str(),
                days: u32::try_from(row["days"].as_u64().unwrap()).unwrap(),
                secure: row["secure"].as_bool().unwrap(),
            };
            json!(cookie::set(text(row, "cookie"), &id(&row["id"]).unwrap(), &attributes))
        }
        "domains" => json!(cookie::domains(text(row, "host")).collect::<Vec<_>>()),
        "keep" => {
            let (stored, arriving) = (id(&row["stored"]), id(&row["arriving"]));
            shown(cookie::keep(stored.as_ref(), arriving.as_ref(), model(row)))
        }
        other => panic!("unknown operation {other}"),
    });
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn payment_links() {
    check(include_str!("vectors/payment_links.json"), |row| {
        let (url, domains, id) = (text(row, "url"), text(row, "domains"), id(&row["id"]));
        let decision = decorate(url, id.as_ref(), model(row), domains);
        assert_eq!(is_payment_link(url, domains), decision != Decision::NotAPaymentLink, "{row}");
        match decision {
            Decision::Decorated(decorated) => {
                // A decorated URL is recognized as ours, and not changed again.
                let again = decorate(&decorated, id.as_ref(), model(row), domains);
                assert_eq!(again, Decision::AlreadyOurs, "{row}");
                json!({ "decorated": decorated })
            }
            Decision::AlreadyOurs => json!("already_ours"),
            Decision::MerchantReference => json!("merchant_reference"),
            Decision::NoClick => json!("no_click"),
            Decision::NotAPaymentLink => json!("not_a_payment_link"),
        }
    });
}
