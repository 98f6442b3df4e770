//! How facts about one thing grow together, in whatever order they arrive.

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A join: commutative, associative, idempotent.
///
/// `a ∨ b = b ∨ a`, `(a ∨ b) ∨ c = a ∨ (b ∨ c)`, `a ∨ a = a`. The property tests in `tests/laws.rs` hold every fact
/// to it.
pub trait Join {
    /// Takes in what another view of the same thing knows.
    fn join(&mut self, other: Self);
}

impl<K: Ord, V: Join> Join for BTreeMap<K, V> {
    fn join(&mut self, other: Self) {
        for (key, theirs) in other {
            match self.get_mut(&key) {
                Some(ours) => ours.join(theirs),
                None => {
                    self.insert(key, theirs);
                }
            }
        }
    }
}

impl<K: Ord> Join for BTreeSet<K> {
    fn join(&mut self, other: Self) {
        self.extend(other);
    }
}

impl Join for bool {
    fn join(&mut self, other: Self) {
        *self |= other;
    }
}

/// What the newest event says; between events of the same second the greater value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Latest<T> {
    /// When the event was made.
    pub at: Timestamp,
    /// What it said.
    pub value: T,
}

impl<T> Latest<T> {
    /// What an event of that time says, if it says anything.
    pub fn said(at: Timestamp, value: Option<T>) -> Option<Self> {
        value.map(|value| Self { at, value })
    }
}

/// The greater wins; something wins over nothing.
pub(super) fn greatest<T: Ord>(ours: &mut T, theirs: T) {
    if theirs > *ours {
        *ours = theirs;
    }
}

/// The smaller wins; something wins over nothing.
pub(super) fn earliest(ours: &mut Option<Timestamp>, theirs: Option<Timestamp>) {
    if let Some(theirs) = theirs {
        *ours = Some(ours.map_or(theirs, |ours| ours.min(theirs)));
    }
}
