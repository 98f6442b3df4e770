//! Converts a row to a line, and back.

use serde_json::{Map, Value, json};

use super::table::{Table, unusable};
use crate::id::hex;
use crate::store::rows::{Cell, Row};
use crate::store::{StoreError, unhex};

/// Writes a row with these columns, in this order.
pub(super) fn write(table: &Table, columns: &[String], row: &Row<'_>) -> Result<String, StoreError> {
    let mut fields = Map::new();
    for (at, column) in columns.iter().enumerate() {
        fields.insert(column.clone(), to_json(row.get(at)?));
    }
    Ok(serde_json::to_string(&json!({ "table": table.name, "row": fields }))?)
}

fn to_json(value: Cell) -> Value {
    match value {
        Cell::Null => Value::Null,
        Cell::Integer(number) => number.into(),
        Cell::Text(text) => text.into(),
        Cell::Bytes(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => json!({ "text": text }),
            Err(_) => json!({ "hex": hex(&bytes) }),
        },
    }
}

/// A row read from a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReadRow {
    pub(super) table: Table,
    pub(super) fields: Vec<(String, Cell)>,
}

/// Reads the line of a row. Its columns are checked when the row is written.
pub(super) fn read(line: Map<String, Value>) -> Result<ReadRow, StoreError> {
    let mut line = line;
    let name = line.remove("table");
    let table = name.as_ref().and_then(Value::as_str).and_then(Table::named);
    let table = table.ok_or_else(|| unusable("it does not name a table of a workspace"))?;
    let Some(Value::Object(row)) = line.remove("row") else { return Err(unusable("it has no row")) };
    if !line.is_empty() {
        return Err(unusable("it has more than a table and a row"));
    }
    let field = |(name, value)| to_cell(value).map(|value| (name, value));
    let fields: Option<Vec<_>> = row.into_iter().map(field).collect();
    Ok(ReadRow { table, fields: fields.ok_or_else(|| unusable("a column has a value of an unknown form"))? })
}

fn to_cell(value: Value) -> Option<Cell> {
    Some(match value {
        Value::Null => Cell::Null,
        Value::Number(number) => Cell::Integer(number.as_i64()?),
        Value::String(text) => Cell::Text(text),
        Value::Object(bytes) => {
            let mut pairs = bytes.into_iter();
            let bytes = match (pairs.next()?, pairs.next()) {
                ((form, Value::String(text)), None) if form == "text" => text.into_bytes(),
                ((form, Value::String(text)), None) if form == "hex" => unhex(&text)?,
                _ => return None,
            };
            Cell::Bytes(bytes)
        }
        Value::Bool(_) | Value::Array(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_back_as_it_was_written() {
        let check = |value: Cell| {
            let written = to_json(value.clone());
            assert_eq!(to_cell(written.clone()), Some(value), "{written}");
        };
        check(Cell::Null);
        check(Cell::Integer(i64::MIN));
        check(Cell::Text("\"a\"\n\u{0}ü".to_owned()));
        check(Cell::Bytes(b"{\"id\":\"evt_1\"}\r\n".to_vec()));
        check(Cell::Bytes(vec![0xff, 0, 1]));
        check(Cell::Bytes(Vec::new()));
    }

    #[test]
    fn a_line_that_is_not_a_row_is_refused() {
        let check = |line: Value, want: &str| {
            let Value::Object(line) = line else { panic!("{line}") };
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        check(json!({"table": "sqlite_schema", "row": {}}), "table");
        check(json!({"table": "dashboard_token", "row": {}}), "table");
        check(json!({"row": {}}), "table");
        check(json!({"table": "click"}), "row");
        check(json!({"table": "click", "row": {}, "more": 1}), "more");
        check(json!({"table": "click", "row": {"id": 1.5}}), "column");
        check(json!({"table": "click", "row": {"id": true}}), "column");
        check(json!({"table": "click", "row": {"id": {"hex": "zz"}}}), "column");
        check(json!({"table": "click", "row": {"id": {"hex": "00", "text": ""}}}), "column");
    }
}
