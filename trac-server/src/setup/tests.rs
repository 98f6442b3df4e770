//! Each step in each of its states, both calls against a simulator of Stripe on loopback, and reports of hostile pages.

mod steps;
mod script_check;
#[cfg(feature = "demo")]
mod stripe;

use serde_json::Value;

use crate::testing::app::Merchant;

/// One step, as the API shows it.
async fn step(merchant: &Merchant<'_>, id: &str) -> Value {
    let answer = merchant.get("/setup").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let steps = answer.body["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step {id}")).clone()
}

/// Compares a step with its status and a part of its text, and returns its remedy.
async fn check(merchant: &Merchant<'_>, id: &str, status: &str, part: &str) -> Value {
    let found = step(merchant, id).await;
    assert_eq!(found["status"], status, "{found}");
    assert!(found["what"].as_str().unwrap().contains(part), "{found}, not {part:?}");
    assert_eq!(found["remedy"].is_null(), status == "done", "{found}");
    found["remedy"].clone()
}
