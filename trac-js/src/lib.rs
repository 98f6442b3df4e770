//! trac.js: a click's ID from the URL into the visitor's keeping, and from there onto everything that leads to
//! Stripe's checkout.
//!
//! The decisions are `trac-core`'s; here they are put into the two questions that a page has. `js/` holds the hands: what
//! touches the document, what asks these questions, and what stands on `window.trac`. Rust asks nothing of the browser.
//!
//! - `memory`: the stretch of bytes that both languages write on, and the one place where `unsafe` is allowed.
//! - `request`: what JavaScript says with each question.
//! - `click`, `cookie`, `checkout`: the stages.
//!
//! Nothing panics into the page: a panic stops the script alone.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(clippy::arithmetic_side_effects)]

mod memory;
mod request;
mod cookie;
mod click;
mod checkout;

use request::Request;
use wasm_bindgen::prelude::wasm_bindgen;

/// Where the two languages write: JavaScript a request, Rust its answer behind it.
#[wasm_bindgen]
#[must_use]
pub fn tape() -> usize {
    memory::address()
}

/// Answers a request of `length` bytes right behind it, and says where the answer ends.
///
/// Asked about a URL on the page, it says what is to become of it (`checkout::link`); else it looks for the click
/// (`click::look`).
#[wasm_bindgen]
#[must_use]
pub fn answer(is_about_link: bool, length: usize) -> usize {
    memory::answer(length, |tape, text| {
        let request = Request(text);
        if is_about_link { checkout::link(tape, request) } else { click::look(tape, request) }
    })
}
