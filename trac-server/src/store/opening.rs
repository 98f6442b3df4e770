//! What opening a store may change.

/// What opening a store may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A store that is missing is created, and one of an older version is converted.
    New,
    /// The store must exist; one of an older version is converted.
    Known,
    /// The store must exist, of this version: nothing is changed.
    Unchanged,
}
