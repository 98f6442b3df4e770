//! The envelope of an event.

use alloc::string::String;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::field::Fields;
use super::signature::Verified;
use crate::time::Timestamp;

/// One event, read from a verified body.
///
/// # Wire form
/// A JSON object with a string `id`, after at most one byte-order mark. Everything else may be missing:
/// Stripe's envelope has changed often since 2016, so no other field is required.
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
/// use trac_core::webhook::event::Event;
/// use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, sign};
///
/// let now = Timestamp::from_unix_secs(1_760_000_000);
/// let read = |body: &[u8]| {
///     let header = sign(body, "whsec_x", now);
///     let verified = Unverified::new(&header, body).verify(["whsec_x"], now, TOLERANCE_SECS).unwrap();
///     Event::read(verified)
/// };
/// let event = read(br#"{"id":"evt_1","type":"invoice.paid","livemode":true,"data":{"object":{}}}"#).unwrap();
/// assert_eq!((event.id.as_str(), event.kind.as_str(), event.livemode), ("evt_1", "invoice.paid", Some(true)));
/// assert!(read(b"{\"id\":7}").is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `evt_…`; the same for every delivery and every rendering of one event.
    pub id: String,
    /// `type`, such as `invoice.paid`; empty if missing.
    pub kind: String,
    /// The API version that rendered the body. A string, because unlisted values occur.
    pub api_version: Option<String>,
    /// When Stripe created the event. Its delivery may follow days later.
    pub created: Option<Timestamp>,
    /// `true` for live, `false` for test.
    pub livemode: Option<bool>,
    /// The connected account (`acct_…`) the event is about.
    pub account: Option<String>,
    /// The account that an event of an organisation's destination belongs to: `acct_…`, or a path that ends
    /// with it.
    pub context: Option<String>,
    /// Whether this is a thin (v2) event, which carries no object.
    pub is_thin: bool,
    /// `data.object`, or an empty object.
    pub(super) object: Map<String, Value>,
}

/// The body is not a UTF-8 JSON object with a string `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a UTF-8 JSON object with a string id")]
pub struct UnreadableEvent;

impl Event {
    /// Reads the envelope.
    ///
    /// # Errors
    /// [`UnreadableEvent`] when the body is not a UTF-8 JSON object with a string `id`.
    pub fn read(verified: Verified<'_>) -> Result<Self, UnreadableEvent> {
        let body = verified.body();
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let mut envelope = match serde_json::from_slice(body) {
            Ok(Value::Object(envelope)) => envelope,
            Ok(_) => return Err(UnreadableEvent),
            Err(_) => return Outline::read(body).map(Self::from).ok_or(UnreadableEvent),
        };
        let fields = Fields(&envelope);
        let id = fields.text("id").ok_or(UnreadableEvent)?;
        let event = Self {
            id: id.into(),
            kind: fields.text("type").unwrap_or_default().into(),
            api_version: fields.text("api_version").map(Into::into),
            created: fields.time("created").or_else(|| Timestamp::parse_rfc3339(fields.text("created")?)),
            livemode: fields.bool("livemode"),
            account: fields.id("account").map(Into::into),
            context: fields.text("context").map(Into::into),
            is_thin: fields.text("object").is_some_and(|object| object.starts_with("v2.")),
            object: Map::new(),
        };
        let object = match envelope.get_mut("data").and_then(|data| data.get_mut("object")) {
            Some(Value::Object(object)) => core::mem::take(object),
            _ => Map::new(),
        };
        Ok(Self { object, ..event })
    }

    /// Whether the event belongs to that account; `None` is the account that the endpoint's secret belongs
    /// to. An event that names no connected account belongs to the one that its `context` ends with.
    #[must_use]
    pub fn is_of(&self, account: Option<&str>) -> bool {
        let of_organisation = || self.context.as_deref().and_then(|context| context.rsplit('/').next());
        self.account.as_deref() == account
            || (self.account.is_none() && account.is_some() && of_organisation() == account)
    }

    /// The event without its object: the envelope alone.
    #[must_use]
    pub fn without_object(self) -> Self {
        Self { object: Map::new(), ..self }
    }

    /// The ID of the object the event is about, if it names one.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        Fields(&self.object).text("id")
    }
}

/// The envelope of a body that is JSON but contains something that does not parse into a `serde_json::Value`:
/// a number out of range, a lone surrogate, or nesting beyond the recursion limit. The object counts as
/// unreadable, the event does not.
#[derive(Deserialize)]
struct Outline {
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    api_version: Option<String>,
    created: Option<i64>,
    livemode: Option<bool>,
    account: Option<String>,
    context: Option<String>,
    object: Option<String>,
}

impl Outline {
    /// The parser checks skipped fields only for JSON grammar, so UTF-8 is checked separately.
    fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_str(core::str::from_utf8(body).ok()?).ok()
    }
}

impl From<Outline> for Event {
    fn from(outline: Outline) -> Self {
        Self {
            id: outline.id,
            kind: outline.kind.unwrap_or_default(),
            api_version: outline.api_version,
            created: outline.created.map(Timestamp::from_unix_secs),
            livemode: outline.livemode,
            account: outline.account,
            context: outline.context,
            is_thin: outline.object.is_some_and(|object| object.starts_with("v2.")),
            object: Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::webhook::signature::{Unverified, sign};

    fn read(body: &[u8]) -> Result<Event, UnreadableEvent> {
        let now = Timestamp::from_unix_secs(0);
        let header = sign(body, "s", now);
        Event::read(Unverified::new(&header, body).verify(["s"], now, 0).unwrap())
    }

    #[test]
    fn only_an_object_with_a_string_id_is_an_event() {
        let check = |body: &[u8], want: Option<&str>| {
            assert_eq!(read(body).ok().map(|event| event.id), want.map(Into::into), "{body:?}");
        };
        check(br#"{"id":"evt_1"}"#, Some("evt_1"));
        check(b"\xEF\xBB\xBF{\"id\":\"evt_1\"}", Some("evt_1"));
        check(b"\xEF\xBB\xBF\xEF\xBB\xBF{\"id\":\"evt_1\"}", None);
        check(br#"{"id":"evt_1"}]"#, None);
        check(br#"{"id":1}"#, None);
        check(br#"["evt_1"]"#, None);
        check(b"", None);
        check(b"{\"id\":\"\xFF\"}", None);
    }

    #[test]
    fn a_body_that_does_not_fit_a_json_value_is_an_event_without_an_object() {
        let deep = ["[".repeat(50_000), "]".repeat(50_000)].concat();
        for odd in ["1e999", r#""\ud800""#, &deep] {
            let body = format!(
                r#"{{"id":"evt_1","type":"invoice.paid","livemode":true,"created":7,"account":"acct_1",
                "api_version":"x","data":{{"object":{{"id":"in_1","amount_paid":{odd}}}}}}}"#
            );
            let event = read(body.as_bytes()).unwrap();
            assert_eq!(
                (event.id.as_str(), event.kind.as_str(), event.object_id()),
                ("evt_1", "invoice.paid", None)
            );
            assert_eq!((event.livemode, event.account.as_deref()), (Some(true), Some("acct_1")));
            assert_eq!(event.created, Some(Timestamp::from_unix_secs(7)));
            assert_eq!(event.api_version.as_deref(), Some("x"));
            assert!(read(format!(r#"{{"id":7,"data":{odd}}}"#).as_bytes()).is_err());
            assert!(read(format!(r#"{{"id":"evt_1","data":{odd}"#).as_bytes()).is_err());
            assert!(
                read(
                    &[br#"{"id":"evt_1","name":""#, &b"\xFF"[..], br#"","data":"#, odd.as_bytes(), b"}"]
                        .concat()
                )
                .is_err()
            );
            assert!(
                read(format!(r#"{{"id":"evt_1","object":"v2.core.event","data":{odd}}}"#).as_bytes())
                    .unwrap()
                    .is_thin
            );
        }
    }

    #[test]
    fn an_event_is_of_its_account_else_of_the_one_its_context_ends_with() {
        let check = |fields: &str, account: Option<&str>, want: bool| {
            let event = read(format!(r#"{{"id":"evt_1"{fields}}}"#).as_bytes()).unwrap();
            assert_eq!(event.is_of(account), want, "{fields} {account:?}");
        };
        let (one, other) = (Some("acct_1"), Some("acct_2"));
        check("", None, true);
        check("", one, false);
        check(r#","account":"acct_1""#, one, true);
        check(r#","account":"acct_1""#, None, false);
        check(r#","account":"acct_1","context":"acct_2""#, other, false);
        check(r#","context":"acct_1""#, one, true);
        check(r#","context":"org_1/acct_1""#, one, true);
        check(r#","context":"acct_1""#, other, false);
        check(r#","context":"acct_1""#, None, true);
        check(r#","context":null"#, one, false);
    }

    #[test]
    fn every_version_of_the_envelope_is_read() {
        let old =
            read(br#"{"id":"evt_1","request":"req_1","created":1467800000,"api_version":"2016-07-06"}"#);
        assert_eq!(old.unwrap().created, Some(Timestamp::from_unix_secs(1_467_800_000)));
        let thin =
            read(br#"{"id":"evt_2","object":"v2.core.event","created":"2026-01-01T00:00:00.5Z"}"#).unwrap();
        assert!(thin.is_thin);
        assert_eq!(thin.created, Some(Timestamp::from_unix_secs(1_767_225_600)));
    }
}
