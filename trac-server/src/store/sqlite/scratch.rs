//! A database of an older schema that exists only while rows are converted to the newest one: the migrations convert
//! them, as they convert a whole store.

use rusqlite::{Connection, TransactionBehavior};

use super::{migrate, sum};
use crate::store::StoreError;
use crate::store::rows::Everywhere;

/// A temporary database. SQLite keeps it in a file without a name, which is deleted when it is closed. Source:
/// <https://sqlite.org/inmemorydb.html#temp_db>.
pub(crate) struct Scratch(Connection);

impl Scratch {
    /// An empty database of this version of the schema.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`](crate::store::StoreErrorKind::Unavailable) if the disk is full.
    pub(crate) fn of_version(version: u32) -> Result<Self, StoreError> {
        let connection = Connection::open("")?;
        sum::register(&connection)?;
        migrate::to_version(&connection, version)?;
        Ok(Self(connection))
    }

    /// Runs a job in one transaction.
    ///
    /// # Errors
    /// The job's own, and as [`Self::of_version`].
    pub(crate) fn write<T>(
        &mut self,
        job: impl FnOnce(Everywhere<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let tx = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = job(Everywhere::of(&*tx))?;
        tx.commit()?;
        Ok(written)
    }

    /// Applies the migrations that the database lacks.
    ///
    /// # Errors
    /// As [`Self::of_version`].
    pub(crate) fn migrate(&mut self) -> Result<(), StoreError> {
        migrate::migrate(&mut self.0)
    }
}
