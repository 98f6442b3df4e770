//! Writes clicks, one or thousands in one transaction.

use std::sync::LazyLock;

use super::click_days;
use super::visitors::Visitors;
use crate::store::click::NewClick;
use crate::store::numbers::Numbers;
use crate::store::rows::{Arg, Everywhere, ToArg as _, places};
use crate::store::{Scope, StoreError};

/// Records clicks in this transaction and returns how many are new.
pub(in crate::store) fn record(
    tx: Everywhere<'_>,
    clicks: &[(&Scope, &NewClick)],
) -> Result<usize, StoreError> {
    let (mut recorder, mut new) = (Recorder::new(tx), 0_usize);
    for (scope, click) in clicks {
        new = new.saturating_add(recorder.record(scope, click)?.into());
    }
    recorder.finish()?;
    Ok(new)
}

/// Records clicks, one or thousands in one transaction.
pub(super) struct Recorder<'a> {
    tx: Everywhere<'a>,
    visitors: Visitors<'a>,
    numbers: Numbers<'a>,
}

/// How many clicks one statement inserts.
pub(super) const TOGETHER: usize = 16;
/// How many columns of a click are written.
const COLUMNS: usize = 10;
static ONE: LazyLock<String> = LazyLock::new(|| insert_of(1));
static MANY: LazyLock<String> = LazyLock::new(|| insert_of(TOGETHER));

/// The statement that inserts this many clicks.
fn insert_of(clicks: usize) -> String {
    let row =
        |number: usize| format!("({})", places(number.saturating_mul(COLUMNS).saturating_add(1), COLUMNS));
    let rows = (0..clicks).map(row).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO click_record (scope, id, program, partner, link, clicked_at, is_unique, is_visit, \
         referrer, landing_url) VALUES {rows} ON CONFLICT (id, scope) DO NOTHING"
    )
}

impl<'a> Recorder<'a> {
    pub(super) fn new(tx: Everywhere<'a>) -> Self {
        Self { tx, visitors: Visitors::new(tx), numbers: Numbers::new(tx) }
    }

    /// Records a click; `false` if there is one with this ID already.
    pub(super) fn record(&mut self, scope: &Scope, click: &NewClick) -> Result<bool, StoreError> {
        Ok(self.write(&ONE, &[(scope, click)])? > 0)
    }

    /// Whether the transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.tx.is_open()
    }

    /// Whether the database accepts a click, which is not recorded.
    pub(super) fn would_accept(&mut self, scope: &Scope, click: &NewClick) -> Result<bool, StoreError> {
        self.tx.write("SAVEPOINT other", &[])?;
        let is_accepted = self.record(scope, click).is_ok() && self.is_open();
        if self.is_open() {
            self.tx.write("ROLLBACK TO other", &[])?;
            self.tx.write("RELEASE other", &[])?;
        }
        Ok(is_accepted)
    }

    /// Records clicks by one statement. If one is rejected, those before it may be recorded; recording all of
    /// them again is safe.
    pub(super) fn record_together(
        &mut self,
        clicks: &[(&Scope, &NewClick); TOGETHER],
    ) -> Result<(), StoreError> {
        self.write(&MANY, clicks)?;
        Ok(())
    }

    /// Adds the recorded clicks to the counts of their days. Called once, at the end of the transaction.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        click_days::add_new(self.tx, &mut self.numbers)
    }

    /// Writes clicks with the statement for their number; returns how many were new. If one is rejected, the
    /// marks of all of them are removed.
    fn write(&mut self, insert: &str, clicks: &[(&Scope, &NewClick)]) -> Result<usize, StoreError> {
        let written = self.arguments(clicks).and_then(|args| self.tx.write(insert, &args));
        if written.is_ok() {
            self.visitors.confirm();
        } else {
            self.visitors.undo()?;
        }
        written
    }

    fn arguments<'c>(&mut self, clicks: &[(&Scope, &'c NewClick)]) -> Result<Vec<Arg<'c>>, StoreError> {
        let mut args = Vec::with_capacity(clicks.len().saturating_mul(COLUMNS));
        for (at, (scope, click)) in clicks.iter().enumerate() {
            let is_unique = self.visitors.is_first(scope, click, clicks.get(..at).unwrap_or_default())?;
            let link = click.link_id.as_ref().map(|link_id| self.numbers.of(link_id)).transpose()?;
            let row: [Arg<'c>; COLUMNS] = [
                Arg::Integer(self.numbers.of_scope(scope)?),
                click.id.as_str().to_arg(),
                Arg::Integer(self.numbers.of(&click.program_id)?),
                Arg::Integer(self.numbers.of(&click.partner_id)?),
                link.map_or(Arg::Null, Arg::Integer),
                click.clicked_at.to_arg(),
                Arg::Bool(is_unique),
                Arg::Bool(click.is_visit()),
                click.referrer.to_arg(),
                click.landing_url.to_arg(),
            ];
            args.extend(row);
        }
        Ok(args)
    }
}
