//! Clicks of the spool become rows of the store.

use std::time::Duration;
use std::{io, thread};

use rusqlite::{Connection, TransactionBehavior};

use super::line::Spooled;
use super::refused::{Refused, takes_others};
use super::segment::Segment;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::file::copy_log;
use crate::store::recorder::{Recorder, TOGETHER};

/// How many clicks one transaction carries: more would take the processor from visitors for longer when they are committed. And how many
/// at first where the store refused more: on a disk with little room its log has to be copied in between.
pub(super) const MANY: usize = 4_096;
pub(super) const FEW: usize = 256;
/// After so many, visitors may have the processor.
const BREATH: usize = 64;
const NAP: Duration = Duration::from_micros(50);

/// Brings in all lines of a file, and tells at each commit how many wait no more.
pub(super) fn bring_in(
    segment: &mut Segment,
    connection: &mut Connection,
    refused: &Refused,
    mut limit: usize,
    taken: impl Fn(usize),
) -> Result<(), StoreError> {
    let cannot =
        |error: io::Error| StoreError::new(StoreErrorKind::Unavailable, format!("the spool: {error}"));
    refused.keep_damaged(segment)?;
    segment.forget_damaged();
    refused.keep_strange(segment.strange())?;
    segment.forget_strange();
    loop {
        let before = segment.lines();
        let Some(chunk) = segment.waiting(limit).map_err(cannot)? else { break };
        record(&chunk.clicks, connection, refused)?;
        let chunk = chunk.taken();
        segment.took(chunk);
        taken(before.saturating_sub(segment.lines()));
        if limit < MANY {
            copy_log(connection);
            limit = limit.saturating_mul(2).min(MANY);
        }
    }
    if segment.lines() > 0 {
        tracing::error!(clicks = segment.lines(), "the spool was changed by somebody else: clicks are lost");
        taken(segment.lines());
    }
    if segment.is_used()
        && let Err(error) = segment.empty()
    {
        // All that it shows is in the store.
        tracing::warn!(%error, "the spool could not be wiped");
    }
    Ok(())
}

/// Records clicks in one transaction.
fn record(clicks: &[Spooled], connection: &mut Connection, aside: &Refused) -> Result<(), StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (mut recorder, mut refused) = (Recorder::new(&tx)?, Vec::new());
    for some in clicks.chunks(BREATH) {
        for few in some.chunks(TOGETHER) {
            if !record_together(few, &tx, &mut recorder)? {
                record_each(few, &tx, &mut recorder, &mut refused)?;
            }
        }
        if some.len() == BREATH {
            thread::sleep(NAP);
        }
    }
    drop(recorder);
    aside.keep(&refused)?;
    Ok(tx.commit()?)
}

/// Records clicks by one statement. `false` if they are too few for it, or one of them is refused.
fn record_together(
    clicks: &[Spooled],
    tx: &Connection,
    recorder: &mut Recorder<'_>,
) -> Result<bool, StoreError> {
    let Some(clicks) = clicks.as_array::<TOGETHER>() else { return Ok(false) };
    let clicks = clicks.each_ref().map(|spooled| (&spooled.scope, &spooled.click));
    match recorder.record_together(&clicks) {
        // Some refusals end the whole transaction.
        Err(error) if error.kind() == StoreErrorKind::Internal && !tx.is_autocommit() => Ok(false),
        done => done.map(|()| true),
    }
}

/// Records clicks one by one, but for those that the store refuses while it takes others.
fn record_each<'a>(
    clicks: &'a [Spooled],
    tx: &Connection,
    recorder: &mut Recorder<'_>,
    refused: &mut Vec<(&'a Spooled, StoreError)>,
) -> Result<(), StoreError> {
    for spooled in clicks {
        match recorder.record(&spooled.scope, &spooled.click) {
            Err(error)
                if error.kind() == StoreErrorKind::Internal && takes_others(tx, recorder, spooled)? =>
            {
                refused.push((spooled, error));
            }
            done => {
                done?;
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

    /// The clicks, in the order in which they lie: the last digits of each, and a star where it is its visitor's first.
    fn kept(store: &Connection) -> String {
        let mut statement =
            store.prepare("SELECT substr(id, -2), is_unique FROM click ORDER BY rowid").unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?));
        let rows = statement.query_map([], read).unwrap().map(Result::unwrap);
        let told = |(id, is_unique)| format!("{id}{}", if is_unique { "*" } else { "" });
        rows.map(told).collect::<Vec<_>>().join(" ")
    }

    fn marks(store: &Connection) -> i64 {
        store.query_row("SELECT count(*) FROM visitor", [], |row| row.get(0)).unwrap()
    }

    const WHOLE: &str = "00* 01* 02* 03* 04* 05* 06* 07* 08* 09* 0a* 0b* 0c* 0d* 0e* 0f*";

    #[test]
    fn clicks_that_are_recorded_together_know_of_each_other() {
        let check = |change: &dyn Fn(&mut Vec<NewClick>), want: &str| {
            let folder = tempfile::tempdir().unwrap();
            let mut clicks: Vec<_> = (0..16).map(|number| click(number, number)).collect();
            change(&mut clicks);
            let clicks: Vec<_> = clicks.into_iter().map(spooled).collect();
            let mut store = store(folder.path());
            let refused = Refused::beside(&folder.path().join("trac.db"));
            for _ in 0..2 {
                record(&clicks, &mut store, &refused).unwrap();
                assert_eq!(kept(&store), want, "read twice, it changes nothing");
            }
            // As many more are nothing new, whether they are recorded together or one by one.
            for part in clicks.chunks(3) {
                record(part, &mut store, &refused).unwrap();
            }
            assert_eq!(kept(&store), want);
        };
        check(&|_| (), WHOLE);
        check(&|clicks| clicks[5].visitor = Some([2; 16]), &WHOLE.replace("05*", "05"));
        // The visitor of one carries another: made on this very link, or on another one.
        let carries = |clicks: &mut Vec<NewClick>| clicks[9].last_click = Some(clicks[8].id.clone());
        check(&carries, &WHOLE.replace("09*", "09"));
        let other_link = |clicks: &mut Vec<NewClick>| clicks[8].link_id = Some("link_2".into());
        check(&|clicks| (carries(clicks), other_link(clicks)).1, WHOLE);
        // It came too late to be carried.
        check(&|clicks| clicks[8].last_click = Some(clicks[9].id.clone()), WHOLE);
        // One is there twice.
        check(&|clicks| clicks[7] = clicks[6].clone(), &WHOLE.replace(" 07*", ""));
        check(&|clicks| clicks.truncate(15), &WHOLE.replace(" 0f*", ""));
        check(&|clicks| clicks.push(click(16, 16)), &format!("{WHOLE} 10*"));
    }

    #[test]
    fn one_that_is_refused_takes_no_other_with_it_and_has_not_been_here() {
        // Whether what a statement did before it was refused is undone or stays.
        for how in ["ABORT", "FAIL"] {
            let folder = tempfile::tempdir().unwrap();
            let mut store = store(folder.path());
            let refuse = format!("BEGIN SELECT raise({how}, 'no'); END");
            let refuse =
                format!("CREATE TRIGGER no BEFORE INSERT ON click WHEN new.referrer = 'no' {refuse}");
            store.execute_batch(&refuse).unwrap();
            let aside = Refused::beside(&folder.path().join("trac.db"));
            let mut clicks: Vec<_> = (0..16).map(|number| spooled(click(number, number))).collect();
            clicks[3].click.referrer = Some("no".to_owned());
            clicks[12].click.visitor = clicks[3].click.visitor;
            clicks[13].click.visitor = clicks[2].click.visitor;
            record(&clicks, &mut store, &aside).unwrap();
            let want = WHOLE.replace(" 03*", "").replace("0d*", "0d");
            assert_eq!((kept(&store), marks(&store)), (want, 14), "{how}");
            // By itself it is refused too, and leaves nothing.
            clicks[3].click.visitor = Some([99; 16]);
            record(&clicks[3..4], &mut store, &aside).unwrap();
            assert_eq!(marks(&store), 14, "{how}");
            let kept = std::fs::read_to_string(folder.path().join("clicks.refused")).unwrap();
            assert_eq!(kept.matches(clicks[3].click.id.as_str()).count(), 2, "{how}");
        }
    }
}
