//! A ticket makes a call happen once: whatever is written while it is held leaves a row under its key, in the same
//! transaction, and a second holder of the key writes nothing.

use trac_core::time::{DAY_SECS, Timestamp};

use super::rows::{Everywhere, args};
use super::{Scope, StoreError};

tokio::task_local! {
    /// The ticket of the request that is being answered.
    pub(crate) static TICKET: Ticket;
}

/// One call under an `Idempotency-Key`.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) scope: Scope,
    pub(crate) key: String,
    /// What is asked: SHA-256 of method, address and body.
    pub(crate) request: [u8; 32],
    pub(crate) now: Timestamp,
}

/// A call that was made before under the same key.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) request: [u8; 32],
    /// Status and body of the answer; `None` while it is being made, or if the server ended before it was kept.
    pub(crate) answer: Option<(u16, Vec<u8>)>,
}

impl Ticket {
    /// The ticket that is held here, if any.
    pub(super) fn held() -> Option<Self> {
        TICKET.try_with(Clone::clone).ok()
    }

    /// Leaves the row that says that the call took effect, and sweeps out those of yesterday.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::Conflict`] if another call under the key was quicker.
    pub(super) fn punch(&self, tx: Everywhere<'_>) -> Result<(), StoreError> {
        let yesterday = self.now.plus_secs(-DAY_SECS);
        tx.write("DELETE FROM idempotency WHERE created_at < ?1", args![yesterday])?;
        tx.within(&self.scope).write(
            "INSERT INTO idempotency (workspace_id, mode, key, request, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            args![self.key, self.request, self.now],
        )?;
        Ok(())
    }

    /// The call that was made under this key within a day.
    pub(crate) fn find(&self, tx: Everywhere<'_>) -> Result<Option<Made>, StoreError> {
        let sql = "SELECT request, status, answer FROM idempotency \
                   WHERE workspace_id = ?1 AND mode = ?2 AND key = ?3 AND created_at >= ?4";
        let yesterday = self.now.plus_secs(-DAY_SECS);
        tx.within(&self.scope).one(sql, args![self.key, yesterday], |row| {
            let status: Option<u16> = row.get(1)?;
            Ok(Made { request: row.get(0)?, answer: status.zip(row.get(2)?) })
        })
    }

    /// Keeps the answer for calls that repeat the key.
    pub(crate) fn keep(&self, tx: Everywhere<'_>, status: u16, answer: &[u8]) -> Result<(), StoreError> {
        let sql = "UPDATE idempotency SET status = ?4, answer = ?5 WHERE workspace_id = ?1 AND mode = ?2 AND key = ?3";
        tx.within(&self.scope).write(sql, args![self.key, status, answer])?;
        Ok(())
    }
}
