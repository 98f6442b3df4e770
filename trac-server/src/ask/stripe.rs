//! Stripe's API: one list read, and what the status of the answer means.
//!
//! # Wire form
//! `GET` of a path under a fixed `Stripe-Version`, with the endpoint's key as bearer and with `Stripe-Account` where the endpoint is
//! a connected account's. An answer is `{"object": "list", "data": […], "has_more": …}`, or `{"error": {"message": …}}`.
//! Source: <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/api/pagination>.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use trac_core::program::Mode;

use super::account::Account;

/// The version that questions are asked in; later ones change nothing for those who name it.
pub(super) const VERSION: &str = "2026-08-26.dahlia";
/// The longest ID that Stripe gives.
pub(super) const ID_MAX: usize = 255;
/// How long an answer may take, and how long a connection.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read. A hundred lines of an invoice are some hundred kilobytes.
const ANSWER_MAX: usize = 4 << 20;
/// How long a key rests where Stripe does not answer, does not say how long, and at most.
const FAILED_REST_SECS: i64 = 30;
const BUSY_REST_SECS: i64 = 60;
const LONGEST_REST_SECS: i64 = 3_600;
/// How much is kept of what Stripe says of an error.
const MESSAGE_MAX: usize = 300;

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Page {
    pub(super) data: Vec<Value>,
    pub(super) has_more: bool,
    /// The length of the answer.
    pub(super) bytes: usize,
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Stripe does not know what is asked about.
    Unknown(String),
    /// It does not take the key, or the key may not ask this.
    Refused(String),
    /// It did not answer, or wants to be left alone for so many seconds.
    Later { secs: i64, why: String },
}

/// Stripe's API at an address. Nothing is connected before the first question.
#[derive(Clone, Debug)]
pub(super) struct Stripe {
    base: Arc<str>,
    client: Arc<OnceLock<Result<Client, String>>>,
}

impl Stripe {
    pub(super) fn at(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').into(), client: Arc::default() }
    }

    /// Reads a list, as a key with this permission may. IDs in the path are letters, digits and underscores.
    pub(super) async fn list(
        &self,
        account: &Account,
        permission: &str,
        path: &str,
    ) -> Result<Page, Failure> {
        let client = match self.client.get_or_init(client) {
            Ok(client) => client,
            Err(why) => return Err(Failure::Later { secs: LONGEST_REST_SECS, why: why.clone() }),
        };
        let request = client.get(format!("{}{path}", self.base));
        let request = request.bearer_auth(account.key.reveal()).header("stripe-version", VERSION);
        let request = match &account.connected {
            Some(id) => request.header("stripe-account", id),
            None => request,
        };
        match answer(request).await {
            Ok((status, Some(body), rest)) => read(status, &body, rest, permission),
            Ok((_, None, _)) => {
                Err(Failure::Unknown(format!("Stripe's answer is larger than {} MiB.", ANSWER_MAX >> 20)))
            }
            Err(error) => {
                let why = format!("Stripe was not reached: {}", error.without_url());
                Err(Failure::Later { secs: FAILED_REST_SECS, why })
            }
        }
    }
}

/// Whether an object is of a mode. One that does not say is.
pub(super) fn is_of_mode(object: &Value, mode: Mode) -> bool {
    object.get("livemode").and_then(Value::as_bool).is_none_or(|live| Mode::from_livemode(live) == mode)
}

fn client() -> Result<Client, String> {
    let builder = Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
    // A key goes where it was sent and nowhere else.
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    let built = builder.user_agent(concat!("trac/", env!("CARGO_PKG_VERSION"))).build();
    built.map_err(|error| format!("no connection to Stripe can be made on this machine: {error}"))
}

/// Status, body and the seconds of `Retry-After`. A body that is too large is none.
async fn answer(
    request: RequestBuilder,
) -> Result<(StatusCode, Option<Vec<u8>>, Option<i64>), reqwest::Error> {
    let mut answer = request.send().await?;
    let (status, rest, mut body) = (answer.status(), retry_after(&answer), Vec::new());
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            return Ok((status, None, rest));
        }
    }
    Ok((status, Some(body), rest))
}

fn retry_after(answer: &Response) -> Option<i64> {
    let secs: i64 = answer.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(secs.clamp(1, LONGEST_REST_SECS))
}

/// What an answer means.
fn read(status: StatusCode, bytes: &[u8], rest: Option<i64>, permission: &str) -> Result<Page, Failure> {
    let mut body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    Err(match status.as_u16() {
        200 => match body.get_mut("data").map(Value::take) {
            Some(Value::Array(data)) => {
                let has_more = body.get("has_more").and_then(Value::as_bool).unwrap_or(false);
                return Ok(Page { data, has_more, bytes: bytes.len() });
            }
            _ => Failure::Later { secs: FAILED_REST_SECS, why: "Stripe's answer is no list.".to_owned() },
        },
        401 => Failure::Refused(said(status, &body)),
        403 => Failure::Refused(format!(
            "{} It needs the permission {permission}.",
            sentence(said(status, &body))
        )),
        400 | 404 => Failure::Unknown(said(status, &body)),
        429 => Failure::Later { secs: rest.unwrap_or(BUSY_REST_SECS), why: said(status, &body) },
        _ => Failure::Later { secs: rest.unwrap_or(FAILED_REST_SECS), why: said(status, &body) },
    })
}

/// The status and Stripe's own words.
fn said(status: StatusCode, body: &Value) -> String {
    let message = body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    let message = message.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect::<String>();
    let text = format!("Stripe answered {}: {message}", status.as_u16());
    text.trim_end_matches([':', ' ']).to_owned()
}

/// The same with a full stop.
fn sentence(mut text: String) -> String {
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// The characters of an ID that can stand in a URL as it is.
pub(super) const PLAIN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

/// Whether an ID can stand in a URL as it is.
pub(super) fn is_plain(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len()) && id.chars().all(|character| PLAIN.contains(character))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_status_means_something() {
        let check = |status: u16, body: &str, rest, want: Result<Page, Failure>| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read(status, body.as_bytes(), rest, "Invoices: read"), want, "{status} {body}");
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
        check(200, r#"{"data":{}}"#, None, later(30, "Stripe's answer is no list."));
        check(200, "<html>", None, later(30, "Stripe's answer is no list."));
        check(401, error, None, refused("Stripe answered 401: No such key"));
        let needs = "Stripe answered 403: No such key. It needs the permission Invoices: read.";
        check(403, error, None, refused(needs));
        check(403, "", None, refused("Stripe answered 403. It needs the permission Invoices: read."));
        check(404, error, None, unknown("Stripe answered 404: No such key"));
        check(429, "", Some(7), later(7, "Stripe answered 429"));
        check(429, "", None, later(60, "Stripe answered 429"));
        check(500, "", None, later(30, "Stripe answered 500"));
        check(302, "", None, later(30, "Stripe answered 302"));
    }
}
