//! Which URLs are Payment Links, and how they are given the reference.
//!
//! A Payment Link is an https URL on `buy.`, `donate.` or `book.stripe.com` with exactly one non-empty path segment;
//! on a domain the merchant named, `/b/…`, and one segment where the domain is named with `/*`. Every other URL of
//! Stripe's holds a session, an invoice or an account, and is left alone, as is whatever only looks like one: the
//! host is compared whole, after nothing but lower-casing.
//! Sources: <https://docs.stripe.com/payment-links/url-parameters>,
//! <https://docs.stripe.com/payments/checkout/custom-domains>.

use alloc::borrow::Cow;
use alloc::string::String;

use super::reference::{PARAMETER, Reference};
use crate::click::{ClickId, dialect, query};
use crate::cookie;
use crate::program::AttributionModel;

const HOSTS: [&str; 3] = ["buy.stripe.com", "donate.stripe.com", "book.stripe.com"];

/// What became of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A Payment Link, now with the click's reference.
    Decorated(String),
    /// A Payment Link that holds a click's reference already, and it stays.
    AlreadyOurs,
    /// A Payment Link with the merchant's own reference, which stays.
    MerchantReference,
    /// A Payment Link, and there is no click to give it.
    NoClick,
    /// Some other URL.
    NotAPaymentLink,
}

/// Gives a Payment Link the reference of a click.
///
/// `domains` are the merchant's own Payment Link domains, comma-separated. A reference of native form is ours: the
/// same is left, another is replaced under last-click and kept under first-click. Any other non-empty one is the
/// merchant's and stays. A `trac_click_id` that a merchant wrote onto the link gets its twin, whatever the visitor's
/// own click, unless that one is native and the written one is not.
///
/// Blanks and control characters around the URL stay; line breaks and tabs within, which a browser takes out before
/// it looks, are taken out where the URL is decorated. All other bytes are kept.
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
    if !is_clean_payment_link(trimmed(&url), domains) {
        return Decision::NotAPaymentLink;
    }
    let written = dialect::TRAC
        .url_parameters
        .first()
        .and_then(|name| query::values(&url, name).find_map(ClickId::from_bytes));
    let Some(id) = cookie::keep(id, written.as_ref(), AttributionModel::LastClick) else {
        return Decision::NoClick;
    };
    let mut ours = false;
    for found in query::values(trimmed(&url), PARAMETER) {
        let found: String = found.map(char::from).collect();
        match Reference::judge(&found, id, model) {
            Reference::Merchant => return Decision::MerchantReference,
            Reference::Ours => ours = true,
            Reference::Free => {}
        }
    }
    if ours {
        return Decision::AlreadyOurs;
    }
    let (before, inner, after) = parts(&url);
    let mut decorated = String::from(before);
    decorated.push_str(&query::add(inner, PARAMETER, id));
    decorated.push_str(after);
    Decision::Decorated(decorated)
}

/// Whether a URL is a Payment Link; `domains` as in [`decorate`].
#[must_use]
pub fn is_payment_link(url: &str, domains: &str) -> bool {
    is_clean_payment_link(trimmed(&seen_by_browser(url)), domains)
}

/// Whether a URL is http or https on one of several hosts, comma-separated; user info and ports make it another.
#[must_use]
pub fn is_on(url: &str, hosts: &str) -> bool {
    let (place, _, _) = query::split(url);
    let (scheme, rest) = query::cut(place, b':');
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let host = rest.strip_prefix("://").map(|rest| query::cut(rest, b'/').0);
    is_web && host.is_some_and(|host| listed(hosts).any(|named| is_host(host, named)))
}

/// The URL without tabs and line breaks (<https://url.spec.whatwg.org/#concept-basic-url-parser>, step 3).
fn seen_by_browser(url: &str) -> Cow<'_, str> {
    let is_removed = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r');
    if !url.bytes().any(is_removed) {
        return Cow::Borrowed(url);
    }
    let mut seen = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((piece, after)) =
        rest.bytes().position(is_removed).and_then(|at| rest.split_at_checked(at))
    {
        seen.push_str(piece);
        rest = after.get(1..).unwrap_or_default();
    }
    seen.push_str(rest);
    Cow::Owned(seen)
}

/// What stands before the URL, the URL, and what stands behind it: blanks and control characters do not belong to it
/// (the same, step 1).
fn parts(text: &str) -> (&str, &str, &str) {
    let is_url = |byte: u8| byte > b' ';
    let start = text.bytes().position(is_url).unwrap_or(0);
    let end = text.bytes().rposition(is_url).map_or(start, |last| last.saturating_add(1));
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    (part(0, start), part(start, end), part(end, text.len()))
}

fn trimmed(text: &str) -> &str {
    parts(text).1
}

fn is_clean_payment_link(url: &str, domains: &str) -> bool {
    let (place, _, _) = query::split(url);
    let (scheme, rest) = query::cut(place, b':');
    let Some(rest) = rest.strip_prefix("://") else { return false };
    let (authority, path) = query::cut(rest, b'/');
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    if !scheme.eq_ignore_ascii_case("https") || place.bytes().any(|byte| byte == b'\\') {
        return false;
    }
    let (mut first, mut segments) = ("", 0_usize);
    for segment in query::pieces(path, b'/').filter(|segment| !segment.is_empty()) {
        if is_dots(segment) {
            return false;
        }
        if segments == 0 {
            first = segment;
        }
        segments = segments.saturating_add(1);
    }
    let on_stripe = segments == 1 && HOSTS.iter().any(|known| is_host(host, known));
    on_stripe
        || listed(domains).any(|domain| {
            let (named, is_whole) = domain.strip_suffix("/*").map_or((domain, false), |named| (named, true));
            is_host(host, named) && (segments == 1 && is_whole || segments == 2 && first == "b")
        })
}

fn is_host(host: &str, named: &str) -> bool {
    !host.is_empty() && host.eq_ignore_ascii_case(named)
}

/// The entries of a comma-separated list, without the blanks around them.
fn listed(list: &str) -> impl Iterator<Item = &str> {
    query::pieces(list, b',').map(str::trim_ascii).filter(|entry| !entry.is_empty())
}

/// Whether a browser would take the path segment for `.` or `..` (<https://url.spec.whatwg.org/#double-dot-path-segment>).
fn is_dots(segment: &str) -> bool {
    let mut rest = segment;
    while let Some(tail) =
        rest.strip_prefix('.').or_else(|| rest.strip_prefix("%2e")).or_else(|| rest.strip_prefix("%2E"))
    {
        rest = tail;
    }
    rest.is_empty()
}
