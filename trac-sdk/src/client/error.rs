//! [`ClientError`]: why a report failed.

use std::collections::BTreeMap;
use std::error::Error;

/// Why a report failed.
///
/// The text of an error is one line for a log. It never contains the secret key or the base URL.
///
/// # Examples
/// ```
/// use trac_sdk::client::{ClientError, TracClient};
///
/// let error = TracClient::new("https://track.example.com/api/v1", "sk_test_1").unwrap_err();
/// assert!(matches!(error, ClientError::InvalidUrl(_)));
/// assert!(error.to_string().contains("ends with /api/v1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The base URL cannot be used, for this reason. The URL itself is not shown: it may contain a password, or
    /// the key if the two arguments were swapped.
    #[error("the base URL {0}")]
    InvalidUrl(&'static str),
    /// The secret key is not 1 to 255 printable ASCII characters without blanks.
    #[error("the secret key is not 1 to 255 printable ASCII characters without blanks")]
    InvalidKey,
    /// In every attempt, the server was not reached or did not respond in time. The text is the last error with
    /// its causes.
    #[error("the server was not reached: {0}")]
    NotReached(String),
    /// The server responded with a redirect. The client does not follow it, because a redirected POST may become a GET.
    #[error("{status}: redirected to {location:?}: give TracClient::new a base URL that does not redirect")]
    Redirected {
        /// The HTTP status.
        status: u16,
        /// The `Location` of the response; empty if there is none.
        location: String,
    },
    /// The server rejected the report; `code` and `message` contain the reason.
    #[error("{status} {code}: {message}{}", listed(fields))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code, such as `VALIDATION_FAILED`; `NOT_TRAC` if the response is not in the format of a
        /// trac server, but from a proxy or another program.
        code: String,
        /// A description of the error, for people.
        message: String,
        /// The rejected fields by their names in the API, each with its error. Empty if the code is not
        /// `VALIDATION_FAILED`.
        fields: BTreeMap<String, String>,
        /// The ID of the request in the server's log. Quote it when asking for help.
        request_id: Option<String>,
    },
    /// The operating system returned no random bytes for the idempotency key. Nothing was sent.
    #[error("no random bytes for the idempotency key: {0}")]
    NoRandomBytes(String),
    /// The Tokio runtime ended before the server responded. The report may have been recorded; sending it again
    /// is safe.
    #[error("the Tokio runtime ended before the server responded")]
    Interrupted,
}

/// The fields and their errors, in brackets after the message.
fn listed(fields: &BTreeMap<String, String>) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let fields: Vec<_> = fields.iter().map(|(name, error)| format!("{name}: {error}")).collect();
    format!(" ({})", fields.join("; "))
}

/// The text of an error and of its causes, joined by colons.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
