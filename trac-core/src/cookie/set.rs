//! Writing the cookie, for a `Set-Cookie` header or for `document.cookie`.

use alloc::string::String;

use crate::click::ClickId;

/// What a cookie says about itself beside name and value.
///
/// # Units
/// `days` of 86,400 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// The domain whose hosts all get it; `None` for this host alone. What is no domain name is left out.
    pub domain: Option<&'a str>,
    /// How long it lives. Browsers cut at 400 days.
    pub days: u32,
    /// Sent over https only: to be set exactly where the page itself is https.
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
    write(name, id.as_str(), u64::from(attributes.days).saturating_mul(86_400), attributes)
}

/// Writes what removes the cookie: the same with an empty value and no time to live.
#[must_use]
pub fn clear(name: &str, attributes: &Attributes<'_>) -> String {
    write(name, "", 0, attributes)
}

/// The domains a cookie could be set for on a host, the widest first: candidates for finding the registrable domain
/// by trying, since a browser refuses public suffixes. None where the host is an IP address or has one label.
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
    let is_name = is_domain(host) && !host.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit());
    let host = if is_name { host } else { "" };
    let dots = host.bytes().enumerate().rev().filter(|(_, byte)| *byte == b'.').skip(1);
    let tails =
        dots.filter_map(|(dot, _)| host.split_at_checked(dot.saturating_add(1)).map(|(_, tail)| tail));
    tails.chain(host.bytes().any(|byte| byte == b'.').then_some(host))
}

fn write(name: &str, value: &str, max_age_secs: u64, attributes: &Attributes<'_>) -> String {
    let mut out = String::with_capacity(160);
    out.push_str(name);
    out.push('=');
    out.push_str(value);
    out.push_str("; Path=/; Max-Age=");
    crate::click::push_decimal(&mut out, max_age_secs);
    out.push_str("; SameSite=Lax");
    if let Some(domain) = attributes.domain.filter(|domain| is_domain(domain)) {
        out.push_str("; Domain=");
        out.push_str(domain);
    }
    if attributes.secure {
        out.push_str("; Secure");
    }
    out
}

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}
