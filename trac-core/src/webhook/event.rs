//! The envelope every event comes in.

use alloc::string::String;

use serde_json::{Map, Value};

use super::field::Fields;
use super::legible;
use super::signature::Verified;
use crate::time::Timestamp;

/// One event, read from a body that was verified.
///
/// # Wire form
/// A JSON object with a string `id`, after at most one byte-order mark. Everything else may be missing: Stripe's
/// envelope has changed often since 2016, so nothing is demanded that is not needed. What is JSON and yet more than a
/// reader can hold, nested a thousand levels deep or with the number `1e999` in it, is an event too: one that is not
/// [whole](Event::is_whole).
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
    /// `type`, such as `invoice.paid`; empty where missing.
    pub kind: String,
    /// The version the body was rendered in. Never an enumeration: odd values occur.
    pub api_version: Option<String>,
    /// When Stripe made the event. Days may pass before delivery.
    pub created: Option<Timestamp>,
    /// `true` for live, `false` for test.
    pub livemode: Option<bool>,
    /// The connected account (`acct_…`) the event is about.
    pub account: Option<String>,
    /// Whether this is a thin (v2) event, which carries no object.
    pub is_thin: bool,
    /// Whether all of it could be read. Of one that is not whole, the fields above are what could be.
    pub is_whole: bool,
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
    /// [`UnreadableEvent`] when the body is no UTF-8 JSON object with a string `id`.
    pub fn read(verified: Verified<'_>) -> Result<Self, UnreadableEvent> {
        let body = verified.body();
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let (mut envelope, is_whole) = match serde_json::from_slice(body) {
            Ok(Value::Object(envelope)) => (envelope, true),
            Ok(_) => return Err(UnreadableEvent),
            Err(_) => (legible::object(body).ok_or(UnreadableEvent)?, false),
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
            is_thin: fields.text("object").is_some_and(|object| object.starts_with("v2.")),
            is_whole,
            object: Map::new(),
        };
        let object = match envelope.get_mut("data").and_then(|data| data.get_mut("object")) {
            Some(Value::Object(object)) => core::mem::take(object),
            _ => Map::new(),
        };
        Ok(Self { object, ..event })
    }

    /// The ID of the object the event is about, where it names one.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        Fields(&self.object).text("id")
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
    fn what_is_more_than_a_reader_can_hold_is_an_event_that_is_not_whole() {
        let check = |object: &str, want: Option<(&str, &str, Option<&str>)>| {
            let body =
                format!(r#"{{"id":"evt_1","data":{{"object":{object}}},"type":"invoice.paid","created":7}}"#);
            let event = read(body.as_bytes()).ok();
            assert!(
                event.as_ref().is_none_or(|event| !event.is_whole && event.created.is_some()),
                "{object}"
            );
            let read =
                event.as_ref().map(|event| (event.id.as_str(), event.kind.as_str(), event.object_id()));
            assert_eq!(read, want, "{object}");
        };
        let deep =
            |levels: usize| format!(r#"{{"id":"in_1","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let known = Some(("evt_1", "invoice.paid", Some("in_1")));
        check(&deep(128), known);
        check(&deep(500_000), known);
        check(r#"{"id":"in_1","total":1e999}"#, known);
        check(r#"{"id":"in_1","description":"\ud800"}"#, known);
        check(r#"{"id":"\ud800"}"#, Some(("evt_1", "invoice.paid", None)));
        check(&deep(500_000).replace(']', "}"), None);
        check(r#"{"id":"in_1","total":1e}"#, None);
        check("{\"id\":\"in_1\",\"total\":1e999,\"x\":\"\u{1}\"}", None);
        assert!(read(br#"{"id":"\ud800","x":1}"#).is_err());
        assert!(read(b"{\"id\":\"evt_1\",\"x\":1e999,\"y\":\"\xFF\"}").is_err());
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
