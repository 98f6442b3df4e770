//! Finding, adding and removing click parameters in a URL.
//!
//! Other systems may have signed, counted or cached the URL, so only the click parameter is changed and every
//! other byte stays, even an invalid one. The query is the part between the first `?` and the first `#`.
//! Names and values are compared percent-decoded, with `+` as a blank, as in
//! [`application/x-www-form-urlencoded`](https://url.spec.whatwg.org/#application/x-www-form-urlencoded).

use alloc::string::String;
use alloc::vec::Vec;

use super::bytes::{Decoded, Pieces, Sink, cut, pieces, put_decoded, spells};
use super::dialect::{self, Dialect};
use super::id::{ClickId, Form, form};

/// Finds the click ID in a URL.
///
/// Parameters are read in the order of [`dialect::ALL`], then of the dialect's names, then of the URL; the
/// first value that is an ID counts. Selgeo's bare `click_id` counts only if that dialect is the one
/// `written` or the value is [native](ClickId::is_native), because advertising networks use the name for
/// their own IDs.
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
    ClickId::from_bytes(find_value(pairs(split(url.as_bytes()).1), written.is_ambiguous)?)
}

/// [`find`] in a query without its `?`.
#[must_use]
pub fn find_in_query(query: &str, written: &Dialect) -> Option<ClickId> {
    ClickId::from_bytes(find_value(pieces(query.as_bytes(), b'&'), written.is_ambiguous)?)
}

/// [`find`] on bytes: returns the ID as written in the parameters. `is_ambiguous_written` says whether the
/// dialect written is the one with the ambiguous parameter.
#[must_use]
pub fn find_value(parameters: Pieces<'_>, is_ambiguous_written: bool) -> Option<Decoded<'_>> {
    for name in pieces(dialect::URL_PARAMETERS, b',') {
        let is_sure = is_ambiguous_written || name != dialect::AMBIGUOUS_PARAMETER;
        for value in values(parameters, name) {
            match form(value) {
                Form::Native => return Some(value),
                Form::Foreign if is_sure => return Some(value),
                Form::Foreign | Form::NoId => {}
            }
        }
    }
    None
}

/// Adds a parameter to a URL, before its fragment. An existing one gets the new value in its place; further
/// ones of that name are removed.
///
/// Name and value are written without encoding, so neither may contain characters with a meaning in URLs.
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
    let mut out = Vec::with_capacity(url.len().saturating_add(name.len()).saturating_add(42));
    add_to(&mut out, url.as_bytes(), name.as_bytes(), Decoded(id.as_str().as_bytes()));
    text(out)
}

/// [`add`] on bytes.
pub fn add_to(out: &mut impl Sink, url: &[u8], name: &[u8], id: Decoded<'_>) {
    let (path, query, fragment) = split(url);
    out.put(path);
    let mut added = false;
    let mut mark: &[u8] = b"?";
    for pair in pairs(query) {
        let named = is_named(pair, name);
        if named && added {
            continue;
        }
        out.put(mark);
        mark = b"&";
        if named {
            put_parameter(out, name, id);
            added = true;
        } else {
            out.put(pair);
        }
    }
    if !added {
        // A query that ends in `?` or `&` needs no separator before the parameter.
        if let [.., last] = query
            && (*last == b'&' || query.len() == 1)
        {
            mark = b"";
        }
        out.put(mark);
        put_parameter(out, name, id);
    }
    out.put(fragment);
}

/// Removes every parameter that [`find`] could read an ID from; `None` if the URL has no such parameter.
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
    let (path, query, fragment) = split(url.as_bytes());
    let mut out = Vec::with_capacity(url.len());
    out.put(path);
    let mut stripped = false;
    let mut mark = b'?';
    for pair in pairs(query) {
        if is_read(pair, written) {
            stripped = true;
        } else {
            out.put(&[mark]);
            out.put(pair);
            mark = b'&';
        }
    }
    out.put(fragment);
    stripped.then(|| text(out))
}

/// The values of a parameter. See [`values`].
#[derive(Clone, Debug)]
pub struct Values<'a> {
    parameters: Pieces<'a>,
    name: &'a [u8],
}

/// The values of a parameter, in the order of the URL.
#[must_use]
pub const fn values<'a>(parameters: Pieces<'a>, name: &'a [u8]) -> Values<'a> {
    Values { parameters, name }
}

impl<'a> Iterator for Values<'a> {
    type Item = Decoded<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Decoded<'a>> {
        loop {
            let (name, value) = name_and_value(self.parameters.next()?);
            if spells(name, Decoded(self.name)) {
                return Some(value);
            }
        }
    }
}

/// Splits a URL into the part before the query, the query with its `?`, and the fragment with its `#`.
#[must_use]
#[inline(never)]
pub fn split(url: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (rest, fragment) = cut(url, b'#');
    let (path, query) = cut(rest, b'?');
    (path, query, fragment)
}

/// Text that was cut from UTF-8 at ASCII characters, and so is UTF-8.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// The parameters of a query with its `?`; an empty query has none.
#[must_use]
pub fn pairs(query: &[u8]) -> Pieces<'_> {
    Pieces::of(query.get(1..), b'&')
}

fn put_parameter(out: &mut impl Sink, name: &[u8], id: Decoded<'_>) {
    out.put(name);
    out.put(b"=");
    put_decoded(out, id);
}

fn name_and_value(pair: &[u8]) -> (Decoded<'_>, Decoded<'_>) {
    let (name, value) = cut(pair, b'=');
    (Decoded(name), Decoded(value.get(1..).unwrap_or_default()))
}

fn is_named(pair: &[u8], name: &[u8]) -> bool {
    spells(name_and_value(pair).0, Decoded(name))
}

fn is_read(pair: &[u8], written: &Dialect) -> bool {
    dialect::ALL.iter().any(|dialect| {
        dialect.url_parameters.iter().any(|name| {
            is_named(pair, name.as_bytes())
                && (!is_ambiguous(dialect, written) || is_click(name_and_value(pair).1, dialect, written))
        })
    })
}

fn is_click(value: Decoded<'_>, dialect: &Dialect, written: &Dialect) -> bool {
    match form(value) {
        Form::Native => true,
        Form::Foreign => !is_ambiguous(dialect, written),
        Form::NoId => false,
    }
}

/// Whether the dialect's URL parameter may contain another system's ID.
fn is_ambiguous(dialect: &Dialect, written: &Dialect) -> bool {
    dialect.is_ambiguous && !written.is_ambiguous
}
