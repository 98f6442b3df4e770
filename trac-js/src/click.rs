//! Which click the visitor came by: from the URL, else from where it is kept.

use trac_core::click::bytes::{Decoded, Sink as _, put_decoded, spells};
use trac_core::click::query::{add_to, find_value, pairs, split};
use trac_core::cookie::displaces;

use crate::memory::Tape;
use crate::settings::Request;
use crate::{cookie, page};

/// Looks for the click in the URL and where it is kept, and keeps it twice.
///
/// Writes where it is from (`u` for the URL, `c` for the cookie, `s` for storage) and the ID behind it; nothing where
/// there is none.
pub(crate) fn look<'a>(mut tape: &'a Tape, request: &Request<'a>) -> usize {
    let names = request.names();
    page::claim_global(tape, names.js_global);
    let arriving = find_value(pairs(split(request.url).1), names.is_ambiguous).map_or(&b""[..], |id| {
        let start = tape.end();
        put_decoded(&mut tape, id);
        tape.since(start)
    });
    let in_cookie = cookie::read_cookie(tape);
    let in_storage = cookie::read_storage(tape, request.now());
    let in_memory = request.id().unwrap_or_default().0;
    let mut id = [in_cookie, in_storage, in_memory].into_iter().find(|id| !id.is_empty()).unwrap_or_default();
    if !arriving.is_empty() && (id.is_empty() || displaces(Decoded(arriving), Decoded(id), request.model())) {
        id = arriving;
    }
    if id.is_empty() {
        return tape.end();
    }
    if request.may_store() {
        if in_cookie != id {
            cookie::write_cookie(tape, names.cookie, id, request);
        }
        if in_storage != id {
            cookie::write_storage(tape, names.storage, id, request);
        }
    }
    let start = tape.end();
    tape.put(match id {
        id if id == arriving => b"u",
        id if id == in_cookie => b"c",
        _ => b"s",
    });
    tape.put(id);
    start
}

/// The URL with the click's own parameter, for sites that share the click but not the cookie.
pub(crate) fn carry(mut tape: &Tape, url: &[u8], id: Decoded<'_>, request: &Request<'_>) {
    let names = request.names();
    let there = find_value(pairs(split(url).1), names.is_ambiguous);
    if !there.is_some_and(|there| spells(there, id)) {
        add_to(&mut tape, url, names.parameter, id);
    }
}
