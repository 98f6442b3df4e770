//! The status of a commission as users see it. It is not stored, but computed from the entries, the payouts
//! and the time.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The status of a commission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The hold has not ended.
    Pending,
    /// It is due.
    Approved,
    /// It is part of a payout, and keeps this status even if money goes back later.
    Paid,
    /// Its net amount is zero.
    Reversed,
    /// It is held for a dispute or a review.
    Held,
}

impl Status {
    /// The first that applies: paid, reversed (net 0), held, approved (`now ≥ matures_at`), pending.
    ///
    /// # Examples
    /// ```
    /// use trac_core::commission::balance::Status;
    /// use trac_core::time::Timestamp;
    ///
    /// let day = |day: u32| Timestamp::from_unix_secs(0).plus_days(day);
    /// assert_eq!(Status::of(false, 2_000, false, day(30), day(29)), Status::Pending);
    /// assert_eq!(Status::of(false, 2_000, false, day(30), day(30)), Status::Approved);
    /// assert_eq!(Status::of(true, 0, true, day(30), day(0)), Status::Paid);
    /// ```
    #[must_use]
    pub fn of(paid: bool, net_minor: i64, held: bool, matures_at: Timestamp, now: Timestamp) -> Self {
        if paid {
            Self::Paid
        } else if net_minor == 0 {
            Self::Reversed
        } else if held {
            Self::Held
        } else if now >= matures_at {
            Self::Approved
        } else {
            Self::Pending
        }
    }

    /// `pending`, `approved`, `paid`, `reversed` or `held`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Paid => "paid",
            Self::Reversed => "reversed",
            Self::Held => "held",
        }
    }
}
