//! The caller's address behind proxies.
//!
//! `Forwarded`, `X-Forwarded-For` and `X-Forwarded-Host` count only if the peer is in one of the configured
//! networks. The caller is the last address in the header that is not in them: the caller may have written
//! everything before it. A proxy sets one of the two headers and passes on the other unchanged; if both are
//! present and disagree, neither counts. No URL that trac writes contains a value from these headers.
//! Source: [RFC 7239](https://www.rfc-editor.org/rfc/rfc7239).

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::Deserialize;

/// A network: all addresses with the same first bits.
///
/// # Wire form
/// An IPv4 or IPv6 address, alone or with `/` and the number of bits: `10.0.0.0/8`, `::1`.
///
/// # Examples
/// ```
/// use trac_server::proxy::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.9.8.7".parse()?));
/// assert!(!network.contains("11.9.8.7".parse()?));
/// assert!("10.0.0.0/33".parse::<Network>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// The text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an IP address, alone or with a prefix, such as 10.0.0.0/8")]
pub struct ParseNetworkError;

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| ParseNetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(ParseNetworkError)?,
        };
        Ok(Self { address, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = ParseNetworkError;

    fn try_from(text: String) -> Result<Self, ParseNetworkError> {
        text.parse()
    }
}

impl Network {
    /// Whether the network contains an address. An IPv4-mapped IPv6 address counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let first_bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => {
                v4.to_bits().checked_shr(32_u32.saturating_sub(self.bits)).map_or(0, u128::from)
            }
            IpAddr::V6(v6) => v6.to_bits().checked_shr(128_u32.saturating_sub(self.bits)).unwrap_or(0),
        };
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && first_bits(address) == first_bits(self.address)
    }
}

/// The proxies whose headers count. Without any, the peer is the caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Arc<[Network]>);

impl TrustedProxies {
    pub(crate) fn new(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    /// Whether an address belongs to a known proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The address of the caller; `None` if it is unknown.
    pub(crate) fn caller(&self, request: &Parts) -> Option<IpAddr> {
        let peer = peer(request)?;
        if !self.trusts(peer) {
            return Some(peer);
        }
        let headers = &request.headers;
        let found = match (hops(headers, "x-forwarded-for"), hops(headers, "forwarded")) {
            (Some(hops), None) | (None, Some(hops)) => self.last_stranger(&hops),
            (Some(one), Some(other)) => {
                self.last_stranger(&one).filter(|found| self.last_stranger(&other) == Some(*found))
            }
            (None, None) => Some(peer),
        };
        found.map(|address| address.to_canonical())
    }

    /// The last hop that is not a known proxy; if all are known proxies, the first hop. `None` if that hop is
    /// obfuscated or invalid, since the hops before it cannot be trusted.
    fn last_stranger(&self, hops: &[Option<IpAddr>]) -> Option<IpAddr> {
        let stranger = hops.iter().rev().find(|hop| !hop.is_some_and(|address| self.trusts(address)));
        *stranger.or(hops.first())?
    }

    /// The host name of the request, in lower case and without a port. It only selects among configured
    /// values, and is never written anywhere.
    pub(crate) fn host(&self, request: &Parts) -> Option<String> {
        let forwarded = peer(request).filter(|peer| self.trusts(*peer)).and_then(|_| {
            request
                .headers
                .get_all("x-forwarded-host")
                .iter()
                .next_back()
                .and_then(|value| value.to_str().ok())
        });
        let own = || request.headers.get(header::HOST).and_then(|value| value.to_str().ok());
        let host = forwarded.and_then(|line| line.rsplit(',').next()).map(str::trim).or_else(own);
        let host = host.or_else(|| request.uri.host())?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Some(name.trim_end_matches('.').to_ascii_lowercase())
    }
}

fn peer(request: &Parts) -> Option<IpAddr> {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|peer| peer.0.ip().to_canonical())
}

/// The addresses in all lines of a header, in order; `None` for one that is obfuscated or invalid.
fn hops(headers: &HeaderMap, name: &str) -> Option<Vec<Option<IpAddr>>> {
    if !headers.contains_key(name) {
        return None;
    }
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default());
    let elements = lines.flat_map(|line| line.split(',')).map(str::trim);
    let address = |element: &str| match name {
        "forwarded" => {
            let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, _)| key.trim().eq_ignore_ascii_case("for"))
                .and_then(|(_, node)| read_node(node))
        }
        _ => read_node(element),
    };
    Some(elements.map(address).collect())
}

/// An address, optionally quoted and with a port: `1.2.3.4`, `1.2.3.4:80`, `::1`, `"[::1]:80"`.
fn read_node(node: &str) -> Option<IpAddr> {
    let node = node.trim().trim_matches('"');
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Parts {
        let peer: IpAddr = peer.parse().unwrap();
        let request =
            headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        let request = request.extension(ConnectInfo(SocketAddr::new(peer, 4_711)));
        request.body(()).unwrap().into_parts().0
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(&["10.0.0.0/8", "::1", "2001:db8::/32"].map(|text| text.parse().unwrap()))
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_first_bits() {
        let check = |network: &str, address: &str, want: bool| {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), want, "{network:?} {address}");
        };
        check("10.0.0.0/8", "10.255.255.255", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3/32", "10.1.2.4", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "::1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("::/0", "2001:db9::1", true);
        check("192.168.1.128/25", "192.168.1.127", false);
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "example.com", "10.0.0"] {
            assert_eq!(wrong.parse::<Network>(), Err(ParseNetworkError), "{wrong}");
        }
    }

    #[test]
    fn the_caller_is_the_last_hop_that_is_not_a_known_proxy() {
        let check = |peer: &str, headers: &[(&str, &str)], want: &str| {
            let found = proxies().caller(&request(peer, headers));
            assert_eq!(found, want.parse().ok(), "{peer} {headers:?}");
        };
        let xff = "x-forwarded-for";
        // Headers of an unknown peer are ignored.
        check("203.0.113.9", &[], "203.0.113.9");
        check("203.0.113.9", &[(xff, "198.51.100.1")], "203.0.113.9");
        check("203.0.113.9", &[("forwarded", "for=198.51.100.1")], "203.0.113.9");
        // Headers of a proxy count.
        check("10.0.0.1", &[(xff, "198.51.100.1")], "198.51.100.1");
        check("::ffff:10.0.0.1", &[(xff, "198.51.100.1")], "198.51.100.1");
        check("10.0.0.1", &[(xff, "6.6.6.6, 198.51.100.1")], "198.51.100.1");
        check("10.0.0.1", &[(xff, "6.6.6.6, 198.51.100.1, 10.0.0.2")], "198.51.100.1");
        check("10.0.0.1", &[(xff, "6.6.6.6"), (xff, "198.51.100.1")], "198.51.100.1");
        check("10.0.0.1", &[(xff, "10.0.0.7, 10.0.0.2")], "10.0.0.7");
        check("10.0.0.1", &[(xff, "198.51.100.1:55555")], "198.51.100.1");
        check("10.0.0.1", &[(xff, "[2001:db9::1]:443")], "2001:db9::1");
        check("10.0.0.1", &[(xff, "::ffff:198.51.100.1")], "198.51.100.1");
        check(
            "::1",
            &[("forwarded", "for=6.6.6.6, for=\"[2001:db9::1]:80\";proto=https;by=10.0.0.1")],
            "2001:db9::1",
        );
        check("::1", &[("forwarded", "proto=https; FOR=198.51.100.1")], "198.51.100.1");
        check("10.0.0.1", &[], "10.0.0.1");
        // An obfuscated or invalid hop hides the hops before it.
        check("10.0.0.1", &[(xff, "198.51.100.1, unknown")], "");
        check("10.0.0.1", &[(xff, "198.51.100.1, unknown, 10.0.0.2")], "");
        check("10.0.0.1", &[(xff, "")], "");
        check("10.0.0.1", &[("forwarded", "for=_hidden")], "");
        check("10.0.0.1", &[("forwarded", "proto=https")], "");
        // Two headers that disagree are both ignored.
        check("10.0.0.1", &[(xff, "198.51.100.1"), ("forwarded", "for=6.6.6.6")], "");
        check("10.0.0.1", &[(xff, "198.51.100.1"), ("forwarded", "for=198.51.100.1")], "198.51.100.1");
    }

    #[test]
    fn the_host_is_the_one_that_a_proxy_forwards_or_the_requests_own() {
        let check = |peer: &str, headers: &[(&str, &str)], want: Option<&str>| {
            assert_eq!(proxies().host(&request(peer, headers)).as_deref(), want, "{peer} {headers:?}");
        };
        check("203.0.113.9", &[("host", "Go.Example.com:443")], Some("go.example.com"));
        check(
            "203.0.113.9",
            &[("host", "a.example"), ("x-forwarded-host", "evil.example")],
            Some("a.example"),
        );
        check(
            "10.0.0.1",
            &[("host", "127.0.0.1:8787"), ("x-forwarded-host", "go.example.com")],
            Some("go.example.com"),
        );
        check("10.0.0.1", &[("x-forwarded-host", "evil.example, go.example.com")], Some("go.example.com"));
        check("10.0.0.1", &[], None);
    }
}
