//! The result of a question to Stripe, for all kinds of questions.

use serde_json::{Value, json};
use trac_core::program::Mode;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::signature::Verified;

use super::account::Account;
use super::stripe::{Failure, VERSION};
use crate::store::StoreError;
use crate::store::body::StoredBody;
use crate::webhook::delivery::Delivery;

/// How often a question is asked if Stripe's answers do not help.
pub(super) const NOTHING_TRIES: i64 = 3;
/// Stripe's answer, or why there is none.
pub(super) type Reply = Result<Answer, Failure>;

/// An answer of Stripe's.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The requested facts. `name` is for metrics.
    Facts { name: &'static str, facts: Vec<Fact> },
    /// An answer that does not help. The question is asked at most `tries_max` times.
    Nothing { name: &'static str, why: String, tries_max: i64 },
}

/// A fact, received as an event of type `kind` with `object`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub(super) kind: &'static str,
    pub(super) object: Value,
    /// `in_…` of its invoice.
    pub(super) invoice: String,
    /// The rest of a sentence about Stripe's answer: “Stripe …”, such as `named the invoice in_1`.
    pub(super) summary: String,
}

/// The reply's name in metrics.
pub(super) const fn name(reply: &Reply) -> &'static str {
    match reply {
        Ok(Answer::Facts { name, .. } | Answer::Nothing { name, .. }) => name,
        Err(Failure::Unknown(_)) => "unknown",
        Err(Failure::Refused(_)) => "refused",
        Err(Failure::Later { .. }) => "later",
    }
}

/// Whether the next question can be asked with the same key.
pub(super) const fn can_continue(reply: &Reply) -> bool {
    matches!(reply, Ok(_) | Err(Failure::Unknown(_)))
}

impl Fact {
    /// The fact as an event of ours, as if it had been delivered to the account's endpoint.
    pub(super) fn delivery(
        &self,
        account: &Account,
        id: &str,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        let (scope, stripe_account) = (account.scope.clone(), account.connected.clone());
        let body = json!({
            "id": id,
            "object": "event",
            "type": self.kind,
            "api_version": VERSION,
            "created": now.unix_secs(),
            "livemode": scope.mode() == Mode::Live,
            "account": stripe_account,
            "data": { "object": self.object },
        });
        let body = body.to_string();
        let event = Event::read(Verified::from_stored(body.as_bytes()))
            .map_err(|error| StoreError::internal(error.to_string()))?;
        let (endpoint_id, body) = (account.endpoint_id.clone(), StoredBody::of(body.as_bytes()));
        Ok(Delivery { scope, endpoint_id, stripe_account, event, body })
    }
}
