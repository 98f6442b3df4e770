//! What came of asking a question, whatever its kind.

use serde_json::{Value, json};
use trac_core::program::Mode;
use trac_core::time::Timestamp;
use trac_core::webhook::event::Event;
use trac_core::webhook::signature::Verified;

use super::account::Account;
use super::stripe::{Failure, VERSION};
use crate::store::StoreError;
use crate::webhook::delivery::Delivery;

/// How often a question is asked that Stripe answers with nothing that helps.
pub(super) const NOTHING_TRIES: i64 = 3;
/// An answer, or why there is none.
pub(super) type Reply = Result<Answer, Failure>;

/// What Stripe answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// What was asked for. `name` is for figures.
    Facts { name: &'static str, facts: Vec<Fact> },
    /// Nothing that helps. The question is asked so often and no more.
    Nothing { name: &'static str, why: String, tries_max: i64 },
}

/// A fact, taken in as an event of this type about this object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub(super) kind: &'static str,
    pub(super) object: Value,
    /// `in_…` of the invoice that it is about.
    pub(super) invoice: String,
    /// What Stripe did, such as `named the invoice in_1`.
    pub(super) says: String,
}

/// As figures name it.
pub(super) const fn name(reply: &Reply) -> &'static str {
    match reply {
        Ok(Answer::Facts { name, .. } | Answer::Nothing { name, .. }) => name,
        Err(Failure::Unknown(_)) => "unknown",
        Err(Failure::Refused(_)) => "refused",
        Err(Failure::Later { .. }) => "later",
    }
}

/// Whether the next question can be asked with the same key.
pub(super) const fn goes_on(reply: &Reply) -> bool {
    matches!(reply, Ok(_) | Err(Failure::Unknown(_)))
}

impl Fact {
    /// The fact as an event of ours that came to the endpoint of the account.
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
        let body = body.to_string().into_bytes();
        let event =
            Event::read(Verified::kept(&body)).map_err(|error| StoreError::internal(error.to_string()))?;
        Ok(Delivery { scope, endpoint_id: account.endpoint_id.clone(), stripe_account, event, body })
    }
}
