//! Calls the API, and retries until a response is final.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::Value;
use trac_core::webhook::signature::is_secret;

use super::address::base_of;
use super::answer::Answer;
use super::conversion::Conversion;
use super::error::{ClientError, with_causes};
use super::lead::Lead;
use super::receipt::{Receipt, Reported};

/// The timeout of one attempt.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The number of attempts.
const TRIES: u32 = 5;
/// The pause after the first failure; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A trac server and a secret key. It has no `Debug`, which would print the key.
pub(super) struct Connection {
    pub(super) base: String,
    key: String,
    http: reqwest::Client,
}

impl Connection {
    pub(super) fn new(base_url: &str, secret_key: &str) -> Result<Self, ClientError> {
        let base = base_of(base_url)?;
        if !is_secret(secret_key) {
            return Err(ClientError::InvalidKey);
        }
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build();
        let http = http.map_err(|error| ClientError::NotReached(with_causes(&error)))?;
        Ok(Self { base, key: secret_key.to_owned(), http })
    }

    pub(super) async fn lead(&self, lead: &Lead) -> Result<Receipt, ClientError> {
        self.post("/api/track/lead", &lead.body()).await?.receipt()
    }

    pub(super) async fn conversion(&self, conversion: &Conversion) -> Result<Reported, ClientError> {
        let answer = self.post("/api/v1/conversions", &conversion.body()).await?;
        match (answer.status, answer.error("conversion_id")) {
            (StatusCode::CONFLICT, Some(first)) => Ok(Reported::Duplicate(first.to_owned())),
            (StatusCode::OK, _) => answer.receipt().map(Reported::Completed),
            _ => answer.receipt().map(Reported::New),
        }
    }

    /// Posts until a response is final, or the attempts are used up.
    async fn post(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        let (url, key) = (format!("{}{path}", self.base), idempotency_key()?);
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let requested_pause = match self.try_once(&url, &key, body).await {
                Ok(answer) if !answer.may_change() => return Ok(answer),
                Ok(answer) => answer.retry_after,
                Err(_) => None,
            };
            tokio::time::sleep(requested_pause.unwrap_or(pause)).await;
            pause = pause.saturating_mul(2);
        }
        let last = self.try_once(&url, &key, body).await;
        // The error does not contain the URL, because its host may be private.
        last.map_err(|error| ClientError::NotReached(with_causes(&error.without_url())))
    }

    async fn try_once(&self, url: &str, key: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = self.http.post(url).bearer_auth(&self.key).header("idempotency-key", key);
        Answer::read(request.json(body).send().await?).await
    }
}

/// 128 random bits, the same for every attempt of one call.
fn idempotency_key() -> Result<String, ClientError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ClientError::NoRandomBytes(error.to_string()))?;
    Ok(bytes.iter().fold(String::from("trac-client-"), |mut key, byte| {
        let _ = write!(key, "{byte:02x}");
        key
    }))
}
