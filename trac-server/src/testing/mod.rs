//! Shared by tests: a server in the same process, and a shop that sells through it.

pub(crate) mod app;
pub(crate) mod database;
pub(crate) mod shop;
pub(crate) mod person;
pub(crate) mod body;
mod client;
