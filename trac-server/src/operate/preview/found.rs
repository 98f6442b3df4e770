//! The recent payments of a program.

use trac_core::time::Timestamp;

use crate::store::StoreError;
use crate::store::rows::{Row, Rows, args};

/// A payment may be dated later than the server that recorded it, because clocks differ.
const SKEW_SECS: i64 = 86_400;

/// The IDs of a program's decided payments that happened since a time, those recorded last first, at most `most`.
///
/// The kept counts list the combinations of values that the program's payments have. The index has the payments of
/// a combination in the order of their IDs, which begin with the time at which they were recorded.
pub(super) fn payments(
    rows: Rows<'_>,
    program_id: &str,
    since: Timestamp,
    most: usize,
) -> Result<Vec<String>, StoreError> {
    let combinations = "SELECT source, reason, currency, is_credited FROM payment_count \
                        WHERE workspace_id = ?1 AND mode = ?2 AND program_id = ?3 AND rows > 0";
    let of_combination = "SELECT id FROM payment WHERE workspace_id = ?1 AND mode = ?2 AND is_conversion \
                          AND coalesce(program_id, '') = ?3 AND coalesce(source, '') = ?4 AND coalesce(reason, '') = ?5 \
                          AND coalesce(currency, '') = ?6 AND is_credited = ?7 AND id >= ?8 AND happened_at >= ?9 \
                          ORDER BY id DESC LIMIT ?10";
    let read = |row: &Row<'_>| {
        Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?, row.get::<bool>(3)?))
    };
    let from = first_id(since.plus_secs(-SKEW_SECS));
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut found: Vec<String> = Vec::new();
    for (source, reason, currency, is_credited) in rows.all(combinations, args![program_id], read)? {
        let args = args![program_id, source, reason, currency, is_credited, from, since, limit];
        found.extend(rows.all(of_combination, args, |row| row.get::<String>(0))?);
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.truncate(most);
    Ok(found)
}

/// The least ID of a payment that was recorded at this time: a version 7 UUID begins with its milliseconds.
fn first_id(time: Timestamp) -> String {
    format!("pay_{:012x}", time.unix_secs().max(0).saturating_mul(1_000))
}
