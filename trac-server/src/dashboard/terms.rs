//! Terms of programs in words.

use serde_json::Value;
use trac_core::money::{Currency, share_half_up};

use super::value::{at, number, text};
use crate::web::{Amount, Cell, as_decimal};

/// A commission: `20 %`, or an amount.
pub(super) fn commission(rule: &Value) -> Cell {
    match text(rule, "type") {
        "percentage" => Cell::Text(format!("{} %", as_decimal(number(rule, "rate_bps"), 2, true))),
        "fixed" => Cell::Amount(Amount::new(number(rule, "amount_minor"), text(rule, "currency"))),
        _ => Cell::Nothing,
    }
}

/// Which payments of a subscription earn.
pub(super) fn recurring(rule: &Value) -> String {
    match rule.as_str() {
        Some("first_payment") => "the first payment".to_owned(),
        Some(_) => "every payment".to_owned(),
        None => match number(rule, "months") {
            1 => "the payments of 1 month".to_owned(),
            months => format!("the payments of {months} months"),
        },
    }
}

/// The sentence that says what a sale of 100 would earn, from a program as the API shows it.
pub(super) fn sentence(program: &Value) -> String {
    let rule = at(program, "commission");
    let base = if text(program, "base") == "gross" { "with tax" } else { "without tax" };
    let earned = if text(rule, "type") == "fixed" {
        let amount = Amount::new(number(rule, "amount_minor"), text(rule, "currency"));
        let cap = if at(rule, "cap_at_sale") == true { ", but never more than the sale" } else { "" };
        format!("Every sale earns {amount}{cap}.")
    } else {
        let bps = number(rule, "rate_bps");
        let earned = share_half_up(10_000, bps, 10_000);
        let display = |minor| match Currency::parse("usd") {
            Ok(usd) => usd.display(minor),
            Err(_) => minor.to_string(),
        };
        format!(
            "A sale of {} {base} earns {} ({} %).",
            display(10_000),
            display(earned),
            as_decimal(bps, 2, true)
        )
    };
    let window = number(program, "attribution_window_days");
    let model = if text(program, "attribution_model") == "first_click" { "first" } else { "last" };
    let hold = number(program, "hold_days.sale");
    format!(
        "{earned} Of a subscription, {} earn{}. The {model} click within {window} days is credited. A commission may be paid {hold} days \
         after the payment.",
        recurring(at(program, "recurring")),
        if recurring(at(program, "recurring")).starts_with("the payments") { "" } else { "s" },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn terms_are_said_in_words() {
        let program = json!({
            "commission": {"type": "percentage", "rate_bps": 1_250}, "base": "net", "recurring": {"months": 12},
            "attribution_window_days": 30, "attribution_model": "last_click", "hold_days": {"sale": 14},
        });
        assert_eq!(
            sentence(&program),
            "A sale of 100.00 USD without tax earns 12.50 USD (12.5 %). Of a subscription, the payments of 12 months earn. The last click \
             within 30 days is credited. A commission may be paid 14 days after the payment."
        );
        let fixed = json!({
            "commission": {"type": "fixed", "amount_minor": 500, "currency": "jpy", "cap_at_sale": true}, "base": "gross",
            "recurring": "first_payment", "attribution_window_days": 7, "attribution_model": "first_click", "hold_days": {"sale": 0},
        });
        assert_eq!(
            sentence(&fixed),
            "Every sale earns 500 JPY, but never more than the sale. Of a subscription, the first payment earns. The first click within 7 days \
             is credited. A commission may be paid 0 days after the payment."
        );
        assert_eq!(
            commission(&json!({"type": "percentage", "rate_bps": 2_000})),
            Cell::Text("20 %".to_owned())
        );
        assert_eq!(commission(&Value::Null), Cell::Nothing);
    }
}
