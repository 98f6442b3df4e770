//! The engine of a single machine: SQLite.

mod link;
