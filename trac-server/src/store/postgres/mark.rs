//! Marks of transactions. Each that writes inserts one with its commit; if the answer to the commit is lost, the mark
//! tells whether it was committed.
//!
//! The numbers that PostgreSQL gives to transactions do not tell it: after a crash, the number of a lost transaction is
//! given to the next one.
//!
//! # Wire form
//! The Unix seconds as 16 hex digits, so that marks sort by time, then 24 random ones.

use postgres::Client;
use trac_core::time::Timestamp;

use crate::clock::Clock;
use crate::id::random_hex;
use crate::store::StoreError;
use crate::store::rows::{Everywhere, args};

/// For how long a mark is kept, in seconds.
const KEPT_SECS: i64 = 3_600;
/// How long the look-up waits for a transaction that still runs.
const WAIT: &str = "SET statement_timeout = '10s'";

/// A new mark.
pub(super) fn new() -> String {
    format!("{}{}", begin(Clock::system().now()), random_hex::<12>())
}

fn begin(time: Timestamp) -> String {
    format!("{:016x}", time.unix_secs().max(0))
}

/// The statement that inserts a mark.
pub(super) fn insert(mark: &str) -> String {
    format!("INSERT INTO commit_mark (mark) VALUES ('{mark}')")
}

/// Whether the transaction with this mark is committed. If it is not, it cannot be committed any more: the same mark is
/// inserted here, after a transaction that still runs has ended.
pub(super) fn is_committed(client: &mut Client, mark: &str) -> Result<bool, StoreError> {
    client.batch_execute(WAIT)?;
    let inserted = client.execute(&format!("{} ON CONFLICT DO NOTHING", insert(mark)), &[])?;
    Ok(inserted == 0)
}

/// Deletes the marks of more than an hour ago.
pub(in crate::store) fn forget(tx: Everywhere<'_>, now: Timestamp) -> Result<(), StoreError> {
    tx.write("DELETE FROM commit_mark WHERE mark < ?1", args![begin(now.plus_secs(-KEPT_SECS))])?;
    Ok(())
}
