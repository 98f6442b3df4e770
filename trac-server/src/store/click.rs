//! A click as it is kept, however it came: by a tracked link, by the script, by hand, or out of the spool.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use trac_core::click::ClickId;
use trac_core::time::Timestamp;

use super::{Scope, StoreError};

/// A click to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewClick {
    pub(crate) id: ClickId,
    pub(crate) program_id: String,
    pub(crate) partner_id: String,
    pub(crate) link_id: Option<String>,
    pub(crate) clicked_at: Timestamp,
    /// Whether it is the visitor's first; `None` asks the store when it is written.
    pub(crate) is_unique: Option<bool>,
    /// The visitor's mark of the day on this link.
    pub(crate) visitor: Option<[u8; 16]>,
    /// The click that the visitor carried already.
    pub(crate) last_click: Option<ClickId>,
    pub(crate) referrer: Option<String>,
    pub(crate) landing_url: Option<String>,
}

impl NewClick {
    /// What was followed, by which a visitor is told from one who comes again: the link, or the partner.
    pub(crate) fn subject(&self) -> &str {
        self.link_id.as_ref().unwrap_or(&self.partner_id)
    }

    /// Records the click.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::Conflict`] if there is a click of this ID.
    pub(crate) fn insert(&self, tx: &Connection, scope: &Scope) -> Result<(), StoreError> {
        self.insert_marked(tx, scope, self.visitor)
    }

    /// [`Self::insert`] with a mark that is known only now. By one statement, after which nothing can fail.
    pub(crate) fn insert_marked(
        &self,
        tx: &Connection,
        scope: &Scope,
        visitor: Option<[u8; 16]>,
    ) -> Result<(), StoreError> {
        let is_unique = match self.is_unique {
            Some(is_unique) => is_unique,
            None => !self.came_before(tx, scope)? && !was_seen_today(tx, scope, visitor)?,
        };
        tx.prepare_cached(
            "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique, \
             visitor, referrer, landing_url) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            scope.workspace_id(),
            scope.mode_str(),
            self.id.as_str(),
            self.program_id,
            self.partner_id,
            self.link_id,
            self.clicked_at.unix_secs(),
            is_unique,
            visitor.as_ref().map(<[u8; 16]>::as_slice),
            self.referrer,
            self.landing_url,
        ])?;
        Ok(())
    }

    /// Records the click unless it is there already.
    pub(super) fn insert_once(&self, tx: &Connection, scope: &Scope) -> Result<(), StoreError> {
        let mut known =
            tx.prepare_cached("SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3")?;
        if known.exists(params![scope.workspace_id(), scope.mode_str(), self.id.as_str()])? {
            return Ok(());
        }
        self.insert(tx, scope)
    }

    /// Whether the click that the visitor carries was made on this very link.
    fn came_before(&self, tx: &Connection, scope: &Scope) -> Result<bool, StoreError> {
        let (Some(last), Some(link_id)) = (&self.last_click, &self.link_id) else { return Ok(false) };
        let mut statement = tx.prepare_cached(
            "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 AND link_id = ?4",
        )?;
        Ok(statement.exists(params![scope.workspace_id(), scope.mode_str(), last.as_str(), link_id])?)
    }
}

/// Whether a click of this mark is there already.
fn was_seen_today(tx: &Connection, scope: &Scope, visitor: Option<[u8; 16]>) -> Result<bool, StoreError> {
    let Some(visitor) = visitor else { return Ok(false) };
    let mut statement = tx.prepare_cached(
        "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND visitor = ?3 LIMIT 1",
    )?;
    Ok(statement.exists(params![scope.workspace_id(), scope.mode_str(), visitor.as_slice()])?)
}
