//! Which URLs are Payment Links, and how the reference is added to them.
//!
//! A Payment Link is an https URL on `buy.`, `donate.` or `book.stripe.com` with exactly one non-empty path
//! segment; on a domain the merchant listed, `/b/…`, or one segment if the domain is listed with `/*`. Other
//! Stripe URLs belong to a session, an invoice or an account and are left unchanged, and so are URLs that
//! only look like Payment Links: the whole host is compared, ignoring only case. Sources:
//! <https://docs.stripe.com/payment-links/url-parameters>,
//! <https://docs.stripe.com/payments/checkout/custom-domains>.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::reference::{PARAMETER, Reference};
use crate::click::bytes::{Decoded, Sink as _, cut, pieces, trim};
use crate::click::{ClickId, Form, form, query};
use crate::cookie;
use crate::program::AttributionModel;

const HOSTS: &[u8] = b"buy.stripe.com,donate.stripe.com,book.stripe.com";

/// The click parameter that a merchant may have written onto the link by hand.
const CLICK_PARAMETER: &[u8] = b"trac_click_id";

/// The result of decorating a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A Payment Link, now with the click's reference.
    Decorated(String),
    /// A Payment Link that contains a click's reference already, which stays.
    AlreadyOurs,
    /// A Payment Link with the merchant's own reference, which stays.
    MerchantReference,
    /// A Payment Link, but there is no click.
    NoClick,
    /// The URL is not a Payment Link.
    NotAPaymentLink,
}

/// Adds the reference of a click to a Payment Link.
///
/// `domains` are the merchant's own Payment Link domains, comma-separated. A reference of native form was
/// written by this program: the same click's is left, another click's is replaced under last-click and left
/// under first-click. Any other non-empty reference is the merchant's and stays. If a merchant wrote a
/// `trac_click_id` onto the link, that click is used in place of the visitor's own, unless the visitor's is
/// native and the written one is not.
///
/// Blanks and control characters around the URL stay. Line breaks and tabs within it, which a browser removes
/// before parsing, are removed if the URL is decorated. All other bytes are unchanged.
///
/// # Examples
/// ```
/// use trac_core::checkout::link::{Decision, decorate};
/// use trac_core::click::ClickId;
/// use trac_core::program::AttributionModel::LastClick;
///
/// let id = ClickId::parse("abc")?;
/// let decorated = |url| decorate(url, Some(&id), LastClick, "");
/// assert_eq!(
///     decorated("https://buy.stripe.com/test_1?locale=de#x"),
///     Decision::Decorated("https://buy.stripe.com/test_1?locale=de&client_reference_id=abc#x".into())
/// );
/// assert_eq!(decorated("https://buy.stripe.com/1?client_reference_id=user_17"), Decision::MerchantReference);
/// assert_eq!(decorated("https://buy.stripe.com.evil.example/1"), Decision::NotAPaymentLink);
/// # Ok::<(), trac_core::click::ParseClickIdError>(())
/// ```
#[must_use]
pub fn decorate(url: &str, id: Option<&ClickId>, model: AttributionModel, domains: &str) -> Decision {
    let url = seen_by_browser(url);
    let (before, inner, after) = parts(url.as_bytes());
    let id = id.map(|id| Decoded(id.as_str().as_bytes()));
    match judge(inner, id, model, domains.as_bytes()) {
        Judged::Free(id) => {
            let mut decorated = Vec::with_capacity(url.len().saturating_add(64));
            decorated.put(before);
            query::add_to(&mut decorated, inner, PARAMETER.as_bytes(), id);
            decorated.put(after);
            Decision::Decorated(query::text(decorated))
        }
        Judged::AlreadyOurs => Decision::AlreadyOurs,
        Judged::MerchantReference => Decision::MerchantReference,
        Judged::NoClick => Decision::NoClick,
        Judged::NotAPaymentLink => Decision::NotAPaymentLink,
    }
}

/// [`Decision`] before the URL is written.
#[derive(Clone, Copy, Debug)]
pub enum Judged<'a> {
    /// A Payment Link to which [`query::add_to`] is to add this ID.
    Free(Decoded<'a>),
    /// As in [`Decision`].
    AlreadyOurs,
    /// As in [`Decision`].
    MerchantReference,
    /// As in [`Decision`].
    NoClick,
    /// As in [`Decision`].
    NotAPaymentLink,
}

/// [`decorate`] on bytes, for a URL without line breaks and tabs, and without the blanks and control
/// characters around it.
#[must_use]
pub fn judge<'a>(
    url: &'a [u8],
    id: Option<Decoded<'a>>,
    model: AttributionModel,
    domains: &[u8],
) -> Judged<'a> {
    if !is_clean_payment_link(url, domains) {
        return Judged::NotAPaymentLink;
    }
    let parameters = query::pairs(query::split(url).1);
    let written = query::values(parameters, CLICK_PARAMETER).find(|value| form(*value) != Form::NoId);
    let id = match (id, written) {
        (Some(id), Some(written)) if !cookie::displaces(written, id, AttributionModel::LastClick) => id,
        (_, Some(id)) | (Some(id), None) => id,
        (None, None) => return Judged::NoClick,
    };
    let mut judged = Judged::Free(id);
    for found in query::values(parameters, PARAMETER.as_bytes()) {
        match Reference::judge_value(found, id, model) {
            Reference::Merchant => return Judged::MerchantReference,
            Reference::Ours => judged = Judged::AlreadyOurs,
            Reference::Free => {}
        }
    }
    judged
}

/// Whether a URL is a Payment Link; `domains` as in [`decorate`].
#[must_use]
pub fn is_payment_link(url: &str, domains: &str) -> bool {
    is_clean_payment_link(parts(seen_by_browser(url).as_bytes()).1, domains.as_bytes())
}

/// Whether a URL is http or https on one of several hosts, comma-separated. A URL with user info or a port is
/// on none of them.
#[must_use]
pub fn is_on(url: &[u8], hosts: &[u8]) -> bool {
    place(url).is_some_and(|place| listed(hosts, place.authority).is_named)
}

/// The URL without tabs and line breaks (<https://url.spec.whatwg.org/#concept-basic-url-parser>, step 3).
fn seen_by_browser(url: &str) -> Cow<'_, str> {
    if url.bytes().any(is_removed) {
        Cow::Owned(url.chars().filter(|letter| !u8::try_from(*letter).is_ok_and(is_removed)).collect())
    } else {
        Cow::Borrowed(url)
    }
}

/// Whether a browser removes the byte from a URL before parsing.
const fn is_removed(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r')
}

/// The text before the URL, the URL, and the text after it: blanks and control characters are not part of the
/// URL (step 1 of the same algorithm).
fn parts(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let url = trim(text);
    let start = text.iter().position(|byte| *byte > b' ').unwrap_or(0);
    let (before, rest) = text.split_at_checked(start).unwrap_or_default();
    (before, url, rest.get(url.len()..).unwrap_or_default())
}

/// Scheme, host and path of an absolute http or https URL.
struct Place<'a> {
    is_secure: bool,
    authority: &'a [u8],
    path: &'a [u8],
}

#[inline(never)]
fn place(url: &[u8]) -> Option<Place<'_>> {
    let (scheme, rest) = cut(query::split(url).0, b':');
    let is_secure = scheme.eq_ignore_ascii_case(b"https");
    let [b':', b'/', b'/', rest @ ..] = rest else { return None };
    let (authority, path) = cut(rest, b'/');
    (is_secure || scheme.eq_ignore_ascii_case(b"http")).then_some(Place { is_secure, authority, path })
}

/// [`is_payment_link`] on bytes, for a URL without the characters that a browser removes from it.
#[must_use]
#[inline(never)]
pub fn is_clean_payment_link(url: &[u8], domains: &[u8]) -> bool {
    let Some(Place { is_secure: true, authority, path }) = place(url) else { return false };
    let host = if let [host @ .., b':', b'4', b'4', b'3'] = authority { host } else { authority };
    let mut segments = 0_usize;
    for segment in pieces(path, b'/') {
        if !segment.is_empty() {
            // A browser removes `.` and `..` (<https://url.spec.whatwg.org/#double-dot-path-segment>), and
            // treats a backslash as a slash.
            let mut is_dots = true;
            for byte in Decoded(segment) {
                if byte == b'\\' {
                    return false;
                }
                is_dots &= byte == b'.';
            }
            if is_dots {
                return false;
            }
            segments = segments.wrapping_add(1);
        }
    }
    let custom = listed(domains, host);
    match segments {
        1 => custom.has_all_paths || listed(HOSTS, host).is_named,
        2 => custom.is_named && matches!(path, [b'/', b'b', b'/', ..]),
        _ => false,
    }
}

/// The entries for a host in a comma-separated list.
struct Listed {
    is_named: bool,
    /// Whether it is listed with `/*`.
    has_all_paths: bool,
}

#[inline(never)]
fn listed(list: &[u8], host: &[u8]) -> Listed {
    let mut listed = Listed { is_named: false, has_all_paths: false };
    for entry in pieces(list, b',') {
        let (named, paths) = cut(trim(entry), b'/');
        if !host.is_empty() && host.eq_ignore_ascii_case(named) {
            listed.is_named = true;
            listed.has_all_paths |= paths == b"/*";
        }
    }
    listed
}
