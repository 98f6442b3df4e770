//! trac.js: stores the click ID of the URL in the browser, and adds it to all links and elements that lead to Stripe's
//! checkout.
//!
//! `trac-core` makes the decisions; this crate exposes them to JavaScript as two calls: find the page's click,
//! and decide about one URL. The JavaScript in `js/` reads and changes the document, makes these calls, and
//! provides the methods of `window.trac`. Rust never calls the browser.
//!
//! - `memory`: the buffer that both languages write to, and the only module that may use `unsafe`.
//! - `request`: the fields of a request from JavaScript.
//! - `click`, `cookie`, `checkout`: the stages.
//!
//! A panic does not reach the page: it stops only the script.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(clippy::arithmetic_side_effects)]

mod memory;
mod request;
mod cookie;
mod click;
mod checkout;

use request::Request;
use wasm_bindgen::prelude::wasm_bindgen;

/// The address of the buffer: JavaScript writes a request to it, and Rust its response behind the request.
#[wasm_bindgen(js_name = bufferAddress)]
#[must_use]
pub fn buffer_address() -> usize {
    memory::address()
}

/// Writes the response to a request of `length` bytes right behind it, and returns where the response ends.
///
/// If `is_about_link`, the response is the decision about a URL on the page (`checkout::link`), otherwise the
/// click of the page (`click::find_click`).
#[wasm_bindgen]
#[must_use]
pub fn answer(is_about_link: bool, length: usize) -> usize {
    memory::answer(length, |tape, text| {
        let request = Request(text);
        if is_about_link { checkout::link(tape, request) } else { click::find_click(tape, request) }
    })
}
