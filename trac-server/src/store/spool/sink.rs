//! The database that the spool's clicks are brought into.

use super::line::Spooled;
use super::refused::Refused;
use crate::store::StoreError;
use crate::store::click::Condition;

/// A database that takes the clicks of the spool.
pub(in crate::store) trait Sink {
    /// Whether the database can take clicks at all.
    ///
    /// # Errors
    /// The reason why it cannot.
    fn check(&self) -> Result<(), StoreError>;

    /// Records clicks in one transaction, those again that it has already. The clicks that the database rejects
    /// while it accepts others are stored in `refused`.
    ///
    /// # Errors
    /// The database's: none of the clicks may be recorded.
    fn record(&mut self, clicks: &[Spooled], refused: &Refused) -> Result<(), StoreError>;

    /// Makes room on a nearly full disk, between two transactions.
    fn make_room(&mut self) {}
}

/// What the spool's thread asks of the database while it appends clicks.
pub(in crate::store) trait Source: Send {
    /// Whether the condition of a click holds. If the database cannot be read now, the cached link is trusted.
    fn holds(&self, condition: &dyn Condition) -> bool;

    /// Says that clicks wait.
    fn wake(&self);
}
