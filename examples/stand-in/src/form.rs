//! Stripe's form encoding: `line_items[0][price_data][currency]=usd` becomes nested JSON.

use serde_json::{Map, Value};

/// Parses a form into one JSON object; every leaf is a string, and the parts of `name[0]` and `name[]` are
/// object keys.
pub(crate) fn parse(body: &[u8]) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in form_urlencoded::parse(body) {
        let mut place = &mut root;
        for key in keys(&name) {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(fields) = place else { break };
            place = fields.entry(key).or_insert(Value::Null);
        }
        *place = Value::String(value.into_owned());
    }
    root
}

/// `a[b][c]` is `a`, `b`, `c`.
fn keys(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split('[').map(|part| part.strip_suffix(']').unwrap_or(part).to_owned())
}

/// The text at a path such as `/metadata/tracClickId`, if it is present and not empty.
pub(crate) fn text<'a>(form: &'a Value, path: &str) -> Option<&'a str> {
    form.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The object of strings at a path, empty if there is none.
pub(crate) fn object(form: &Value, path: &str) -> Map<String, Value> {
    form.pointer(path).and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn brackets_are_nested_and_percent_escapes_are_decoded() {
        let body = b"mode=payment&metadata%5BtracClickId%5D=clk_1&line_items[0][price_data][currency]=usd";
        let want = json!({
            "mode": "payment",
            "metadata": {"tracClickId": "clk_1"},
            "line_items": {"0": {"price_data": {"currency": "usd"}}},
        });
        assert_eq!(parse(body), want);
    }

    #[test]
    fn a_field_given_as_text_and_as_object_has_the_later_value() {
        assert_eq!(parse(b"a=1&a[b]=2"), json!({"a": {"b": "2"}}));
        assert_eq!(parse(b"a[b]=2&a=1"), json!({"a": "1"}));
    }
}
