//! The marks of visitors, by which repeated visits are recognized for two days.

use trac_core::time::Timestamp;

use super::StoreError;
use super::rows::{Everywhere, args};

/// How many marks are deleted at once. This blocks other writes for some milliseconds.
const SLICE: u32 = 5_000;

/// Deletes some marks of days before yesterday; returns whether there were any. Yesterday's stay for clicks
/// that are written from the spool after midnight.
pub(crate) fn forget_marks(tx: Everywhere<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let deleted = tx.write(
        "DELETE FROM visitor WHERE (day, mark) <= \
         (SELECT day, mark FROM (SELECT day, mark FROM visitor WHERE day < ?1 ORDER BY day, mark LIMIT ?2) AS oldest \
         ORDER BY day DESC, mark DESC LIMIT 1)",
        args![now.day().saturating_sub(1), SLICE],
    )?;
    Ok(deleted > 0)
}
