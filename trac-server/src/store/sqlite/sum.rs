//! The SQL functions `sum_minor`, `add_minor` and `sub_minor`, which add and subtract amounts. SQLite's own `sum` fails beyond 64 bits, and
//! its `+` returns a fraction, which no column accepts; these return the largest or smallest 64-bit number instead,
//! so that no report and no event fails.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

struct SumMinor;

impl Aggregate<Option<i128>, Option<i64>> for SumMinor {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<i128>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<i128>) -> Result<()> {
        let amount = match context.get_raw(0) {
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => return Ok(()),
            amount => i128::from(integer(amount)),
        };
        *sum = Some(sum.unwrap_or_default().saturating_add(amount));
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<i128>>) -> Result<Option<i64>> {
        let clamped = |sum: i128| i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX });
        Ok(sum.flatten().map(clamped))
    }
}

/// Registers the function with a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("sum_minor", 1, flags, SumMinor)?;
    connection.create_scalar_function(
        "add_minor",
        2,
        flags | FunctionFlags::SQLITE_INNOCUOUS,
        |context| Ok(integer(context.get_raw(0)).saturating_add(integer(context.get_raw(1)))),
    )?;
    connection.create_scalar_function("sub_minor", 2, flags | FunctionFlags::SQLITE_INNOCUOUS, |context| {
        Ok(integer(context.get_raw(0)).saturating_sub(integer(context.get_raw(1))))
    })
}

/// An amount; a difference that does not fit into 64 bits arrives as a fraction.
fn integer(value: ValueRef<'_>) -> i64 {
    match value {
        ValueRef::Integer(amount) => amount,
        ValueRef::Real(amount) if amount < 0.0 => i64::MIN,
        ValueRef::Real(_) => i64::MAX,
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_stays_at_the_largest_number() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let check = |values: &str, want: Option<i64>| {
            let sql = format!("SELECT sum_minor(column1) FROM (VALUES {values})");
            assert_eq!(
                connection.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0)),
                Ok(want),
                "{values}"
            );
        };
        check("(1), (2), (NULL), (-7)", Some(-4));
        check("(NULL)", None);
        check("(9223372036854775807), (1)", Some(i64::MAX));
        check("(9223372036854775807), (9223372036854775807), (-9223372036854775807)", Some(i64::MAX));
        check("(-9223372036854775807), (-2)", Some(i64::MIN));
        check("(9223372036854775807 + 1), (-1)", Some(i64::MAX - 1));
        check("(-9223372036854775807 - 9)", Some(i64::MIN));
        let add =
            |values: &str| connection.query_row(&format!("SELECT add_minor({values})"), [], |row| row.get(0));
        assert_eq!(add("-7, 2"), Ok(-5));
        assert_eq!(add("9223372036854775807, 1"), Ok(i64::MAX));
        assert_eq!(add("-9223372036854775807, -2"), Ok(i64::MIN));
        assert_eq!(add("NULL, 3"), Ok(3));
        let sub = "SELECT sub_minor(-7, 2) = -9 AND sub_minor(NULL, -9223372036854775807) = 9223372036854775807 \
                   AND sub_minor(-9223372036854775807, 7) = -9223372036854775807 - 1";
        assert_eq!(connection.query_row(sub, [], |row| row.get(0)), Ok(true));
        let none = "SELECT sum_minor(1) FILTER (WHERE 0)";
        assert_eq!(connection.query_row(none, [], |row| row.get::<_, Option<i64>>(0)), Ok(None));
    }
}
