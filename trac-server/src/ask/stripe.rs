//! One question to Stripe's API, and what its answer means.
//!
//! # Wire form
//! `GET /v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]=pi_…`, under a fixed `Stripe-Version`, with
//! `Stripe-Account` where the endpoint is a connected account's. Source: <https://docs.stripe.com/api/invoice-payment/list>.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use trac_core::program::Mode;

use super::invoice_of;
use super::questions::Account;

/// The version that questions are asked in; later ones change nothing for those who name it.
pub(super) const VERSION: &str = "2026-08-26.dahlia";
/// How long an answer may take, and how long a connection.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read. Ten invoice payments are a few kilobytes.
const ANSWER_MAX: usize = 1 << 20;
/// How long a key rests where Stripe does not answer, does not say how long, and at most.
const FAILED_REST_SECS: i64 = 30;
const BUSY_REST_SECS: i64 = 60;
const LONGEST_REST_SECS: i64 = 3_600;
/// How much is kept of what Stripe says of an error.
const MESSAGE_MAX: usize = 300;

/// What Stripe answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// The invoice payments made with the `PaymentIntent`.
    Paid(Vec<Value>),
    /// It does not know what is asked about.
    Unknown(String),
    /// It does not take the key, or the key may not ask this.
    Refused(String),
    /// It did not answer, or wants to be left alone for so many seconds.
    Later { secs: i64, why: String },
}

impl Reply {
    /// As figures name it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Paid(list) if list.is_empty() => "no_invoice",
            Self::Paid(_) => "invoice",
            Self::Unknown(_) => "unknown",
            Self::Refused(_) => "refused",
            Self::Later { .. } => "later",
        }
    }

    /// Whether the next question can be asked with the same key.
    pub(super) const fn goes_on(&self) -> bool {
        matches!(self, Self::Paid(_) | Self::Unknown(_))
    }
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

    /// Asks which invoices a `PaymentIntent` paid. Its ID is letters, digits and underscores.
    pub(super) async fn invoice_payments(&self, account: &Account, payment_intent: &str) -> Reply {
        let client = match self.client.get_or_init(client) {
            Ok(client) => client,
            Err(why) => return Reply::Later { secs: LONGEST_REST_SECS, why: why.clone() },
        };
        let url = format!(
            "{}/v1/invoice_payments?payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D={payment_intent}\
             &limit=10",
            self.base
        );
        let request = client.get(url).bearer_auth(account.key.reveal()).header("stripe-version", VERSION);
        let request = match &account.connected {
            Some(id) => request.header("stripe-account", id),
            None => request,
        };
        match answer(request).await {
            Ok((status, body, rest)) => read(status, &body, rest, account.scope.mode(), payment_intent),
            Err(error) => {
                let why = format!("Stripe was not reached: {}", error.without_url());
                Reply::Later { secs: FAILED_REST_SECS, why }
            }
        }
    }
}

fn client() -> Result<Client, String> {
    let builder = Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT);
    // A key goes where it was sent and nowhere else.
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    let built = builder.user_agent(concat!("trac/", env!("CARGO_PKG_VERSION"))).build();
    built.map_err(|error| format!("no connection to Stripe can be made on this machine: {error}"))
}

/// Status, body and the seconds of `Retry-After`. A body that is too large is none.
async fn answer(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>, Option<i64>), reqwest::Error> {
    let mut answer = request.send().await?;
    let (status, rest, mut body) = (answer.status(), retry_after(&answer), Vec::new());
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            return Ok((status, Vec::new(), rest));
        }
    }
    Ok((status, body, rest))
}

fn retry_after(answer: &Response) -> Option<i64> {
    let secs: i64 = answer.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(secs.clamp(1, LONGEST_REST_SECS))
}

/// What an answer means.
fn read(status: StatusCode, body: &[u8], rest: Option<i64>, mode: Mode, payment_intent: &str) -> Reply {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match status.as_u16() {
        200 => match body.get("data").and_then(Value::as_array) {
            Some(list) => {
                Reply::Paid(list.iter().filter(|one| is_link(one, mode, payment_intent)).cloned().collect())
            }
            None => Reply::Later { secs: FAILED_REST_SECS, why: "Stripe's answer is no list.".to_owned() },
        },
        401 | 403 => Reply::Refused(said(status, &body)),
        400 | 404 => Reply::Unknown(said(status, &body)),
        429 => Reply::Later { secs: rest.unwrap_or(BUSY_REST_SECS), why: said(status, &body) },
        _ => Reply::Later { secs: rest.unwrap_or(FAILED_REST_SECS), why: said(status, &body) },
    }
}

/// Whether an invoice payment is what was asked for: paid, of this mode, with this `PaymentIntent`, of an invoice.
fn is_link(link: &Value, mode: Mode, payment_intent: &str) -> bool {
    let paid_by = link.pointer("/payment/payment_intent");
    let paid_by = paid_by.and_then(|id| id.as_str().or_else(|| id.get("id")?.as_str()));
    let of_mode =
        link.get("livemode").and_then(Value::as_bool).is_none_or(|live| live == (mode == Mode::Live));
    let paid = link.get("status").and_then(Value::as_str).is_none_or(|status| status == "paid");
    paid_by == Some(payment_intent) && of_mode && paid && invoice_of(link).starts_with("in_")
}

/// The status and Stripe's own words.
fn said(status: StatusCode, body: &Value) -> String {
    let message = body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    let message = message.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect::<String>();
    let text = format!("Stripe answered {}: {message}", status.as_u16());
    text.trim_end_matches([':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_paid_invoice_payment_of_the_same_intent_and_mode_is_a_link() {
        let check = |change: Value, mode, want: bool| {
            let mut link = json!({ "object": "invoice_payment", "invoice": "in_1", "status": "paid", "livemode": false,
                "payment": { "type": "payment_intent", "payment_intent": "pi_1" } });
            link.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(is_link(&link, mode, "pi_1"), want, "{link}");
        };
        check(json!({}), Mode::Test, true);
        check(json!({}), Mode::Live, false);
        check(json!({ "livemode": true }), Mode::Test, false);
        check(json!({ "livemode": null }), Mode::Live, true);
        check(json!({ "status": "open" }), Mode::Test, false);
        check(json!({ "status": "canceled" }), Mode::Test, false);
        check(json!({ "invoice": { "id": "in_1" } }), Mode::Test, true);
        check(json!({ "invoice": "pi_1" }), Mode::Test, false);
        check(json!({ "invoice": null }), Mode::Test, false);
        check(json!({ "payment": { "payment_intent": "pi_2" } }), Mode::Test, false);
        check(json!({ "payment": { "payment_intent": { "id": "pi_1" } } }), Mode::Test, true);
        check(
            json!({ "payment": { "type": "payment_record", "payment_record": "pr_1" } }),
            Mode::Test,
            false,
        );
    }

    #[test]
    fn every_status_means_something() {
        let check = |status: u16, body: &str, rest, want: Reply| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read(status, body.as_bytes(), rest, Mode::Test, "pi_1"), want, "{status} {body}");
        };
        let later = |secs, why: &str| Reply::Later { secs, why: why.to_owned() };
        let error = r#"{"error":{"message":"No\u0007 such key"}}"#;
        check(200, r#"{"data":[]}"#, None, Reply::Paid(Vec::new()));
        check(200, r#"{"data":[{"invoice":"in_1"},7]}"#, None, Reply::Paid(Vec::new()));
        check(200, "<html>", None, later(30, "Stripe's answer is no list."));
        check(401, error, None, Reply::Refused("Stripe answered 401: No such key".to_owned()));
        check(403, "", None, Reply::Refused("Stripe answered 403".to_owned()));
        check(404, error, None, Reply::Unknown("Stripe answered 404: No such key".to_owned()));
        check(429, "", Some(7), later(7, "Stripe answered 429"));
        check(429, "", None, later(60, "Stripe answered 429"));
        check(500, "", None, later(30, "Stripe answered 500"));
        check(302, "", None, later(30, "Stripe answered 302"));
    }
}
