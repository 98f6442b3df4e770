//! First and repeated visits. The table `visitor` contains a mark for each day and visitor of a link, for two
//! days.

use crate::store::click::NewClick;
use crate::store::rows::{Everywhere, args};
use crate::store::{Scope, StoreError};

/// Distinguishes visitors' first clicks from repeated ones.
pub(super) struct Visitors<'a> {
    tx: Everywhere<'a>,
    /// The marks inserted for clicks that are not written yet.
    new_marks: Vec<(i64, [u8; 16])>,
}

impl<'a> Visitors<'a> {
    pub(super) const fn new(tx: Everywhere<'a>) -> Self {
        Self { tx, new_marks: Vec::new() }
    }

    /// Whether a click is its visitor's first. Inserts its mark. `earlier` are the clicks that the same
    /// statement writes before it.
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
            let insert = "INSERT INTO visitor (day, mark) VALUES (?1, ?2) ON CONFLICT (day, mark) DO NOTHING";
            if self.tx.write(insert, args![day, mark])? == 0 {
                return Ok(false);
            }
            self.new_marks.push((day, mark));
        }
        Ok(!self.came_before(scope, click, earlier)?)
    }

    /// Whether the click that the visitor already carried was on the same link.
    fn came_before(
        &self,
        scope: &Scope,
        click: &NewClick,
        earlier: &[(&Scope, &NewClick)],
    ) -> Result<bool, StoreError> {
        let (Some(last), Some(link_id)) = (&click.last_click, &click.link_id) else { return Ok(false) };
        let is_it = |(of, other): &(&Scope, &NewClick)| {
            *of == scope && other.id == *last && other.link_id.as_ref() == Some(link_id)
        };
        let known = "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 AND link_id = ?4";
        Ok(earlier.iter().any(is_it) || self.tx.within(scope).exists(known, args![last.as_str(), link_id])?)
    }

    /// The clicks are written: their marks stay.
    pub(super) fn confirm(&mut self) {
        self.new_marks.clear();
    }

    /// The clicks were rejected: deletes their marks, so that the visitors' next clicks count as first.
    pub(super) fn undo(&mut self) -> Result<(), StoreError> {
        // Some errors roll back the whole transaction, and the marks with it.
        if !self.tx.is_open() {
            self.new_marks.clear();
        }
        for (day, mark) in self.new_marks.drain(..) {
            self.tx.write("DELETE FROM visitor WHERE day = ?1 AND mark = ?2", args![day, mark])?;
        }
        Ok(())
    }
}
