//! `charge.dispute.*`: a chargeback, which withdraws the money first and may return it later.
//!
//! Source: <https://docs.stripe.com/api/disputes/object>.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, Latest, greatest};
use super::linked::Linked;
use crate::money::{Currency, share_half_up};
use crate::time::Timestamp;

/// The facts about one dispute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dispute {
    /// `amount`, in minor units of `currency`.
    pub amount_minor: i64,
    /// `currency`; usually the charge's, which is assumed if no event stated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The furthest stage received.
    pub stage: DisputeStage,
    /// The state in the newest event: a closed dispute can be opened again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Latest<Standing>>,
    /// Whether an event showed the money being withdrawn: `funds_withdrawn`, status `lost`, or a negative
    /// balance transaction.
    pub withdrawn: bool,
    /// Whether an event showed the money being returned: `funds_reinstated` or status `won`.
    pub reinstated: bool,
    /// `balance_transactions`, the longest list received: the list only grows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub movements: Vec<Movement>,
    /// `ch_…`
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub charge: Linked,
    /// `pi_…`
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub payment_intent: Linked,
}

/// The stage of a dispute; later stages are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStage {
    /// `warning_…`: an inquiry by the bank. No money moves.
    #[default]
    Inquiry,
    /// It is being decided. Unknown statuses (`appeal_…`, `prevented`) count as open until
    /// `charge.dispute.closed`.
    Open,
    /// `won`, `lost`, `warning_closed`, `charge_refunded`, or the event `charge.dispute.closed`.
    Closed,
}

/// The state of a dispute in one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Standing {
    /// The stage.
    pub stage: DisputeStage,
    /// Whether the event shows the money being returned.
    pub is_back: bool,
}

/// One balance transaction of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Movement {
    /// `amount`, in minor units: negative for a withdrawal.
    pub amount_minor: i64,
    /// `currency`: that of the account, which may differ from the charge's.
    pub currency: Option<Currency>,
}

impl Dispute {
    pub(super) fn read(fields: Fields<'_>, kind: &str, at: Timestamp) -> Result<Self, Unreadable> {
        let status = fields.text("status").unwrap_or_default();
        let stage = match status {
            "won" | "lost" | "warning_closed" | "charge_refunded" => DisputeStage::Closed,
            _ if kind == "charge.dispute.closed" => DisputeStage::Closed,
            _ if status.starts_with("warning_") => DisputeStage::Inquiry,
            _ => DisputeStage::Open,
        };
        let mut movements = Vec::new();
        for transaction in fields.list("balance_transactions").unwrap_or_default() {
            if let Some(amount_minor) = transaction.amount("amount")? {
                movements.push(Movement { amount_minor, currency: transaction.currency()? });
            }
        }
        let moved_out = movements.iter().any(|movement| movement.amount_minor < 0);
        let is_back = kind == "charge.dispute.funds_reinstated" || status == "won";
        Ok(Self {
            amount_minor: fields.amount("amount")?.ok_or(Unreadable)?.max(0),
            currency: fields.currency()?,
            stage,
            standing: Latest::stated(at, Some(Standing { stage, is_back })),
            withdrawn: kind == "charge.dispute.funds_withdrawn" || status == "lost" || moved_out,
            reinstated: is_back,
            movements,
            charge: Linked::from_field(fields.id("charge")),
            payment_intent: Linked::from_field(fields.id("payment_intent")),
        })
    }

    /// How much of a charge in that currency the bank has withdrawn and not returned: the sum of the balance
    /// transactions, or without them the dispute's amount if the money was withdrawn and not reinstated.
    /// `None` if money was withdrawn and no object states the amount in the charge's currency.
    #[must_use]
    pub fn lost_minor(&self, charged_in: Currency) -> Option<i64> {
        let own = self.currency.unwrap_or(charged_in);
        let listed = self.movements.iter().map(|movement| movement.amount_minor);
        let gone = listed.clone().fold(0_i64, i64::saturating_sub).max(0);
        // A list without a positive transaction is older than the reinstatement.
        let is_back = self.reinstated && listed.clone().all(|amount| amount <= 0);
        if is_back || !self.withdrawn || (!self.movements.is_empty() && gone == 0) {
            return Some(0);
        }
        let is_in = |movement: &Movement| movement.currency.unwrap_or(own) == charged_in;
        if !self.movements.is_empty() && self.movements.iter().all(is_in) {
            return Some(gone);
        }
        if own != charged_in {
            return None;
        }
        if self.movements.is_empty() {
            return Some(self.amount_minor);
        }
        let most = listed.scan(0_i64, |sum, amount| {
            *sum = sum.saturating_sub(amount);
            Some(*sum)
        });
        Some(share_half_up(self.amount_minor, gone, most.max().unwrap_or(0)))
    }

    /// Whether it is still being decided.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let known = Standing { stage: self.stage, is_back: self.reinstated };
        let standing = self.standing.as_ref().map_or(known, |newest| newest.value);
        standing.stage == DisputeStage::Open && !standing.is_back
    }
}

impl Join for Dispute {
    fn join(&mut self, other: Self) {
        greatest(&mut self.amount_minor, other.amount_minor);
        greatest(&mut self.currency, other.currency);
        greatest(&mut self.stage, other.stage);
        greatest(&mut self.standing, other.standing);
        self.withdrawn.join(other.withdrawn);
        self.reinstated.join(other.reinstated);
        if (other.movements.len(), &other.movements) > (self.movements.len(), &self.movements) {
            self.movements = other.movements;
        }
        self.charge.join(other.charge);
        self.payment_intent.join(other.payment_intent);
    }
}
