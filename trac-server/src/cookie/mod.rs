//! Cookie: the click waits with the visitor.

mod layer;

pub use layer::{ClickLayer, ClickService, SetCookie};

#[cfg(test)]
mod tests;
