//! The cookie that stores the click ID until the visitor buys.
//!
//! - [`find`]: reading it from a `Cookie` header or `document.cookie`.
//! - [`set`]: writing it for a header or `document.cookie`.
//! - [`keep`]: which of two clicks is stored.
//! - [`Arrival`]: the click and the cookie to set, for a request to the merchant's server.

mod find;
mod set;
mod touch;
mod arrival;

pub use arrival::Arrival;
pub use find::{find, find_across, find_value};
pub use set::{Attributes, clear, domains, set};
pub use touch::{displaces, keep};
