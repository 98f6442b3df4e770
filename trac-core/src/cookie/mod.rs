//! The click's ID waits in a cookie until the visitor buys.
//!
//! - [`find`]: reading it from a `Cookie` header or `document.cookie`.
//! - [`set`]: writing it for a header or `document.cookie`.
//! - [`keep`]: which of two clicks stays.
//! - [`Arrival`]: both, for a request at the merchant's server.

mod find;
mod set;
mod touch;
mod arrival;

pub use arrival::Arrival;
pub use find::{find, find_across, find_value};
pub use set::{Attributes, clear, domains, set};
pub use touch::{displaces, keep};
