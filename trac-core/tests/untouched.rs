//! Properties of every URL and every cookie header, even invalid ones: nothing panics, and only click
//! parameters, references and cookies of trac change.
#![cfg(not(target_arch = "wasm32"))]

use proptest::prelude::*;
use trac_core::checkout::link::{Decision, decorate};
use trac_core::click::{ClickId, dialect, query};
use trac_core::cookie;
use trac_core::program::AttributionModel::{FirstClick, LastClick};

const NAME: &str = "trac_click_id";

/// Any text, and texts that look like a URL with parameters.
fn url() -> impl Strategy<Value = String> {
    let piece = "(trac_click_id|click_id|client_reference_id|a|%74|)(=|)(clk_1_0123456789abcdef|x|%|%2|é|)";
    let pieces = proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.join("&"));
    let place = r"( |\t|)(https|HTTPS|http|)(://|:\\|)(buy\.stripe\.com|u@buy\.stripe\.com|é|)(:443|:1|)(/|)(test_1|\.\.|b/1|)";
    let near = (place, "[?#]?", pieces, "(|#|#\\?trac_click_id=y)");
    prop_oneof![".*", near.prop_map(|(place, mark, query, fragment)| [place, mark, query, fragment].concat())]
}

fn id() -> impl Strategy<Value = ClickId> {
    let native = (0..2_000_000_000_i64, any::<u64>()).prop_map(|(secs, bits)| ClickId::new(secs, bits));
    let foreign = "[A-Za-z0-9_-]{1,200}".prop_filter_map("an ID", |text| ClickId::parse(&text).ok());
    prop_oneof![native, foreign]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_added_id_is_found_and_stripping_it_restores_the_url(url in url(), id in id()) {
        let added = query::add(&url, NAME, &id);
        prop_assert_eq!(query::find(&added, &dialect::TRAC), Some(id.clone()));
        prop_assert_eq!(query::add(&added, NAME, &id), added.clone(), "adding again changes nothing");
        if query::strip(&url, &dialect::TRAC).is_none() {
            let stripped = query::strip(&added, &dialect::TRAC);
            // A separator `?` or `&` next to the parameter may be removed with it.
            let bare = |text: &str| text.replace(['?', '&'], "");
            prop_assert_eq!(stripped.as_deref().map(bare), Some(bare(&url)));
        }
    }

    #[test]
    fn a_decorated_link_has_one_reference_and_is_not_decorated_again(url in url(), id in id()) {
        for model in [LastClick, FirstClick] {
            if let Decision::Decorated(decorated) = decorate(&url, Some(&id), model, "") {
                prop_assert_eq!(decorate(&decorated, Some(&id), model, ""), Decision::AlreadyOurs);
                let (place, _) = decorated.split_once('#').unwrap_or((&decorated, ""));
                let (_, query) = place.split_once('?').unwrap_or_default();
                let named = query.split('&').filter(|pair| pair.split('=').next() == Some("client_reference_id"));
                prop_assert_eq!(named.count(), 1, "{}", decorated);
                prop_assert!(decorated.trim_start().get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://")));
            }
        }
    }

    #[test]
    fn a_cookie_that_was_set_is_found_among_any_others(
        before in "[^;]*", after in any::<Vec<u8>>(), id in id(),
    ) {
        let attributes = cookie::Attributes { domain: None, days: 1, secure: true };
        let set = cookie::set(NAME, &id, &attributes);
        let pair = set.split(';').next().unwrap_or_default();
        let mut header = format!("x{before}; {pair};").into_bytes();
        header.extend(after);
        prop_assert_eq!(cookie::find(header), Some(id));
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), text in ".*") {
        let _ = cookie::find(&bytes);
        let _ = cookie::domains(&text).count();
        let _ = query::find(&text, &dialect::SELGEO);
        let _ = query::strip(&text, &dialect::SELGEO);
        let _ = decorate(&text, None, LastClick, &text);
    }
}
