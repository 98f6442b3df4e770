//! Which click the visitor came by: from the URL, else from where it is kept.

use trac_core::click::bytes::{Decoded, Sink as _, put_decoded, spells};
use trac_core::click::query::{add_to, find_value, pairs, split};
use trac_core::cookie::displaces;

use crate::memory::Tape;
use crate::settings::{COOKIES, GLOBALS, PARAMETERS, Request, STORAGE_KEYS};
use crate::{cookie, page};

/// Looks for the click in the URL and where it is kept, and keeps it twice.
///
/// Writes where it is from, an `=` and the ID; nothing where there is none.
#[inline(never)]
pub(crate) fn look<'a>(mut tape: Tape<'a>, request: Request<'a>) -> usize {
    page::claim_global(tape, request.name(GLOBALS));
    let start = tape.end();
    put_decoded(&mut tape, find_in(request.url(), request));
    let arriving = tape.since(start);
    let in_cookie = cookie::read_cookie(tape);
    let in_storage = cookie::read_storage(tape, request);
    let in_memory = request.id().unwrap_or_default().0;
    let mut id = in_cookie;
    for other in [in_storage, in_memory] {
        if id.is_empty() {
            id = other;
        }
    }
    if !arriving.is_empty() && (id.is_empty() || displaces(Decoded(arriving), Decoded(id), request.model())) {
        id = arriving;
    }
    if id.is_empty() {
        return tape.end();
    }
    if request.may_store() {
        if in_cookie != id {
            cookie::write_cookie(tape, request.name(COOKIES), id, request);
        }
        if in_storage != id {
            cookie::write_storage(tape, request.name(STORAGE_KEYS), id, request);
        }
    }
    let start = tape.end();
    tape.put(if arriving == id {
        b"url=".as_slice()
    } else if in_cookie.is_empty() {
        b"storage="
    } else {
        b"cookie="
    });
    tape.put(id);
    start
}

/// The URL with the click's own parameter, for sites that share the click but not the cookie.
pub(crate) fn carry(mut tape: Tape<'_>, url: &[u8], id: Decoded<'_>, request: Request<'_>) {
    if !spells(find_in(url, request), id) {
        add_to(&mut tape, url, request.name(PARAMETERS), id);
    }
}

#[inline(never)]
fn find_in<'a>(url: &'a [u8], request: Request<'_>) -> Decoded<'a> {
    find_value(pairs(split(url).1), request.is_ambiguous()).unwrap_or_default()
}
