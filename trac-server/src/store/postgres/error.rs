//! Errors of the driver of PostgreSQL.

use postgres::error::SqlState;

use crate::store::{StoreError, StoreErrorKind};

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> Self {
        // The kind of an error by its code. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
        const AWAY: [&str; 5] = ["08", "25006", "53", "57P", "58"];
        let kind = match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => StoreErrorKind::Conflict,
            Some(code) if *code == SqlState::QUERY_CANCELED => StoreErrorKind::TooSlow,
            Some(code)
                if [
                    SqlState::T_R_DEADLOCK_DETECTED,
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    SqlState::LOCK_NOT_AVAILABLE,
                ]
                .contains(code) =>
            {
                StoreErrorKind::Busy
            }
            Some(code) if AWAY.iter().any(|class| code.code().starts_with(class)) => {
                StoreErrorKind::Unavailable
            }
            Some(code) if ["XX001", "XX002"].contains(&code.code()) => StoreErrorKind::Corrupt,
            Some(_) => StoreErrorKind::Internal,
            // The connection broke, or could not be made.
            None => StoreErrorKind::Unavailable,
        };
        // The message of the server, or of the driver with its cause. Neither contains the password.
        let detail = match error.as_db_error() {
            Some(said) => format!("{} ({})", said.message(), said.code().code()),
            None => match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        };
        Self::new(kind, detail)
    }
}
