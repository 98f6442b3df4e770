//! Where the click waits: in a cookie, which the merchant's server can read, and in web storage, which some
//! browsers and visitors leave alone when they clear cookies. Either repairs the other.

use alloc::string::String;

use trac_core::click::{ClickId, dialect};
use trac_core::cookie::{self, Attributes};

use crate::page;
use crate::settings::Settings;

/// Beside the ID in web storage: until when it is good, in seconds since 1970.
const UNTIL: &str = "trac_click_until";

const DAY_SECS: u32 = 86_400;

pub(crate) fn read_cookie() -> Option<ClickId> {
    cookie::find(page::read_cookies())
}

/// The stored ID, unless its time is over. One without a time was stored by another script, and counts.
pub(crate) fn read_storage() -> Option<ClickId> {
    if number(&page::read_stored(UNTIL)).is_some_and(|until| until < page::read_clock()) {
        return None;
    }
    for dialect in &dialect::ALL {
        for key in dialect.storage_keys {
            if let Ok(id) = ClickId::parse(&page::read_stored(key)) {
                return Some(id);
            }
        }
    }
    None
}

/// Writes the cookie for the widest domain the browser allows. It refuses public suffixes without a word, so the
/// only way to know is to try and look.
pub(crate) fn write_cookie(id: &ClickId, settings: &Settings) {
    let name = cookie_name(settings);
    let host = page::read_host();
    let write = |domain| {
        page::write_cookie(&cookie::set(name, id, &attributes(domain, settings)));
        cookie::find(page::read_cookies()).as_ref() == Some(id)
    };
    // An older one of this host alone would hide the new one.
    page::write_cookie(&cookie::clear(name, &attributes(None, settings)));
    let chosen = Some(settings.cookie_domain.as_str()).filter(|domain| !domain.is_empty());
    if chosen.map_or_else(
        || cookie::domains(&host).any(|domain| write(Some(domain))),
        |domain| write(Some(domain)),
    ) {
        return;
    }
    write(None);
}

pub(crate) fn write_storage(id: &ClickId, settings: &Settings) {
    for key in storage_keys(settings) {
        page::write_stored(key, id.as_str());
    }
    let until = page::read_clock().saturating_add(settings.days.saturating_mul(DAY_SECS));
    page::write_stored(UNTIL, &decimal(until));
}

/// Removes every cookie and stored value that could be read as a click.
pub(crate) fn clear(settings: &Settings) {
    let host = page::read_host();
    for dialect in &dialect::ALL {
        for name in dialect.cookies {
            page::write_cookie(&cookie::clear(name, &attributes(None, settings)));
            let domains = cookie::domains(&host).chain(Some(settings.cookie_domain.as_str()));
            for domain in domains {
                page::write_cookie(&cookie::clear(name, &attributes(Some(domain), settings)));
            }
        }
        for key in dialect.storage_keys {
            page::write_stored(key, "");
        }
    }
    page::write_stored(UNTIL, "");
}

/// The dialect's first cookie; where it has none, ours, so that the click is still kept twice.
fn cookie_name(settings: &Settings) -> &'static str {
    settings.dialect.cookies.first().or(dialect::TRAC.cookies.first()).copied().unwrap_or_default()
}

/// Our own key, which the script reads whatever the dialect, and the dialect's.
fn storage_keys(settings: &Settings) -> impl Iterator<Item = &'static str> {
    dialect::TRAC.storage_keys.iter().chain(settings.dialect.storage_keys).copied()
}

fn attributes<'a>(domain: Option<&'a str>, settings: &Settings) -> Attributes<'a> {
    Attributes { domain, days: settings.days, secure: page::read_url().starts_with("https:") }
}

/// Reads a decimal number; the parser of `core` would come with signs, radixes and reasons.
pub(crate) fn number(text: &str) -> Option<u32> {
    let mut number = 0_u32;
    for byte in text.bytes() {
        let digit = char::from(byte).to_digit(10)?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    (!text.is_empty()).then_some(number)
}

fn decimal(number: u32) -> String {
    let mut left = number;
    let mut digits = String::new();
    for unit in (0..10).rev().map(|power| 10_u32.saturating_pow(power)) {
        let digit = left.checked_div(unit).unwrap_or(0);
        left = left.checked_rem(unit).unwrap_or(0);
        digits.extend(char::from_digit(digit, 10));
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_and_read_as_decimals() {
        for (number, text) in [(0, "0000000000"), (7, "0000000007"), (u32::MAX, "4294967295")] {
            assert_eq!(decimal(number), text);
            assert_eq!(super::number(text), Some(number));
        }
        for wrong in ["", "-1", "+1", " 1", "1.5", "0x1", "4294967296", "٣"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
