//! Errors of the store.

use std::path::Path;

use rusqlite::ErrorCode;

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

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Busy,
                ErrorCode::ConstraintViolation if is_duplicate(failure.extended_code) => {
                    StoreErrorKind::Conflict
                }
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied => StoreErrorKind::Unavailable,
                ErrorCode::OperationInterrupted => StoreErrorKind::TooSlow,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Corrupt,
                _ => StoreErrorKind::Internal,
            },
            _ => StoreErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

fn is_duplicate(extended_code: i32) -> bool {
    extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        || extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(StoreErrorKind::Corrupt, format!("a stored document cannot be read: {error}"))
    }
}
