//! Values in the form in which pages show them.

use std::fmt;

use trac_core::money::Currency;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;

/// An amount in a currency: `12.34 USD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    minor: i64,
    currency: String,
}

impl Amount {
    /// An amount in the currency of that code.
    pub(crate) fn new(minor: i64, currency: &str) -> Self {
        Self { minor, currency: currency.to_owned() }
    }

    pub(crate) const fn is_zero(&self) -> bool {
        self.minor == 0
    }

    pub(crate) const fn is_negative(&self) -> bool {
        self.minor < 0
    }

    /// The amount with its sign: `+12.34 USD`.
    pub(crate) fn signed(&self) -> String {
        let sign = if self.minor > 0 { "+" } else { "" };
        format!("{sign}{self}")
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Currency::parse(&self.currency) {
            Ok(currency) => f.write_str(&currency.display(self.minor)),
            Err(_) => write!(f, "{} {}", self.minor, self.currency),
        }
    }
}

/// A moment: `2026-11-21 08:00:00 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl Moment {
    /// The moment in RFC 3339, for programs.
    pub(crate) fn machine(self) -> String {
        self.0.to_rfc3339()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_rfc3339();
        write!(f, "{} UTC", text.replace('T', " ").trim_end_matches('Z'))
    }
}

/// The code of a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) String);

impl Code {
    /// The reason in one sentence; an unknown code is returned unchanged.
    pub(crate) fn words(&self) -> &str {
        match Reason::from_code(&self.0) {
            Some(reason) => reason.meaning(),
            None => &self.0,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_formatted_for_people() {
        let amount = Amount::new(1_234, "usd");
        assert_eq!((amount.to_string(), amount.signed()), ("12.34 USD".to_owned(), "+12.34 USD".to_owned()));
        assert_eq!(Amount::new(-5, "usd").signed(), "-0.05 USD");
        assert_eq!(Amount::new(7, "of_tomorrow").to_string(), "7 of_tomorrow");
        let moment = Moment(Timestamp::from_unix_secs(1_795_248_000));
        assert_eq!(
            (moment.to_string(), moment.machine()),
            ("2026-11-21 08:00:00 UTC".to_owned(), "2026-11-21T08:00:00Z".to_owned())
        );
        assert!(Code("click_expired".to_owned()).words().contains("window"));
        assert_eq!(Code("of_tomorrow".to_owned()).words(), "of_tomorrow");
    }
}
