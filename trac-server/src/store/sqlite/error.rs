//! Errors of the driver of SQLite.

use rusqlite::ErrorCode;

use crate::store::{StoreError, StoreErrorKind};

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
