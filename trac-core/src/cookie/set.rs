//! Writing the cookie, for a `Set-Cookie` header or for `document.cookie`.

use alloc::string::String;
use alloc::vec::Vec;

use crate::click::bytes::{Sink, cut, put_decimal};
use crate::click::{ClickId, query};

/// The attributes of a cookie besides name and value.
///
/// # Units
/// `days` of 86,400 s; more than 49,710 days count as 49,710.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// The domain whose hosts all receive the cookie; `None` for this host alone. A value that is not a
    /// domain name is ignored.
    pub domain: Option<&'a str>,
    /// Its lifetime. Browsers limit it to 400 days.
    pub days: u32,
    /// Whether it is sent over https only: to be set exactly if the page itself is https.
    pub secure: bool,
}

/// Writes the cookie of a click.
///
/// # Wire form
/// `<name>=<id>; Path=/; Max-Age=<seconds>; SameSite=Lax`, then `; Domain=<domain>` and `; Secure` where they apply
/// ([RFC 6265](https://www.rfc-editor.org/rfc/rfc6265#section-4.1)). It is not `HttpOnly`: the script reads it.
///
/// # Examples
/// ```
/// use trac_core::click::ClickId;
/// use trac_core::cookie::{self, Attributes};
///
/// let id = ClickId::parse("abc")?;
/// let attributes = Attributes { domain: Some("shop.example"), days: 90, secure: true };
/// assert_eq!(
///     cookie::set("trac_click_id", &id, &attributes),
///     "trac_click_id=abc; Path=/; Max-Age=7776000; SameSite=Lax; Domain=shop.example; Secure"
/// );
/// let hostile = Attributes { domain: Some("a; HttpOnly"), days: 1, secure: false };
/// assert_eq!(cookie::set("n", &id, &hostile), "n=abc; Path=/; Max-Age=86400; SameSite=Lax");
/// # Ok::<(), trac_core::click::ParseClickIdError>(())
/// ```
#[must_use]
pub fn set(name: &str, id: &ClickId, attributes: &Attributes<'_>) -> String {
    written(name, id.as_str(), attributes)
}

/// Writes a cookie that removes the stored one: the same with an empty value and `Max-Age=0`.
#[must_use]
pub fn clear(name: &str, attributes: &Attributes<'_>) -> String {
    written(name, "", attributes)
}

/// The domains that a cookie could be set for on a host, the widest first. The registrable domain is found by
/// trying them, because a browser rejects public suffixes. There are none if the host is an IP address or has
/// one label.
///
/// # Examples
/// ```
/// use trac_core::cookie;
///
/// let tried: Vec<_> = cookie::domains("www.shop.co.example").collect();
/// assert_eq!(tried, ["co.example", "shop.co.example", "www.shop.co.example"]);
/// assert_eq!(cookie::domains("127.0.0.1").next(), None);
/// assert_eq!(cookie::domains("localhost").next(), None);
/// ```
pub fn domains(host: &str) -> impl Iterator<Item = &str> {
    let is_name = is_domain(host.as_bytes()) && !host.ends_with(|last: char| last.is_ascii_digit());
    let host = if is_name { host } else { "" };
    // Text cut at dots stays UTF-8.
    let domains =
        (0..host.len()).rev().filter_map(|start| str::from_utf8(domain_at(host.as_bytes(), start)).ok());
    domains.filter(|domain| !domain.is_empty())
}

/// The domain that starts at this byte of a host, if a label starts there and another one follows; otherwise
/// empty. Called for each byte from the last to the first, it returns [`domains`].
fn domain_at(host: &[u8], start: usize) -> &[u8] {
    let (before, domain) = host.split_at_checked(start).unwrap_or_default();
    let is_label = matches!(before, [] | [.., b'.']) && !cut(domain, b'.').1.is_empty();
    if is_label { domain } else { b"" }
}

fn written(name: &str, value: &str, attributes: &Attributes<'_>) -> String {
    let mut out = Vec::with_capacity(160);
    let mut max_age_secs = Vec::with_capacity(10);
    let days = if value.is_empty() { 0 } else { attributes.days };
    put_decimal(&mut max_age_secs, days.saturating_mul(86_400));
    let domain = attributes.domain.unwrap_or_default().as_bytes();
    let domain = if is_domain(domain) { domain } else { b"" };
    set_to(&mut out, name.as_bytes(), value.as_bytes(), &max_age_secs, domain, attributes.secure);
    query::text(out)
}

/// [`set`] on bytes, or [`clear`] if `max_age_secs` is 0. An empty domain is left out; any other is written
/// unchanged.
fn set_to(out: &mut impl Sink, name: &[u8], value: &[u8], max_age_secs: &[u8], domain: &[u8], secure: bool) {
    out.put(name);
    out.put(b"=");
    out.put(value);
    out.put(b"; Path=/; Max-Age=");
    out.put(max_age_secs);
    out.put(b"; SameSite=Lax");
    if !domain.is_empty() {
        out.put(b"; Domain=");
        out.put(domain);
    }
    if secure {
        out.put(b"; Secure");
    }
}

fn is_domain(text: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !text.is_empty() && text.iter().all(is_name)
}
