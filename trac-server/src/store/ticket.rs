//! Idempotency keys. A ticket makes a call take effect once: each write of the call also inserts a row with its
//! key, in the same savepoint, so that a second call with the key writes nothing.

use trac_core::time::{DAY_SECS, Timestamp};

use super::rows::{Everywhere, args};
use super::{Scope, StoreError};

tokio::task_local! {
    /// The ticket of the current request.
    pub(crate) static TICKET: Ticket;
}

/// One call under an `Idempotency-Key`.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) scope: Scope,
    pub(crate) key: String,
    /// SHA-256 of method, address and body.
    pub(crate) request: [u8; 32],
    pub(crate) now: Timestamp,
}

/// A call that was made before under the same key.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) request: [u8; 32],
    /// Status and body of the response; `None` while the call runs, or if the server ended before the response
    /// was stored.
    pub(crate) answer: Option<(u16, Vec<u8>)>,
}

impl Ticket {
    /// The ticket of the current task, if any.
    pub(super) fn current() -> Option<Self> {
        TICKET.try_with(Clone::clone).ok()
    }

    /// Inserts the row that records that the call took effect, and deletes rows older than a day.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::Conflict`] if another call with the key was recorded first.
    pub(super) fn record(&self, tx: Everywhere<'_>) -> Result<(), StoreError> {
        let yesterday = self.now.plus_secs(-DAY_SECS);
        tx.write("DELETE FROM idempotency WHERE created_at < ?1", args![yesterday])?;
        tx.within(&self.scope).write(
            "INSERT INTO idempotency (workspace_id, mode, key, request, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            args![self.key, self.request, self.now],
        )?;
        Ok(())
    }

    /// The call with this key within the last day.
    pub(crate) fn find(&self, tx: Everywhere<'_>) -> Result<Option<Made>, StoreError> {
        let sql = "SELECT request, status, answer FROM idempotency \
                   WHERE workspace_id = ?1 AND mode = ?2 AND key = ?3 AND created_at >= ?4";
        let yesterday = self.now.plus_secs(-DAY_SECS);
        tx.within(&self.scope).one(sql, args![self.key, yesterday], |row| {
            let status: Option<u16> = row.get(1)?;
            Ok(Made { request: row.get(0)?, answer: status.zip(row.get(2)?) })
        })
    }

    /// Stores the response for calls that repeat the key.
    pub(crate) fn store_answer(
        &self,
        tx: Everywhere<'_>,
        status: u16,
        answer: &[u8],
    ) -> Result<(), StoreError> {
        let sql = "UPDATE idempotency SET status = ?4, answer = ?5 WHERE workspace_id = ?1 AND mode = ?2 AND key = ?3";
        tx.within(&self.scope).write(sql, args![self.key, status, answer])?;
        Ok(())
    }
}
