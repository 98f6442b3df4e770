//! What a commission says beside its sums: whose it is, what for, and when it is due.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::money::Currency;
use crate::reason::Reason;
use crate::time::Timestamp;

/// What a commission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A lead.
    Lead,
    /// A payment outside any subscription.
    Sale,
    /// A payment of a subscription; the first is month 1.
    Recurring,
}

impl Source {
    /// `lead`, `sale` or `recurring`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Sale => "sale",
            Self::Recurring => "recurring",
        }
    }
}

/// What a commission says beside its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The click it is credited to.
    pub click_id: String,
    /// The program whose terms hold.
    pub program_id: String,
    /// The version of it.
    pub program_version: u32,
    /// Who earns.
    pub partner_id: String,
    /// Through which enrollment.
    pub enrollment_id: String,
    /// The version of it.
    pub enrollment_version: u32,
    /// What it is for.
    pub source: Source,
    /// 1 for the first month of a subscription.
    pub recurring_month: Option<u32>,
    /// The currency of the commission.
    pub currency: Currency,
    /// What it is a share of, in minor units.
    pub base_minor: i64,
    /// When it is due, if nothing holds it.
    pub matures_at: Timestamp,
    /// The time of the payment.
    pub payment_time: Timestamp,
    /// Whether a dispute is open.
    pub held: bool,
    /// Why it earns.
    pub reason: Reason,
}
