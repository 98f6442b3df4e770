//! Operation of a server: health checks, periodic tasks, and the commands that replay, export and import.

pub(crate) mod health;
pub mod recount;
pub mod doctor;
pub mod retention;
pub mod housekeeping;
pub mod postman;
pub mod replay;
pub(crate) mod preview;
pub mod export;
