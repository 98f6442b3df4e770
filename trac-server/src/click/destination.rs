//! Which URLs a tracked link may lead to: http(s) with a plain host, and nothing that a browser could read
//! differently.

use serde_json::Value;

use crate::api::fields::Wrong;

/// The longest destination, in bytes: about what all browsers and proxies accept.
const LENGTH_MAX: usize = 2_048;

/// Reads a destination.
pub(crate) fn destination(value: &Value) -> Result<String, Wrong> {
    let text = value.as_str().filter(|text| is_sane(text));
    text.map(ToOwned::to_owned)
        .ok_or_else(|| "must be an http:// or https:// URL with a host and without user info".to_owned())
}

/// Whether the URL is ASCII without blanks, control characters, quotes, backticks, angle brackets or
/// backslashes, has an http(s) scheme, and an authority of a host and an optional port.
pub(super) fn is_sane(url: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>`".contains(&byte);
    if url.len() > LENGTH_MAX || !url.bytes().all(plain) {
        return false;
    }
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    http && is_host_and_port(authority)
}

fn is_host_and_port(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("0")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("0")),
        },
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let host_fits = host.len() <= 253 && name.split('.').all(label) && (!is_number(name) || is_ipv4(host));
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    host_fits && port.is_some_and(digits)
}

/// Whether a browser reads the host as an IPv4 address because its last label is a number.
/// Source: <https://url.spec.whatwg.org/#ends-in-a-number-checker>.
fn is_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether the host is four decimal numbers. Other notations of an IPv4 address only serve to hide it.
fn is_ipv4(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_web_address_is_a_destination() {
        let check = |url: &str, want: bool| assert_eq!(is_sane(url), want, "{url:?}");
        check("https://shop.example.com", true);
        check("http://localhost:8080/a?b=c#d", true);
        check("HTTPS://Shop.Example.com./x", true);
        check("https://[::1]:8080/", true);
        check("https://buy.stripe.com/test_abc?prefilled_email=a%40b.c", true);
        check("https://xn--bcher-kva.example/", true);
        check("https://127.0.0.1/", true);

        check("", false);
        check("shop.example.com", false);
        check("//shop.example.com", false);
        check("javascript:alert(1)", false);
        check("javascript://shop.example.com/%0aalert(1)", false);
        check("data:text/html,x", false);
        check("ftp://shop.example.com", false);
        check("https://", false);
        check("https:///x", false);
        check("https://?x", false);
        check("https://user@shop.example.com", false);
        check("https://user:pass@shop.example.com", false);
        check("https://shop.example.com:80:80/", false);
        check("https://shop.example.com:/", false);
        check("https://shop.example.com:99999/", false);
        check("https://shop.example.com\\@evil.example", false);
        check("https://shop.example.com/\r\nSet-Cookie: a=b", false);
        check("https://shop.example.com/\u{0}", false);
        check(" https://shop.example.com", false);
        check("https://shop..example.com/", false);
        check("https://shop.example.com/ä", false);
        check("https://[::1/", false);
        check("https://[evil]/", false);
        check("https://[::1]evil/", false);
        check(&format!("https://shop.example.com/{}", "x".repeat(2_100)), false);
    }
}
