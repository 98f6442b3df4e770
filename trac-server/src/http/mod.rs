//! The wire: connections, and how a request's path, host, body, caller and ID are read, before any route is known.

pub(crate) mod bodies;
pub(crate) mod hosts;
pub(crate) mod path;
pub mod proxy;
pub(crate) mod request_id;
pub mod listen;
