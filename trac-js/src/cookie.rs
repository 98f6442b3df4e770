//! Where the click waits: in a cookie, which the merchant's server can read, and in web storage, which some
//! browsers and visitors leave alone when they clear cookies. Either repairs the other.

use trac_core::click::bytes::{Sink as _, pieces, put_decimal};
use trac_core::click::dialect::{COOKIES, STORAGE_KEYS};
use trac_core::click::is_raw_id;
use trac_core::cookie::{find_value, host_tails, set_to};

use crate::memory::Tape;
use crate::page;
use crate::settings::{Request, number};

/// Beside the ID in web storage: until when it is good, in seconds since 1970.
const UNTIL: &[u8] = b"trac_click_until";

const DAY_SECS: u32 = 86_400;

/// The ID in the cookies, empty where there is none.
#[inline(never)]
pub(crate) fn read_cookie(tape: &Tape) -> &[u8] {
    let cookies = page::read_cookies(tape);
    pieces(COOKIES, b',').find_map(|name| find_value(cookies, name)).unwrap_or_default()
}

/// The stored ID, unless its time is over; empty where there is none. One without a time was stored by another script,
/// and counts.
pub(crate) fn read_storage(tape: &Tape, now: u32) -> &[u8] {
    if number(page::read_stored(tape, UNTIL)).is_some_and(|until| until < now) {
        return b"";
    }
    let mut values = pieces(STORAGE_KEYS, b',').map(|key| page::read_stored(tape, key));
    values.find(|value| is_raw_id(value)).unwrap_or_default()
}

/// Writes the cookie for the widest domain the browser allows.
pub(crate) fn write_cookie(tape: &Tape, name: &str, id: &[u8], request: &Request<'_>) {
    // An older one of this host alone would hide the new one.
    write(tape, name.as_bytes(), b"", b"", request);
    spread(tape, name.as_bytes(), id, request);
}

/// Writes the ID under our own key, which the script reads whatever the dialect, and the dialect's.
pub(crate) fn write_storage(tape: &Tape, key: &str, id: &[u8], request: &Request<'_>) {
    for key in [key, "trac_click_id"] {
        page::write_stored(tape, key.as_bytes(), |mut tape| tape.put(id));
    }
    let until = request.now().saturating_add(request.days().saturating_mul(DAY_SECS));
    page::write_stored(tape, UNTIL, |mut tape| put_decimal(&mut tape, until));
}

/// Removes every cookie and stored value that could be read as a click.
pub(crate) fn clear(tape: &Tape, request: &Request<'_>) {
    for name in pieces(COOKIES, b',') {
        spread(tape, name, b"", request);
    }
    for key in pieces(STORAGE_KEYS, b',').chain([UNTIL]) {
        page::remove_stored(tape, key);
    }
}

/// Writes a cookie for the merchant's domain and for every domain of the host until it is there: browsers refuse
/// public suffixes without a word, so the only way to know is to try and look. An empty one is never there, so all are
/// removed.
#[inline(never)]
fn spread(tape: &Tape, name: &[u8], value: &[u8], request: &Request<'_>) {
    let chosen = Some(request.cookie_domain()).filter(|domain| !domain.is_empty());
    let domains = chosen.into_iter().chain(host_tails(request.host())).chain([&b""[..]]);
    for domain in domains {
        write(tape, name, value, domain, request);
        if !value.is_empty() && read_cookie(tape) == value {
            return;
        }
    }
}

#[inline(never)]
fn write(mut tape: &Tape, name: &[u8], value: &[u8], domain: &[u8], request: &Request<'_>) {
    let start = tape.end();
    set_to(&mut tape, name, value, request.days(), domain, request.is_secure());
    page::write_cookie(tape, start);
}
