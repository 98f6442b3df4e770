//! Stripe's API: sends a request, and interprets the status of the response.
//!
//! # Wire form
//! `GET` or `POST` of a path under a fixed `Stripe-Version`, with the endpoint's key as bearer and with
//! `Stripe-Account` if the endpoint is a connected account's. A response is an object, such as
//! `{"object": "list", "data": […], "has_more": …}`, or `{"error": {"message": …}}`.
//! Source: <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/api/pagination>.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use trac_core::program::Mode;

use super::account::Account;
use crate::http::limited;
use crate::webhook::stripe_key::StripeKey;

/// The API version of all requests; because it is named, later versions change nothing.
pub(crate) const VERSION: &str = "2026-08-26.dahlia";
/// The longest ID of Stripe's.
pub(super) const ID_MAX: usize = 255;
/// The timeouts of a whole request and of its connection.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest response that is read, in bytes. A hundred lines of an invoice are some hundred kilobytes.
const RESPONSE_MAX: usize = 4 << 20;
/// How long a key is paused: after Stripe failed or could not be reached, after a `429` without
/// `Retry-After`, and at most.
const FAILED_PAUSE_SECS: i64 = 30;
const BUSY_PAUSE_SECS: i64 = 60;
const LONGEST_PAUSE_SECS: i64 = 3_600;
/// How many characters of Stripe's error message are stored.
const MESSAGE_MAX: usize = 300;

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Page {
    pub(super) data: Vec<Value>,
    pub(super) has_more: bool,
    /// The length of the response.
    pub(super) bytes: usize,
}

/// A request to Stripe's API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// The path with its query. IDs in it must be letters, digits and underscores.
    pub(crate) path: &'a str,
    /// The permission that the key needs.
    pub(crate) permission: &'a str,
    /// `acct_…` of a connected account.
    pub(crate) connected: Option<&'a str>,
    pub(crate) body: Body<'a>,
}

/// The body of a request: with one the method is `POST`, without one it is `GET`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    None,
    /// The fields of a form, as the paths under `/v1` read them.
    Form(&'a [(String, String)]),
    /// A JSON object, as the paths under `/v2` read it.
    Json(&'a Value),
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Stripe does not know the requested object, or rejects a parameter.
    Unknown(String),
    /// Stripe rejects the key, or the key lacks the permission.
    Refused(String),
    /// Stripe did not respond, or allows no request for `secs` seconds.
    Later { secs: i64, why: String },
}

/// Stripe's API at an address. The client is built at the first request.
#[derive(Clone, Debug)]
pub(crate) struct Stripe {
    base: Arc<str>,
    client: Arc<OnceLock<Result<Client, String>>>,
}

impl Stripe {
    pub(crate) fn at(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').into(), client: Arc::default() }
    }

    /// Reads a list. `permission` is the one that the key needs.
    pub(super) async fn list(
        &self,
        account: &Account,
        permission: &str,
        path: &str,
    ) -> Result<Page, Failure> {
        let call = Call { path, permission, connected: account.connected.as_deref(), body: Body::None };
        let (status, body, pause) = self.send(&account.key, &call).await?;
        read(status, &body, pause, permission)
    }

    /// Sends a request, and returns the object of Stripe's answer.
    ///
    /// # Errors
    /// [`Failure`] for every status but 2xx.
    pub(crate) async fn call(&self, key: &StripeKey, call: &Call<'_>) -> Result<Value, Failure> {
        let (status, body, pause) = self.send(key, call).await?;
        if !status.is_success() {
            return Err(failure(status, &body, pause, call.permission));
        }
        serde_json::from_slice(&body).map_err(|_| Failure::Later {
            secs: FAILED_PAUSE_SECS,
            why: "Stripe's answer is not JSON.".to_owned(),
        })
    }

    async fn send(&self, key: &StripeKey, call: &Call<'_>) -> Result<Response, Failure> {
        let client = match self.client.get_or_init(client) {
            Ok(client) => client,
            Err(why) => return Err(Failure::Later { secs: LONGEST_PAUSE_SECS, why: why.clone() }),
        };
        let url = format!("{}{}", self.base, call.path);
        let request = match call.body {
            Body::None => client.get(url),
            Body::Form(fields) => client.post(url).form(fields),
            Body::Json(object) => client.post(url).json(object),
        };
        let request = request.bearer_auth(key.reveal()).header("stripe-version", VERSION);
        let request = match call.connected {
            Some(id) => request.header("stripe-account", id),
            None => request,
        };
        match send(request).await {
            Ok((status, Some(body), pause)) => Ok((status, body, pause)),
            Ok((_, None, _)) => {
                Err(Failure::Unknown(format!("Stripe's answer is larger than {} MiB.", RESPONSE_MAX >> 20)))
            }
            Err(error) => {
                let why = format!("Stripe could not be reached: {}", error.without_url());
                Err(Failure::Later { secs: FAILED_PAUSE_SECS, why })
            }
        }
    }
}

/// The status, the body, and the seconds of `Retry-After`.
type Response = (StatusCode, Vec<u8>, Option<i64>);

/// Whether an object is of a mode. An object without `livemode` is of both.
pub(super) fn is_of_mode(object: &Value, mode: Mode) -> bool {
    object.get("livemode").and_then(Value::as_bool).is_none_or(|live| Mode::from_livemode(live) == mode)
}

fn client() -> Result<Client, String> {
    let builder = Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
    // No redirects, so that the key is not sent to another address.
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    let built = builder.user_agent(concat!("trac/", env!("CARGO_PKG_VERSION"))).build();
    built.map_err(|error| format!("no connection to Stripe can be made on this machine: {error}"))
}

/// Sends the request. Returns the status, the body (`None` if it is too large) and the seconds of
/// `Retry-After`.
async fn send(request: RequestBuilder) -> Result<(StatusCode, Option<Vec<u8>>, Option<i64>), reqwest::Error> {
    let response = request.send().await?;
    let (status, pause) = (response.status(), retry_after(&response));
    Ok((status, limited::body(response, RESPONSE_MAX).await?, pause))
}

fn retry_after(response: &reqwest::Response) -> Option<i64> {
    let secs: i64 = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(secs.clamp(1, LONGEST_PAUSE_SECS))
}

/// Interprets a response that should be a list.
fn read(status: StatusCode, bytes: &[u8], pause: Option<i64>, permission: &str) -> Result<Page, Failure> {
    if status != StatusCode::OK {
        return Err(failure(status, bytes, pause, permission));
    }
    let mut body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    match body.get_mut("data").map(Value::take) {
        Some(Value::Array(data)) => {
            let has_more = body.get("has_more").and_then(Value::as_bool).unwrap_or(false);
            Ok(Page { data, has_more, bytes: bytes.len() })
        }
        _ => {
            Err(Failure::Later { secs: FAILED_PAUSE_SECS, why: "Stripe's answer is not a list.".to_owned() })
        }
    }
}

/// Interprets a response without success.
fn failure(status: StatusCode, bytes: &[u8], pause: Option<i64>, permission: &str) -> Failure {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    match status.as_u16() {
        401 => Failure::Refused(error_text(status, &body)),
        403 => Failure::Refused(format!(
            "{} The key needs the permission {permission}.",
            sentence(error_text(status, &body))
        )),
        400 | 404 => Failure::Unknown(error_text(status, &body)),
        429 => Failure::Later { secs: pause.unwrap_or(BUSY_PAUSE_SECS), why: error_text(status, &body) },
        _ => Failure::Later { secs: pause.unwrap_or(FAILED_PAUSE_SECS), why: error_text(status, &body) },
    }
}

/// The status and Stripe's error message.
fn error_text(status: StatusCode, body: &Value) -> String {
    let message = body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    let message = message.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect::<String>();
    let text = format!("Stripe answered {}: {message}", status.as_u16());
    text.trim_end_matches([':', ' ']).to_owned()
}

/// The text with a full stop.
fn sentence(mut text: String) -> String {
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// The characters of an ID that need no encoding in a URL.
pub(super) const PLAIN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

/// Whether an ID needs no encoding in a URL.
pub(crate) fn is_plain(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len()) && id.chars().all(|character| PLAIN.contains(character))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_status_becomes_a_page_or_a_failure() {
        let check = |status: u16, body: &str, pause, want: Result<Page, Failure>| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read(status, body.as_bytes(), pause, "Invoices: read"), want, "{status} {body}");
        };
        let page = |data: Value, has_more, bytes| {
            Ok(Page { data: data.as_array().unwrap().clone(), has_more, bytes })
        };
        let unknown = |why: &str| Err(Failure::Unknown(why.to_owned()));
        let refused = |why: &str| Err(Failure::Refused(why.to_owned()));
        let later = |secs, why: &str| Err(Failure::Later { secs, why: why.to_owned() });
        let error = r#"{"error":{"message":"No\u0007 such key"}}"#;
        check(200, r#"{"data":[]}"#, None, page(json!([]), false, 11));
        check(200, r#"{"data":[7],"has_more":true}"#, None, page(json!([7]), true, 28));
        check(200, r#"{"data":[7],"has_more":"yes"}"#, None, page(json!([7]), false, 29));
        check(200, r#"{"data":{}}"#, None, later(30, "Stripe's answer is not a list."));
        check(200, "<html>", None, later(30, "Stripe's answer is not a list."));
        check(401, error, None, refused("Stripe answered 401: No such key"));
        let needs = "Stripe answered 403: No such key. The key needs the permission Invoices: read.";
        check(403, error, None, refused(needs));
        check(403, "", None, refused("Stripe answered 403. The key needs the permission Invoices: read."));
        check(404, error, None, unknown("Stripe answered 404: No such key"));
        check(429, "", Some(7), later(7, "Stripe answered 429"));
        check(429, "", None, later(60, "Stripe answered 429"));
        check(500, "", None, later(30, "Stripe answered 500"));
        check(302, "", None, later(30, "Stripe answered 302"));
    }
}
