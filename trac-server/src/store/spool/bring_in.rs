//! Clicks of the spool become rows of the store.

use std::time::Duration;
use std::{io, thread};

use rusqlite::{Connection, TransactionBehavior};

use super::line::Spooled;
use super::refused::{Refused, takes_others};
use super::segment::Segment;
use crate::store::click::Recorder;
use crate::store::error::{StoreError, StoreErrorKind};

/// How many clicks one transaction carries, and how many at first where the store refused more: on a disk with little room its log has to be
/// copied in between.
pub(super) const MANY: usize = 8_192;
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
        for spooled in some {
            match recorder.record(&spooled.scope, &spooled.click) {
                Err(error)
                    if error.kind() == StoreErrorKind::Internal
                        && takes_others(&tx, &mut recorder, spooled)? =>
                {
                    refused.push((spooled, error));
                }
                done => {
                    done?;
                }
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

/// Copies the log of the store into its database, so that it is written from its beginning again. What cannot be copied now stays.
pub(in crate::store) fn copy_log(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}
