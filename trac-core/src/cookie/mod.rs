//! The click's ID waits in a cookie until the visitor buys.
//!
//! - [`find`]: reading it from a `Cookie` header or `document.cookie`.
//! - [`set`]: writing it for a header or `document.cookie`.
//! - [`keep`]: which of two clicks stays.

mod find;
mod set;
mod touch;

pub use find::{find, find_across, find_value};
pub use set::{Attributes, clear, domains, set};
pub use touch::{displaces, keep};
