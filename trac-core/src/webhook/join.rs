//! Joining facts about the same object, in any order of arrival.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A join: commutative, associative, idempotent.
///
/// `a ∨ b = b ∨ a`, `(a ∨ b) ∨ c = a ∨ (b ∨ c)`, `a ∨ a = a`. The property tests in `tests/laws.rs` check
/// these laws for every fact.
pub trait Join {
    /// Adds the facts of another view of the same object.
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

/// The value of the newest event; between events of the same second, the greater value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Latest<T> {
    /// When Stripe created the event.
    pub at: Timestamp,
    /// The event's value.
    pub value: T,
}

impl<T> Latest<T> {
    /// The value that an event of that time states, if any.
    pub fn stated(at: Timestamp, value: Option<T>) -> Option<Self> {
        value.map(|value| Self { at, value })
    }
}

/// The values of one field over time: one for each second in which an event stated one.
///
/// # Wire form
/// A list of [`Latest`], the earliest first. A single `Latest` and `null` are read too: older versions stored
/// these.
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
/// use trac_core::webhook::join::Dated;
///
/// let at = Timestamp::from_unix_secs;
/// let mut plan = Dated::stated(at(100), Some("team"));
/// plan.insert(at(200), "company");
/// assert_eq!((plan.at(at(99)), plan.at(at(150)), plan.at(at(200))), (None, Some(&"team"), Some(&"company")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored<T>", into = "Vec<Latest<T>>", bound(serialize = "T: Clone + Serialize"))]
#[serde(bound(deserialize = "T: Ord + Deserialize<'de>"))]
pub struct Dated<T>(BTreeMap<Timestamp, T>);

impl<T> Default for Dated<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Dated<T> {
    /// The value that an event of that time states, if any.
    pub fn stated(at: Timestamp, value: Option<T>) -> Self {
        Self(value.map(|value| (at, value)).into_iter().collect())
    }

    /// Adds a value; of two values of the same second, the greater one stays.
    pub fn insert(&mut self, at: Timestamp, value: T) {
        match self.0.get_mut(&at) {
            Some(ours) => greatest(ours, value),
            None => {
                self.0.insert(at, value);
            }
        }
    }

    /// The value in force at a time: the newest one stated by then.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Option<&T> {
        self.0.range(..=time).next_back().map(|(_, value)| value)
    }

    /// All values with their times, the earliest first.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, &T)> {
        self.0.iter().map(|(at, value)| (*at, value))
    }
}

impl<T: Ord> Join for Dated<T> {
    fn join(&mut self, other: Self) {
        for (at, value) in other.0 {
            self.insert(at, value);
        }
    }
}

/// All forms in which versions of this program stored a [`Dated`].
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored<T> {
    Many(Vec<Latest<T>>),
    One(Latest<T>),
    Nothing(()),
}

impl<T: Ord> From<Stored<T>> for Dated<T> {
    fn from(stored: Stored<T>) -> Self {
        let mut dated = Self::default();
        let values = match stored {
            Stored::Many(values) => values,
            Stored::One(value) => Vec::from([value]),
            Stored::Nothing(()) => Vec::new(),
        };
        for Latest { at, value } in values {
            dated.insert(at, value);
        }
        dated
    }
}

impl<T> From<Dated<T>> for Vec<Latest<T>> {
    fn from(dated: Dated<T>) -> Self {
        dated.0.into_iter().map(|(at, value)| Latest { at, value }).collect()
    }
}

/// Stores the greater of two values; `Some` is greater than `None`.
pub(crate) fn greatest<T: Ord>(ours: &mut T, theirs: T) {
    if theirs > *ours {
        *ours = theirs;
    }
}

/// Stores the earlier of two times; `Some` wins over `None`.
pub(super) fn earliest(ours: &mut Option<Timestamp>, theirs: Option<Timestamp>) {
    if let Some(theirs) = theirs {
        *ours = Some(ours.map_or(theirs, |ours| ours.min(theirs)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn values_over_time_are_stored_as_a_list_and_older_forms_are_read() {
        let check = |stored: Value, want: Value| {
            let read: Dated<u32> = serde_json::from_value(stored).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), want);
        };
        let latest = |at: i64, value: u32| json!({"at": Timestamp::from_unix_secs(at), "value": value});
        check(json!([latest(200, 2), latest(100, 1)]), json!([latest(100, 1), latest(200, 2)]));
        check(json!([latest(100, 1), latest(100, 3), latest(100, 2)]), json!([latest(100, 3)]));
        check(latest(100, 1), json!([latest(100, 1)]));
        check(json!(null), json!([]));
    }
}
