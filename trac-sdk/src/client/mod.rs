//! Reports leads and conversions to a trac server, from a merchant's own server.
//!
//! | you want | use | it takes |
//! |---|---|---|
//! | the result, in a job or a script | [`TracClient::track_lead`], [`TracClient::track_conversion`] | until the server has responded, see below |
//! | to report in a handler without delaying the visitor | [`TracClient::send_lead`], [`TracClient::send_conversion`] | no time |
//! | to learn which of those failed | [`TracClient::flush`], regularly and before the program ends | until all reports have ended |
//!
//! **Retries.** The client makes up to five attempts, of up to 10 seconds each, if the server is not reached,
//! responds with `429` or `5xx`, or is still processing an earlier attempt. The pauses between them are 0.25,
//! 0.5, 1 and 2 seconds, or the seconds in `Retry-After`, up to 60 each. So `track_lead` and `track_conversion`
//! can take up to about 54 seconds, and up to 5 minutes if the server sends `Retry-After`. All attempts of a
//! call have one idempotency key, so the call takes effect once.
//!
//! **Runtime.** The client needs a Tokio runtime with I/O and time enabled, as `#[tokio::main]` makes it.
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
//!
//! In an axum app, the client is a part of the state, and the handler does not wait:
//!
//! ```
//! use axum::Router;
//! use axum::extract::State;
//! use axum::routing::post;
//! use trac_sdk::client::{Lead, TracClient};
//! use trac_sdk::Click;
//!
//! async fn sign_up(State(trac): State<TracClient>, click: Option<Click>) -> &'static str {
//!     let click_id = click.map(|click| click.to_string());
//!     trac.send_lead(Lead { click_id, ..Lead::new("Sign up", "user_17") });
//!     "welcome"
//! }
//!
//! let trac = TracClient::new("https://track.example.com", "sk_live_1")?;
//! let app: Router = Router::new().route("/sign-up", post(sign_up)).with_state(trac.clone());
//! // axum::serve(listener, app).with_graceful_shutdown(…).await?;
//! // for failed in trac.flush().await { eprintln!("not reported: {failed}") }
//! # Ok::<(), trac_sdk::client::ClientError>(())
//! ```

mod error;
mod lead;
mod conversion;
mod receipt;
mod address;
mod answer;
mod connection;
mod background;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use background::{Failed, Item, SENT_AT_ONCE};
pub use conversion::Conversion;
pub use error::ClientError;
pub use lead::Lead;
pub use receipt::{Receipt, Reported};

use background::Background;
use connection::Connection;

/// A trac server and a secret key of a workspace.
///
/// Cloning is cheap, and clones share the connections and the waiting reports. `Debug` prints the base URL and no key.
///
/// # Examples
/// See the [module](self).
#[derive(Clone)]
pub struct TracClient {
    connection: Arc<Connection>,
    background: Arc<Background>,
}

impl fmt::Debug for TracClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracClient").field("base_url", &self.connection.base).finish_non_exhaustive()
    }
}

impl TracClient {
    /// A client for the server at this base URL, such as `https://track.example.com`, with a secret key
    /// (`sk_…`). The key determines the mode, test or live.
    ///
    /// Nothing is sent yet: an unknown key is rejected with the first report. Over `http` the key is sent
    /// unencrypted; use it on your own machine only.
    ///
    /// # Examples
    /// ```
    /// use trac_sdk::client::{ClientError, TracClient};
    ///
    /// assert!(TracClient::new("https://track.example.com/", "sk_test_1").is_ok());
    /// let error = TracClient::new("https://track.example.com", "sk_test_1\n").unwrap_err();
    /// assert_eq!(error, ClientError::InvalidKey);
    /// ```
    ///
    /// # Errors
    /// [`ClientError::InvalidUrl`] if the base URL is not `http` or `https`, contains a user name, password,
    /// query or fragment, or ends with `/api/v1`; [`ClientError::InvalidKey`] if the key is not 1 to 255
    /// printable ASCII characters without blanks; [`ClientError::NotReached`] if the system's TLS settings
    /// cannot be loaded.
    pub fn new(base_url: &str, secret_key: &str) -> Result<Self, ClientError> {
        let connection = Arc::new(Connection::new(base_url, secret_key)?);
        Ok(Self { connection, background: Arc::new(Background::new()) })
    }

    /// Reports a lead and waits for the response. A repeat of the same customer and event name returns the first lead.
    ///
    /// This can take up to about 54 seconds, or 5 minutes if the server sends `Retry-After` (see the
    /// [module](self)). In a handler, use [`send_lead`](Self::send_lead).
    ///
    /// # Errors
    /// [`ClientError`] if the server rejects the lead, or is not reached in five attempts.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn track_lead(&self, lead: &Lead) -> Result<Receipt, ClientError> {
        self.connection.lead(lead).await
    }

    /// Reports a conversion and waits for the response.
    ///
    /// This can take up to about 54 seconds, or 5 minutes if the server sends `Retry-After` (see the
    /// [module](self)). In a handler, use [`send_conversion`](Self::send_conversion).
    ///
    /// # Examples
    /// ```no_run
    /// use trac_sdk::client::{Conversion, Reported, TracClient};
    ///
    /// # async fn sold(trac: TracClient) -> Result<(), trac_sdk::client::ClientError> {
    /// let sale = Conversion { amount: Some((4_900, "usd".into())), ..Conversion::new("order_17", "purchase") };
    /// match trac.track_conversion(&sale).await? {
    ///     Reported::New(receipt) | Reported::Completed(receipt) => println!("{}: {}", receipt.id, receipt.reason),
    ///     Reported::Duplicate(id) => println!("reported before as {id}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ClientError`] if the server rejects the conversion, or is not reached in five attempts. A transaction
    /// that was reported before is not an error, but [`Reported::Duplicate`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn track_conversion(&self, conversion: &Conversion) -> Result<Reported, ClientError> {
        self.connection.conversion(conversion).await
    }

    /// Reports a lead in the background, and returns at once.
    ///
    /// At most [`SENT_AT_ONCE`] reports of a client and its clones are sent at the same time; the others wait
    /// in memory, without limit. A lead that fails stays in memory until [`flush`](Self::flush) returns it.
    /// Reports that are not sent when the process ends are lost.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn send_lead(&self, lead: Lead) {
        Arc::clone(&self.background).send(Arc::clone(&self.connection), Item::Lead(lead));
    }

    /// Reports a conversion in the background, and returns at once, as [`send_lead`](Self::send_lead) does. A
    /// transaction that was reported before is not a failure.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn send_conversion(&self, conversion: Conversion) {
        Arc::clone(&self.background).send(Arc::clone(&self.connection), Item::Conversion(conversion));
    }

    /// Waits until all reports that were sent in the background before this call have ended, and returns those
    /// that failed, each with its error and each once.
    ///
    /// Call it regularly, so that failures do not accumulate, and before the program ends. It waits as long as
    /// the slowest report. It may be cancelled, for example by `tokio::time::timeout`: the reports continue,
    /// and a later call returns their failures.
    ///
    /// # Examples
    /// See [`Failed`].
    pub async fn flush(&self) -> Vec<Failed> {
        self.background.flush().await
    }
}
