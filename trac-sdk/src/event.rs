//! [`StripeEvent`]: an extractor that yields what Stripe signed, or rejects.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Request, StatusCode};
use trac_core::webhook::event::{Event, UnreadableEvent};
use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, VerifyError, check_header, is_secret};

use crate::body::{self, Unread};
use crate::clock::Clock;

/// The signing secrets of a webhook endpoint; several while one is rolled. Kept out of `Debug`.
///
/// # Examples
/// ```
/// use trac_sdk::WebhookSecrets;
///
/// assert!(WebhookSecrets::new(["whsec_new", "whsec_old"]).is_ok());
/// assert!(WebhookSecrets::new([""]).is_err(), "an empty secret would let everybody in");
/// assert!(WebhookSecrets::new(["whsec_x\n"]).is_err(), "a line break came along when it was copied");
/// ```
#[derive(Clone)]
pub struct WebhookSecrets {
    secrets: Arc<[String]>,
    clock: Clock,
}

/// A secret is not 1 to 255 printable ASCII characters without blanks, or there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is 1 to 255 printable characters without blanks, and there must be one")]
pub struct UnusableSecret;

impl WebhookSecrets {
    /// Takes the secrets a delivery may be signed with.
    ///
    /// # Errors
    /// [`UnusableSecret`] if there is none, or one cannot be a secret.
    pub fn new<T: Into<String>>(secrets: impl IntoIterator<Item = T>) -> Result<Self, UnusableSecret> {
        let secrets: Arc<[String]> = secrets.into_iter().map(Into::into).collect();
        let usable = !secrets.is_empty() && secrets.iter().all(|secret| is_secret(secret));
        if usable { Ok(Self { secrets, clock: Clock::system() }) } else { Err(UnusableSecret) }
    }

    /// Compares timestamps with this clock, for tests.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSecrets").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

/// An event that Stripe signed, as an axum extractor.
///
/// Checks the form of `Stripe-Signature` and its timestamp against the clock, 300 s both ways, then reads the raw body (at most
/// 2 MiB), checks the signature against every secret, and only then parses. It dereferences to the [`Event`].
/// Source: <https://docs.stripe.com/webhooks#verify-manually>.
///
/// The app's state must give [`WebhookSecrets`] (`FromRef`), or be them.
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
#[derive(Clone, Debug, PartialEq)]
pub struct StripeEvent {
    event: Event,
    body: Bytes,
}

impl StripeEvent {
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
}

impl Deref for StripeEvent {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

/// Why a request is not one of Stripe's events.
///
/// # Wire form
/// One line of text, with `401` for a signature or timestamp, `400` for a signed body that is no event or that broke
/// off, `413` for one that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeEventRejection {
    /// The signature or its timestamp is wrong.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// The signed body is no event.
    #[error(transparent)]
    Unreadable(#[from] UnreadableEvent),
    /// The body is larger than 2 MiB.
    #[error("the body is larger than 2 MiB")]
    TooLarge,
    /// The body broke off.
    #[error("the body broke off")]
    Incomplete,
}

impl IntoResponse for StripeEventRejection {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unverified(_) => StatusCode::UNAUTHORIZED,
            Self::Unreadable(_) | Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        };
        (status, format!("{self}\n")).into_response()
    }
}

impl<S> FromRequest<S> for StripeEvent
where
    S: Sync,
    WebhookSecrets: FromRef<S>,
{
    type Rejection = StripeEventRejection;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, StripeEventRejection> {
        let WebhookSecrets { secrets, clock } = WebhookSecrets::from_ref(state);
        let (parts, body) = request.into_parts();
        let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
        let signature = signature.unwrap_or_default();
        check_header(signature, clock.now(), TOLERANCE_SECS)?;
        let body = body::read(body).await.map_err(|unread| match unread {
            Unread::TooLarge => StripeEventRejection::TooLarge,
            Unread::Incomplete => StripeEventRejection::Incomplete,
        })?;
        let unverified = Unverified::new(signature, &body);
        let secrets = secrets.iter().map(String::as_str);
        let event = Event::read(unverified.verify(secrets, clock.now(), TOLERANCE_SECS)?)?;
        Ok(Self { event, body })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use trac_core::time::Timestamp;
    use trac_core::webhook::signature::sign;

    use super::*;

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
    async fn what_stripe_did_not_sign_just_now_is_rejected() {
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
    async fn no_body_is_read_of_a_delivery_that_cannot_be_believed() {
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
    fn secrets_are_not_printed() {
        let secrets = WebhookSecrets::new(["whsec_x"]).unwrap();
        assert!(!format!("{secrets:?}").contains("whsec"));
    }
}
