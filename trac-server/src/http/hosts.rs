//! The host names of this server. All of them are configured; none is read from a request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::header::HOST;
use axum::http::{Request, Version};

/// The domains of the click cookie, and the hosts besides that of the public URL under which links may be
/// shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    pub(crate) cookie_domains: Arc<[String]>,
    pub(crate) tracking_domains: Arc<[String]>,
}

impl Hosts {
    /// The `Domain` of the click cookie for a request to this host: the first configured domain that contains
    /// the host, otherwise the first one. (Browsers reject a `Domain` that does not contain the page's host.)
    pub(crate) fn cookie_domain(&self, host: impl FnOnce() -> Option<String>) -> Option<&str> {
        let first = self.cookie_domains.first()?;
        let host = host();
        let belongs = |domain: &&String| host.as_ref().is_some_and(|host| is_part_of(host, domain));
        Some(self.cookie_domains.iter().find(belongs).unwrap_or(first))
    }

    /// The configured host of this name, in the configured spelling.
    pub(crate) fn tracking_domain(&self, name: &str) -> Option<&str> {
        self.tracking_domains.iter().map(String::as_str).find(|domain| domain.eq_ignore_ascii_case(name))
    }

    /// The base of link URLs: this tracking domain if it is configured, otherwise the public URL.
    pub(crate) fn link_base(&self, public_url: &str, tracking_domain: Option<&str>) -> String {
        let scheme = public_url.split("://").next().unwrap_or("https");
        match tracking_domain.and_then(|name| self.tracking_domain(name)) {
            Some(domain) => format!("{scheme}://{domain}"),
            None => public_url.to_owned(),
        }
    }
}

/// Whether a request has exactly one `Host` header, as HTTP requires: of two, a proxy could use one and this
/// server the other. A request that did not arrive over a connection (in tests, or inside another app) may
/// have none.
/// Source: RFC 9112, section 3.2.
pub(crate) fn is_named_once<B>(request: &Request<B>) -> bool {
    let mut names = request.headers().get_all(HOST).iter();
    match (names.next(), names.next()) {
        (Some(_), None) => true,
        (None, _) => {
            let has_peer = request.extensions().get::<ConnectInfo<SocketAddr>>().is_some();
            request.version() != Version::HTTP_11 || !has_peer
        }
        (Some(_), Some(_)) => false,
    }
}

fn is_part_of(host: &str, domain: &str) -> bool {
    let rest = host.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Hosts {
            cookie_domains: list(&["shop.example", "tea.example"]),
            tracking_domains: list(&["go.tea.example"]),
        }
    }

    #[test]
    fn a_cookie_is_set_for_the_domain_the_host_belongs_to() {
        let check = |host: Option<&str>, want: &str| {
            assert_eq!(hosts().cookie_domain(|| host.map(str::to_owned)), Some(want), "{host:?}");
        };
        check(Some("track.shop.example"), "shop.example");
        check(Some("go.tea.example"), "tea.example");
        check(Some("tea.example"), "tea.example");
        check(Some("eviltea.example"), "shop.example");
        check(None, "shop.example");
        assert_eq!(Hosts::default().cookie_domain(|| Some("shop.example".to_owned())), None);
    }

    #[test]
    fn a_request_names_its_host_once() {
        let check = |version: Version, names: &[&str], has_peer: bool, want: bool| {
            let request = names
                .iter()
                .fold(Request::builder().version(version), |request, name| request.header(HOST, *name));
            let mut request = request.body(()).unwrap();
            if has_peer {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 9))));
            }
            assert_eq!(is_named_once(&request), want, "{version:?} {names:?} {has_peer}");
        };
        check(Version::HTTP_11, &["track.example"], true, true);
        check(Version::HTTP_11, &[], true, false);
        check(Version::HTTP_11, &["track.example", "track.example"], true, false);
        check(Version::HTTP_11, &["track.example", "evil.example"], false, false);
        check(Version::HTTP_11, &[], false, true);
        check(Version::HTTP_10, &[], true, true);
        check(Version::HTTP_2, &[], true, true);
    }

    #[test]
    fn a_link_is_shown_under_a_configured_host_only() {
        let check = |domain: Option<&str>, want: &str| {
            assert_eq!(hosts().link_base("https://track.example", domain), want, "{domain:?}");
        };
        check(None, "https://track.example");
        check(Some("GO.tea.example"), "https://go.tea.example");
        check(Some("evil.example"), "https://track.example");
    }
}
