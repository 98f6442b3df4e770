//! Stripe's side: events, signatures, deliveries.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::merchant::Answer;

/// The merchant's webhook endpoint and its signing secret.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where deliveries are posted.
    pub url: String,
    /// `whsec_…`
    pub secret: String,
    client: reqwest::Client,
}

impl Endpoint {
    pub(crate) fn new(url: String, secret: String, client: reqwest::Client) -> Self {
        Self { url, secret, client }
    }

    /// Posts an event, signed now.
    pub async fn deliver(&self, event: &Value) -> Answer {
        self.deliver_bytes(event.to_string().into_bytes()).await
    }

    /// Posts a body, signed now.
    pub async fn deliver_bytes(&self, body: Vec<u8>) -> Answer {
        let signature = trac_stand_in::sign(&self.secret, now(), &body);
        self.post(body, &signature).await.expect("the server answers")
    }

    /// Posts a body with any signature; `None` if the connection broke.
    pub async fn post(&self, body: Vec<u8>, signature: &str) -> Option<Answer> {
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json; charset=utf-8")
            .header("stripe-signature", signature)
            .body(body);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some(Answer { status, body: answer.json().await.unwrap_or(Value::Null) })
    }
}

/// The current time in Unix seconds.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a time of 63 bits")
}

/// An event that contains an object.
#[must_use]
pub fn envelope(id: &str, kind: &str, created: i64, object: &Value) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": trac_stand_in::API_VERSION,
        "created": created,
        "data": {"object": object},
        "livemode": false,
        "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null},
        "type": kind,
    })
}

/// A paid one-time Checkout Session of `amount_minor` US cents; its IDs contain `name`.
#[must_use]
pub fn session(name: &str, amount_minor: i64, click_id: &str) -> Value {
    json!({
        "id": format!("cs_{name}"),
        "object": "checkout.session",
        "amount_subtotal": amount_minor,
        "amount_total": amount_minor,
        "client_reference_id": click_id,
        "created": now(),
        "currency": "usd",
        "customer": null,
        "customer_details": {"email": "buyer@example.com"},
        "invoice": null,
        "livemode": false,
        "metadata": {},
        "mode": "payment",
        "payment_intent": format!("pi_{name}"),
        "payment_link": null,
        "payment_status": "paid",
        "status": "complete",
        "subscription": null,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    })
}
