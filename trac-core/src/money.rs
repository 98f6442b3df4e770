//! Money is an integer number of minor units with a currency; every rounding has a name.
//!
//! Amounts are `i64` minor units as Stripe sends them (card payments have at most 12 digits). Products are
//! computed in 128 bits. Floating point is not used, and amounts of two currencies are never added.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest amount that is read, in minor units: twelve digits, which is Stripe's limit too. The sum of
/// nine million such amounts fits into an `i64`.
pub const AMOUNT_MAX: i64 = 999_999_999_999;

/// A three-letter currency code, stored in lower case.
///
/// # Wire form
/// Exactly three ASCII letters; read in any case, written in lower case, as Stripe writes it.
///
/// # Examples
/// ```
/// use trac_core::money::Currency;
///
/// assert_eq!(Currency::parse("USD")?.as_str(), "usd");
/// assert!(Currency::parse("us$").is_err());
/// # Ok::<(), trac_core::money::ParseCurrencyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The text is not a three-letter currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three letters, such as usd")]
pub struct ParseCurrencyError;

impl Currency {
    /// Reads a code in any case.
    ///
    /// # Errors
    /// [`ParseCurrencyError`] unless the text is three ASCII letters.
    pub fn parse(text: &str) -> Result<Self, ParseCurrencyError> {
        let bytes: [u8; 3] = text.as_bytes().try_into().map_err(|_| ParseCurrencyError)?;
        if bytes.iter().all(u8::is_ascii_alphabetic) {
            Ok(Self(bytes.map(|byte| byte.to_ascii_lowercase())))
        } else {
            Err(ParseCurrencyError)
        }
    }

    /// The code in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The number of decimal digits of Stripe's minor unit, which sometimes differs from ISO 4217.
    ///
    /// ISK and UGX have no minor unit in use, but Stripe sends them as two-decimal amounts; for UGX this
    /// special case takes precedence over Stripe's zero-decimal list. Source:
    /// <https://docs.stripe.com/currencies#special-cases>.
    ///
    /// # Examples
    /// ```
    /// use trac_core::money::Currency;
    ///
    /// let digits = |code| Currency::parse(code).map(|currency| currency.exponent());
    /// assert_eq!((digits("usd"), digits("jpy"), digits("ugx"), digits("kwd")), (Ok(2), Ok(0), Ok(2), Ok(3)));
    /// ```
    #[must_use]
    pub fn exponent(&self) -> usize {
        match &self.0 {
            b"bif" | b"clp" | b"djf" | b"gnf" | b"jpy" | b"kmf" | b"krw" | b"mga" | b"pyg" | b"rwf"
            | b"vnd" | b"vuv" | b"xaf" | b"xof" | b"xpf" => 0,
            b"bhd" | b"jod" | b"kwd" | b"omr" | b"tnd" => 3,
            _ => 2,
        }
    }

    /// Formats an amount for people: `1234` in usd is `12.34 USD`, in jpy `1234 JPY`.
    ///
    /// # Examples
    /// ```
    /// use trac_core::money::Currency;
    ///
    /// let usd = Currency::parse("usd")?;
    /// assert_eq!(usd.display(-5), "-0.05 USD");
    /// # Ok::<(), trac_core::money::ParseCurrencyError>(())
    /// ```
    #[must_use]
    pub fn display(&self, amount_minor: i64) -> String {
        let code = self.as_str().to_ascii_uppercase();
        let sign = if amount_minor < 0 { "-" } else { "" };
        let exponent = self.exponent();
        let digits = format!("{:0>width$}", amount_minor.unsigned_abs(), width = exponent.saturating_add(1));
        match digits.split_at_checked(digits.len().saturating_sub(exponent)) {
            Some((whole, part)) if !part.is_empty() => format!("{sign}{whole}.{part} {code}"),
            _ => format!("{sign}{digits} {code}"),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// `amount × part ÷ whole`, rounded half up; zero where `whole` is not positive.
///
/// # Units
/// Takes and returns minor units. The product is computed in 128 bits; a quotient beyond 64 bits saturates.
/// Half up means towards positive infinity: 2.5 becomes 3, −2.5 becomes −2.
///
/// # Examples
/// ```
/// use trac_core::money::share_half_up;
///
/// assert_eq!(share_half_up(2_000, 6_000, 12_000), 1_000);
/// assert_eq!(share_half_up(25, 1_000, 10_000), 3);
/// assert_eq!(share_half_up(25, 1_000, 0), 0);
/// ```
#[must_use]
pub fn share_half_up(amount: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let (product, whole) = (i128::from(amount).saturating_mul(i128::from(part)), i128::from(whole));
    // floor((2p + w) / 2w) is p / w rounded half up, for either sign of p.
    let doubled = product.saturating_mul(2).saturating_add(whole);
    let quotient = doubled.div_euclid(whole.saturating_mul(2));
    i64::try_from(quotient).unwrap_or(if quotient < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_half_up() {
        let check = |(amount, part, whole): (i64, i64, i64), want: i64| {
            assert_eq!(share_half_up(amount, part, whole), want, "{amount} × {part} ÷ {whole}");
        };
        check((25, 1_000, 10_000), 3);
        check((24, 1_000, 10_000), 2);
        check((-25, 1_000, 10_000), -2);
        check((1_999, 725, 10_000), 145);
        check((999_999_999_999, 9_999, 10_000), 999_899_999_999);
        check((1, 1, -1), 0);
        check((i64::MAX, i64::MAX, 1), i64::MAX);
        check((i64::MIN, i64::MAX, 1), i64::MIN);
    }

    #[test]
    fn an_amount_is_displayed_with_stripes_exponent() {
        let check = |code: &str, amount: i64, want: &str| {
            assert_eq!(Currency::parse(code).unwrap().display(amount), want);
        };
        check("usd", 1_234, "12.34 USD");
        check("usd", 5, "0.05 USD");
        check("usd", -1_234, "-12.34 USD");
        check("jpy", 150, "150 JPY");
        check("ugx", 15_000, "150.00 UGX");
        check("isk", 100, "1.00 ISK");
        check("kwd", 1_230, "1.230 KWD");
        check("usd", i64::MIN, "-92233720368547758.08 USD");
    }

    #[test]
    fn a_code_is_three_letters_in_any_case() {
        assert_eq!(Currency::parse("EuR").unwrap().as_str(), "eur");
        for wrong in ["", "us", "usdx", "us1", "öü", "€"] {
            assert_eq!(Currency::parse(wrong), Err(ParseCurrencyError), "{wrong}");
        }
    }
}
