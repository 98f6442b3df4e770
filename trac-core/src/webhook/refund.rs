//! `refund.*` and `charge.refund.updated`: one refund, which can still fail after it succeeded.
//!
//! Source: <https://docs.stripe.com/api/refunds/object>.

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, greatest};
use super::linked::Linked;

/// The facts about one refund.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refund {
    /// `amount` of this refund alone, in minor units of the charge's currency.
    pub amount_minor: i64,
    /// The furthest status received.
    pub status: RefundStatus,
    /// `ch_…`
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub charge: Linked,
    /// `pi_…`
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub payment_intent: Linked,
}

/// The status of a refund, in the order in which a refund goes through them: the furthest status received is
/// the current one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// `pending`, `requires_action` or an unknown status: no money has gone back yet.
    #[default]
    Pending,
    /// The money went back.
    Succeeded,
    /// `failed` or `canceled`: the money did not go back, or was returned.
    Failed,
}

impl Refund {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let status = match fields.text("status") {
            Some("succeeded") => RefundStatus::Succeeded,
            Some("failed" | "canceled") => RefundStatus::Failed,
            _ => RefundStatus::Pending,
        };
        Ok(Self {
            amount_minor: fields.amount("amount")?.ok_or(Unreadable)?.max(0),
            status,
            charge: Linked::from_field(fields.id("charge")),
            payment_intent: Linked::from_field(fields.id("payment_intent")),
        })
    }
}

impl Join for Refund {
    fn join(&mut self, other: Self) {
        greatest(&mut self.amount_minor, other.amount_minor);
        greatest(&mut self.status, other.status);
        self.charge.join(other.charge);
        self.payment_intent.join(other.payment_intent);
    }
}
