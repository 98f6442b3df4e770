//! Old clicks that nothing refers to, and deleting them.

use super::rows::{Engine, Everywhere, Rows, args};
use super::{StoreError, sqlite};

/// A place in the clicks of a scope, in the order of their times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    clicked_at: i64,
    row: i64,
}

impl Place {
    /// Before all clicks.
    pub(crate) const START: Self = Self { clicked_at: i64::MIN, row: 0 };
}

/// The IDs of the next clicks that were made before `until`, and the place of the last of them.
pub(crate) fn next(
    rows: Rows<'_>,
    after: Place,
    until: i64,
    count: u32,
) -> Result<Vec<(String, Place)>, StoreError> {
    let sql = "SELECT id, clicked_at, rowid FROM click_record \
               WHERE scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
               AND (clicked_at, rowid) > (?3, ?4) AND clicked_at < ?5 ORDER BY clicked_at, rowid LIMIT ?6";
    rows.all(sql, args![after.clicked_at, after.row, until, count], |row| {
        Ok((row.get(0)?, Place { clicked_at: row.get(1)?, row: row.get(2)? }))
    })
}

/// A click that nothing refers to: no payment, lead, claim or promotion code, in this transaction.
const UNUSED: &str = "DELETE FROM click_record WHERE id = ?3 AND scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
    AND NOT EXISTS (SELECT 1 FROM payment AS p WHERE p.workspace_id = ?1 AND p.mode = ?2 AND p.click_id = ?3) \
    AND NOT EXISTS (SELECT 1 FROM candidate AS d WHERE d.workspace_id = ?1 AND d.mode = ?2 AND d.value = ?3) \
    AND NOT EXISTS (SELECT 1 FROM commission AS c WHERE c.workspace_id = ?1 AND c.mode = ?2 AND c.click_id = ?3) \
    AND NOT EXISTS (SELECT 1 FROM promotion_code AS o WHERE o.workspace_id = ?1 AND o.mode = ?2 AND o.click_id = ?3) \
    AND NOT EXISTS (SELECT 1 FROM report AS r WHERE r.workspace_id = ?1 AND r.mode = ?2 AND r.claimed_click = ?3 AND r.claimed_click <> '') \
    RETURNING scope, program, partner, link, ((clicked_at - (clicked_at % 86400 + 86400) % 86400) / 86400) AS day, is_unique, is_visit";

/// Deletes those of these clicks that nothing refers to; returns how many. Their visits stay in the numbers of
/// their days.
pub(crate) fn delete_unused(rows: Rows<'_>, ids: &[String]) -> Result<usize, StoreError> {
    let tx = rows.everywhere();
    let mut deleted = 0_usize;
    for id in ids {
        let found = rows.one(UNUSED, args![id], |row| {
            Ok(Gone {
                scope: row.get(0)?,
                program: row.get(1)?,
                partner: row.get(2)?,
                link: row.get(3)?,
                day: row.get(4)?,
                is_unique: row.get(5)?,
                is_visit: row.get(6)?,
            })
        })?;
        if let Some(gone) = found {
            gone.uncount(tx)?;
            gone.keep_visit(rows)?;
            deleted = deleted.saturating_add(1);
        }
    }
    if deleted > 0 && tx.engine() == Engine::Sqlite {
        sqlite::move_position(tx)?;
    }
    Ok(deleted)
}

/// A click that was deleted.
struct Gone {
    scope: i64,
    program: i64,
    partner: i64,
    link: Option<i64>,
    day: i64,
    is_unique: bool,
    is_visit: bool,
}

impl Gone {
    /// Takes the click, but not the visit, off the numbers of its day: of the scope, the program, the partner, the
    /// link, and the partner in the program.
    fn uncount(&self, tx: Everywhere<'_>) -> Result<(), StoreError> {
        let pair = "SELECT b.no FROM name AS g JOIN name AS a ON a.no = ?2 JOIN name AS b ON b.id = g.id || '/' || a.id WHERE g.no = ?1";
        let pair = tx.one(pair, args![self.program, self.partner], |row| row.get(0))?;
        let take = "UPDATE click_day SET clicks = clicks - 1, unique_clicks = unique_clicks - ?4 \
                    WHERE scope = ?1 AND key = ?2 AND day = ?3";
        for key in [Some(0), Some(self.program), Some(self.partner), self.link, pair].into_iter().flatten() {
            tx.write(take, args![self.scope, key, self.day, i64::from(self.is_unique)])?;
        }
        Ok(())
    }

    /// Adds the visit to those whose clicks were deleted.
    fn keep_visit(&self, rows: Rows<'_>) -> Result<(), StoreError> {
        if !self.is_visit {
            return Ok(());
        }
        rows.write(
            "INSERT INTO deleted_visit (workspace_id, mode, day, program_id, partner_id, link_id, visits, unique_visits) \
             VALUES (?1, ?2, ?3, (SELECT id FROM name WHERE no = ?4), (SELECT id FROM name WHERE no = ?5), \
             coalesce((SELECT id FROM name WHERE no = ?6), ''), 1, ?7) \
             ON CONFLICT (workspace_id, mode, day, program_id, partner_id, link_id) \
             DO UPDATE SET visits = deleted_visit.visits + 1, unique_visits = deleted_visit.unique_visits + excluded.unique_visits",
            args![self.day, self.program, self.partner, self.link, i64::from(self.is_unique)],
        )?;
        Ok(())
    }
}

/// The next documents with what Stripe says of subscriptions and customers, whose metadata may name clicks, each with
/// the ID of its object.
pub(crate) fn next_holders(
    rows: Rows<'_>,
    after: &str,
    count: u32,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT stripe_id, facts FROM holder WHERE workspace_id = ?1 AND mode = ?2 AND stripe_id > ?3 ORDER BY stripe_id LIMIT ?4";
    rows.all(sql, args![after, count], |row| Ok((row.get(0)?, row.get(1)?)))
}
