//! The space that each part of the database takes.

use std::collections::BTreeMap;

use crate::store::StoreError;
use crate::store::parts::{PARTS, part_of};
use crate::store::rows::Everywhere;

/// The bytes of each part, with the indexes of its tables.
pub(super) fn measure(tx: Everywhere<'_>) -> Result<Vec<(&'static str, u64)>, StoreError> {
    let mut bytes: BTreeMap<&'static str, u64> = PARTS.iter().map(|(part, _)| (*part, 0)).collect();
    let sql = "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class AS c \
               WHERE c.relkind = 'r' AND c.relnamespace = CAST(current_schema AS regnamespace)";
    tx.each(sql, &[], |row| {
        let sum = bytes.entry(part_of(row.text(0)?)).or_default();
        *sum = sum.saturating_add(row.get::<i64>(1)?.unsigned_abs());
        Ok(())
    })?;
    Ok(bytes.into_iter().collect())
}
