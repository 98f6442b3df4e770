//! What can go wrong in the store.

use std::path::Path;

use rusqlite::ErrorCode;

/// What a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Try again in a moment.
    Busy,
    /// The row exists already.
    Conflict,
    /// The disk refuses: full, read-only, gone.
    Unavailable,
    /// A query took too long and was interrupted; the message says how to narrow it.
    TooSlow,
    /// What was read is not what was once written.
    Corrupt,
    /// A mistake in this program.
    Internal,
}

/// A failure of the store. The message is for the log: it names the place, never a secret.
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

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The message.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same error with the file's name in front.
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
