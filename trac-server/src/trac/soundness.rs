//! The result of the last check of the whole database.

use std::sync::{Arc, Mutex, PoisonError};

use trac_core::time::Timestamp;

/// The time of a check, and the damage it found.
type Check = (Timestamp, Option<String>);

/// The last check. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Soundness(Arc<Mutex<Option<Check>>>);

impl Soundness {
    /// Remembers the result of a check: `None` for no damage.
    pub(crate) fn note(&self, at: Timestamp, damage: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, damage));
    }

    /// The time and result of the last check; `None` before the first one.
    pub(crate) fn last(&self) -> Option<Check> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
