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
        match Reference::judge_bytes(found, id, model) {
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
    if url.bytes().any(is_removed) {
        Cow::Owned(url.chars().filter(|letter| !u8::try_from(*letter).is_ok_and(is_removed)).collect())
    } else {
        Cow::Borrowed(url)
    }
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
    let mut segments = query::pieces(path, b'/').filter(|segment| !segment.is_empty());
    let (first, second, third) = (segments.next(), segments.next(), segments.next());
    if third.is_some() || first.is_none_or(is_dots) || second.is_some_and(is_dots) {
        return false;
    }
    if second.is_none() {
        HOSTS.iter().any(|known| host.eq_ignore_ascii_case(known))
            || listed(domains)
                .filter_map(|domain| domain.strip_suffix("/*"))
                .any(|domain| is_host(host, domain))
    } else {
        first == Some("b")
            && listed(domains).any(|domain| is_host(host, domain.strip_suffix("/*").unwrap_or(domain)))
    }
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
