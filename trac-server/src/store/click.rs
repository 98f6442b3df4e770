//! A click as it is kept, however it came: by a tracked link, by the script, by hand, or out of the spool.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, params};
use serde::{Deserialize, Serialize};
use trac_core::click::ClickId;
use trac_core::time::Timestamp;

use super::error::StoreErrorKind;
use super::{Scope, StoreError};

/// A click to be written. What all clicks on a link say is shared by them.
///
/// It is the JSON of the spool as well: a field that is added must be one that older lines may lack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewClick {
    pub(crate) id: ClickId,
    pub(crate) program_id: Arc<str>,
    pub(crate) partner_id: Arc<str>,
    pub(crate) link_id: Option<Arc<str>>,
    pub(crate) clicked_at: Timestamp,
    /// Whether it is the visitor's first; `None` asks the store when it is written.
    pub(crate) is_unique: Option<bool>,
    /// The visitor's mark of the day on this link.
    pub(crate) visitor: Option<[u8; 16]>,
    /// The click that the visitor carried already.
    pub(crate) last_click: Option<ClickId>,
    pub(crate) referrer: Option<String>,
    pub(crate) landing_url: Option<Arc<str>>,
}

/// What must be so for a click to be kept: that its link is what the visitor was led by.
pub(crate) trait Condition: Send + Sync {
    /// Asks the store.
    ///
    /// # Errors
    /// The store's.
    fn holds(&self, connection: &Connection) -> Result<bool, StoreError>;
}

impl NewClick {
    /// What was followed, by which a visitor is told from one who comes again: the link, or the partner.
    pub(crate) fn subject(&self) -> &str {
        self.link_id.as_ref().unwrap_or(&self.partner_id)
    }

    /// Records the click.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] if there is a click of this ID.
    pub(crate) fn insert(&self, tx: &Connection, scope: &Scope) -> Result<(), StoreError> {
        if Recorder::new(tx)?.record(scope, self)? {
            return Ok(());
        }
        Err(StoreError::new(StoreErrorKind::Conflict, "there is a click of this ID"))
    }
}

/// Records clicks, one or thousands in one transaction.
pub(super) struct Recorder<'a> {
    came_before: CachedStatement<'a>,
    was_seen: CachedStatement<'a>,
    insert: CachedStatement<'a>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(tx: &'a Connection) -> Result<Self, StoreError> {
        Ok(Self {
            came_before: tx.prepare_cached(
                "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3 AND link_id = ?4",
            )?,
            was_seen: tx.prepare_cached(
                "SELECT 1 FROM click WHERE workspace_id = ?1 AND mode = ?2 AND visitor = ?3 LIMIT 1",
            )?,
            insert: tx.prepare_cached(
                "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique, \
                 visitor, referrer, landing_url) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
                 ON CONFLICT (workspace_id, mode, id) DO NOTHING",
            )?,
        })
    }

    /// Records a click; `false` if there is one of this ID already.
    pub(super) fn record(&mut self, scope: &Scope, click: &NewClick) -> Result<bool, StoreError> {
        let mark = click.visitor.as_ref().map(<[u8; 16]>::as_slice);
        let (workspace, mode) = (scope.workspace_id(), scope.mode_str());
        let was_seen = match mark {
            Some(mark) if click.is_unique.is_none() => {
                self.was_seen.exists(params![workspace, mode, mark])?
            }
            _ => false,
        };
        let is_unique = match click.is_unique {
            Some(is_unique) => is_unique,
            None => !was_seen && !self.came_before(scope, click)?,
        };
        let written = self.insert.execute(params![
            workspace,
            mode,
            click.id.as_str(),
            click.program_id,
            click.partner_id,
            click.link_id,
            click.clicked_at.unix_secs(),
            is_unique,
            // One click that shows a mark is enough to know it again.
            mark.filter(|_| !was_seen),
            click.referrer,
            click.landing_url,
        ])?;
        Ok(written > 0)
    }

    /// Whether the click that the visitor carries was made on this very link.
    fn came_before(&mut self, scope: &Scope, click: &NewClick) -> Result<bool, StoreError> {
        let (Some(last), Some(link_id)) = (&click.last_click, &click.link_id) else { return Ok(false) };
        let known = params![scope.workspace_id(), scope.mode_str(), last.as_str(), link_id];
        Ok(self.came_before.exists(known)?)
    }
}
