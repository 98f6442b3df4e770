//! [`verify_event`]: verifies and reads an event from a header and a body.

use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use trac_core::webhook::event::{Event, UnreadableEvent};
use trac_core::webhook::signature::{TOLERANCE_SECS, Unverified, VerifyError};

use crate::secrets::WebhookSecrets;

/// Verifies and reads an event of Stripe's, in a server of any framework. In axum, use
/// [`StripeEvent`](crate::StripeEvent).
///
/// `signature_header` is the value of `Stripe-Signature`, empty if the header is missing. `body` is the raw
/// body, byte for byte as received: JSON that was parsed and serialized again has another signature. Limit the
/// body to a few MiB.
///
/// Checks the signature against every secret, then its timestamp against the clock, 300 seconds both ways, and
/// only then parses. Source: <https://docs.stripe.com/webhooks#verify-manually>.
///
/// # Wire form
/// `Stripe-Signature: t=<unix seconds>,v1=<64 hex>[,v1=<64 hex>]…`
///
/// # Examples
/// ```
/// use trac_sdk::clock::Clock;
/// use trac_sdk::{StripeEventRejection, Timestamp, VerifyError, WebhookSecrets, sign, verify_event};
///
/// let now = Timestamp::from_unix_secs(1_760_000_000);
/// let secrets = WebhookSecrets::new(["whsec_from_the_dashboard"])?.with_clock(Clock::settable(now));
/// let body = br#"{"id":"evt_1","type":"invoice.paid"}"#;
///
/// let header = sign(body, "whsec_from_the_dashboard", now);
/// assert_eq!(verify_event(&secrets, &header, body)?.kind, "invoice.paid");
///
/// let forged = verify_event(&secrets, &header, br#"{"id":"evt_2"}"#);
/// assert_eq!(forged, Err(StripeEventRejection::Unverified(VerifyError::NoMatch)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`StripeEventRejection::Unverified`] for a wrong signature or timestamp,
/// [`StripeEventRejection::Unreadable`] for a signed body that is not an event; no other variant.
pub fn verify_event(
    secrets: &WebhookSecrets,
    signature_header: &str,
    body: &[u8],
) -> Result<Event, StripeEventRejection> {
    let unverified = Unverified::new(signature_header, body);
    Ok(Event::read(unverified.verify(secrets.iter(), secrets.now(), TOLERANCE_SECS)?)?)
}

/// Why a request is not one of Stripe's events.
///
/// # Wire form
/// One line of text, with `401` for a wrong signature or timestamp, `400` for a signed body that is not an
/// event and for an incomplete body, `413` for one that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeEventRejection {
    /// The signature or its timestamp is wrong.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// The signed body is not an event.
    #[error(transparent)]
    Unreadable(#[from] UnreadableEvent),
    /// The body is larger than 2 MiB.
    #[error("the body is larger than 2 MiB")]
    TooLarge,
    /// The body ended before it was complete.
    #[error("the body ended too soon")]
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
