//! Writes CSV cells that a spreadsheet does not run as formulas.
//!
//! # Wire form
//! [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180). A spreadsheet would run a text that begins with `=`,
//! `+`, `-`, `@` (or their full-width forms), a tab or a carriage return as a formula; it gets an apostrophe
//! in front. Numbers are written unchanged.
//! Source: <https://owasp.org/www-community/attacks/CSV_Injection>.

use serde_json::Value;

/// Writes one value as a cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(&harmless(text)),
        Value::Array(_) | Value::Object(_) => quoted(&harmless(&value.to_string())),
    }
}

/// The characters that begin a formula. Spreadsheets in Chinese and Japanese locales treat the full-width
/// forms like the others.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

fn harmless(text: &str) -> String {
    if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_get_an_apostrophe() {
        let check = |value: Value, want: &str| assert_eq!(cell(&value), want, "{value}");
        check(json!(null), "");
        check(json!(-17), "-17");
        check(json!(true), "true");
        check(json!("plain"), "plain");
        check(json!("a,b"), "\"a,b\"");
        check(json!("a \"b\""), "\"a \"\"b\"\"\"");
        check(json!("two\r\nlines"), "\"two\r\nlines\"");
        check(json!(" blank"), "\" blank\"");
        check(json!("=1+1"), "'=1+1");
        check(json!("-2"), "'-2");
        check(json!("@SUM(A1)"), "'@SUM(A1)");
        check(json!("\t=1"), "'\t=1");
        check(json!("＝1+1"), "'＝1+1");
        check(json!("－2"), "'－2");
        check(json!("＠SUM(A1)"), "'＠SUM(A1)");
        check(json!("\r=1,2"), "\"'\r=1,2\"");
        check(json!({"charge": "ch_1"}), "\"{\"\"charge\"\":\"\"ch_1\"\"}\"");
    }

    /// Parses a line as RFC 4180.
    fn cells(line: &str) -> Vec<String> {
        let (mut cells, mut cell, mut inside) = (Vec::new(), String::new(), false);
        let mut left = line.chars().peekable();
        while let Some(next) = left.next() {
            match next {
                '"' if inside && left.peek() == Some(&'"') => cell.extend(left.next()),
                '"' => inside = !inside,
                ',' if !inside => cells.push(std::mem::take(&mut cell)),
                other => cell.push(other),
            }
        }
        cells.push(cell);
        cells
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_formula_or_another_cell(texts in prop::collection::vec("[=+@＝＋－＠\t\r\n,\"' a-]{0,6}|\\PC{0,6}", 1..5)) {
            let line = texts.iter().map(|text| cell(&json!(text))).collect::<Vec<_>>().join(",");
            let read = cells(&line);
            prop_assert_eq!(read.len(), texts.len());
            for (cell, text) in read.iter().zip(&texts) {
                prop_assert!(!cell.starts_with(FORMULA), "{:?}", cell);
                prop_assert!(cell == text || cell.strip_prefix('\'') == Some(text.as_str()));
            }
        }
    }
}
