//! Reads the API's JSON for pages.

use serde_json::Value;
use trac_core::time::Timestamp;

use crate::web::{Amount, Cell, Code, Moment};

/// The value at a path of names with dots, as in `stripe.invoice`.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// The text at a path; empty if there is none.
pub(super) fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    at(value, path).as_str().unwrap_or_default()
}

/// The whole number at a path; zero if there is none.
pub(super) fn number(value: &Value, path: &str) -> i64 {
    at(value, path).as_i64().unwrap_or_default()
}

/// The list at a path; empty if there is none.
pub(super) fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// The moment at a path.
pub(super) fn moment(value: &Value, path: &str) -> Option<Moment> {
    Timestamp::parse_rfc3339(text(value, path)).map(Moment)
}

/// The cell with a moment.
pub(super) fn time(value: &Value, path: &str) -> Cell {
    moment(value, path).map_or(Cell::Nothing, Cell::Time)
}

/// The cell with an amount: minor units at one path, the currency at another.
pub(super) fn money(value: &Value, minor: &str, currency: &str) -> Cell {
    match (at(value, minor).as_i64(), text(value, currency)) {
        (Some(minor), currency) if !currency.is_empty() => Cell::Amount(Amount::new(minor, currency)),
        _ => Cell::Nothing,
    }
}

/// The cell with a reason.
pub(super) fn reason(value: &Value, path: &str) -> Cell {
    match text(value, path) {
        "" => Cell::Nothing,
        code => Cell::Reason(Code(code.to_owned())),
    }
}

/// The cell with an ID.
pub(super) fn id(value: &Value, path: &str) -> Cell {
    match text(value, path) {
        "" => Cell::Nothing,
        id => Cell::Id(id.to_owned()),
    }
}
