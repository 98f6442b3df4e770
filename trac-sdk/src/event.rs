//! [`StripeEvent`]: an extractor that verifies and reads an event of Stripe's.

use std::ops::Deref;
use std::sync::OnceLock;

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest};
use bytes::Bytes;
use http::Request;
use serde_json::Value;
use trac_core::webhook::event::Event;
use trac_core::webhook::signature::{TOLERANCE_SECS, check_header};

use crate::body::{self, Unread};
use crate::secrets::WebhookSecrets;
use crate::verify::{StripeEventRejection, verify_event};

/// An event that Stripe signed, as an axum extractor. It dereferences to the [`Event`].
///
/// Checks the form of `Stripe-Signature` and its timestamp against the clock, 300 seconds both ways, then reads
/// the raw body (at most 2 MiB) and [verifies](verify_event) it. If a request fails, the response is the
/// [`StripeEventRejection`], and the handler does not run. Source:
/// <https://docs.stripe.com/webhooks#verify-manually>.
///
/// The app's state must be [`WebhookSecrets`], or provide them by `FromRef`. The extractor consumes the body,
/// so it is the last argument of a handler.
///
/// # Examples
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use trac_sdk::{StripeEvent, WebhookSecrets};
///
/// async fn webhook(event: StripeEvent) -> String {
///     format!("{} is a {}", event.id, event.kind)
/// }
///
/// let secrets = WebhookSecrets::new(["whsec_from_the_dashboard"])?;
/// let app: Router = Router::new().route("/webhook", post(webhook)).with_state(secrets);
/// # Ok::<(), trac_sdk::UnusableSecret>(())
/// ```
#[derive(Clone, Debug)]
pub struct StripeEvent {
    event: Event,
    body: Bytes,
    object: OnceLock<Value>,
}

impl StripeEvent {
    const fn new(event: Event, body: Bytes) -> Self {
        Self { event, body, object: OnceLock::new() }
    }

    /// The event.
    #[must_use]
    pub fn into_event(self) -> Event {
        self.event
    }

    /// The body as it was signed.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// `data.object`: the Checkout Session, invoice or charge that the event is about, in the API version of the event.
    ///
    /// It is `null` if the event has no object, as in thin (v2) events, or if its JSON cannot be represented,
    /// such as a number out of range. The first call parses it.
    ///
    /// # Examples
    /// A handler that reads amount and metadata, and a test that signs an event for it:
    /// ```
    /// use axum::Router;
    /// use axum::body::{Body, to_bytes};
    /// use axum::http::Request;
    /// use axum::routing::post;
    /// use tower::ServiceExt as _;
    /// use trac_sdk::{StripeEvent, Timestamp, WebhookSecrets, clock::Clock, sign};
    ///
    /// async fn webhook(event: StripeEvent) -> String {
    ///     let session = event.object();
    ///     let amount_minor = session.get("amount_total").and_then(|amount| amount.as_i64());
    ///     let order = session.pointer("/metadata/order").and_then(|order| order.as_str());
    ///     format!("{amount_minor:?} for {order:?}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let now = Timestamp::from_unix_secs(1_760_000_000);
    /// let secrets = WebhookSecrets::new(["whsec_test"])?.with_clock(Clock::settable(now));
    /// let app = Router::new().route("/webhook", post(webhook)).with_state(secrets);
    ///
    /// let body = r#"{"id":"evt_1","type":"checkout.session.completed",
    ///     "data":{"object":{"amount_total":4900,"currency":"usd","metadata":{"order":"17"}}}}"#;
    /// let signature = sign(body.as_bytes(), "whsec_test", now);
    /// let request = Request::post("/webhook").header("stripe-signature", signature).body(Body::from(body))?;
    /// let response = to_bytes(app.oneshot(request).await?.into_body(), 1_000).await?;
    /// assert_eq!(response, "Some(4900) for Some(\"17\")");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn object(&self) -> &Value {
        self.object.get_or_init(|| {
            let json = self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body);
            let mut envelope: Value = serde_json::from_slice(json).unwrap_or_default();
            envelope.pointer_mut("/data/object").map(Value::take).unwrap_or_default()
        })
    }
}

/// Events are equal if they were read from the same body.
impl PartialEq for StripeEvent {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body && self.event == other.event
    }
}

impl Deref for StripeEvent {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

impl<S> FromRequest<S> for StripeEvent
where
    S: Sync,
    WebhookSecrets: FromRef<S>,
{
    type Rejection = StripeEventRejection;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, StripeEventRejection> {
        let secrets = WebhookSecrets::from_ref(state);
        let (parts, body) = request.into_parts();
        let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
        let signature = signature.unwrap_or_default();
        check_header(signature, secrets.now(), TOLERANCE_SECS)?;
        let body = body::read(body).await.map_err(|unread| match unread {
            Unread::TooLarge => StripeEventRejection::TooLarge,
            Unread::Incomplete => StripeEventRejection::Incomplete,
        })?;
        Ok(Self::new(verify_event(&secrets, signature, &body)?, body))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use axum_core::response::IntoResponse as _;
    use serde_json::json;
    use trac_core::time::Timestamp;
    use trac_core::webhook::signature::sign;

    use super::*;
    use crate::clock::Clock;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_760_000_000);
    const BODY: &str = r#"{"id":"evt_1","type":"invoice.paid"}"#;

    async fn extract(signature: &str, body: &str) -> Result<String, u16> {
        let secrets = WebhookSecrets::new(["whsec_new", "whsec_old"]).unwrap();
        let secrets = secrets.with_clock(Clock::settable(NOW));
        let request = Request::post("/webhook").header(http::header::CONTENT_TYPE, "application/json");
        let request =
            request.header("stripe-signature", signature).body(Body::from(body.to_owned())).unwrap();
        let event = StripeEvent::from_request(request, &secrets).await;
        event.map(|event| event.id.clone()).map_err(|rejection| rejection.into_response().status().as_u16())
    }

    #[tokio::test]
    async fn a_rolled_secret_verifies_with_either_signature() {
        for secret in ["whsec_new", "whsec_old"] {
            let header = sign(BODY.as_bytes(), secret, NOW);
            assert_eq!(extract(&header, BODY).await, Ok("evt_1".to_owned()), "{secret}");
        }
    }

    #[tokio::test]
    async fn wrong_signatures_old_timestamps_and_invalid_bodies_are_rejected() {
        let check = async |secret: &str, age_secs: i64, body: &str, want: u16| {
            let header = sign(body.as_bytes(), secret, NOW.plus_secs(-age_secs));
            assert_eq!(extract(&header, body).await, Err(want), "{secret}, {age_secs} s");
        };
        check("whsec_other", 0, BODY, 401).await;
        check("whsec_new", 301, BODY, 401).await;
        check("whsec_new", -301, BODY, 401).await;
        check("whsec_new", 0, "[]", 400).await;
        check("whsec_new", 0, &"x".repeat(body::LIMIT_BYTES + 1), 413).await;
        assert_eq!(extract("", BODY).await, Err(401));
        let header = sign(BODY.as_bytes(), "whsec_new", NOW);
        assert_eq!(extract(&header, &format!("{BODY} ")).await, Err(401), "a changed body");
    }

    #[tokio::test]
    async fn the_body_is_not_read_if_the_signature_header_is_invalid_or_old() {
        let check = async |signature: &str| {
            let secrets = WebhookSecrets::new(["whsec_new"]).unwrap().with_clock(Clock::settable(NOW));
            let (body, is_read) = body::tests::watched(BODY);
            let request = Request::post("/webhook").header("stripe-signature", signature).body(body).unwrap();
            let event = StripeEvent::from_request(request, &secrets).await;
            assert!(matches!(event, Err(StripeEventRejection::Unverified(_))), "{signature}");
            assert!(!is_read.load(Ordering::SeqCst), "{signature}");
        };
        check("").await;
        check("t=1,v1=0").await;
        check(&sign(BODY.as_bytes(), "whsec_new", NOW.plus_secs(-301))).await;
    }

    #[test]
    fn the_object_is_null_if_the_event_has_none() {
        let check = |body: &str, want: Value| {
            let secrets = WebhookSecrets::new(["whsec_x"]).unwrap().with_clock(Clock::settable(NOW));
            let event = verify_event(&secrets, &sign(body.as_bytes(), "whsec_x", NOW), body.as_bytes());
            let event = StripeEvent::new(event.unwrap(), Bytes::copy_from_slice(body.as_bytes()));
            let unread = event.clone();
            assert_eq!(event.object(), &want, "{body}");
            assert_eq!(event, unread, "reading the object changes nothing");
        };
        check(r#"{"id":"evt_1","data":{"object":{"amount":7}}}"#, json!({ "amount": 7 }));
        check("\u{feff}{\"id\":\"evt_1\",\"data\":{\"object\":{\"amount\":7}}}", json!({ "amount": 7 }));
        check(r#"{"id":"evt_1","object":"v2.core.event"}"#, Value::Null);
        check(r#"{"id":"evt_1","data":{"object":{"amount":1e999}}}"#, Value::Null);
    }
}
