//! A partner's link makes a click, and the click has an ID.
//!
//! - [`ClickId`]: what an ID looks like, and how a new one is made.
//! - [`dialect`]: under which names the ID travels, in this product and in those merchants come from.
//! - [`query`]: finding, adding and stripping it in a URL, all other bytes untouched.

mod id;
pub mod dialect;
pub mod query;

pub use dialect::Dialect;
pub use id::{ClickId, ParseClickIdError};
pub(crate) use id::{is_native, push_decimal};
