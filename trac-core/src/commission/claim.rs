//! The fields of a commission besides its sums: who earns it, what for, and when it is due.

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
    /// No payment: an adjustment by the merchant.
    Manual,
}

impl Source {
    /// `lead`, `sale`, `recurring` or `manual`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Sale => "sale",
            Self::Recurring => "recurring",
            Self::Manual => "manual",
        }
    }
}

/// The fields of a commission besides its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The click it is credited to; for an adjustment, our ID of the adjustment.
    pub click_id: String,
    /// The program whose terms apply.
    pub program_id: String,
    /// The version of the program.
    pub program_version: u32,
    /// The partner who earns.
    pub partner_id: String,
    /// The enrollment through which the partner earns.
    pub enrollment_id: String,
    /// The version of the enrollment.
    pub enrollment_version: u32,
    /// What it is for.
    pub source: Source,
    /// 1 for the first month of a subscription; `None` outside a subscription.
    pub recurring_month: Option<u32>,
    /// The currency of the commission.
    pub currency: Currency,
    /// The base, in minor units.
    pub base_minor: i64,
    /// When it is due, unless it is held.
    pub matures_at: Timestamp,
    /// The time of the payment.
    pub payment_time: Timestamp,
    /// Whether it is held: for an open or unclear dispute, or until the merchant approves what only a page
    /// reported.
    pub held: bool,
    /// Why it earns.
    pub reason: Reason,
}
