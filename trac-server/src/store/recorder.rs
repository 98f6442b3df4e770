//! Writes clicks, one or thousands in one transaction.

use std::sync::LazyLock;

use rusqlite::{CachedStatement, Connection, Statement, params};

use super::click::NewClick;
use super::error::StoreErrorKind;
use super::numbers::Numbers;
use super::rows::{Everywhere, Rows};
use super::visitors::Visitors;
use super::{Scope, StoreError, click_days};

/// Records one click.
///
/// # Errors
/// [`StoreErrorKind::Conflict`] if there is a click with this ID.
pub(crate) fn insert(rows: Rows<'_>, click: &NewClick) -> Result<(), StoreError> {
    let mut recorder = Recorder::new(rows.connection)?;
    if recorder.record(rows.scope(), click)? {
        return recorder.finish();
    }
    Err(StoreError::new(StoreErrorKind::Conflict, "there is a click with this ID"))
}

/// Adds clicks that were inserted by other means to the counts of their days.
pub(crate) fn count_clicks(tx: Everywhere<'_>) -> Result<(), StoreError> {
    click_days::add_new(tx.connection, &mut Numbers::new(tx.connection)?)
}

/// Records clicks, one or thousands in one transaction.
pub(super) struct Recorder<'a> {
    tx: &'a Connection,
    visitors: Visitors<'a>,
    numbers: Numbers<'a>,
    one: CachedStatement<'a>,
    /// Inserts [`TOGETHER`] clicks; prepared when it is first needed.
    together: Option<CachedStatement<'a>>,
}

/// How many clicks one statement inserts.
pub(super) const TOGETHER: usize = 16;
static ONE: LazyLock<String> = LazyLock::new(|| insert_of(1));
static MANY: LazyLock<String> = LazyLock::new(|| insert_of(TOGETHER));

/// The statement that inserts this many clicks. `OR FAIL`: rows written before a failing one stay. To undo
/// them, SQLite would first copy each page that it changes, which costs a fifth of the whole insert. Source:
/// <https://www.sqlite.org/lang_conflict.html>.
fn insert_of(clicks: usize) -> String {
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; clicks].join(", ");
    format!(
        "INSERT OR FAIL INTO click_record (scope, id, program, partner, link, clicked_at, is_unique, is_visit, \
         referrer, landing_url) VALUES {rows} ON CONFLICT (id, scope) DO NOTHING"
    )
}

impl<'a> Recorder<'a> {
    pub(super) fn new(tx: &'a Connection) -> Result<Self, StoreError> {
        let (visitors, numbers) = (Visitors::new(tx)?, Numbers::new(tx)?);
        Ok(Self { tx, visitors, numbers, one: tx.prepare_cached(&ONE)?, together: None })
    }

    /// Records a click; `false` if there is one with this ID already.
    pub(super) fn record(&mut self, scope: &Scope, click: &NewClick) -> Result<bool, StoreError> {
        let written = write(&mut self.visitors, &mut self.numbers, &mut self.one, &[(scope, click)])?;
        Ok(written > 0)
    }

    /// Records clicks by one statement. If one is rejected, those before it may be recorded; recording all of
    /// them again is safe.
    pub(super) fn record_together(
        &mut self,
        clicks: &[(&Scope, &NewClick); TOGETHER],
    ) -> Result<(), StoreError> {
        let insert = match &mut self.together {
            Some(prepared) => prepared,
            none => none.insert(self.tx.prepare_cached(&MANY)?),
        };
        write(&mut self.visitors, &mut self.numbers, insert, clicks)?;
        Ok(())
    }

    /// Adds the recorded clicks to the counts of their days. Called once, at the end of the transaction.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        click_days::add_new(self.tx, &mut self.numbers)
    }
}

/// Writes clicks with the statement for their number; returns how many were new. If one is rejected, the
/// marks of all of them are removed.
fn write(
    visitors: &mut Visitors<'_>,
    numbers: &mut Numbers<'_>,
    insert: &mut Statement<'_>,
    clicks: &[(&Scope, &NewClick)],
) -> Result<usize, StoreError> {
    let written = bind(visitors, numbers, insert, clicks).and_then(|()| Ok(insert.raw_execute()?));
    if written.is_ok() {
        visitors.confirm();
    } else {
        visitors.undo()?;
    }
    written
}

fn bind(
    visitors: &mut Visitors<'_>,
    numbers: &mut Numbers<'_>,
    insert: &mut Statement<'_>,
    clicks: &[(&Scope, &NewClick)],
) -> Result<(), StoreError> {
    let mut places = 1_usize..;
    for (at, (scope, click)) in clicks.iter().enumerate() {
        let is_unique = visitors.is_first(scope, click, clicks.get(..at).unwrap_or_default())?;
        let row = params![
            numbers.of_scope(scope)?,
            click.id.as_str(),
            numbers.of(&click.program_id)?,
            numbers.of(&click.partner_id)?,
            click.link_id.as_ref().map(|link_id| numbers.of(link_id)).transpose()?,
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
