//! trac.js: a click's ID from the URL into the visitor's keeping, and from there onto everything that leads to
//! Stripe's checkout.
//!
//! The decisions are `trac-core`'s; here they meet the page. `js/` holds the hands: what touches the document,
//! what calls these exports, and what stands on `window.trac`.
//!
//! - [`page`]: everything asked of the browser, and nothing else is.
//! - [`click`], [`cookie`], [`checkout`]: the stages.
//! - `memory`: an allocator of a few hundred bytes, and the one place where `unsafe` is allowed.
//!
//! Nothing panics into the page: a panic stops the script alone.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(clippy::arithmetic_side_effects)]

extern crate alloc;

mod memory;
pub mod page;
pub mod settings;
pub mod click;
pub mod cookie;
pub mod checkout;

use wasm_bindgen::prelude::wasm_bindgen;

/// Reads the script tag's attributes, then the click.
#[wasm_bindgen]
pub fn start() {
    settings::read();
    if let Some(name) = settings::with(|settings| settings.dialect.js_global).flatten() {
        page::claim_global(name);
    }
    click::look();
}
