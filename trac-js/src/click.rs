//! The visitor's click: from the URL, otherwise from cookie or storage.

use trac_core::click::bytes::{Decoded, Sink as _, put_decoded, spells};
use trac_core::click::query::{add_to, find_value, pairs, split};
use trac_core::cookie::displaces;

use crate::cookie;
use crate::memory::Tape;
use crate::request::Request;

/// Looks for the click in the URL, in the cookies and in storage.
///
/// Writes the source, an `=` and the ID; nothing if there is no click.
#[inline(never)]
pub(crate) fn find_click(mut tape: Tape<'_>, request: Request<'_>) {
    let arriving = find_in(request.url(), request);
    let mut source: &[u8] = b"cookie=";
    let mut id = cookie::in_cookies(request.stored());
    if id.is_empty() {
        source = b"storage=";
        id = cookie::in_storage_or_memory(request.stored());
    }
    let mut id = Decoded(id);
    let displaced = id.0.is_empty() || spells(arriving, id) || displaces(arriving, id, request.model());
    if displaced && !arriving.0.is_empty() {
        source = b"url=";
        id = arriving;
    }
    if !id.0.is_empty() {
        tape.put(source);
        put_decoded(&mut tape, id);
    }
}

/// The URL with the click's own parameter, for sites that share the click but not the cookie.
pub(crate) fn add_click(mut tape: Tape<'_>, url: &[u8], id: Decoded<'_>, request: Request<'_>) {
    if !spells(find_in(url, request), id) {
        add_to(&mut tape, url, request.parameter(), id);
    }
}

#[inline(never)]
fn find_in<'a>(url: &'a [u8], request: Request<'_>) -> Decoded<'a> {
    find_value(pairs(split(url).1), request.is_ambiguous()).unwrap_or_default()
}
