//! Telling a trac server of leads and conversions from a merchant's own server.
//!
//! A call is tried again when the server cannot be reached, is busy or fails, under the same idempotency key, so it has its
//! effect once however often it is sent. [`TracClient::send_lead`] and [`TracClient::send_conversion`] do not wait: whoever
//! uses them calls [`TracClient::flush`] before the program ends.
//!
//! # Examples
//! ```no_run
//! use trac_sdk::client::{Lead, TracClient};
//!
//! # async fn sign_up() -> Result<(), trac_sdk::client::ClientError> {
//! let trac = TracClient::new("https://track.example.com", "sk_live_…")?;
//! let lead = Lead { click_id: Some("clk_1760000000_0123456789abcdef".into()), ..Lead::new("Sign up", "user_17") };
//! let receipt = trac.track_lead(&lead).await?;
//! println!("attributed: {}", receipt.attributed);
//! # Ok(())
//! # }
//! ```

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

/// How long one try may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a call is tried.
const TRIES: u32 = 5;
/// The pause after the first failure; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that a server's `Retry-After` is granted.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A visitor who signed up, asked for a demo, began a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lead {
    /// What the customer did, in your word.
    pub event_name: String,
    /// Your own ID of the customer, as Stripe's metadata will name it under `tracCustomerExternalId`.
    pub customer_external_id: String,
    /// The click that brought the customer.
    pub click_id: Option<String>,
    /// The customer's e-mail address.
    pub customer_email: Option<String>,
    /// The customer's name.
    pub customer_name: Option<String>,
    /// Anything you want to find again with the lead.
    pub metadata: Map<String, Value>,
    /// Whether it ties the customer to the click and counts nothing yet.
    pub deferred: bool,
}

impl Lead {
    /// A lead with the two fields that each has.
    #[must_use]
    pub fn new(event_name: &str, customer_external_id: &str) -> Self {
        Self {
            event_name: event_name.to_owned(),
            customer_external_id: customer_external_id.to_owned(),
            ..Self::default()
        }
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "eventName": self.event_name,
            "customerExternalId": self.customer_external_id,
            "clickId": self.click_id,
            "customerEmail": self.customer_email,
            "customerName": self.customer_name,
            "metadata": self.metadata,
        });
        if let (true, Some(object)) = (self.deferred, body.as_object_mut()) {
            object.insert("mode".to_owned(), "deferred".into());
        }
        body
    }
}

/// A payment that you tell of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Your ID of the transaction, or Stripe's (`cs_`, `pi_`, `ch_`, `in_`): then Stripe's amount wins.
    pub external_transaction_id: String,
    /// What was bought or done, in your word.
    pub event_type: String,
    /// Minor units and the currency.
    pub amount: Option<(i64, String)>,
    /// The click that brought the customer.
    pub click_id: Option<String>,
    /// A partner's code that the customer used.
    pub promo_code: Option<String>,
    /// Your own ID of the customer.
    pub customer_external_id: Option<String>,
    /// When it happened, in RFC 3339; now, if nothing is said.
    pub occurred_at: Option<String>,
}

impl Conversion {
    /// A conversion with the two fields that each has.
    #[must_use]
    pub fn new(external_transaction_id: &str, event_type: &str) -> Self {
        Self {
            external_transaction_id: external_transaction_id.to_owned(),
            event_type: event_type.to_owned(),
            ..Self::default()
        }
    }

    fn body(&self) -> Value {
        let (amount, currency) = self.amount.clone().unzip();
        json!({
            "external_transaction_id": self.external_transaction_id,
            "event_type": self.event_type,
            "amount_cents": amount,
            "currency": currency,
            "click_id": self.click_id,
            "promo_code": self.promo_code,
            "customer_external_id": self.customer_external_id,
            "occurred_at": self.occurred_at,
        })
    }
}

/// What the server made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The lead's or conversion's ID.
    pub id: String,
    /// Whether it is credited to a click.
    pub attributed: bool,
    /// Why it earns, or why not.
    pub reason: String,
    /// The click it is credited to.
    pub click_id: Option<String>,
    /// What it earned.
    pub commission_id: Option<String>,
}

impl Receipt {
    fn read(body: &Value) -> Option<Self> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        Some(Self {
            id: text("id")?,
            attributed: body.get("attributed")?.as_bool()?,
            reason: text("reason").unwrap_or_default(),
            click_id: text("click_id"),
            commission_id: text("commission_id"),
        })
    }
}

/// What became of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It is new.
    New(Receipt),
    /// The transaction was told before, as the conversion of this ID.
    Duplicate(String),
}

/// Why nothing could be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one of http or https.
    #[error("{0:?} is no http or https address")]
    NoAddress(String),
    /// The server was not reached, or did not answer in time, however often it was tried.
    #[error("the server was not reached: {0}")]
    NotReached(String),
    /// The server refused. Its code and message say why.
    #[error("{status} {code}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code, such as `VALIDATION_FAILED`.
        code: String,
        /// For people.
        message: String,
        /// For us, if you ask.
        request_id: Option<String>,
    },
}

/// A trac server and a secret key of a workspace. Clones share what is still to be sent.
#[derive(Clone, Debug)]
pub struct TracClient {
    base: Arc<str>,
    key: Arc<Key>,
    http: reqwest::Client,
    sending: Arc<Mutex<JoinSet<Result<(), ClientError>>>>,
}

/// A secret key. It shows itself to nobody.
struct Key(String);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl TracClient {
    /// A client for the server at this address, with a secret key; the key decides the mode.
    ///
    /// # Errors
    /// [`ClientError::NoAddress`] if the address cannot be called.
    pub fn new(base_url: &str, secret_key: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::NoAddress(base_url.to_owned());
        let url: Url = base_url.parse().map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        let http = reqwest::Client::builder().timeout(TIMEOUT).build();
        let http = http.map_err(|error| ClientError::NotReached(error.to_string()))?;
        Ok(Self {
            base: base_url.trim_end_matches('/').into(),
            key: Arc::new(Key(secret_key.to_owned())),
            http,
            sending: Arc::default(),
        })
    }

    /// Tells of a lead. Telling it again is answered with what became of the first.
    ///
    /// # Errors
    /// [`ClientError`] if the server refuses, or cannot be reached in five tries.
    pub async fn track_lead(&self, lead: &Lead) -> Result<Receipt, ClientError> {
        let (status, body) = self.post("/api/track/lead", &lead.body()).await?;
        receipt(status, &body)
    }

    /// Tells of a conversion.
    ///
    /// # Errors
    /// [`ClientError`] if the server refuses, or cannot be reached in five tries.
    pub async fn track_conversion(&self, conversion: &Conversion) -> Result<Reported, ClientError> {
        let (status, body) = self.post("/api/v1/conversions", &conversion.body()).await?;
        let first = body.pointer("/error/conversion_id").and_then(Value::as_str);
        match first {
            Some(first) if status == StatusCode::CONFLICT => Ok(Reported::Duplicate(first.to_owned())),
            _ => receipt(status, &body).map(Reported::New),
        }
    }

    /// Tells of a lead without waiting. [`TracClient::flush`] says whether it came to nothing.
    pub fn send_lead(&self, lead: Lead) {
        let client = self.clone();
        self.send(async move { client.track_lead(&lead).await.map(|_| ()) });
    }

    /// Tells of a conversion without waiting. [`TracClient::flush`] says whether it came to nothing.
    pub fn send_conversion(&self, conversion: Conversion) {
        let client = self.clone();
        self.send(async move { client.track_conversion(&conversion).await.map(|_| ()) });
    }

    fn send(&self, call: impl Future<Output = Result<(), ClientError>> + Send + 'static) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.spawn(call);
    }

    /// Waits until everything is told, and answers what could not be. Call it before the program ends.
    pub async fn flush(&self) -> Vec<ClientError> {
        let mut sending = std::mem::take(&mut *self.sending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failed = Vec::new();
        while let Some(sent) = sending.join_next().await {
            failed.extend(match sent {
                Ok(sent) => sent.err(),
                Err(error) => Some(ClientError::NotReached(error.to_string())),
            });
        }
        failed
    }

    /// Posts until there is an answer that trying again would not change.
    async fn post(&self, path: &str, body: &Value) -> Result<(StatusCode, Value), ClientError> {
        let (url, key) = (format!("{}{path}", self.base), idempotency_key());
        let mut pause = FIRST_PAUSE;
        let mut tried = 1;
        loop {
            let request = self.http.post(&url).bearer_auth(&self.key.0).header("idempotency-key", &key);
            let answer = match request.json(body).send().await {
                Ok(answer) => answer,
                Err(_) if tried < TRIES => {
                    tokio::time::sleep(pause).await;
                    (pause, tried) = (pause.saturating_mul(2), tried.saturating_add(1));
                    continue;
                }
                // Without the address: it says nothing new, and could hold what its owner keeps to himself.
                Err(error) => return Err(ClientError::NotReached(error.without_url().to_string())),
            };
            let status = answer.status();
            let passes = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
            if passes && tried < TRIES {
                tokio::time::sleep(wanted_pause(&answer).unwrap_or(pause)).await;
                (pause, tried) = (pause.saturating_mul(2), tried.saturating_add(1));
                continue;
            }
            let body = answer.json().await.unwrap_or_default();
            return Ok((status, body));
        }
    }
}

/// What `Retry-After` asks for, within reason.
fn wanted_pause(answer: &reqwest::Response) -> Option<Duration> {
    let secs = answer.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(secs).min(LONGEST_PAUSE))
}

fn receipt(status: StatusCode, body: &Value) -> Result<Receipt, ClientError> {
    if let (true, Some(receipt)) = (status.is_success(), Receipt::read(body)) {
        return Ok(receipt);
    }
    let text = |name: &str| body.pointer(name).and_then(Value::as_str).map(ToOwned::to_owned);
    Err(ClientError::Refused {
        status: status.as_u16(),
        code: text("/error/code").unwrap_or_default(),
        message: text("/error/message").unwrap_or_else(|| "the answer is not one of trac's".to_owned()),
        request_id: text("/error/request_id"),
    })
}

/// 128 bits of chance, the same for every try of one call.
fn idempotency_key() -> String {
    let mut bytes = [0; 16];
    #[expect(
        clippy::expect_used,
        reason = "without chance from the system two calls could not be told apart"
    )]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes.iter().fold(String::from("trac-client-"), |mut key, byte| {
        let _ = write!(key, "{byte:02x}");
        key
    })
}
