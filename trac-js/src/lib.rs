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

pub mod memory;
mod page;
mod settings;
mod cookie;
mod click;
mod checkout;

use memory::Tape;
use settings::Request;
use wasm_bindgen::prelude::wasm_bindgen;

/// Where the two languages write: JavaScript a request, Rust its answer in the same place.
#[wasm_bindgen]
#[must_use]
pub fn tape() -> usize {
    memory::address()
}

/// Looks for the click and keeps it; the request is `length` bytes long, the answer as many as are returned.
#[wasm_bindgen]
#[must_use]
pub fn look(length: usize) -> usize {
    answer(length, click::look)
}

/// Answers what is to become of a URL.
#[wasm_bindgen]
#[must_use]
pub fn link(length: usize) -> usize {
    answer(length, checkout::link)
}

/// Answers what is to become of a reference.
#[wasm_bindgen]
#[must_use]
pub fn reference(length: usize) -> usize {
    answer(length, checkout::reference)
}

/// Forgets the click wherever it is kept.
#[wasm_bindgen]
#[must_use]
pub fn clear(length: usize) -> usize {
    answer(length, |tape, request| {
        cookie::clear(tape, request);
        tape.end()
    })
}

fn answer(length: usize, f: impl for<'a> FnOnce(&'a Tape, &Request<'a>) -> usize) -> usize {
    memory::answer(length, |tape, text| f(tape, &Request::read(text)))
}
