//! Who came before: the marks that visitors leave for two days.

use rusqlite::{CachedStatement, Connection, params};
use trac_core::time::Timestamp;

use super::click::NewClick;
use super::rows::{Everywhere, args};
use super::{Scope, StoreError};

/// How many marks are forgotten at once: whoever else writes waits that long, some milliseconds.
const SLICE: u32 = 5_000;

/// Tells visitors' first clicks from repeated ones.
pub(super) struct Visitors<'a> {
    tx: &'a Connection,
    leave: CachedStatement<'a>,
    came_before: CachedStatement<'a>,
    /// The marks left by clicks that are not written yet.
    left: Vec<(i64, [u8; 16])>,
}

impl<'a> Visitors<'a> {
    pub(super) fn new(tx: &'a Connection) -> Result<Self, StoreError> {
        let leave = "INSERT INTO visitor (day, mark) VALUES (?1, ?2) ON CONFLICT (day, mark) DO NOTHING";
        let came_before =
            "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 AND link_id = ?4";
        Ok(Self {
            tx,
            leave: tx.prepare_cached(leave)?,
            came_before: tx.prepare_cached(came_before)?,
            left: Vec::new(),
        })
    }

    /// Whether a click is its visitor's first; its mark is left. `earlier` clicks are to be written together with it.
    pub(super) fn is_first(
        &mut self,
        scope: &Scope,
        click: &NewClick,
        earlier: &[(&Scope, &NewClick)],
    ) -> Result<bool, StoreError> {
        if let Some(is_unique) = click.is_unique {
            return Ok(is_unique);
        }
        if let Some(mark) = click.visitor {
            let day = click.clicked_at.day();
            if self.leave.execute(params![day, mark.as_slice()])? == 0 {
                return Ok(false);
            }
            self.left.push((day, mark));
        }
        Ok(!self.came_before(scope, click, earlier)?)
    }

    /// Whether the click that the visitor carries was made on this very link.
    fn came_before(
        &mut self,
        scope: &Scope,
        click: &NewClick,
        earlier: &[(&Scope, &NewClick)],
    ) -> Result<bool, StoreError> {
        let (Some(last), Some(link_id)) = (&click.last_click, &click.link_id) else { return Ok(false) };
        let is_it = |(of, other): &(&Scope, &NewClick)| {
            *of == scope && other.id == *last && other.link_id.as_ref() == Some(link_id)
        };
        let known = params![scope.workspace_id(), scope.mode_str(), last.as_str(), link_id];
        Ok(earlier.iter().any(is_it) || self.came_before.exists(known)?)
    }

    /// The clicks are written.
    pub(super) fn stay(&mut self) {
        self.left.clear();
    }

    /// The clicks were refused: who made them has not been here.
    pub(super) fn take_back(&mut self) -> Result<(), StoreError> {
        // Some refusals end the whole transaction, and the marks with it.
        if self.tx.is_autocommit() {
            self.left.clear();
        }
        for (day, mark) in self.left.drain(..) {
            let mut forget = self.tx.prepare_cached("DELETE FROM visitor WHERE day = ?1 AND mark = ?2")?;
            forget.execute(params![day, mark.as_slice()])?;
        }
        Ok(())
    }
}

/// Forgets some marks of days before yesterday; answers whether there were any. Yesterday's are kept for clicks that come out of the
/// spool after midnight.
pub(crate) fn forget_marks(tx: Everywhere<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let forgotten = tx.write(
        "DELETE FROM visitor WHERE (day, mark) <= \
         (SELECT day, mark FROM (SELECT day, mark FROM visitor WHERE day < ?1 ORDER BY day, mark LIMIT ?2) \
         ORDER BY day DESC, mark DESC LIMIT 1)",
        args![now.day().saturating_sub(1), SLICE],
    )?;
    Ok(forgotten > 0)
}
