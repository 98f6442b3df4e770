//! Connections, and the parts of a request that are read before it is routed: path, host, body size, caller
//! and request ID.

pub(crate) mod bodies;
pub(crate) mod hosts;
pub(crate) mod path;
pub mod proxy;
pub(crate) mod request_id;
pub(crate) mod limited;
pub mod oidc;
pub mod listen;
