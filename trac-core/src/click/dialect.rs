//! The names under which a click ID travels.
//!
//! Merchants come from other systems with links, cookies and Stripe metadata already out in the world. A
//! [`Dialect`] is the table of one system's names. All of them are read, always in the order of [`ALL`]; one is
//! written.

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
    /// What `data-dialect` calls it.
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
}

/// This product's own names.
pub const TRAC: Dialect = Dialect {
    name: "trac",
    url_parameters: &["trac_click_id", "trac_id"],
    cookies: &["trac_click_id", "clk_id"],
    storage_keys: &["trac_click_id"],
    metadata_keys: &["tracClickId", "trac_click_id"],
    js_global: Some("trac"),
};

/// Selgeo's names. Its URL parameter is one that every advertising network uses too; see [`super::query::find`].
pub const SELGEO: Dialect = Dialect {
    name: "selgeo",
    url_parameters: &["click_id"],
    cookies: &[],
    storage_keys: &["__selgeo_cid"],
    metadata_keys: &["aff_click_id"],
    js_global: Some("__selgeo"),
};

/// Attro's names.
pub const ATTRO: Dialect = Dialect {
    name: "attro",
    url_parameters: &["rd_click_id"],
    cookies: &["rd_click_id"],
    storage_keys: &[],
    metadata_keys: &["rd_click_id"],
    js_global: None,
};

/// All dialects, in reading order.
pub static ALL: [Dialect; 3] = [TRAC, SELGEO, ATTRO];

/// The metadata key under which the merchant's own ID of the customer travels.
pub const CUSTOMER_KEY: &str = "tracCustomerExternalId";

impl Dialect {
    /// The dialect of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|dialect| dialect.name == name)
    }
}
