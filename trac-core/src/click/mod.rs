//! Following a partner's link makes a click, which has an ID.
//!
//! - [`ClickId`]: the form of an ID, and how a new one is made.
//! - [`form`]: the same check on bytes, without allocation; [`bytes`] has the functions for it.
//! - [`dialect`]: the names under which the ID is passed on, in this product and in those that merchants
//!   migrate from.
//! - [`query`]: finding, adding and removing the ID in a URL, with all other bytes unchanged.

pub mod bytes;
mod id;
pub mod dialect;
pub mod query;

pub use dialect::Dialect;
pub use id::{ClickId, Form, ParseClickIdError, form, is_raw_id};
