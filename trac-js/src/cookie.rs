//! Where the click ID is stored: in a cookie, which the merchant's server can read, and in web storage, which some
//! browsers and visitors do not clear together with cookies. `js/storage.js` writes the ID to both, so that each
//! restores the other.

use trac_core::click::bytes::pieces;
use trac_core::click::dialect::COOKIES;
use trac_core::cookie::find_value;

/// The ID in the cookies; empty if there is none.
#[inline(never)]
pub(crate) fn in_cookies(stored: &[u8]) -> &[u8] {
    for name in pieces(COOKIES, b',') {
        let value = find_value(stored, name);
        if !value.is_empty() {
            return value;
        }
    }
    b""
}

/// The ID in storage, otherwise the one in memory. JavaScript appends both to the cookies, under the empty
/// name, which no cookie has.
pub(crate) fn in_storage_or_memory(stored: &[u8]) -> &[u8] {
    find_value(stored, b"")
}

#[cfg(test)]
mod tests {
    use trac_core::click::dialect::ALL;

    use super::*;

    #[test]
    fn javascript_writes_the_names_of_the_dialects() {
        let written = [include_str!("../js/names.js"), include_str!("../js/storage.js")].concat();
        for dialect in &ALL {
            let parameter = dialect.url_parameters.iter().take(1);
            for name in parameter.chain(dialect.cookies).chain(dialect.storage_keys) {
                assert!(written.contains(&format!("'{name}'")), "js/names.js has no {name}");
            }
        }
    }

    #[test]
    fn the_cookies_come_before_storage_and_memory() {
        let check = |stored: &str, cookie: &str, other: &str| {
            let found = (in_cookies(stored.as_bytes()), in_storage_or_memory(stored.as_bytes()));
            assert_eq!(found, (cookie.as_bytes(), other.as_bytes()), "{stored}");
        };
        check("", "", "");
        check("rd_click_id=c; a=b; clk_id=b", "b", "");
        check(";=;=;=m", "", "m");
        check("trac_click_id=<>;=a b;=s;=m", "", "s");
        check("trac_click_id=a;=s", "a", "s");
    }
}
