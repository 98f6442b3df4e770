use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::bytes::Decoded;

const PREFIX: &str = "clk_";
const LENGTH_LIMIT: usize = 200;

/// The ID of a click, made by this program or by another system.
///
/// A text of this form need not be the ID of a click: it counts only if the store has the click, in the same
/// workspace and mode.
///
/// # Wire form
/// Read: `[A-Za-z0-9_-]{1,200}`, the only values that Stripe accepts as a `client_reference_id`
/// (<https://docs.stripe.com/payment-links/url-parameters>). Written: `clk_<unix seconds>_<16 lower-case
/// hex>`.
///
/// # Examples
/// ```
/// use trac_core::click::ClickId;
///
/// let id = ClickId::new(1_764_000_000, 0x00c0_ffee);
/// assert_eq!(id.as_str(), "clk_1764000000_0000000000c0ffee");
/// assert!(id.is_native());
/// assert!(!ClickId::parse("2f1c6a1e-4d0b-4f6e-9a57-3c8f0a1b2c3d")?.is_native());
/// assert!(ClickId::parse("<script>").is_err());
/// # Ok::<(), trac_core::click::ParseClickIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClickId(String);

/// The text is not a click ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a click ID is 1 to 200 letters, digits, hyphens and underscores")]
pub struct ParseClickIdError;

impl ClickId {
    /// Makes the ID of a new click from the time and 64 random bits.
    ///
    /// # Units
    /// Seconds since 1970; a time before that counts as 0.
    #[must_use]
    pub fn new(unix_secs: i64, random_bits: u64) -> Self {
        let mut id = String::with_capacity(40);
        id.push_str(PREFIX);
        push_decimal(&mut id, u64::try_from(unix_secs).unwrap_or(0));
        id.push('_');
        push_hex(&mut id, random_bits);
        Self(id)
    }

    /// Parses an ID; allocates only if the text is one.
    ///
    /// # Errors
    /// [`ParseClickIdError`] if the text is empty, too long, or contains any other character; it is not
    /// trimmed.
    pub fn parse(text: &str) -> Result<Self, ParseClickIdError> {
        Self::from_raw(text.as_bytes()).ok_or(ParseClickIdError)
    }

    /// The ID in a value that may be percent-encoded.
    pub(crate) fn from_bytes(value: Decoded<'_>) -> Option<Self> {
        (form(value) != Form::NoId).then(|| Self(value.map(char::from).collect()))
    }

    /// The ID in a text that is not percent-encoded.
    pub(crate) fn from_raw(text: &[u8]) -> Option<Self> {
        is_raw_id(text).then(|| Self(text.iter().copied().map(char::from).collect()))
    }

    /// Whether it has the form that trac writes. Only such an ID is certain to be trac's in a place that
    /// merchants use too.
    #[must_use]
    pub fn is_native(&self) -> bool {
        form(Decoded(self.0.as_bytes())) == Form::Native
    }

    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ID as an owned `String`.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Whether a value is a click ID, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It is not an ID.
    NoId,
    /// It is an ID in the form of another system.
    Foreign,
    /// It is an ID in the form that trac writes.
    Native,
}

/// Classifies a value as a click ID, without allocating; see [`ClickId`] for the grammar.
///
/// # Examples
/// ```
/// use trac_core::click::bytes::Decoded;
/// use trac_core::click::{Form, form};
///
/// assert_eq!(form(Decoded(b"clk_1764000000_0000000000c0ffee")), Form::Native);
/// assert_eq!(form(Decoded(b"user_17")), Form::Foreign);
/// assert_eq!(form(Decoded(b"user 17")), Form::NoId);
/// ```
#[must_use]
#[inline(never)]
pub fn form(value: Decoded<'_>) -> Form {
    let mut length = 0_usize;
    // How many characters of a native ID were matched, with all digits of the seconds counted as one.
    let mut matched = 0_usize;
    for byte in value {
        length = length.wrapping_add(1);
        if length > LENGTH_LIMIT || !matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_') {
            return Form::NoId;
        }
        matched = match (matched, byte) {
            (AT_SECS | AFTER_SECS, b'0'..=b'9') => AFTER_SECS,
            (AFTER_SECS, b'_') => AT_RANDOM,
            (AT_RANDOM..AT_END, b'0'..=b'9' | b'a'..=b'f') => matched.wrapping_add(1),
            (_, byte) if PREFIX.as_bytes().get(matched) == Some(&byte) => matched.wrapping_add(1),
            _ => usize::MAX,
        };
    }
    match (length, matched) {
        (0, _) => Form::NoId,
        (_, AT_END) => Form::Native,
        _ => Form::Foreign,
    }
}

const AT_SECS: usize = PREFIX.len();
const AFTER_SECS: usize = 5;
const AT_RANDOM: usize = 6;
const AT_END: usize = 22;

/// Whether a text that is not percent-encoded, such as a cookie's value, is a click ID.
#[must_use]
#[inline(never)]
pub fn is_raw_id(text: &[u8]) -> bool {
    !text.iter().any(|byte| matches!(byte, b'%' | b'+')) && form(Decoded(text)) != Form::NoId
}

fn push_decimal(text: &mut String, number: u64) {
    let mut unit = 1_u64;
    while number.checked_div(unit).is_some_and(|left| left >= 10) {
        unit = unit.saturating_mul(10);
    }
    while unit > 0 {
        push_digit(text, number.checked_div(unit).and_then(|left| left.checked_rem(10)));
        unit = unit.checked_div(10).unwrap_or(0);
    }
}

fn push_hex(text: &mut String, bits: u64) {
    for shift in (0..u64::BITS).step_by(4).rev() {
        push_digit(text, bits.checked_shr(shift).map(|left| left & 0xf));
    }
}

fn push_digit(text: &mut String, digit: Option<u64>) {
    let digit = digit.and_then(|digit| u32::try_from(digit).ok());
    text.extend(digit.and_then(|digit| char::from_digit(digit, 16)));
}

impl AsRef<str> for ClickId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClickId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClickId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::str::FromStr for ClickId {
    type Err = ParseClickIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for ClickId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClickId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_new_id_holds_the_seconds_and_all_sixty_four_bits() {
        let check = |secs: i64, bits: u64, want: &str| {
            let id = ClickId::new(secs, bits);
            assert_eq!(id.to_string(), want);
            assert!(id.is_native(), "{id}");
            assert_eq!(ClickId::parse(want), Ok(id));
        };
        check(0, 0, "clk_0_0000000000000000");
        check(10, 1, "clk_10_0000000000000001");
        check(1_764_000_000, u64::MAX, "clk_1764000000_ffffffffffffffff");
        check(-5, 0x0123_4567_89ab_cdef, "clk_0_0123456789abcdef");
        check(i64::MAX, 16, "clk_9223372036854775807_0000000000000010");
    }

    #[test]
    fn an_id_has_only_letters_digits_hyphens_and_underscores() {
        for right in ["a", "-", "_", "CLK_1", "2f1c6a1e-4d0b-4f6e-9a57-3c8f0a1b2c3d", &"x".repeat(200)] {
            assert_eq!(ClickId::parse(right).unwrap().as_str(), right);
        }
        for wrong in ["", " ", "a b", "a ", "a.b", "a%2d", "a;b", "a\0", "é", "clk_1\n", &"x".repeat(201)] {
            assert_eq!(ClickId::parse(wrong), Err(ParseClickIdError), "{wrong:?}");
        }
    }

    #[test]
    fn only_the_written_form_is_native() {
        for other in [
            "clk_1764000000_00000000000000",
            "clk_1764000000_0000000000c0ffee0",
            "clk_1764000000_0000000000C0FFEE",
            "clk_1764000000_0000000000c0ffeg",
            "clk__0000000000c0ffee",
            "clk_17x_0000000000c0ffee",
            "CLK_1764000000_0000000000c0ffee",
            "clk_1764000000-0000000000c0ffee",
            "clk_",
            "clk",
        ] {
            assert!(!ClickId::parse(other).unwrap().is_native(), "{other}");
        }
    }

    #[test]
    fn json_is_the_bare_text() {
        let id: ClickId = serde_json::from_str(r#""abc""#).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""abc""#);
        assert!(serde_json::from_str::<ClickId>(r#""a b""#).is_err());
    }
}
