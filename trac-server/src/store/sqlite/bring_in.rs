//! Writes the clicks of the spool to the database file.

use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use trac_core::click::ClickId;

use super::file::copy_log;
use super::original::Original;
use super::recorder::{Recorder, TOGETHER};
use crate::id::random_bits;
use crate::store::click::NewClick;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::rows::Everywhere;
use crate::store::spool::{Refused, Sink, Spooled};

/// After this many clicks, the writer sleeps for [`YIELD_TIME`], so that requests get the processor.
const YIELD_EVERY: usize = 64;
const YIELD_TIME: Duration = Duration::from_micros(50);

/// The database file, as the spool uses it.
pub(in crate::store) struct Database<'c> {
    pub(super) connection: &'c mut Connection,
    /// The file that must still be in its place.
    pub(super) original: Option<&'c Original>,
}

impl<'c> Database<'c> {
    /// The database of a command, which opened it just now.
    pub(in crate::store) const fn alone(connection: &'c mut Connection) -> Self {
        Self { connection, original: None }
    }
}

impl Sink for Database<'_> {
    fn check(&self) -> Result<(), StoreError> {
        self.original.map_or(Ok(()), Original::is_in_place)
    }

    fn record(&mut self, clicks: &[Spooled], refused_file: &Refused) -> Result<(), StoreError> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut recorder, mut refused) = (Recorder::new(Everywhere::of(&*tx)), Vec::new());
        for part in clicks.chunks(YIELD_EVERY) {
            for group in part.chunks(TOGETHER) {
                if !record_together(group, &mut recorder)? {
                    record_each(group, &mut recorder, &mut refused)?;
                }
            }
            if part.len() == YIELD_EVERY {
                thread::sleep(YIELD_TIME);
            }
        }
        recorder.finish()?;
        refused_file.store(&refused)?;
        Ok(tx.commit()?)
    }

    fn make_room(&mut self) {
        copy_log(self.connection);
    }
}

/// Records clicks by one statement. `false` if there are too few for it, or one of them is rejected.
fn record_together(clicks: &[Spooled], recorder: &mut Recorder<'_>) -> Result<bool, StoreError> {
    let Some(clicks) = clicks.as_array::<TOGETHER>() else { return Ok(false) };
    let clicks = clicks.each_ref().map(|spooled| (&spooled.scope, &spooled.click));
    match recorder.record_together(&clicks) {
        // Some errors roll back the whole transaction.
        Err(error) if error.kind() == StoreErrorKind::Internal && recorder.is_open() => Ok(false),
        result => result.map(|()| true),
    }
}

/// Records clicks one by one. Those that the database rejects while it accepts others are added to `refused`.
fn record_each<'a>(
    clicks: &'a [Spooled],
    recorder: &mut Recorder<'_>,
    refused: &mut Vec<(&'a Spooled, StoreError)>,
) -> Result<(), StoreError> {
    for spooled in clicks {
        match recorder.record(&spooled.scope, &spooled.click) {
            Err(error) if error.kind() == StoreErrorKind::Internal && accepts_others(recorder, spooled)? => {
                refused.push((spooled, error));
            }
            result => {
                result?;
            }
        }
    }
    Ok(())
}

/// Whether the database would accept another click although it rejected this one.
fn accepts_others(recorder: &mut Recorder<'_>, refused: &Spooled) -> Result<bool, StoreError> {
    // Some errors roll back the whole transaction.
    if !recorder.is_open() {
        return Ok(false);
    }
    let other = NewClick {
        id: ClickId::new(0, random_bits()),
        program_id: "".into(),
        partner_id: "".into(),
        link_id: None,
        clicked_at: refused.click.clicked_at,
        is_unique: Some(false),
        visitor: None,
        last_click: None,
        referrer: None,
        landing_url: None,
    };
    recorder.would_accept(&refused.scope, &other)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::spool::tests as spool_tests;
    use crate::store::sqlite::{file, migrate};

    /// A click of a visitor.
    fn click(number: u8, visitor: u8) -> NewClick {
        NewClick { visitor: Some([visitor; 16]), ..spool_tests::click(number.into()) }
    }

    fn spooled(click: NewClick) -> Spooled {
        Spooled::new(&spool_tests::scope(), click)
    }

    fn store(folder: &Path) -> Connection {
        let file = file::prepare(folder).unwrap();
        let mut store = file::connect(&file).unwrap();
        migrate::migrate(&mut store).unwrap();
        store
    }

    /// The clicks in the order of their rows: the last digits of each ID, and a star if it is its visitor's
    /// first.
    fn recorded(store: &Connection) -> String {
        let mut statement =
            store.prepare("SELECT substr(id, -2), is_unique FROM click_record ORDER BY rowid").unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?));
        let rows = statement.query_map([], read).unwrap().map(Result::unwrap);
        let text = |(id, is_unique)| format!("{id}{}", if is_unique { "*" } else { "" });
        rows.map(text).collect::<Vec<_>>().join(" ")
    }

    fn marks(store: &Connection) -> i64 {
        store.query_row("SELECT count(*) FROM visitor", [], |row| row.get(0)).unwrap()
    }

    const ALL_FIRST: &str = "00* 01* 02* 03* 04* 05* 06* 07* 08* 09* 0a* 0b* 0c* 0d* 0e* 0f*";

    #[test]
    fn clicks_of_one_statement_are_compared_with_each_other() {
        let check = |change: &dyn Fn(&mut Vec<NewClick>), want: &str| {
            let folder = tempfile::tempdir().unwrap();
            let mut clicks: Vec<_> = (0..16).map(|number| click(number, number)).collect();
            change(&mut clicks);
            let clicks: Vec<_> = clicks.into_iter().map(spooled).collect();
            let mut store = store(folder.path());
            let refused = Refused::in_folder(folder.path());
            for _ in 0..2 {
                Database::alone(&mut store).record(&clicks, &refused).unwrap();
                assert_eq!(recorded(&store), want, "recording them again changes nothing");
            }
            // Recording them again, together or one by one, changes nothing.
            for part in clicks.chunks(3) {
                Database::alone(&mut store).record(part, &refused).unwrap();
            }
            assert_eq!(recorded(&store), want);
        };
        check(&|_| (), ALL_FIRST);
        check(&|clicks| clicks[5].visitor = Some([2; 16]), &ALL_FIRST.replace("05*", "05"));
        // The visitor of one click carries another: of the same link, or of another one.
        let carries = |clicks: &mut Vec<NewClick>| clicks[9].last_click = Some(clicks[8].id.clone());
        check(&carries, &ALL_FIRST.replace("09*", "09"));
        let other_link = |clicks: &mut Vec<NewClick>| clicks[8].link_id = Some("link_2".into());
        check(&|clicks| (carries(clicks), other_link(clicks)).1, ALL_FIRST);
        // A later click cannot have been carried.
        check(&|clicks| clicks[8].last_click = Some(clicks[9].id.clone()), ALL_FIRST);
        // One click is there twice.
        check(&|clicks| clicks[7] = clicks[6].clone(), &ALL_FIRST.replace(" 07*", ""));
        check(&|clicks| clicks.truncate(15), &ALL_FIRST.replace(" 0f*", ""));
        check(&|clicks| clicks.push(click(16, 16)), &format!("{ALL_FIRST} 10*"));
    }

    #[test]
    fn a_rejected_click_affects_no_other_and_leaves_no_visitor_mark() {
        // The rows that a statement wrote before the error are undone (ABORT) or stay (FAIL).
        for how in ["ABORT", "FAIL"] {
            let folder = tempfile::tempdir().unwrap();
            let mut store = store(folder.path());
            let refuse = format!("BEGIN SELECT raise({how}, 'no'); END");
            let refuse =
                format!("CREATE TRIGGER no BEFORE INSERT ON click_record WHEN new.referrer = 'no' {refuse}");
            store.execute_batch(&refuse).unwrap();
            let refused = Refused::in_folder(folder.path());
            let mut clicks: Vec<_> = (0..16).map(|number| spooled(click(number, number))).collect();
            clicks[3].click.referrer = Some("no".to_owned());
            clicks[12].click.visitor = clicks[3].click.visitor;
            clicks[13].click.visitor = clicks[2].click.visitor;
            Database::alone(&mut store).record(&clicks, &refused).unwrap();
            let want = ALL_FIRST.replace(" 03*", "").replace("0d*", "0d");
            assert_eq!((recorded(&store), marks(&store)), (want, 14), "{how}");
            // A click that is recorded alone and rejected leaves no mark either.
            clicks[3].click.visitor = Some([99; 16]);
            Database::alone(&mut store).record(&clicks[3..4], &refused).unwrap();
            assert_eq!(marks(&store), 14, "{how}");
            let stored = std::fs::read_to_string(folder.path().join("clicks.refused")).unwrap();
            assert_eq!(stored.matches(clicks[3].click.id.as_str()).count(), 2, "{how}");
        }
    }
}
