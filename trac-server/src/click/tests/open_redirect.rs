//! For every stored destination and every query of a visitor, the redirect leads to the merchant's
//! destination or nowhere. The crate `url`, which implements the WHATWG URL standard, represents
//! the browser.

use proptest::prelude::*;
use trac_core::click::ClickId;
use url::Url;

use crate::click::destination::is_sane;
use crate::click::location::location;

const BASES: [&str; 5] = [
    "https://shop.example/",
    "https://shop.example",
    "https://shop.example:8443/tea?kind=green#top",
    "http://127.0.0.1:8080/a/b",
    "https://buy.stripe.com/test_abc?locale=de",
];

/// URLs that lead a browser to another host or scheme, by themselves or after characters that browsers strip.
const HOSTILE: &[&str] = &[
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "javascript://shop.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "ftp://shop.example/",
    "blob:https://shop.example/1",
    "filesystem:https://shop.example/1",
    "about:blank",
    "view-source:https://shop.example/",
    "intent://shop.example/#Intent;scheme=https;end",
    "ws://shop.example/",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/evil",
    "evil.example",
    "evil.example:443",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "http:evil.example",
    "https://",
    "https:///",
    "https://?x",
    "https://#x",
    "https://:443/",
    "https://@evil.example/",
    "https://shop.example@evil.example/",
    "https://shop.example:443@evil.example/",
    "https://shop.example%40evil.example/",
    "https://shop.example%2f@evil.example/",
    "https://shop.example:password@evil.example/",
    "https://shop.example\\@evil.example/",
    "https://shop.example\\.evil.example/",
    "https://shop.example/\\..\\evil",
    "https://evil.example\\shop.example/",
    "https://shop.example;evil.example/",
    "https://shop.example,evil.example/",
    "https://shop.example&evil.example/",
    "https://shop.example|evil.example/",
    "https://shop.example^evil.example/",
    "https://shop.example!evil.example/",
    "https://shop.example$evil.example/",
    "https://shop.example*evil.example/",
    "https://shop.example(evil.example)/",
    "https://shop.example'evil.example/",
    "https://shop.example\"evil.example/",
    "https://shop.example`evil.example/",
    "https://shop.example<evil.example/",
    "https://shop.example{evil.example}/",
    "https://shop.example=evil.example/",
    "https://shop.example+evil.example/",
    "https://shop.example~evil.example/",
    "https://shop.example%00.evil.example/",
    "https://shop.example%2eevil.example/",
    "https://shop.example%0d%0a.evil.example/",
    "https://shop.example:80:80/",
    "https://shop.example:/",
    "https://shop.example:0x50/",
    "https://shop.example:-1/",
    "https://shop.example:65536/",
    "https://shop.example:99999999999999999999/",
    "https://shop..example/",
    "https://.shop.example/",
    "https://shop.example../",
    "https://[evil.example]/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]evil.example/",
    "https://[::1]:x/",
    "https://[::ffff:127.0.0.1%25eth0]/",
    "https://1.2.3.4.5/",
    "https://256.256.256.256/",
    "https://999999999999/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://2130706433/",
    "https://127.1/",
    "https://shop.example.5/",
    "https://shop.example.0x5/",
    "https://shöp.example/",
    "https://shop.example\u{3002}evil.example/",
    "https://shop.example\u{ff0f}evil.example/",
    "https://shop.example\u{2044}evil.example/",
    "https://\u{ff45}vil.example/",
    "https://evil\u{ad}.example/",
    "https://\u{202e}elpmaxe.live/",
    "https://shop.example/\u{feff}",
    "\u{feff}https://shop.example/",
    "https://shop.example/\r\nSet-Cookie: a=b",
    "https://shop.example/\nLocation: https://evil.example",
    "https://shop.example/\u{0}",
    "https://shop.example/\u{7f}",
    "https://shop.example/ space",
    "https://shop .example/",
    "https://\tshop.example/",
    "ht\ttps://evil.example/",
    "https\u{0}://evil.example/",
    "https://shop.example\t@evil.example/",
];

#[test]
fn a_hostile_destination_is_refused() {
    // Characters that the standard strips or ignores at the ends of a URL are not stripped here.
    let edges = ["", " ", "\t", "\r\n", "\u{0}", "\u{1f}", "\u{a0}", "\u{feff}", "\u{200b}"];
    let mut refused = 0;
    for hostile in HOSTILE {
        for destination in
            edges.iter().flat_map(|edge| [format!("{edge}{hostile}"), format!("{hostile}{edge}")])
        {
            assert!(!is_sane(&destination), "{destination:?}");
            refused += 1;
        }
    }
    for edge in &edges[1..] {
        for destination in [format!("{edge}https://shop.example/"), format!("https://shop.example/{edge}")] {
            assert!(!is_sane(&destination), "{destination:?}");
            refused += 1;
        }
    }
    assert!(refused > 1_000, "{refused}");
}

/// Checks that a redirect's address is one line and leads to the same origin, path and fragment as the
/// destination.
fn leads_there(destination: &str, query: &str, address: &str) {
    assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{destination} + {query:?}: {address:?}");
    let (meant, found) = (Url::parse(destination).unwrap(), Url::parse(address).unwrap());
    let place = |url: &Url| {
        (url.origin().ascii_serialization(), url.path().to_owned(), url.fragment().map(ToOwned::to_owned))
    };
    assert_eq!(place(&found), place(&meant), "{destination} + {query:?}: {address}");
    assert_eq!((found.username(), found.password()), ("", None), "{address}");
}

#[test]
fn a_hostile_query_does_not_change_where_the_redirect_leads() {
    let id = ClickId::new(1, 2);
    for base in BASES {
        for hostile in HOSTILE {
            for query in [
                (*hostile).to_owned(),
                format!("url={hostile}"),
                format!("x&{hostile}=1"),
                format!("#{hostile}"),
                format!("a=1#@{hostile}"),
                format!("trac_click_id={hostile}"),
                format!("client_reference_id={hostile}"),
                format!("%0d%0aLocation:%20{hostile}"),
            ] {
                leads_there(base, &query, &location(base, Some(&query), Some(&id)));
                leads_there(base, &query, &location(base, Some(&query), None));
            }
        }
    }
}

proptest! {
    /// A browser reads every accepted destination as it is checked here: http(s), the same host, no user name
    /// or password.
    #[test]
    fn a_browser_reads_an_accepted_destination_as_it_was_checked(
        text in "(https?://|HTTP://)?[a-z0-9.:@/\\\\\\[\\]%?#_ \t-]{0,24}(/[ -~]{0,12})?",
        query in "\\PC{0,40}",
    ) {
        if is_sane(&text) && !text.contains("xn--") {
            let url = Url::parse(&text).map_err(|error| TestCaseError::fail(format!("{text:?}: {error}")))?;
            prop_assert!(matches!(url.scheme(), "http" | "https"));
            prop_assert_eq!((url.username(), url.password()), ("", None));
            let authority = text.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
            let host = url.host_str().unwrap_or_default();
            prop_assert!(authority.is_some_and(|own| own.to_ascii_lowercase().starts_with(host)), "{} is {}", text, host);
            leads_there(&text, &query, &location(&text, Some(&query), Some(&ClickId::new(1, 2))));
        }
    }

    #[test]
    fn no_query_changes_where_the_redirect_leads(base in 0..BASES.len(), query in "[ -~\\n\\r\\t\\PC]{0,80}") {
        let base = BASES[base];
        leads_there(base, &query, &location(base, Some(&query), Some(&ClickId::new(1, 2))));
    }
}
