//! Click parameters in a URL: find, add, strip.
//!
//! A URL is text that somebody else wrote and signed, counted or cached; so only the parameter meant is touched
//! and every other byte stays, odd ones too. The query is what lies between the first `?` and the first `#`.
//! Names and values are compared percent-decoded, with `+` as a blank, as
//! [`application/x-www-form-urlencoded`](https://url.spec.whatwg.org/#application/x-www-form-urlencoded) has it.

use alloc::string::String;
use core::iter;

use super::dialect::{self, Dialect};
use super::id::ClickId;

/// Finds the click ID in a URL.
///
/// Read in the order of [`dialect::ALL`], then of the dialect's names, then of the URL; the first value that is
/// an ID counts, others are passed over. Selgeo's bare `click_id` counts only if that dialect is the one `written`
/// or the value is [native](ClickId::is_native): advertising networks use the name for IDs of their own.
///
/// # Examples
/// ```
/// use trac_core::click::{dialect, query};
///
/// let found = |url| query::find(url, &dialect::TRAC).map(|id| id.into_string());
/// assert_eq!(found("https://shop.example/?a=1&trac_id=abc#top").as_deref(), Some("abc"));
/// assert_eq!(found("https://shop.example/?click_id=an-advertisers"), None);
/// assert_eq!(found("https://shop.example/?trac_id=%3Cscript%3E"), None);
/// ```
#[must_use]
pub fn find(url: &str, written: &Dialect) -> Option<ClickId> {
    let (_, query, _) = split(url);
    find_in_query(query.get(1..)?, written)
}

/// [`find`] where there is only the query, without its `?`.
#[must_use]
pub fn find_in_query(query: &str, written: &Dialect) -> Option<ClickId> {
    for dialect in &dialect::ALL {
        for name in dialect.url_parameters {
            for pair in pieces(query, b'&') {
                if let Some(id) = click_in(pair, name, dialect, written) {
                    return Some(id);
                }
            }
        }
    }
    None
}

/// Adds a parameter to a URL, before its fragment; one that is there gets the new value in its place, further ones
/// of the name go.
///
/// The name and value are written as they are, so both must be free of characters with a meaning in URLs.
///
/// # Examples
/// ```
/// use trac_core::click::{ClickId, query};
///
/// let id = ClickId::parse("abc")?;
/// assert_eq!(query::add("/p?a=%20#top", "trac_click_id", &id), "/p?a=%20&trac_click_id=abc#top");
/// assert_eq!(query::add("/p?trac_click_id=old&b", "trac_click_id", &id), "/p?trac_click_id=abc&b");
/// # Ok::<(), trac_core::click::ParseClickIdError>(())
/// ```
#[must_use]
pub fn add(url: &str, name: &str, id: &ClickId) -> String {
    let (path, query, fragment) = split(url);
    let mut out = String::with_capacity(url.len().saturating_add(name.len()).saturating_add(42));
    out.push_str(path);
    let mut added = false;
    let mut mark = '?';
    for pair in pairs(query) {
        let named = is_named(pair, name);
        if named && added {
            continue;
        }
        out.push(mark);
        mark = '&';
        if named {
            push_parameter(&mut out, name, id);
            added = true;
        } else {
            out.push_str(pair);
        }
    }
    if !added {
        if query.is_empty() {
            out.push('?');
        } else if !matches!(query.as_bytes(), [b'?'] | [.., b'&']) {
            out.push('&');
        }
        push_parameter(&mut out, name, id);
    }
    out.push_str(fragment);
    out
}

/// Takes every parameter out of a URL that [`find`] could have read an ID from; `None` where there is none.
///
/// # Examples
/// ```
/// use trac_core::click::{dialect, query};
///
/// let stripped = |url| query::strip(url, &dialect::TRAC);
/// assert_eq!(stripped("/p?a=1&trac_click_id=abc&b#top").as_deref(), Some("/p?a=1&b#top"));
/// assert_eq!(stripped("/p?trac_id=abc").as_deref(), Some("/p"));
/// assert_eq!(stripped("/p?click_id=an-advertisers"), None);
/// ```
#[must_use]
pub fn strip(url: &str, written: &Dialect) -> Option<String> {
    let (path, query, fragment) = split(url);
    let mut out = String::with_capacity(url.len());
    out.push_str(path);
    let mut stripped = false;
    let mut mark = '?';
    for pair in pairs(query) {
        if is_click(pair, written) {
            stripped = true;
        } else {
            out.push(mark);
            out.push_str(pair);
            mark = '&';
        }
    }
    out.push_str(fragment);
    stripped.then_some(out)
}

/// The percent-decoded values of a parameter, in the order of the URL.
pub(crate) fn values<'a>(url: &'a str, name: &'a str) -> impl Iterator<Item = Decoded<'a>> {
    pairs(split(url).1).filter(|pair| is_named(pair, name)).map(|pair| name_and_value(pair).1)
}

/// A URL as what stands before the query, the query with its `?`, and the fragment with its `#`.
pub(crate) fn split(url: &str) -> (&str, &str, &str) {
    let (rest, fragment) = cut(url, b'#');
    let (path, query) = cut(rest, b'?');
    (path, query, fragment)
}

/// Cuts a text before the first such byte, which must be ASCII; where there is none, all of it stands before.
///
/// The pattern searches of `str` would do the same at fifty times the size in WebAssembly.
pub(crate) fn cut(text: &str, mark: u8) -> (&str, &str) {
    let at = text.bytes().position(|byte| byte == mark);
    at.and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

/// The text between such bytes, empty pieces too.
pub(crate) fn pieces(text: &str, mark: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let (piece, after) = cut(rest?, mark);
        rest = after.get(1..);
        Some(piece)
    })
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.get(1..).into_iter().flat_map(|query| pieces(query, b'&'))
}

fn push_parameter(out: &mut String, name: &str, id: &ClickId) {
    out.push_str(name);
    out.push('=');
    out.push_str(id.as_str());
}

fn name_and_value(pair: &str) -> (Decoded<'_>, Decoded<'_>) {
    let (name, value) = cut(pair, b'=');
    (Decoded(name.as_bytes()), Decoded(value.get(1..).unwrap_or_default().as_bytes()))
}

fn is_named(pair: &str, name: &str) -> bool {
    name_and_value(pair).0.eq(name.bytes())
}

fn is_click(pair: &str, written: &Dialect) -> bool {
    dialect::ALL.iter().any(|dialect| {
        dialect.url_parameters.iter().any(|name| {
            is_named(pair, name)
                && (!is_ambiguous(dialect, written) || click_in(pair, name, dialect, written).is_some())
        })
    })
}

fn click_in(pair: &str, name: &str, dialect: &Dialect, written: &Dialect) -> Option<ClickId> {
    let (found, value) = name_and_value(pair);
    if !found.eq(name.bytes()) {
        return None;
    }
    ClickId::from_bytes(value).filter(|id| id.is_native() || !is_ambiguous(dialect, written))
}

/// Whether the dialect's URL parameter may be somebody else's.
fn is_ambiguous(dialect: &Dialect, written: &Dialect) -> bool {
    dialect.name == dialect::SELGEO.name && written.name != dialect.name
}

/// The bytes of a name or value, percent-decoded; a `%` without two hex digits stands for itself.
#[derive(Clone)]
pub(crate) struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        if let (b'%', [high, low, rest @ ..]) = (first, rest)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.0 = rest;
            return Some(high.wrapping_mul(16) | low);
        }
        Some(if first == b'+' { b' ' } else { first })
    }
}
