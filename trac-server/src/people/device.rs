//! The browser and address of a request, by which people tell their sessions apart.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::trac::Trac;
use crate::trac::limit::public;

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// The browser and system: `Firefox on Windows`.
    pub(super) agent: String,
    /// `None` if it is unknown.
    pub(super) address: Option<IpAddr>,
}

/// Parts of `User-Agent` headers, each with its browser. The first that matches counts: most browsers also name others.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

impl Device {
    /// The device of a request.
    pub(super) fn of(trac: &Trac, request: &Parts) -> Self {
        Self { agent: agent(&request.headers), address: trac.proxies.caller(request) }
    }

    /// The address as text.
    pub(super) fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_canonical().to_string())
    }

    /// The address that limits count, and whether it belongs to one caller: of an IPv6 address the /64 network. All
    /// addresses that are not public count as one, because they may be those of a proxy that is not configured.
    pub(super) fn counted(&self) -> (IpAddr, bool) {
        match self.address.and_then(public) {
            Some(address) => (address, true),
            None => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), false),
        }
    }
}

fn agent(headers: &HeaderMap) -> String {
    let text = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| text.contains(part)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_with_its_system() {
        let check = |text: &str, want: &str| {
            let headers = HeaderMap::from_iter([(USER_AGENT, text.parse().unwrap())]);
            assert_eq!(agent(&headers), want, "{text}");
        };
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        );
        check("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux");
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1",
            "Safari on iPhone",
        );
        check("curl/8.5.0", "Unknown browser");
        check("", "Unknown browser");
    }
}
