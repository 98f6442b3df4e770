//! An adjustment: an amount that the merchant gives to a partner, or takes back, without a payment.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::join::{Join, earliest, greatest};
use crate::money::Currency;
use crate::time::Timestamp;

/// The facts about one adjustment. It is made once and never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Adjustment {
    /// The partner.
    pub partner_id: String,
    /// The program in which the partner is enrolled.
    pub program_id: String,
    /// When it was made. It is due from then on.
    pub at: Option<Timestamp>,
    /// Minor units, negative if the amount is taken back, and their currency.
    pub amount: Option<(i64, Currency)>,
    /// Why, in the merchant's words.
    pub reason: String,
}

impl Join for Adjustment {
    fn join(&mut self, other: Self) {
        greatest(&mut self.partner_id, other.partner_id);
        greatest(&mut self.program_id, other.program_id);
        earliest(&mut self.at, other.at);
        greatest(&mut self.amount, other.amount);
        greatest(&mut self.reason, other.reason);
    }
}
