//! Running a server: whether it is well, the work of each hour, and the commands that replay, export and import.

pub(crate) mod health;
pub mod housekeeping;
pub mod replay;
pub mod export;
