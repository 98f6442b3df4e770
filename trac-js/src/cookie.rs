//! Where the click waits: in a cookie, which the merchant's server can read, and in web storage, which some
//! browsers and visitors leave alone when they clear cookies. Either repairs the other.

use trac_core::click::bytes::pieces;
use trac_core::click::dialect::{COOKIES, STORAGE_KEYS};
use trac_core::click::is_raw_id;
use trac_core::cookie::{domain_at, find_value, set_to};

use crate::memory::Tape;
use crate::page;
use crate::settings::Request;

/// Beside the ID in web storage: until when it is good, in seconds since 1970.
const UNTIL: &[u8] = b"trac_click_until";

/// Every key that may hold something of a click, in either storage; the last is `js/talk.js`'s.
const KEPT: &[u8] = b"trac_click_id,__selgeo_cid,trac_click_until,trac_landing";

/// The ID in the cookies, empty where there is none.
#[inline(never)]
pub(crate) fn read_cookie(tape: Tape<'_>) -> &[u8] {
    let cookies = page::read_cookies(tape);
    for name in pieces(COOKIES, b',') {
        let value = find_value(cookies, name);
        if !value.is_empty() {
            return value;
        }
    }
    b""
}

/// The stored ID, unless its time is over; empty where there is none. One without a time was stored by another script,
/// and counts.
#[inline(never)]
pub(crate) fn read_storage<'a>(tape: Tape<'a>, request: Request<'_>) -> &'a [u8] {
    if request.is_past(page::read_stored(tape, UNTIL)) {
        return b"";
    }
    for key in pieces(STORAGE_KEYS, b',') {
        let value = page::read_stored(tape, key);
        if is_raw_id(value) {
            return value;
        }
    }
    b""
}

/// Writes the cookie for the widest domain the browser allows.
pub(crate) fn write_cookie(tape: Tape<'_>, name: &[u8], id: &[u8], request: Request<'_>) {
    // An older one of this host alone would hide the new one.
    write(tape, name, b"", b"", request);
    spread(tape, name, id, request);
}

/// Writes the ID under our own key, which the script reads whatever the dialect, and the dialect's.
#[inline(never)]
pub(crate) fn write_storage(tape: Tape<'_>, key: &[u8], id: &[u8], request: Request<'_>) {
    page::write_stored(tape, UNTIL, request.until());
    page::write_stored(tape, key, id);
    page::write_stored(tape, b"trac_click_id", id);
}

/// Removes every cookie and stored value that could be read as a click.
#[inline(never)]
pub(crate) fn clear(tape: Tape<'_>, request: Request<'_>) {
    for name in pieces(COOKIES, b',') {
        spread(tape, name, b"", request);
    }
    for key in pieces(KEPT, b',') {
        page::remove_stored(tape, key);
    }
}

/// Writes a cookie for the merchant's domain and for every domain of the host until it is there: browsers refuse
/// public suffixes without a word, so the only way to know is to try and look. An empty one is never there, so all are
/// removed.
#[inline(never)]
fn spread(tape: Tape<'_>, name: &[u8], value: &[u8], request: Request<'_>) {
    let host = request.host();
    let mut start = host.len();
    let mut domain = request.cookie_domain();
    loop {
        if !domain.is_empty() || start == 0 {
            write(tape, name, value, domain, request);
            if !value.is_empty() && read_cookie(tape) == value {
                return;
            }
        }
        if start == 0 {
            if domain.is_empty() {
                return;
            }
            domain = b"";
        } else {
            start = start.wrapping_sub(1);
            domain = domain_at(host, start);
        }
    }
}

#[inline(never)]
fn write(mut tape: Tape<'_>, name: &[u8], value: &[u8], domain: &[u8], request: Request<'_>) {
    let start = tape.end();
    let max_age = if value.is_empty() { b"0" } else { request.max_age() };
    set_to(&mut tape, name, value, max_age, domain, request.is_secure());
    page::write_cookie(tape, start);
}
