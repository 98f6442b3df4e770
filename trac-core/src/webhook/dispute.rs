//! `charge.dispute.*`: a chargeback, which takes the money first and may give it back.
//!
//! Source: <https://docs.stripe.com/api/disputes/object>.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, greatest};

/// What is known of one dispute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dispute {
    /// `amount`, in minor units of the charge's currency.
    pub amount_minor: i64,
    /// How far it got.
    pub stage: DisputeStage,
    /// Whether the money was seen leaving: `funds_withdrawn`, status `lost`, or a negative balance transaction.
    pub withdrawn: bool,
    /// Whether it was seen coming back: `funds_reinstated` or status `won`.
    pub reinstated: bool,
    /// `ch_…`
    pub charge: Option<String>,
    /// `pi_…`
    pub payment_intent: Option<String>,
}

/// How far a dispute got; later stages are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStage {
    /// `warning_…`: a question from the bank. No money moves.
    #[default]
    Inquiry,
    /// Being decided.
    Open,
    /// `won`, `lost`, `warning_closed`, `prevented`.
    Closed,
}

impl Dispute {
    pub(super) fn read(fields: Fields<'_>, kind: &str) -> Result<Self, Unreadable> {
        let status = fields.text("status").unwrap_or_default();
        let stage = match status {
            "won" | "lost" | "warning_closed" | "prevented" | "charge_refunded" => DisputeStage::Closed,
            _ if kind == "charge.dispute.closed" => DisputeStage::Closed,
            _ if status.starts_with("warning_") => DisputeStage::Inquiry,
            _ => DisputeStage::Open,
        };
        let mut moved_out = false;
        for transaction in fields.list("balance_transactions").unwrap_or_default() {
            moved_out |= transaction.amount("amount")?.is_some_and(|amount| amount < 0);
        }
        let left = kind == "charge.dispute.funds_withdrawn" || status == "lost" || moved_out;
        let back = kind == "charge.dispute.funds_reinstated" || status == "won";
        Ok(Self {
            amount_minor: fields.amount("amount")?.ok_or(Unreadable)?.max(0),
            stage,
            withdrawn: left,
            reinstated: back,
            charge: fields.id("charge").map(Into::into),
            payment_intent: fields.id("payment_intent").map(Into::into),
        })
    }

    /// How much of the payment the bank holds because of this dispute.
    #[must_use]
    pub const fn lost_minor(&self) -> i64 {
        if self.withdrawn && !self.reinstated { self.amount_minor } else { 0 }
    }

    /// Whether it is still being decided.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stage == DisputeStage::Open && !self.reinstated
    }
}

impl Join for Dispute {
    fn join(&mut self, other: Self) {
        greatest(&mut self.amount_minor, other.amount_minor);
        greatest(&mut self.stage, other.stage);
        self.withdrawn.join(other.withdrawn);
        self.reinstated.join(other.reinstated);
        greatest(&mut self.charge, other.charge);
        greatest(&mut self.payment_intent, other.payment_intent);
    }
}
