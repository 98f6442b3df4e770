//! The lines of the ledger. They are only ever appended.

use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The payment was credited.
    Earn,
    /// Money went back, so commission is taken back.
    Reverse,
    /// Money that went back was returned, so commission is restored.
    Restore,
    /// The amount earned was corrected.
    Adjust,
}

impl Kind {
    /// `earn`, `reverse`, `restore` or `adjust`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Earn => "earn",
            Self::Reverse => "reverse",
            Self::Restore => "restore",
            Self::Adjust => "adjust",
        }
    }
}

/// An entry still to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Its kind.
    pub kind: Kind,
    /// Signed minor units of the commission's currency; never zero.
    pub amount_minor: i64,
    /// Why.
    pub reason: Reason,
}

/// The two sums of a commission's entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Σ(earn, adjust)
    pub amount_minor: i64,
    /// −Σ(reverse, restore), never negative.
    pub reversed_minor: i64,
}

impl Sums {
    /// The amount left: `amount_minor − reversed_minor`.
    #[must_use]
    pub const fn net_minor(self) -> i64 {
        self.amount_minor.saturating_sub(self.reversed_minor)
    }

    /// The entries that change these sums to `wanted`: at most one for the amount earned and one for the
    /// amount reversed. `has_earned` says whether the commission has an `earn` entry already.
    ///
    /// # Examples
    /// ```
    /// use trac_core::commission::entry::{Kind, Reasons, Sums};
    /// use trac_core::reason::Reason;
    ///
    /// let now = Sums { amount_minor: 2_000, reversed_minor: 500 };
    /// let wanted = Sums { amount_minor: 2_000, reversed_minor: 2_000 };
    /// let reasons = Reasons { earn: Reason::Ok, reverse: Reason::RefundFull, restore: Reason::RefundFailed };
    /// let entries = now.entries_towards(wanted, true, reasons);
    /// assert_eq!(entries.len(), 1);
    /// assert_eq!((entries[0].kind, entries[0].amount_minor), (Kind::Reverse, -1_500));
    /// assert!(wanted.entries_towards(wanted, true, reasons).is_empty());
    /// ```
    #[must_use]
    pub fn entries_towards(
        self,
        wanted: Self,
        has_earned: bool,
        reasons: Reasons,
    ) -> alloc::vec::Vec<NewEntry> {
        let earn_kind = if has_earned { Kind::Adjust } else { Kind::Earn };
        let earn = wanted.amount_minor.saturating_sub(self.amount_minor);
        let back = self.reversed_minor.saturating_sub(wanted.reversed_minor);
        let (back_kind, back_reason) =
            if back < 0 { (Kind::Reverse, reasons.reverse) } else { (Kind::Restore, reasons.restore) };
        let entries = [
            NewEntry { kind: earn_kind, amount_minor: earn, reason: reasons.earn },
            NewEntry { kind: back_kind, amount_minor: back, reason: back_reason },
        ];
        entries.into_iter().filter(|entry| entry.amount_minor != 0).collect()
    }
}

/// The reasons for entries of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reasons {
    /// For `earn` and `adjust`.
    pub earn: Reason,
    /// For `reverse`.
    pub reverse: Reason,
    /// For `restore`.
    pub restore: Reason,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_entries_are_the_difference_of_the_sums() {
        let reasons = Reasons { earn: Reason::Ok, reverse: Reason::Dispute, restore: Reason::DisputeWon };
        let sums = |amount_minor, reversed_minor| Sums { amount_minor, reversed_minor };
        let check = |now: Sums, wanted: Sums, has_earned: bool, want: &[(Kind, i64, Reason)]| {
            let entries = now.entries_towards(wanted, has_earned, reasons);
            let got: Vec<_> =
                entries.iter().map(|entry| (entry.kind, entry.amount_minor, entry.reason)).collect();
            assert_eq!(got, want, "{now:?} {wanted:?}");
            let moved: i64 = want.iter().map(|(_, amount, _)| amount).sum();
            assert_eq!(now.net_minor() + moved, wanted.net_minor());
        };
        let (earn, adjust) = ((Kind::Earn, Reason::Ok), (Kind::Adjust, Reason::Ok));
        check(sums(0, 0), sums(0, 0), false, &[]);
        check(sums(0, 0), sums(9, 0), false, &[(earn.0, 9, earn.1)]);
        check(sums(0, 0), sums(9, 2), false, &[(earn.0, 9, earn.1), (Kind::Reverse, -2, Reason::Dispute)]);
        check(sums(9, 2), sums(9, 2), true, &[]);
        check(sums(9, 2), sums(7, 2), true, &[(adjust.0, -2, adjust.1)]);
        check(sums(9, 2), sums(9, 9), true, &[(Kind::Reverse, -7, Reason::Dispute)]);
        check(sums(9, 2), sums(9, 0), true, &[(Kind::Restore, 2, Reason::DisputeWon)]);
        assert_eq!(sums(9, 2).net_minor(), 7);
        assert_eq!(
            [Kind::Earn, Kind::Reverse, Kind::Restore, Kind::Adjust].map(Kind::as_str),
            ["earn", "reverse", "restore", "adjust"]
        );
    }
}
