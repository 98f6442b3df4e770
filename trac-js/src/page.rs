//! What the script asks of the browser: one call, made in `js/page.js`, with a number for what is wanted.
//!
//! It answers even where the browser refuses (storage blocked, cookies off, a sandboxed frame): a read has found
//! nothing, a write has done nothing.

use trac_core::click::bytes::Sink as _;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::memory::Tape;

/// What is asked, in the order of `hands` in `js/page.js`.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Hand {
    ReadCookies,
    WriteCookie,
    ReadStored,
    WriteStored,
    RemoveStored,
    ClaimGlobal,
}

#[wasm_bindgen]
extern "C" {
    /// Does what is asked with the text on the tape, puts the answer in its place and says how long it is.
    #[wasm_bindgen(js_name = hand)]
    fn hand(what: u32, start: usize, length: usize) -> usize;
}

/// `document.cookie`.
pub(crate) fn read_cookies(tape: Tape<'_>) -> &[u8] {
    ask(tape, Hand::ReadCookies, tape.end())
}

/// Writes what has been put on the tape since `start` to `document.cookie`.
pub(crate) fn write_cookie(tape: Tape<'_>, start: usize) {
    ask(tape, Hand::WriteCookie, start);
}

/// A value of `localStorage`, else of `sessionStorage`; empty where there is none.
pub(crate) fn read_stored<'a>(tape: Tape<'a>, key: &[u8]) -> &'a [u8] {
    say(tape, Hand::ReadStored, key)
}

/// Writes a value to `localStorage`.
pub(crate) fn write_stored(mut tape: Tape<'_>, key: &[u8], value: &[u8]) {
    let start = tape.end();
    tape.put(key);
    tape.put(b"=");
    tape.put(value);
    ask(tape, Hand::WriteStored, start);
}

/// Removes a key from both storages.
pub(crate) fn remove_stored(tape: Tape<'_>, key: &[u8]) {
    say(tape, Hand::RemoveStored, key);
}

/// Puts the script's object on `window` under one more name.
pub(crate) fn claim_global(tape: Tape<'_>, name: &[u8]) {
    say(tape, Hand::ClaimGlobal, name);
}

#[inline(never)]
fn say<'a>(mut tape: Tape<'a>, what: Hand, text: &[u8]) -> &'a [u8] {
    let start = tape.end();
    tape.put(text);
    ask(tape, what, start)
}

#[inline(never)]
#[expect(clippy::as_conversions, reason = "the number of a variant is read in no other way")]
fn ask(tape: Tape<'_>, what: Hand, start: usize) -> &[u8] {
    let length = hand(what as u32, start, tape.end().wrapping_sub(start));
    tape.take(start, length)
}
