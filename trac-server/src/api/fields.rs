//! Reads a JSON object field by field and reports all invalid fields at once.
//!
//! Rules: a body that is not a JSON object is `400`; an invalid, missing or unknown field is `422` with its
//! name in `fields`. A field of a nested object is named with a dot: `commission.rate_bps`. `null` counts as
//! absent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use trac_core::money::Currency;
use trac_core::time::Timestamp;

use crate::problem::Problem;
use crate::visible::is_visible;

/// What is wrong with a field, for the caller, such as `must be true or false`.
pub(crate) type Wrong = String;

/// The fields of one JSON object, taken out one by one.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    prefix: String,
    object: Map<String, Value>,
    wrong: BTreeMap<String, Wrong>,
    /// How many fields are unknown.
    unknown: usize,
}

/// The largest body the management API reads.
pub(crate) const BODY_LIMIT_BYTES: usize = 256 * 1024;

/// The largest amount, in minor units.
pub(crate) const AMOUNT_MAX: i64 = trac_core::money::AMOUNT_MAX;

/// How many unknown fields are named in the response.
const UNKNOWN_MAX: usize = 20;
/// How many characters of an unknown field's name are returned.
const UNKNOWN_NAME_MAX: usize = 64;

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await;
        Self::parse(&body.map_err(|_| Problem::too_large(BODY_LIMIT_BYTES))?)
    }
}

impl Fields {
    /// Reads a body. An empty one counts as `{}`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self { object, ..Self::default() }),
            Ok(_) => Err(Problem::malformed("The body must be a JSON object.")),
            Err(error) => Err(Problem::malformed(format!("The body is not JSON: {error}."))),
        }
    }

    /// Whether the field is present, `null` included.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Whether the field is present and `null`.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_null)
    }

    /// Whether the field was noted as invalid.
    pub(crate) fn is_wrong(&self, name: &str) -> bool {
        self.wrong.contains_key(&format!("{}{name}", self.prefix))
    }

    /// Takes a field out; `None` if it is absent, `null`, or invalid, which is noted.
    pub(crate) fn take<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        let value = self.object.remove(name).filter(|value| !value.is_null())?;
        match read(&value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.note(name, wrong);
                None
            }
        }
    }

    /// Takes a required field.
    pub(crate) fn need<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        if self.object.get(name).is_none_or(Value::is_null) {
            self.object.remove(name);
            self.note(name, "is required");
            return None;
        }
        self.take(name, read)
    }

    /// Takes a field in which `null` has a meaning of its own, and is returned as `Some(None)`.
    #[expect(clippy::option_option, reason = "absent, null and a value are three different cases")]
    pub(crate) fn take_nullable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<Option<T>> {
        if self.object.get(name).is_some_and(Value::is_null) {
            self.object.remove(name);
            return Some(None);
        }
        self.take(name, read).map(Some)
    }

    /// Takes a field that is an object, and reads its fields.
    pub(crate) fn take_object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let value = self.object.remove(name).filter(|value| !value.is_null())?;
        let Value::Object(object) = value else {
            self.note(name, "must be an object");
            return None;
        };
        let prefix = format!("{}{name}.", self.prefix);
        let mut inner = Self { prefix, object, wrong: BTreeMap::new(), unknown: self.unknown };
        let value = read(&mut inner);
        inner.note_unknown();
        self.unknown = inner.unknown;
        let fine = inner.wrong.is_empty();
        self.wrong.append(&mut inner.wrong);
        value.filter(|_| fine)
    }

    /// Notes what is wrong with a field.
    pub(crate) fn note(&mut self, name: &str, wrong: impl Into<Wrong>) {
        self.wrong.entry(format!("{}{name}", self.prefix)).or_insert_with(|| wrong.into());
    }

    fn note_unknown(&mut self) {
        for name in std::mem::take(&mut self.object).into_iter().map(|(name, _)| name) {
            self.unknown = self.unknown.saturating_add(1);
            if self.unknown <= UNKNOWN_MAX {
                let name: String = name.chars().take(UNKNOWN_NAME_MAX).collect();
                self.note(&name, "is not a field of this resource");
            }
        }
    }

    /// Ends the reading: the remaining fields are unknown.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        self.note_unknown();
        match self.unknown.saturating_sub(UNKNOWN_MAX) {
            _ if self.wrong.is_empty() => Ok(()),
            0 => Err(Problem::validation(self.wrong)),
            more => Err(Problem::validation_of_more(self.wrong, more)),
        }
    }
}

/// A text with this number of characters and no control characters. Unless it is empty, it has a visible
/// character.
pub(crate) fn text(length: RangeInclusive<usize>) -> impl FnOnce(&Value) -> Result<String, Wrong> {
    move |value| {
        let wrong = || format!("must be a text of {} to {} characters", length.start(), length.end());
        let text = value.as_str().ok_or_else(wrong)?.trim();
        let fine = length.contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && (text.is_empty() || is_visible(text));
        if fine { Ok(text.to_owned()) } else { Err(wrong()) }
    }
}

/// A text that is accepted in any form, since its sender cannot correct it: control characters are removed,
/// and the rest is cut to `length_max`.
pub(crate) fn clipped(length_max: usize) -> impl FnOnce(&Value) -> Result<String, Wrong> {
    move |value| {
        let text = value.as_str().ok_or_else(|| "must be a text".to_owned())?;
        Ok(text.chars().filter(|letter| !letter.is_control()).take(length_max).collect())
    }
}

/// A merchant's own ID: a text of 1 to 255 characters, or an integer, which is read as its digits.
pub(crate) fn external_id(value: &Value) -> Result<String, Wrong> {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        _ => text(1..=255)(value),
    }
}

/// A JSON object of at most `bytes_max` bytes, serialized.
pub(crate) fn document(bytes_max: usize) -> impl FnOnce(&Value) -> Result<String, Wrong> {
    move |value| {
        let written = value.is_object().then(|| value.to_string()).filter(|text| text.len() <= bytes_max);
        written.ok_or_else(|| format!("must be an object of at most {bytes_max} bytes"))
    }
}

/// An integer in a range.
pub(crate) fn integer<T>(range: RangeInclusive<i64>) -> impl FnOnce(&Value) -> Result<T, Wrong>
where
    T: TryFrom<i64>,
{
    move |value| {
        let wrong = || format!("must be a whole number from {} to {}", range.start(), range.end());
        let number = value.as_i64().filter(|number| range.contains(number)).ok_or_else(wrong)?;
        T::try_from(number).map_err(|_| wrong())
    }
}

/// `true` or `false`.
pub(crate) fn flag(value: &Value) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

/// One of a fixed set of words, as `T` deserializes them.
pub(crate) fn one_of<T: DeserializeOwned>(words: &str) -> impl FnOnce(&Value) -> Result<T, Wrong> {
    move |value| {
        let read = value.as_str().and_then(|_| serde_json::from_value(value.clone()).ok());
        read.ok_or_else(|| format!("must be one of {words}"))
    }
}

/// A currency code in any case.
pub(crate) fn currency(value: &Value) -> Result<Currency, Wrong> {
    let parsed = value.as_str().and_then(|text| Currency::parse(text).ok());
    parsed.ok_or_else(|| "must be a currency of three letters, such as usd".to_owned())
}

/// A moment in RFC 3339.
pub(crate) fn moment(value: &Value) -> Result<Timestamp, Wrong> {
    let parsed = value.as_str().and_then(Timestamp::parse_rfc3339);
    parsed.ok_or_else(|| "must be a time such as 2026-11-21T08:00:00Z".to_owned())
}

/// An e-mail address, checked as far as possible without sending mail.
pub(crate) fn email(value: &Value) -> Result<String, Wrong> {
    let sane = |text: &&str| {
        let parts = text.rsplit_once('@');
        let domain_fits =
            |domain: &str| domain.split('.').all(|label| !label.is_empty()) && domain.split('.').count() >= 2;
        let plain =
            text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"".contains(c));
        let one_at = text.matches('@').count() == 1;
        text.len() <= 254
            && plain
            && one_at
            && parts.is_some_and(|(local, domain)| (1..=64).contains(&local.len()) && domain_fits(domain))
    };
    let text = value.as_str().map(str::trim).filter(sane);
    text.map(ToOwned::to_owned).ok_or_else(|| "must be an e-mail address".to_owned())
}

/// Whether a byte is allowed in a slug or a partner's code: it needs no escape in a URL.
pub(crate) fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// A slug or a partner's code.
pub(crate) fn token(value: &Value) -> Result<String, Wrong> {
    let sane = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(is_of_token)
            && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
    };
    let text = value.as_str().filter(sane);
    text.map(ToOwned::to_owned)
        .ok_or_else(|| "must be 1 to 64 letters, digits, hyphens, underscores or dots".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_invalid_fields_are_reported_at_once() {
        let mut fields =
            Fields::parse(br#"{"name":7,"age":200,"inner":{"a":"x","b":1},"what":true}"#).unwrap();
        fields.need("name", text(1..=10));
        fields.take("age", integer::<u32>(0..=150));
        fields.need("email", email);
        fields.take_object("inner", |inner| inner.take("a", flag));
        insta::assert_debug_snapshot!(fields.finish().unwrap_err(), @r#"
        Problem {
            status: 422,
            code: "VALIDATION_FAILED",
            message: "These fields are invalid: age, email, inner.a, inner.b, name, what.",
            fields: {
                "age": "must be a whole number from 0 to 150",
                "email": "is required",
                "inner.a": "must be true or false",
                "inner.b": "is not a field of this resource",
                "name": "must be a text of 1 to 10 characters",
                "what": "is not a field of this resource",
            },
            retry_after_secs: None,
            about: None,
        }
        "#);
    }

    #[test]
    fn only_the_first_unknown_fields_are_named() {
        let many: Map<String, Value> =
            (0..50).map(|n| (format!("f{n:02}{}", "x".repeat(100)), json!({ "a": n }))).collect();
        let mut fields =
            Fields::parse(json!({ "inner": many, "more": 1, "name": 7 }).to_string().as_bytes()).unwrap();
        fields.take_object("inner", |_| Some(()));
        fields.take("name", text(1..=10));
        let problem = format!("{:?}", fields.finish().unwrap_err());
        assert_eq!(problem.matches("is not a field of this resource").count(), 20, "{problem}");
        assert!(
            problem.contains("31 more are not fields of this resource.") && problem.contains("\"name\""),
            "{problem}"
        );
        assert!(!problem.contains(&"x".repeat(70)), "{problem}");
    }

    #[test]
    fn a_text_has_a_visible_character() {
        for unseen in ["\u{200b}", "\u{2060}\u{feff}", "\u{3164} \u{2800}"] {
            assert!(text(1..=10)(&json!(unseen)).is_err(), "{unseen:?}");
        }
        assert_eq!(text(0..=10)(&json!(" ")), Ok(String::new()));
        assert_eq!(text(1..=10)(&json!("Zo\u{eb}")), Ok("Zo\u{eb}".to_owned()));
    }

    #[test]
    fn a_body_that_is_not_an_object_is_malformed() {
        for body in ["[]", "1", "{", "\"x\"", "\u{feff}{}"] {
            assert!(Fields::parse(body.as_bytes()).is_err(), "{body}");
        }
        Fields::parse(b" ").unwrap().finish().unwrap();
    }

    #[test]
    fn an_invalid_email_address_is_refused() {
        let check = |text: &str, want: bool| assert_eq!(email(&json!(text)).is_ok(), want, "{text}");
        check("ada@example.com", true);
        check("a.b+c@sub.example.co.uk", true);
        check("ada", false);
        check("ada@", false);
        check("@example.com", false);
        check("ada@example", false);
        check("ada@example..com", false);
        check("a b@example.com", false);
        check("a@b@example.com", false);
        check("a@example.com\r\nBcc: x@example.com", false);
        check("<a@example.com>", false);
    }

    #[test]
    fn a_token_needs_no_escape_in_a_url() {
        let check = |text: &str, want: bool| assert_eq!(token(&json!(text)).is_ok(), want, "{text}");
        check("summer-sale_1.0", true);
        check("A", true);
        check("", false);
        check("..", false);
        check("a/b", false);
        check("a b", false);
        check("ä", false);
        check(&"x".repeat(64), true);
        check(&"x".repeat(65), false);
    }
}
