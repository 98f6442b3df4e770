//! Writes the clicks of the spool to the database.

use std::time::Duration;
use std::{io, thread};

use rusqlite::{Connection, TransactionBehavior};

use super::line::Spooled;
use super::refused::{Refused, accepts_others};
use super::segment::Segment;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::file::copy_log;
use crate::store::recorder::{Recorder, TOGETHER};
use crate::store::rows::Everywhere;

/// How many clicks one transaction writes: a larger one would occupy the processor for longer at its commit,
/// and delay visitors. After the database has rejected clicks, the first transaction writes only
/// [`SMALL_BATCH`]: on a nearly full disk, the log must be copied into the database between transactions.
pub(super) const BATCH: usize = 4_096;
pub(super) const SMALL_BATCH: usize = 256;
/// After this many clicks, the writer sleeps for [`YIELD_TIME`], so that requests get the processor.
const YIELD_EVERY: usize = 64;
const YIELD_TIME: Duration = Duration::from_micros(50);

/// Brings in all lines of a file. After each commit, `on_commit` is called with the number of its lines.
pub(super) fn bring_in(
    segment: &mut Segment,
    connection: &mut Connection,
    refused: &Refused,
    mut limit: usize,
    on_commit: impl Fn(usize),
) -> Result<(), StoreError> {
    let cannot =
        |error: io::Error| StoreError::new(StoreErrorKind::Unavailable, format!("the spool: {error}"));
    refused.store_damaged(segment)?;
    segment.forget_damaged();
    refused.store_unknown(segment.unknown())?;
    segment.forget_unknown();
    loop {
        let before = segment.lines();
        let Some(chunk) = segment.waiting(limit).map_err(cannot)? else { break };
        record(&chunk.clicks, connection, refused)?;
        let progress = chunk.progress();
        segment.advance(progress);
        on_commit(before.saturating_sub(segment.lines()));
        if limit < BATCH {
            copy_log(connection);
            limit = limit.saturating_mul(2).min(BATCH);
        }
    }
    if segment.lines() > 0 {
        tracing::error!(clicks = segment.lines(), "another program changed the spool: clicks are lost");
        on_commit(segment.lines());
    }
    if segment.is_used()
        && let Err(error) = segment.empty()
    {
        // All its clicks are in the database.
        tracing::warn!(%error, "the spool could not be wiped");
    }
    Ok(())
}

/// Records clicks in one transaction.
fn record(clicks: &[Spooled], connection: &mut Connection, refused_file: &Refused) -> Result<(), StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests;
    use super::*;
    use crate::store::click::NewClick;
    use crate::store::file;

    /// A click of a visitor.
    fn click(number: u8, visitor: u8) -> NewClick {
        NewClick { visitor: Some([visitor; 16]), ..tests::click(number.into()) }
    }

    fn spooled(click: NewClick) -> Spooled {
        Spooled::new(&tests::scope(), click)
    }

    fn store(folder: &Path) -> Connection {
        let file = file::prepare(folder).unwrap();
        let mut store = file::connect(&file).unwrap();
        crate::store::migrate::migrate(&mut store).unwrap();
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
            let refused = Refused::next_to(&folder.path().join("trac.db"));
            for _ in 0..2 {
                record(&clicks, &mut store, &refused).unwrap();
                assert_eq!(recorded(&store), want, "recording them again changes nothing");
            }
            // Recording them again, together or one by one, changes nothing.
            for part in clicks.chunks(3) {
                record(part, &mut store, &refused).unwrap();
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
            let refused = Refused::next_to(&folder.path().join("trac.db"));
            let mut clicks: Vec<_> = (0..16).map(|number| spooled(click(number, number))).collect();
            clicks[3].click.referrer = Some("no".to_owned());
            clicks[12].click.visitor = clicks[3].click.visitor;
            clicks[13].click.visitor = clicks[2].click.visitor;
            record(&clicks, &mut store, &refused).unwrap();
            let want = ALL_FIRST.replace(" 03*", "").replace("0d*", "0d");
            assert_eq!((recorded(&store), marks(&store)), (want, 14), "{how}");
            // A click that is recorded alone and rejected leaves no mark either.
            clicks[3].click.visitor = Some([99; 16]);
            record(&clicks[3..4], &mut store, &refused).unwrap();
            assert_eq!(marks(&store), 14, "{how}");
            let stored = std::fs::read_to_string(folder.path().join("clicks.refused")).unwrap();
            assert_eq!(stored.matches(clicks[3].click.id.as_str()).count(), 2, "{how}");
        }
    }
}
