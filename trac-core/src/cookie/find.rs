//! Reading the click ID from untrusted cookies.

use crate::click::bytes::{cut, pieces, trim};
use crate::click::{ClickId, dialect, is_raw_id};

/// Finds the click ID in a `Cookie` header or in `document.cookie`.
///
/// Cookies are read in the order of [`dialect::ALL`], then of the dialect's names, then of the header; the
/// first value that is an ID counts. Values may be in double quotes. A browser sends several cookies of one
/// name if they were set for different domains or paths; those that are not an ID are skipped. Memory is
/// allocated only for an ID that is found. Bytes that are not UTF-8 are accepted.
///
/// # Examples
/// ```
/// use trac_core::cookie;
///
/// let found = |header| cookie::find(header).map(|id| id.into_string());
/// assert_eq!(found("theme=dark; rd_click_id=b; trac_click_id=\"a\"").as_deref(), Some("a"));
/// assert_eq!(found("trac_click_id=<script>; xtrac_click_id=a"), None);
/// ```
#[must_use]
pub fn find(header: impl AsRef<[u8]>) -> Option<ClickId> {
    find_across([header.as_ref()])
}

/// [`find`] over several `Cookie` headers of one request, which HTTP/2 allows ([RFC 9113,
/// 8.2.3](https://www.rfc-editor.org/rfc/rfc9113#section-8.2.3)); they are read as one.
#[must_use]
pub fn find_across<'a, I>(headers: I) -> Option<ClickId>
where
    I: IntoIterator<Item = &'a [u8]>,
    I::IntoIter: Clone,
{
    let headers = headers.into_iter();
    for name in pieces(dialect::COOKIES, b',') {
        let mut values = headers.clone().map(|header| find_value(header, name));
        if let Some(id) = values.find_map(ClickId::from_raw) {
            return Some(id);
        }
    }
    None
}

/// The first ID in the cookies of one name, as written; empty if there is none.
#[must_use]
pub fn find_value<'a>(header: &'a [u8], name: &[u8]) -> &'a [u8] {
    for pair in pieces(header, b';') {
        let (found, value) = cut(pair, b'=');
        if trim(found) == name {
            let value = trim(value.get(1..).unwrap_or_default());
            let unquoted = if let [b'"', unquoted @ .., b'"'] = value { unquoted } else { value };
            if is_raw_id(unquoted) {
                return unquoted;
            }
        }
    }
    b""
}
