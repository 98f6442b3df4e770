//! trac.js: a click's ID from the URL into the visitor's keeping, and from there onto everything that leads to
//! Stripe's checkout.
//!
//! The decisions are `trac-core`'s; here they meet the page. `js/` holds the hands: what touches the document,
//! what asks these questions, and what stands on `window.trac`.
//!
//! - `memory`: the stretch of bytes that both languages write on, and the one place where `unsafe` is allowed.
//! - `page`: everything asked of the browser, and nothing else is.
//! - `settings`: what stands before every request.
//! - `click`, `cookie`, `checkout`: the stages.
//!
//! Nothing panics into the page: a panic stops the script alone.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(clippy::arithmetic_side_effects)]

mod memory;
mod page;
mod settings;
mod cookie;
mod click;
mod checkout;

use settings::Request;
use wasm_bindgen::prelude::wasm_bindgen;

/// Where the two languages write: JavaScript a request, Rust its answer in the same place.
#[wasm_bindgen]
#[must_use]
pub fn tape() -> usize {
    memory::address()
}

/// Answers a request of `length` bytes with as many as are returned.
///
/// `question` 0 looks for the click and keeps it (`click::look`), 1 is what is to become of a URL
/// (`checkout::link`), 2 forgets the click wherever it is kept.
#[wasm_bindgen]
#[must_use]
pub fn answer(question: u32, length: usize) -> usize {
    memory::answer(length, |tape, text| {
        let request = Request(text);
        match question {
            0 => click::look(tape, request),
            1 => checkout::link(tape, request),
            _ => {
                cookie::clear(tape, request);
                tape.end()
            }
        }
    })
}
