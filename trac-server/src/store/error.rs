//! Errors of the store.

use std::path::Path;

/// The kind of an error, which decides what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Try again in a moment.
    Busy,
    /// The row exists already.
    Conflict,
    /// The disk cannot be written: it is full, read-only or gone.
    Unavailable,
    /// A query took too long and was interrupted; the message says how to narrow it.
    TooSlow,
    /// Stored data cannot be read: it is damaged, not of this program or version, or sealed with another key.
    Corrupt,
    /// A bug in this program.
    Internal,
}

/// An error of the store. The message is for the log: it names the place and contains no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct StoreError {
    kind: StoreErrorKind,
    detail: String,
}

impl StoreError {
    pub(crate) fn new(kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Internal, detail)
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The message.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same error with the name of a row in front of the message.
    pub(crate) fn of(self, row: &str) -> Self {
        Self { kind: self.kind, detail: format!("{row}: {}", self.detail) }
    }

    /// The same error with the file's path in front of the message.
    pub(crate) fn at(self, file: &Path) -> Self {
        Self { kind: self.kind, detail: format!("{}: {}", file.display(), self.detail) }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(StoreErrorKind::Corrupt, format!("a stored document cannot be read: {error}"))
    }
}
