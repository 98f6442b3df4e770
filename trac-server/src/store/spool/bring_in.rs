//! Writes the clicks of the spool to the database.

use std::io;

use super::refused::Refused;
use super::segment::Segment;
use super::sink::Sink;
use crate::store::error::{StoreError, StoreErrorKind};

/// How many clicks one transaction writes: a larger one would occupy the processor for longer at its commit,
/// and delay visitors. After the database has rejected clicks, the first transaction writes only
/// [`SMALL_BATCH`]: on a nearly full disk, the log must be copied into the database between transactions.
pub(super) const BATCH: usize = 4_096;
pub(super) const SMALL_BATCH: usize = 256;

/// Brings in all lines of a file. After each commit, `on_commit` is called with the number of its lines.
pub(super) fn bring_in(
    segment: &mut Segment,
    sink: &mut dyn Sink,
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
        sink.record(&chunk.clicks, refused)?;
        let progress = chunk.progress();
        segment.advance(progress);
        on_commit(before.saturating_sub(segment.lines()));
        if limit < BATCH {
            sink.make_room();
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
