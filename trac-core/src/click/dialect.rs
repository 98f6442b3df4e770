//! The names under which a click ID is passed on.
//!
//! Merchants who migrate from other systems have links, cookies and Stripe metadata in use already. A
//! [`Dialect`] is the table of one system's names. All dialects are read, always in the order of [`ALL`]; one
//! is written.

/// The names one system uses.
///
/// Every list is in reading order; the first name is the one written.
///
/// # Examples
/// ```
/// use trac_core::click::dialect::{self, Dialect};
///
/// assert_eq!(Dialect::named("attro"), Some(&dialect::ATTRO));
/// assert_eq!(Dialect::named("ATTRO"), None);
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Its name in `data-dialect`.
    pub name: &'static str,
    /// Query parameters of a landing page.
    pub url_parameters: &'static [&'static str],
    /// Cookies.
    pub cookies: &'static [&'static str],
    /// Keys of web storage, looked up in `localStorage` and then in `sessionStorage`.
    pub storage_keys: &'static [&'static str],
    /// Keys of Stripe metadata.
    pub metadata_keys: &'static [&'static str],
    /// The name of the script's object on `window`.
    pub js_global: Option<&'static str>,
    /// Whether other systems use its URL parameter too, for their own IDs.
    pub is_ambiguous: bool,
}

/// This product's own names.
pub const TRAC: Dialect = Dialect {
    name: "trac",
    url_parameters: &["trac_click_id", "trac_id"],
    cookies: &["trac_click_id", "clk_id"],
    storage_keys: &["trac_click_id"],
    metadata_keys: &["tracClickId", "trac_click_id"],
    js_global: Some("trac"),
    is_ambiguous: false,
};

/// Selgeo's names. Advertising networks use its URL parameter too; see [`super::query::find`].
pub const SELGEO: Dialect = Dialect {
    name: "selgeo",
    url_parameters: &["click_id"],
    cookies: &[],
    storage_keys: &["__selgeo_cid"],
    metadata_keys: &["aff_click_id"],
    js_global: Some("__selgeo"),
    is_ambiguous: true,
};

/// Attro's names.
pub const ATTRO: Dialect = Dialect {
    name: "attro",
    url_parameters: &["rd_click_id"],
    cookies: &["rd_click_id"],
    storage_keys: &[],
    metadata_keys: &["rd_click_id"],
    js_global: None,
    is_ambiguous: false,
};

/// All dialects, in reading order.
pub static ALL: [Dialect; 3] = [TRAC, SELGEO, ATTRO];

/// Every dialect's URL parameters in reading order, comma-separated, for functions that read bytes.
pub const URL_PARAMETERS: &[u8] = b"trac_click_id,trac_id,click_id,rd_click_id";

/// The one of [`URL_PARAMETERS`] that other systems use too.
pub const AMBIGUOUS_PARAMETER: &[u8] = b"click_id";

/// Every dialect's cookies in reading order, comma-separated.
pub const COOKIES: &[u8] = b"trac_click_id,clk_id,rd_click_id";

/// Every dialect's keys of web storage in reading order, comma-separated.
pub const STORAGE_KEYS: &[u8] = b"trac_click_id,__selgeo_cid";

/// The metadata key of the merchant's own ID of the customer.
pub const CUSTOMER_KEY: &str = "tracCustomerExternalId";

impl Dialect {
    /// The dialect of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|dialect| dialect.name == name)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_byte_lists_match_the_dialects() {
        let check = |list: &[u8], names: fn(&Dialect) -> &'static [&'static str]| {
            assert_eq!(list, ALL.iter().flat_map(names).copied().collect::<Vec<_>>().join(",").as_bytes());
        };
        check(URL_PARAMETERS, |dialect| dialect.url_parameters);
        check(COOKIES, |dialect| dialect.cookies);
        check(STORAGE_KEYS, |dialect| dialect.storage_keys);
        let ambiguous =
            ALL.iter().filter(|dialect| dialect.is_ambiguous).flat_map(|dialect| dialect.url_parameters);
        assert!(ambiguous.map(|name| name.as_bytes()).eq([AMBIGUOUS_PARAMETER]));
    }
}
