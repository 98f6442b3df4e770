//! What the merchant decided about a commission: a fact about its payment, like those that Stripe reports. It is
//! joined to them and applies whenever the payment is settled, so neither a replay nor a late event undoes it.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::join::{Join, Latest, greatest};
use crate::time::Timestamp;

/// A decision of the merchant's about a commission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The earlier decision is taken back.
    Restored,
    /// It is not paid until the merchant approves it.
    Held,
    /// It is due, even if its hold has not ended.
    Approved,
    /// It earns nothing.
    Rejected,
}

impl Ruling {
    /// `restored`, `held`, `approved` or `rejected`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// The decision with that name.
    ///
    /// # Examples
    /// ```
    /// use trac_core::webhook::verdict::Ruling;
    ///
    /// assert_eq!(Ruling::from_name("held"), Some(Ruling::Held));
    /// assert_eq!(Ruling::from_name("paid"), None);
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Restored, Self::Held, Self::Approved, Self::Rejected]
            .into_iter()
            .find(|ruling| ruling.as_str() == name)
    }
}

/// A decision with the merchant's reason for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Verdict {
    /// The decision.
    pub ruling: Ruling,
    /// When it was made. An approved commission is due from then on, or earlier.
    pub made_at: Timestamp,
    /// Why, in the merchant's words; may be empty.
    pub reason: String,
}

impl Verdict {
    /// Whether the merchant approved the commission.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.ruling == Ruling::Approved
    }
}

/// The merchant's decisions about the commissions of a payment, by click. If the payment is credited to another
/// click later, that click's commission is a new one, and is not judged yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Verdicts(pub BTreeMap<String, Latest<Verdict>>);

impl Join for Verdicts {
    fn join(&mut self, other: Self) {
        for (click, theirs) in other.0 {
            match self.0.get_mut(&click) {
                Some(ours) => greatest(ours, theirs),
                None => {
                    self.0.insert(click, theirs);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_verdict_about_a_click_counts_in_either_order() {
        let judged = |click: &str, at: i64, ruling| {
            let at = Timestamp::from_unix_secs(at);
            let value = Verdict { ruling, made_at: at, reason: String::new() };
            Verdicts(BTreeMap::from([(click.into(), Latest { at, value })]))
        };
        let (held, rejected) = (judged("clk_1", 100, Ruling::Held), judged("clk_1", 200, Ruling::Rejected));
        let other = judged("clk_2", 50, Ruling::Approved);
        for order in [[&held, &rejected, &other], [&other, &rejected, &held], [&rejected, &held, &other]] {
            let mut all = Verdicts::default();
            for one in order {
                all.join(one.clone());
                all.join(one.clone());
            }
            assert_eq!(all.0["clk_1"].value.ruling, Ruling::Rejected);
            assert_eq!(all.0["clk_2"].value.ruling, Ruling::Approved);
        }
    }
}
