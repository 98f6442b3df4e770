//! `charge.dispute.*`: a chargeback, which takes the money first and may give it back.
//!
//! Source: <https://docs.stripe.com/api/disputes/object>.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::field::{Fields, Unreadable};
use super::join::{Join, Latest, greatest};
use super::linked::Linked;
use crate::money::{Currency, share_half_up};
use crate::time::Timestamp;

/// What is known of one dispute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dispute {
    /// `amount`, in minor units of `currency`.
    pub amount_minor: i64,
    /// `currency`; mostly the charge's, which is assumed where the dispute was not seen with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// How far it ever got.
    pub stage: DisputeStage,
    /// How it stands by the newest event: a dispute that was closed can be opened again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Latest<Standing>>,
    /// Whether the money was seen leaving: `funds_withdrawn`, status `lost`, or a negative balance transaction.
    pub withdrawn: bool,
    /// Whether it was seen coming back: `funds_reinstated` or status `won`.
    pub reinstated: bool,
    /// `balance_transactions`, the longest list seen: the list only grows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub movements: Vec<Movement>,
    /// `ch_…`
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub charge: Linked,
    /// `pi_…`
    #[serde(skip_serializing_if = "Linked::is_empty")]
    pub payment_intent: Linked,
}

/// How far a dispute got; later stages are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStage {
    /// `warning_…`: a question from the bank. No money moves.
    #[default]
    Inquiry,
    /// Being decided; so is a status unknown here (`appeal_…`, `prevented`) until the dispute is closed.
    Open,
    /// `won`, `lost`, `warning_closed`.
    Closed,
}

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Standing {
    /// The stage.
    pub stage: DisputeStage,
    /// Whether the event shows the money coming back.
    pub is_back: bool,
}

/// One balance transaction of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Movement {
    /// `amount`, in minor units: negative when it was withdrawn.
    pub amount_minor: i64,
    /// `currency`: that of the account, which need not be the charge's.
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
            standing: Latest::said(at, Some(Standing { stage, is_back })),
            withdrawn: kind == "charge.dispute.funds_withdrawn" || status == "lost" || moved_out,
            reinstated: is_back,
            movements,
            charge: Linked::seen(fields.id("charge")),
            payment_intent: Linked::seen(fields.id("payment_intent")),
        })
    }

    /// How much of a charge in that currency the bank holds because of this dispute: what the balance transactions say, else the
    /// amount if the money was seen leaving and not seen coming back. `None` where the money is gone and nothing says how much
    /// that is in the charge's currency.
    #[must_use]
    pub fn lost_minor(&self, charged_in: Currency) -> Option<i64> {
        let own = self.currency.unwrap_or(charged_in);
        let listed = self.movements.iter().map(|movement| movement.amount_minor);
        let gone = listed.clone().fold(0_i64, i64::saturating_sub).max(0);
        // A list that shows no return was written before the money came back.
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
