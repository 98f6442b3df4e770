//! A partner's link makes a click, and the click has an ID.
//!
//! - [`ClickId`]: what an ID looks like, and how a new one is made.
//! - [`form`]: the same asked of bytes, where nothing may be allocated; with [`bytes`] beneath it.
//! - [`dialect`]: under which names the ID travels, in this product and in those merchants come from.
//! - [`query`]: finding, adding and stripping it in a URL, all other bytes untouched.

pub mod bytes;
mod id;
pub mod dialect;
pub mod query;

pub use dialect::Dialect;
pub use id::{ClickId, Form, ParseClickIdError, form, is_raw_id};
