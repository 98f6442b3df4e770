//! The number of clicks of each day (`click_day`) and of each ten days (`click_span`): of a scope, of a program, a
//! partner, a link, and of a partner in a program.
//!
//! The transaction that inserts clicks ends with [`add_new`], so that the tables are exact at every commit. It reads
//! the rows after `click_day_position` once, whichever path inserted them, and is therefore cheap for thousands
//! of clicks.

use std::sync::Arc;

use crate::store::numbers::Numbers;
use crate::store::rows::{Everywhere, args};
use crate::store::{StoreError, spans};

/// The new clicks of one day, and of one link or of none.
struct Group {
    scope: i64,
    program: i64,
    partner: i64,
    link: Option<i64>,
    day: i64,
    /// Clicks, unique clicks, visits, unique visits.
    counts: [i64; 4],
}

const NEW: &str = "SELECT scope, program, partner, link, ((clicked_at - (clicked_at % 86400 + 86400) % 86400) / 86400) AS day, count(*), sum(CASE WHEN is_unique THEN 1 ELSE 0 END), \
    sum(CASE WHEN is_visit THEN 1 ELSE 0 END), sum(CASE WHEN is_unique AND is_visit THEN 1 ELSE 0 END) FROM click_record \
    WHERE rowid > (SELECT p.\"row\" FROM click_day_position AS p) GROUP BY scope, program, partner, link, day";

const ADD: &str = "INSERT INTO click_day (scope, key, day, clicks, unique_clicks, visits, unique_visits) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (scope, key, day) DO UPDATE SET clicks = click_day.clicks + excluded.clicks, \
    unique_clicks = click_day.unique_clicks + excluded.unique_clicks, visits = click_day.visits + excluded.visits, \
    unique_visits = click_day.unique_visits + excluded.unique_visits";

const ADD_TO_SPAN: &str = "INSERT INTO click_span (scope, key, span, visits, unique_visits) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (scope, key, span) DO UPDATE SET visits = click_span.visits + excluded.visits, unique_visits = click_span.unique_visits + excluded.unique_visits";

/// Adds the clicks that were inserted since the last call.
pub(super) fn add_new(tx: Everywhere<'_>, numbers: &mut Numbers<'_>) -> Result<(), StoreError> {
    let groups = tx.all(NEW, &[], |row| {
        Ok(Group {
            scope: row.get(0)?,
            program: row.get(1)?,
            partner: row.get(2)?,
            link: row.get(3)?,
            day: row.get(4)?,
            counts: [row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?],
        })
    })?;
    for Group { scope, program, partner, link, day, counts } in &groups {
        let in_program = pair(tx, numbers, *program, *partner)?;
        let keys = [Some(0), Some(*program), Some(*partner), *link, Some(in_program)];
        for key in keys.into_iter().flatten() {
            let [clicks, unique_clicks, visits, unique_visits] = counts;
            tx.write(ADD, args![scope, key, day, clicks, unique_clicks, visits, unique_visits])?;
            tx.write(ADD_TO_SPAN, args![scope, key, spans::of(*day), visits, unique_visits])?;
        }
    }
    if !groups.is_empty() {
        move_position(tx)?;
    }
    Ok(())
}

/// Adds clicks that were inserted by other means to the counts of their days.
pub(in crate::store) fn count_new_clicks(tx: Everywhere<'_>) -> Result<(), StoreError> {
    add_new(tx, &mut Numbers::new(tx))
}

/// The row up to which clicks are counted, if that is not the last one.
pub(in crate::store) fn is_position_wrong(tx: Everywhere<'_>) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT p.\"row\" FROM click_day_position AS p WHERE p.\"row\" <> (SELECT coalesce(max(rowid), 0) FROM click_record)";
    tx.one(sql, &[], |row| row.get(0))
}

/// Records that all rows of `click_record` are counted. Also called after rows were deleted, since their row
/// numbers may be assigned again.
pub(in crate::store) fn move_position(tx: Everywhere<'_>) -> Result<(), StoreError> {
    let sql = "UPDATE click_day_position SET \"row\" = (SELECT coalesce(max(rowid), 0) FROM click_record)";
    tx.write(sql, &[])?;
    Ok(())
}

/// The number of a partner in a program.
fn pair(
    tx: Everywhere<'_>,
    numbers: &mut Numbers<'_>,
    program: i64,
    partner: i64,
) -> Result<i64, StoreError> {
    let sql = "SELECT g.id || '/' || a.id FROM name AS g, name AS a WHERE g.no = ?1 AND a.no = ?2";
    let name: Option<Arc<str>> = tx.one(sql, args![program, partner], |row| row.get(0))?;
    numbers.of(&name.ok_or_else(|| StoreError::internal("a number has no name"))?)
}
