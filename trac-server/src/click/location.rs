//! The URL that a visitor of a tracked link is redirected to: the link's destination, the visitor's query and
//! the click ID.

use std::fmt::Write as _;

use trac_core::checkout::link::{Decision, decorate, is_payment_link};
use trac_core::checkout::reference;
use trac_core::click::{ClickId, dialect, query};
use trac_core::program::AttributionModel;

use crate::http::path::decoded;

/// Builds the URL. The destination's own parameters win over the visitor's of the same name; the visitor's
/// click ID parameters belong to an older click and are removed. The click ID is `client_reference_id` on a
/// Payment Link, and `trac_click_id` on any other page.
pub(super) fn location(destination: &str, visitors_query: Option<&str>, id: Option<&ClickId>) -> String {
    let url = with_query(destination, visitors_query.unwrap_or_default());
    let Some(id) = id else { return url };
    match decorate(&url, Some(id), AttributionModel::LastClick, "") {
        Decision::Decorated(url) => url,
        Decision::NotAPaymentLink => {
            let name = dialect::TRAC.url_parameters.first().copied().unwrap_or("trac_click_id");
            query::add(&url, name, id)
        }
        Decision::AlreadyOurs | Decision::MerchantReference | Decision::NoClick => url,
    }
}

fn with_query(destination: &str, visitors_query: &str) -> String {
    if visitors_query.is_empty() {
        return destination.to_owned();
    }
    let visitors_query = printable(visitors_query);
    let prefixed = format!("?{visitors_query}");
    let stripped = query::strip(&prefixed, &dialect::TRAC).unwrap_or(prefixed);
    let (page, fragment) = match destination.split_once('#') {
        Some((page, fragment)) => (page, Some(fragment)),
        None => (destination, None),
    };
    let own = page.split_once('?').map(|(_, own)| own).unwrap_or_default();
    let name = |pair: &str| decoded(pair.split('=').next().unwrap_or_default());
    let own_names: Vec<_> = own.split('&').map(name).collect();
    let reference_is_ours = is_payment_link(destination, "");
    let mut url = page.to_owned();
    for pair in stripped.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty()) {
        let name = name(pair);
        if own_names.contains(&name) || (reference_is_ours && name == reference::PARAMETER.as_bytes()) {
            continue;
        }
        url.push(match url.split_once('?') {
            None => '?',
            Some(_) => '&',
        });
        url.push_str(pair);
    }
    if let Some(fragment) = fragment {
        url.push('#');
        url.push_str(fragment);
    }
    url
}

/// The query with every byte percent-encoded that is not allowed in a header or not safe in an HTML page.
fn printable(query: &str) -> String {
    query.bytes().fold(String::with_capacity(query.len()), |mut text, byte| {
        if byte.is_ascii_graphic() && !b"\\\"'<>`#".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_gets_the_visitors_query_and_the_click() {
        let id = ClickId::parse("abc").unwrap();
        let check = |destination: &str, query: &str, want: &str| {
            assert_eq!(location(destination, Some(query), Some(&id)), want, "{destination} + {query}");
        };
        check("https://s.example", "", "https://s.example?trac_click_id=abc");
        check("https://s.example/a?b=1#c", "d=2", "https://s.example/a?b=1&d=2&trac_click_id=abc#c");
        check("https://s.example/?b=1", "b=2&c=3", "https://s.example/?b=1&c=3&trac_click_id=abc");
        check(
            "https://s.example/",
            "trac_click_id=old&trac_id=old&x=1",
            "https://s.example/?x=1&trac_click_id=abc",
        );
        check(
            "https://s.example/",
            "q=\"<b>\\é",
            "https://s.example/?q=%22%3Cb%3E%5C%C3%A9&trac_click_id=abc",
        );
        check("https://s.example/?ref=1", "r%65f=2&x", "https://s.example/?ref=1&x&trac_click_id=abc");
        check("https://s.example/", "&&", "https://s.example/?trac_click_id=abc");
    }

    #[test]
    fn a_payment_link_gets_the_click_as_its_reference() {
        let id = ClickId::new(1, 2);
        let check = |destination: &str, query: &str, want: &str| {
            let want = want.replace("ID", id.as_str());
            assert_eq!(location(destination, Some(query), Some(&id)), want, "{destination} + {query}");
        };
        check("https://buy.stripe.com/x", "", "https://buy.stripe.com/x?client_reference_id=ID");
        check(
            "https://buy.stripe.com/x",
            "locale=de",
            "https://buy.stripe.com/x?locale=de&client_reference_id=ID",
        );
        // A reference in the visitor's query is not the merchant's.
        check(
            "https://buy.stripe.com/x",
            "client_reference_id=me",
            "https://buy.stripe.com/x?client_reference_id=ID",
        );
        check(
            "https://buy.stripe.com/x",
            "client%5Freference%5Fid=me",
            "https://buy.stripe.com/x?client_reference_id=ID",
        );
        // The merchant's own reference is not replaced.
        let own = "https://buy.stripe.com/x?client_reference_id=user_17";
        check(own, "", own);
    }

    #[test]
    fn without_a_click_nothing_is_added() {
        assert_eq!(location("https://s.example/", Some("a=1"), None), "https://s.example/?a=1");
        assert_eq!(location("https://buy.stripe.com/x", None, None), "https://buy.stripe.com/x");
    }
}
