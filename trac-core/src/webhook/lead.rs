//! A lead: a visitor who signed up, asked for a demo or began a trial. It is reported by the merchant or its
//! pages, not by Stripe, and is a fact like the others: reports of it are joined, in any order of arrival.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::join::{Join, Latest, earliest, greatest};
use crate::time::Timestamp;

/// The facts about one lead. There is one lead for each customer and event name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lead {
    /// The merchant's own ID of the customer, as `tracCustomerExternalId` names it in Stripe's metadata.
    pub customer: String,
    /// What the customer did, as the merchant named it.
    pub event_name: String,
    /// When it was first reported: from then on the customer is linked to the click.
    pub at: Option<Timestamp>,
    /// When it was first reported as not deferred. A deferred lead links the customer to the click and earns
    /// nothing yet.
    pub counted_at: Option<Timestamp>,
    /// The click IDs that pages reported with it, in order of time; the store decides whether they are
    /// clicks.
    pub clicks: BTreeSet<(Timestamp, String)>,
    /// The click IDs that the merchant reported with it: with a secret key, or by a page with a customer
    /// token.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub vouched_clicks: BTreeSet<(Timestamp, String)>,
    /// The customer's e-mail addresses.
    pub emails: BTreeSet<String>,
    /// Whether the merchant reported it, with a secret key or a customer token. Anyone can report a lead with
    /// the publishable key alone.
    pub vouched: bool,
    /// The merchant's decision about a page's lead: `true` if approved, `false` if rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Latest<bool>>,
}

impl Lead {
    /// Whether the merchant reported or approved it.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.vouched || self.is_approved()
    }

    /// Whether the merchant approved what a page reported.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.value)
    }

    /// Whether the merchant rejected what a page reported.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        !self.vouched && self.verdict.as_ref().is_some_and(|verdict| !verdict.value)
    }

    /// The click IDs that count: the merchant's if it reported any, otherwise those of pages; with the time
    /// of each report.
    #[must_use]
    pub fn reported_clicks(&self) -> &BTreeSet<(Timestamp, String)> {
        if self.vouched_clicks.is_empty() { &self.clicks } else { &self.vouched_clicks }
    }

    /// Whether the merchant reported the click IDs of [`Lead::reported_clicks`], or approved the lead.
    #[must_use]
    pub fn vouches_for_clicks(&self) -> bool {
        !self.vouched_clicks.is_empty() || self.is_approved()
    }
}

impl Join for Lead {
    fn join(&mut self, other: Self) {
        greatest(&mut self.customer, other.customer);
        greatest(&mut self.event_name, other.event_name);
        // The merchant's time and addresses replace those that pages reported.
        if !self.vouched && other.vouched {
            (self.at, self.counted_at, self.emails) = (other.at, other.counted_at, other.emails);
        } else if self.vouched == other.vouched {
            earliest(&mut self.at, other.at);
            earliest(&mut self.counted_at, other.counted_at);
            self.emails.join(other.emails);
        }
        self.clicks.join(other.clicks);
        self.vouched_clicks.join(other.vouched_clicks);
        self.vouched.join(other.vouched);
        greatest(&mut self.verdict, other.verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(at: i64, counts: bool, click: &str) -> Lead {
        let at = Timestamp::from_unix_secs(at);
        Lead {
            customer: "user_1".into(),
            event_name: "Sign up".into(),
            at: Some(at),
            counted_at: counts.then_some(at),
            clicks: BTreeSet::from([(at, click.into())]),
            ..Lead::default()
        }
    }

    #[test]
    fn the_merchants_time_and_addresses_replace_those_of_a_page() {
        let mut page = reported(100, true, "clk_1");
        page.emails.insert("partner@example.com".into());
        let merchant = Lead { vouched: true, ..reported(200, false, "clk_2") };
        let (mut one, mut other) = (page.clone(), merchant.clone());
        one.join(merchant.clone());
        other.join(page.clone());
        assert_eq!(one, other);
        assert_eq!((one.at, one.counted_at, one.emails.len()), (merchant.at, None, 0));
        one.join(page);
        assert_eq!(one, other);
    }

    #[test]
    fn a_deferred_and_a_counted_report_join_in_either_order() {
        let (deferred, counted) = (reported(100, false, "clk_1"), reported(200, true, "clk_2"));
        let (mut one, mut other) = (deferred.clone(), counted.clone());
        one.join(counted);
        other.join(deferred);
        assert_eq!(one, other);
        assert_eq!(one.at.map(Timestamp::unix_secs), Some(100));
        assert_eq!(one.counted_at.map(Timestamp::unix_secs), Some(200));
        assert_eq!(one.clicks.first().map(|(_, click)| click.as_str()), Some("clk_1"));
    }

    #[test]
    fn the_merchants_latest_verdict_counts_in_either_order() {
        let judged = |at: i64, value| {
            let verdict = Latest::stated(Timestamp::from_unix_secs(at), Some(value));
            Lead { verdict, ..reported(100, true, "clk_1") }
        };
        let (approved, rejected) = (judged(200, true), judged(300, false));
        for (mut one, other) in [(approved.clone(), rejected.clone()), (rejected, approved)] {
            one.join(other);
            assert_eq!(one.verdict.map(|verdict| verdict.value), Some(false));
        }
    }
}
