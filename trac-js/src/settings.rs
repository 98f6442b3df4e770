//! The attributes of the script tag, read once.

use alloc::string::String;

use trac_core::click::dialect::{self, Dialect};
use trac_core::program::AttributionModel;

use crate::memory::Global;
use crate::{cookie, page};

/// Browsers keep no cookie longer.
const LONGEST_DAYS: u32 = 400;

/// What the merchant set; without attributes, the defaults.
#[derive(Clone)]
pub struct Settings {
    /// `data-cookie-domain`: empty to find the registrable domain by trying.
    pub cookie_domain: String,
    /// `data-cookie-days`, of cookie and stored ID.
    pub days: u32,
    /// `data-attribution-model`.
    pub model: AttributionModel,
    /// `data-dialect`: which names are written.
    pub dialect: &'static Dialect,
    /// `data-stripe-domains`: Payment Link domains of the merchant's own, comma-separated.
    pub stripe_domains: String,
    /// `data-outbound-domains`: other sites of the merchant's, comma-separated.
    pub outbound_domains: String,
    /// Whether the click may be stored: at once, or with `data-consent` when the visitor has said so.
    pub may_store: bool,
}

static SETTINGS: Global<Settings> = Global::new(Settings {
    cookie_domain: String::new(),
    days: 90,
    model: AttributionModel::LastClick,
    dialect: &dialect::TRAC,
    stripe_domains: String::new(),
    outbound_domains: String::new(),
    may_store: true,
});

/// Reads the script tag.
pub(crate) fn read() {
    SETTINGS.with(|settings| {
        settings.cookie_domain = page::read_setting("cookieDomain");
        settings.stripe_domains = page::read_setting("stripeDomains");
        settings.outbound_domains = page::read_setting("outboundDomains");
        if let Some(days) = days(&page::read_setting("cookieDays")) {
            settings.days = days;
        }
        if page::read_setting("attributionModel") == "first-click" {
            settings.model = AttributionModel::FirstClick;
        }
        if let Some(dialect) = Dialect::named(&page::read_setting("dialect")) {
            settings.dialect = dialect;
        }
        settings.may_store = page::read_setting("consent") != "required";
    });
}

/// Lets the click be stored, or not.
pub(crate) fn allow_storing(granted: bool) {
    SETTINGS.with(|settings| settings.may_store = granted);
}

/// Uses the settings.
pub(crate) fn with<R>(f: impl FnOnce(&Settings) -> R) -> Option<R> {
    SETTINGS.with(|settings| f(settings))
}

/// A number of days that browsers grant; any other text is none.
fn days(text: &str) -> Option<u32> {
    cookie::number(text).filter(|days| (1..=LONGEST_DAYS).contains(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_no_browser_grants_are_left_out() {
        for (text, want) in [
            ("1", Some(1)),
            ("90", Some(90)),
            ("400", Some(400)),
            ("401", None),
            ("0", None),
            ("", None),
            ("9 days", None),
        ] {
            assert_eq!(days(text), want, "{text}");
        }
    }
}
