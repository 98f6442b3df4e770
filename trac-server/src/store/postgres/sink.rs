//! Writes the clicks of this node's spool to the database.

use super::clicks::record;
use super::late;
use super::link::Access;
use super::pool::Pool;
use crate::store::click::Condition;
use crate::store::spool::{Refused, Sink, Source, Spooled};
use crate::store::{StoreError, StoreErrorKind};

/// The database, as the spool uses it.
pub(super) struct Late(pub(super) Pool);

impl Late {
    fn write(&self, clicks: &[Spooled]) -> Result<(), StoreError> {
        self.0.run_here(Access::Write, None, |tx| {
            late::lock_scopes(tx, clicks)?;
            let all: Vec<_> = clicks.iter().map(|spooled| (&spooled.scope, &spooled.click)).collect();
            record(tx, &all)?;
            late::note(tx, clicks)
        })
    }
}

impl Sink for Late {
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn record(&mut self, clicks: &[Spooled], refused: &Refused) -> Result<(), StoreError> {
        match self.write(clicks) {
            Err(error) if error.kind() == StoreErrorKind::Internal && clicks.len() > 1 => {}
            written => return written,
        }
        // One of them is rejected: the others must not wait for it.
        let mut rejected = Vec::new();
        for click in clicks.chunks(1) {
            match (self.write(click), click) {
                (Err(error), [one]) if error.kind() == StoreErrorKind::Internal => {
                    rejected.push((one, error));
                }
                (written, _) => written?,
            }
        }
        match rejected.first() {
            // A database that rejects them all has another fault.
            Some((_, error)) if rejected.len() == clicks.len() => Err(error.clone()),
            _ => refused.store(&rejected),
        }
    }
}

/// The links of clicks are compared when the clicks are written; those in the spool are trusted.
pub(super) struct Trusting;

impl Source for Trusting {
    fn holds(&self, _: &dyn Condition) -> bool {
        true
    }

    fn wake(&self) {}
}
