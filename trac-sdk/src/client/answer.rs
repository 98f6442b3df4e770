//! A complete response of the server.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::error::ClientError;
use super::receipt::Receipt;

/// The longest pause; a longer `Retry-After` is cut to it.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Status, body and the two headers that are read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// `null` if the body is not JSON.
    pub(super) body: Value,
    /// The pause before a retry, from `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    location: String,
}

impl Answer {
    /// Reads the body to its end.
    pub(super) async fn read(response: Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status(), response.headers());
        let location = text(headers, &LOCATION).unwrap_or_default().to_owned();
        let secs = text(headers, &RETRY_AFTER).and_then(|secs| secs.trim().parse().ok());
        let retry_after = secs.map(|secs| Duration::from_secs(secs).min(LONGEST_PAUSE));
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        Ok(Self { status, body, retry_after, location })
    }

    /// Whether a retry of the same call may succeed.
    pub(super) fn may_change(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
            || self.status.is_server_error()
            // An earlier attempt of the same call is still being processed.
            || self.error("code") == Some("IDEMPOTENCY_KEY_IN_USE")
    }

    /// A text of the error in the body.
    pub(super) fn error(&self, name: &str) -> Option<&str> {
        self.body.get("error")?.get(name)?.as_str()
    }

    /// The receipt in a successful response.
    pub(super) fn receipt(&self) -> Result<Receipt, ClientError> {
        match Receipt::read(&self.body) {
            Some(receipt) if self.status.is_success() => Ok(receipt),
            _ => Err(self.refused()),
        }
    }

    fn refused(&self) -> ClientError {
        let status = self.status.as_u16();
        if self.status.is_redirection() {
            return ClientError::Redirected { status, location: self.location.clone() };
        }
        let fields = self.body.pointer("/error/fields").and_then(Value::as_object);
        let fields = fields.into_iter().flatten().filter_map(|(name, error)| Some((name, error.as_str()?)));
        let not_trac = "the response is not from a trac server: check the base URL, and proxies before it";
        ClientError::Refused {
            status,
            code: self.error("code").unwrap_or("NOT_TRAC").to_owned(),
            message: self.error("message").unwrap_or(not_trac).to_owned(),
            fields: fields.map(|(name, error)| (name.clone(), error.to_owned())).collect::<BTreeMap<_, _>>(),
            request_id: self.error("request_id").map(ToOwned::to_owned),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
