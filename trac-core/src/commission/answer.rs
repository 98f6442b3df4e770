//! The answer for an event: its outcome and reason, as the log shows them.

use serde::{Deserialize, Serialize};

use super::entry::{Kind, NewEntry};
use super::settle::Settlement;
use crate::conversion::world::Admitted;
use crate::reason::{Class, Reason};
use crate::webhook::facts::Topic;

/// The outcome of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its effect was applied.
    Processed,
    /// It was understood and changes nothing.
    Skipped,
    /// It waits for another event, and is settled when that event arrives.
    Deferred,
    /// Everything in it was known before.
    Duplicate,
    /// It is not for this endpoint, or its type is not used here.
    Ignored,
    /// Its signature or timestamp was not valid.
    Rejected,
    /// It could not be read; it is stored for replay.
    Failed,
}

impl Outcome {
    /// The code, such as `processed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Skipped => "skipped",
            Self::Deferred => "deferred",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// Outcome and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The outcome of the event.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
}

const fn answer(outcome: Outcome, reason: Reason) -> Answer {
    Answer { outcome, reason }
}

/// The answer for an event about a payment, once its facts are settled.
#[must_use]
pub fn of_payment(topic: Topic, settlement: &Settlement, admitted: &Admitted) -> Answer {
    let decision = settlement.decision.reason;
    match topic {
        Topic::Link => answer(Outcome::Processed, Reason::Linked),
        Topic::Lines | Topic::Holder | Topic::Cancellation | Topic::Verdict => {
            answer(Outcome::Processed, Reason::Noted)
        }
        Topic::Sale if earned(settlement).is_some() => answer(Outcome::Processed, decision),
        Topic::Sale if decision.class() == Class::Earns => {
            let same = if admitted.object_known { Reason::DuplicateObject } else { Reason::DuplicatePayment };
            answer(Outcome::Duplicate, same)
        }
        Topic::Sale => of_decision(decision),
        Topic::Refund | Topic::Dispute => {
            if let Some(reason) = waits_for(decision) {
                return answer(Outcome::Deferred, reason);
            }
            match moved_back(settlement) {
                Some(entry) => answer(Outcome::Processed, entry.reason),
                None if topic == Topic::Dispute => answer(Outcome::Processed, hold(settlement)),
                None if admitted.refunds_unchanged => answer(Outcome::Skipped, Reason::Stale),
                None => answer(Outcome::Processed, Reason::Noted),
            }
        }
    }
}

/// The answer for the end of a subscription.
#[must_use]
pub fn of_cancellation<'a>(settlements: impl IntoIterator<Item = &'a Settlement>) -> Answer {
    let mut known = false;
    for settlement in settlements {
        known = true;
        let entries = settlement.changes.iter().flat_map(|change| &change.entries);
        if entries.into_iter().any(|entry| entry.reason == Reason::SubscriptionCanceled) {
            return answer(Outcome::Processed, Reason::SubscriptionCanceled);
        }
    }
    if known {
        answer(Outcome::Processed, Reason::Noted)
    } else {
        answer(Outcome::Deferred, Reason::PaymentUnknown)
    }
}

/// The answer for an event that waited, once its payment is settled again; `None` while it still waits.
#[must_use]
pub fn of_waiting(topic: Topic, settlement: &Settlement) -> Option<Answer> {
    let decision = settlement.decision.reason;
    let found = match topic {
        Topic::Sale => of_decision(decision),
        Topic::Refund | Topic::Dispute if waits_for(decision).is_some() => return None,
        Topic::Refund | Topic::Dispute | Topic::Cancellation => {
            let reason = moved_back(settlement).map_or(Reason::Noted, |entry| entry.reason);
            answer(Outcome::Processed, reason)
        }
        Topic::Link | Topic::Lines | Topic::Holder | Topic::Verdict => return None,
    };
    (found.outcome != Outcome::Deferred).then_some(found)
}

fn of_decision(decision: Reason) -> Answer {
    let outcome = match decision.class() {
        Class::Earns => Outcome::Processed,
        Class::Waits => Outcome::Deferred,
        Class::RefusesClick if decision == Reason::DuplicatePayment => Outcome::Duplicate,
        Class::Claimed | Class::RefusesClick | Class::EarnsNothing | Class::Event => Outcome::Skipped,
    };
    answer(outcome, decision)
}

/// The reason why a refund or dispute waits, if its payment is not known.
fn waits_for(decision: Reason) -> Option<Reason> {
    matches!(decision, Reason::PaymentUnknown | Reason::PaymentUnlinked).then_some(decision)
}

fn earned(settlement: &Settlement) -> Option<&NewEntry> {
    entries(settlement).find(|entry| matches!(entry.kind, Kind::Earn | Kind::Adjust))
}

fn moved_back(settlement: &Settlement) -> Option<&NewEntry> {
    entries(settlement).find(|entry| matches!(entry.kind, Kind::Reverse | Kind::Restore))
}

fn entries(settlement: &Settlement) -> impl Iterator<Item = &NewEntry> {
    settlement.changes.iter().filter(|change| !change.closed).flat_map(|change| &change.entries)
}

fn hold(settlement: &Settlement) -> Reason {
    let mut claims = settlement.changes.iter().filter_map(|change| change.claim.as_ref());
    if claims.any(|claim| claim.held) { Reason::Held } else { Reason::Released }
}
