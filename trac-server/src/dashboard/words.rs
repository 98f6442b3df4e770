//! Rows of the API as a person reads them.

use serde_json::Value;
use trac_core::money::Currency;
use trac_core::reason::Reason;

/// A text field; empty where there is none.
pub(super) fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A number field; zero where there is none.
pub(super) fn number(row: &Value, name: &str) -> i64 {
    row.get(name).and_then(Value::as_i64).unwrap_or_default()
}

/// A time as `2026-11-21 08:00:00`, UTC.
pub(super) fn time(row: &Value, name: &str) -> String {
    text(row, name).replace('T', " ").trim_end_matches('Z').to_owned()
}

/// An amount in the row's currency, as `12.34 USD`.
pub(super) fn money(row: &Value, name: &str) -> String {
    let currency = text(row, "currency");
    match Currency::parse(&currency) {
        Ok(currency) => currency.display(number(row, name)),
        Err(_) => format!("{} {currency}", number(row, name)),
    }
}

/// An amount with its sign, as `+12.34 USD`.
pub(super) fn signed_money(row: &Value, name: &str) -> String {
    let sign = if number(row, name) > 0 { "+" } else { "" };
    format!("{sign}{}", money(row, name))
}

/// A reason in one sentence; a code that is not known stays a code.
pub(super) fn reason(row: &Value) -> String {
    let code = text(row, "reason");
    Reason::from_code(&code).map_or(code, |reason| reason.meaning().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_read_as_a_person_would() {
        let row = json!({
            "currency": "usd", "amount_minor": 1_234, "at": "2026-11-21T08:00:00Z", "reason": "click_expired",
        });
        assert_eq!(signed_money(&row, "amount_minor"), "+12.34 USD");
        assert_eq!(money(&row, "missing"), "0.00 USD");
        assert_eq!(time(&row, "at"), "2026-11-21 08:00:00");
        assert!(reason(&row).contains("window"));
        assert_eq!(reason(&json!({ "reason": "of_tomorrow" })), "of_tomorrow");
    }
}
