//! What the last look through the whole database found.

use std::sync::{Arc, Mutex, PoisonError};

use trac_core::time::Timestamp;

/// When a look was, and the damage it found.
type Look = (Timestamp, Option<String>);

/// The last look. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Soundness(Arc<Mutex<Option<Look>>>);

impl Soundness {
    /// Remembers what was found: `None` for nothing.
    pub(crate) fn note(&self, at: Timestamp, damage: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, damage));
    }

    /// When the database was looked through, and what was found; `None` before the first time.
    pub(crate) fn last(&self) -> Option<Look> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
