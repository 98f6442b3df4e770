//! An assignment: the merchant decides who earns from a customer's payments from a time on, before any rule.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One statement of the merchant about a customer. A customer's statements are a set, which is joined as a
/// union. Of those that cover a time, the greatest one is in force: the latest stated.
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
/// use trac_core::webhook::assignment::{Assignee, Assignment};
///
/// let at = Timestamp::from_unix_secs;
/// let nobody = Assignment { at: at(500), from: at(500), to: Assignee::Nobody };
/// let undone = Assignment { at: at(600), from: at(0), to: Assignee::Usual };
/// let all = [undone, nobody.clone()];
/// assert_eq!(Assignment::in_force(&all[1..], at(499)), None);
/// assert_eq!(Assignment::in_force(&all[1..], at(500)), Some(&nobody));
/// assert_eq!(Assignment::in_force(&all, at(500)), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Assignment {
    /// When the merchant stated it. The statements of one customer have different times.
    pub at: Timestamp,
    /// The time of the first payment that it covers.
    pub from: Timestamp,
    /// Who earns.
    pub to: Assignee,
}

/// Who earns from a customer's payments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignee {
    /// Whoever the rules find: earlier statements are taken back.
    Usual,
    /// Nobody.
    Nobody,
    /// The partner of a click.
    Click {
        /// The click: a visitor's, or one that was made to represent the partner.
        click_id: String,
        /// The program of the click.
        program_id: String,
        /// The partner of the click.
        partner_id: String,
    },
}

impl Assignment {
    /// The statement in force for a payment of that time; `None` if the rules decide.
    pub fn in_force<'a>(all: impl IntoIterator<Item = &'a Self>, time: Timestamp) -> Option<&'a Self> {
        let latest = all.into_iter().filter(|one| one.from <= time).max();
        latest.filter(|one| one.to != Assignee::Usual)
    }

    /// The click that is credited, if any.
    #[must_use]
    pub fn click_id(&self) -> Option<&str> {
        match &self.to {
            Assignee::Click { click_id, .. } => Some(click_id),
            Assignee::Usual | Assignee::Nobody => None,
        }
    }
}
