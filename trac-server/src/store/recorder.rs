//! Writes clicks, one or thousands in one transaction.

use std::sync::LazyLock;

use rusqlite::{CachedStatement, Connection, Statement, params};

use super::click::NewClick;
use super::error::StoreErrorKind;
use super::rows::Rows;
use super::visitors::Visitors;
use super::{Scope, StoreError};

/// Records one click.
///
/// # Errors
/// [`StoreErrorKind::Conflict`] if there is a click of this ID.
pub(crate) fn insert(rows: Rows<'_>, click: &NewClick) -> Result<(), StoreError> {
    if Recorder::new(rows.connection)?.record(rows.scope(), click)? {
        return Ok(());
    }
    Err(StoreError::new(StoreErrorKind::Conflict, "there is a click of this ID"))
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
