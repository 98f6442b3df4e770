//! Deliveries: signed, posted, retried until the merchant's endpoint responds with 2xx; on request held back,
//! repeated or sent in another order.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::chance::now;
use crate::event::Event;

/// The pauses before the retries of a delivery. Stripe's are hours long; these are short, for people who watch
/// the demo.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Where events go, and the secret they are signed with.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `http://127.0.0.1:8787/api/webhooks/we_…`
    pub url: String,
    /// `whsec_…`; the whole text is the key, prefix included.
    pub secret: String,
}

/// The delivery of an event.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// `evt_…`
    pub event_id: String,
    /// Such as `invoice.paid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How often it was posted.
    pub attempts: u32,
    /// The status of the last response; `None` if there was none.
    pub status: Option<u16>,
    /// The body of the last response, or the error if there was none.
    pub answer: String,
    /// The event as posted.
    #[serde(skip)]
    pub body: String,
}

/// The `Stripe-Signature` header for a body, as Stripe makes it: HMAC-SHA256 of `t.body`, keyed with the
/// whole secret. Source: <https://docs.stripe.com/webhooks#verify-manually>.
///
/// # Examples
/// ```
/// let header = trac_stand_in::sign("whsec_test", 1_700_000_000, b"{}");
/// assert!(header.starts_with("t=1700000000,v1="));
/// assert_ne!(header, trac_stand_in::sign("whsec_other", 1_700_000_000, b"{}"));
/// ```
#[must_use]
pub fn sign(secret: &str, at: i64, body: &[u8]) -> String {
    // An HMAC key may have any length, so this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    digest.iter().fold(format!("t={at},v1="), |mut header, byte| {
        // Writing to a String cannot fail.
        let _ = write!(header, "{byte:02x}");
        header
    })
}

/// All events sent so far and all held back.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    client: reqwest::Client,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    webhook: Option<Webhook>,
    holding: bool,
    held: Vec<Event>,
    deliveries: Vec<Delivery>,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_webhook(&self, webhook: Webhook) {
        self.state().webhook = Some(webhook);
    }

    /// Posts no more events with this secret.
    pub(crate) fn unset_webhook(&self, secret: &str) {
        let mut state = self.state();
        if state.webhook.as_ref().is_some_and(|webhook| webhook.secret == secret) {
            state.webhook = None;
        }
    }

    pub(crate) fn hold(&self) {
        self.state().holding = true;
    }

    pub(crate) fn held(&self) -> usize {
        self.state().held.len()
    }

    /// Stops holding events back, and returns those held, in the original order.
    pub(crate) fn release(&self) -> Vec<Event> {
        let mut state = self.state();
        state.holding = false;
        std::mem::take(&mut state.held)
    }

    /// Newest first.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.state().deliveries.iter().rev().cloned().collect()
    }

    /// Posts events one after another, or stores them while deliveries are held back.
    pub(crate) async fn send(&self, events: Vec<Event>) {
        for event in events {
            {
                let mut state = self.state();
                if state.holding {
                    state.held.push(event);
                    continue;
                }
            }
            self.deliver(event.id, event.kind, event.body).await;
        }
    }

    /// Posts an earlier event again.
    pub(crate) async fn resend(&self, event_id: &str) -> bool {
        let found = self.state().deliveries.iter().find(|sent| sent.event_id == event_id).cloned();
        let Some(sent) = found else { return false };
        self.deliver(sent.event_id, &sent.kind, sent.body).await;
        true
    }

    async fn deliver(&self, event_id: String, kind: &str, body: String) {
        let Some(webhook) = self.state().webhook.clone() else { return };
        let kind = kind.to_owned();
        let mut delivery =
            Delivery { event_id, kind, attempts: 0, status: None, answer: String::new(), body };
        for pause in PAUSES.iter().map(Some).chain([None]) {
            delivery.attempts = delivery.attempts.saturating_add(1);
            (delivery.status, delivery.answer) = self.post(&webhook, &delivery.body).await;
            self.record(&delivery);
            match pause {
                Some(pause) if !delivery.status.is_some_and(|status| (200..300).contains(&status)) => {
                    tokio::time::sleep(*pause).await;
                }
                _ => break,
            }
        }
    }

    /// One attempt; every attempt has a fresh signature, as at Stripe.
    async fn post(&self, webhook: &Webhook, body: &str) -> (Option<u16>, String) {
        let request = self
            .client
            .post(&webhook.url)
            .header("content-type", "application/json; charset=utf-8")
            .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
            .header("stripe-signature", sign(&webhook.secret, now(), body.as_bytes()))
            .timeout(Duration::from_secs(10))
            .body(body.to_owned());
        match request.send().await {
            Ok(response) => (Some(response.status().as_u16()), response.text().await.unwrap_or_default()),
            Err(error) => (None, error.to_string()),
        }
    }

    /// Stores one row per event; `attempts` is the sum over all its deliveries.
    fn record(&self, delivery: &Delivery) {
        let mut state = self.state();
        match state.deliveries.iter_mut().find(|sent| sent.event_id == delivery.event_id) {
            Some(sent) => {
                let attempts = sent.attempts.saturating_add(1);
                *sent = Delivery { attempts, ..delivery.clone() };
            }
            None => state.deliveries.push(delivery.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_openssl_computes() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_known
        let header = sign("whsec_known", 1_700_000_000, br#"{"id":"evt_1"}"#);
        assert_eq!(header, SIGNED);
    }

    const SIGNED: &str = "t=1700000000,v1=68a37d422c7a8b96c533eaf81281025cd110ae84fcf96e4f0307b1bad5f2a1cd";
}
