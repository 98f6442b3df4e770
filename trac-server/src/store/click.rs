//! A click as it is kept, however it came: by a tracked link, by the script, by hand, or out of the spool.

use std::sync::{Arc, LazyLock};

use rusqlite::{CachedStatement, Connection, Statement, params};
use serde::{Deserialize, Serialize};
use trac_core::click::ClickId;
use trac_core::time::Timestamp;

use super::error::StoreErrorKind;
use super::rows::{Everywhere, Rows};
use super::visitors::Visitors;
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
    /// Whether it is the visitor's first; `None` asks the store when it is written. `Some(false)` is no visit: it stands for a promo code.
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
    fn holds(&self, tx: Everywhere<'_>) -> Result<bool, StoreError>;
}

impl NewClick {
    /// What was followed, by which a visitor is told from one who comes again: the link, or the partner.
    pub(crate) fn subject(&self) -> &str {
        self.link_id.as_ref().unwrap_or(&self.partner_id)
    }

    /// Whether somebody came, who may have come before.
    fn is_visit(&self) -> bool {
        self.is_unique != Some(false)
    }

    /// Records the click.
    ///
    /// # Errors
    /// [`StoreErrorKind::Conflict`] if there is a click of this ID.
    pub(crate) fn insert(&self, rows: Rows<'_>) -> Result<(), StoreError> {
        if Recorder::new(rows.connection)?.record(rows.scope(), self)? {
            return Ok(());
        }
        Err(StoreError::new(StoreErrorKind::Conflict, "there is a click of this ID"))
    }
}

/// Records clicks, one or thousands in one transaction.
pub(super) struct Recorder<'a> {
    tx: &'a Connection,
    visitors: Visitors<'a>,
    one: CachedStatement<'a>,
    /// Prepared when so many are there.
    together: Option<CachedStatement<'a>>,
}

/// How many clicks one statement takes.
pub(super) const TOGETHER: usize = 16;
static ONE: LazyLock<String> = LazyLock::new(|| insert_of(1));
static MANY: LazyLock<String> = LazyLock::new(|| insert_of(TOGETHER));

/// The statement that takes so many clicks. `OR FAIL`: what it wrote before a refusal stays. To be able to undo that, SQLite would first copy each
/// page that it changes, which costs a fifth of the whole. Source: <https://www.sqlite.org/lang_conflict.html>.
fn insert_of(clicks: usize) -> String {
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; clicks].join(", ");
    format!(
        "INSERT OR FAIL INTO click (workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique, is_visit, \
         referrer, landing_url) VALUES {rows} ON CONFLICT (id, workspace_id, mode) DO NOTHING"
    )
}

impl<'a> Recorder<'a> {
    pub(super) fn new(tx: &'a Connection) -> Result<Self, StoreError> {
        Ok(Self { tx, visitors: Visitors::new(tx)?, one: tx.prepare_cached(&ONE)?, together: None })
    }

    /// Records a click; `false` if there is one of this ID already.
    pub(super) fn record(&mut self, scope: &Scope, click: &NewClick) -> Result<bool, StoreError> {
        let written = write(&mut self.visitors, &mut self.one, &[(scope, click)])?;
        Ok(written > 0)
    }

    /// Records clicks by one statement. If one is refused, those before it may be recorded: all can be recorded again.
    pub(super) fn record_together(
        &mut self,
        clicks: &[(&Scope, &NewClick); TOGETHER],
    ) -> Result<(), StoreError> {
        let insert = match &mut self.together {
            Some(prepared) => prepared,
            none => none.insert(self.tx.prepare_cached(&MANY)?),
        };
        write(&mut self.visitors, insert, clicks)?;
        Ok(())
    }
}

/// Writes clicks by the statement that takes so many; answers how many were not there already. If one is refused, no mark of any is left.
fn write(
    visitors: &mut Visitors<'_>,
    insert: &mut Statement<'_>,
    clicks: &[(&Scope, &NewClick)],
) -> Result<usize, StoreError> {
    let written = bind(visitors, insert, clicks).and_then(|()| Ok(insert.raw_execute()?));
    if written.is_ok() {
        visitors.stay();
    } else {
        visitors.take_back()?;
    }
    written
}

fn bind(
    visitors: &mut Visitors<'_>,
    insert: &mut Statement<'_>,
    clicks: &[(&Scope, &NewClick)],
) -> Result<(), StoreError> {
    let mut places = 1_usize..;
    for (at, (scope, click)) in clicks.iter().enumerate() {
        let is_unique = visitors.is_first(scope, click, clicks.get(..at).unwrap_or_default())?;
        let row = params![
            scope.workspace_id(),
            scope.mode_str(),
            click.id.as_str(),
            click.program_id,
            click.partner_id,
            click.link_id,
            click.clicked_at.unix_secs(),
            is_unique,
            click.is_visit(),
            click.referrer,
            click.landing_url,
        ];
        for (value, place) in row.iter().zip(places.by_ref()) {
            insert.raw_bind_parameter(place, value)?;
        }
    }
    Ok(())
}
