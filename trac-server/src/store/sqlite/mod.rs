//! The engine of a single machine: one SQLite file in the data folder.
//!
//! The file is in WAL mode with `synchronous=FULL`. One thread writes: it takes jobs from a bounded queue, runs each in
//! its own savepoint, commits many at once, and returns their results only after the commit. Each reader sees one
//! snapshot. Look-ups of single rows have their own connections, so that they never wait for slow queries. Clicks,
//! the most frequent writes, are appended to a spool and written to the database many at a time.

mod error;
#[cfg(test)]
mod plan;
mod link;
mod sum;
mod migrate;
mod scratch;
pub(super) mod file;
mod original;
mod room;
mod queue;
mod visitors;
mod click_days;
mod recorder;
mod bring_in;
mod space;
mod backup;
mod writer;
mod checkpoints;
mod readers;
mod queries;
mod machine;

pub use backup::{BackupProgress, back_up, restore};
#[cfg(test)]
pub(super) use bring_in::Database;
pub(super) use click_days::{count_new_clicks, is_position_wrong, move_position};
pub(super) use machine::Machine;
#[cfg(test)]
pub(super) use machine::READERS;
pub(super) use recorder::record;
pub(crate) use scratch::Scratch;
