//! What a merchant agreed with partners: programs, their terms and the enrollments, each in versions.
//!
//! A payment is decided by the version in force when it happened ([`History::at`]), so a later change of
//! terms never changes the commission of an old sale.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::money::Currency;
use crate::time::Timestamp;

/// One of the two separate sets of data. Stripe calls it `livemode`.
///
/// # Wire form
/// `test` or `live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Test data; no real money.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// The mode of a Stripe object with that `livemode`.
    #[must_use]
    pub const fn from_livemode(livemode: bool) -> Self {
        if livemode { Self::Live } else { Self::Test }
    }

    /// `test` or `live`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// The status of a program.
///
/// A paused program attributes nothing new, while renewals of attributed subscriptions continue to earn; in a
/// draft or archived program nothing is earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramStatus {
    /// It has not started.
    Draft,
    /// It is in force.
    #[default]
    Active,
    /// Nothing new is attributed.
    Paused,
    /// It has ended.
    Archived,
}

/// Which of several clicks earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributionModel {
    /// The newest.
    #[default]
    LastClick,
    /// The one that was first linked to the subscription or customer.
    FirstClick,
}

/// How much a payment earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum CommissionRule {
    /// A share of the base.
    Percentage {
        /// Hundredths of a percent: 2,000 is 20 %.
        rate_bps: u32,
    },
    /// The same amount for every payment.
    Fixed {
        /// Minor units.
        amount_minor: i64,
        /// The currency of the commission, which may differ from the sale's.
        currency: Currency,
        /// Whether the amount is limited to the base of the sale, if both are in the same currency.
        #[serde(default = "defaults::yes")]
        cap_at_sale: bool,
    },
}

/// Which payments of a subscription earn.
///
/// # Wire form
/// `"first_payment"`, `"lifetime"` or `{"months":12}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recurring {
    /// Only the first payment with a positive base.
    FirstPayment,
    /// All payments.
    #[default]
    Lifetime,
    /// The payments of the first given number of calendar months.
    Months(u32),
}

/// What a commission is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// Without tax.
    #[default]
    Net,
    /// With tax.
    Gross,
}

/// What the end of a subscription does to commissions that are not yet due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelPolicy {
    /// Commissions for service after the end are taken back, by the service period of the invoice's lines;
    /// all of them if no period is known.
    #[default]
    VoidUnused,
    /// All of them are taken back.
    VoidPending,
    /// They stay.
    Keep,
}

/// How many days a commission waits before it is approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoldDays {
    /// For leads.
    pub lead: u32,
    /// For single sales.
    pub sale: u32,
    /// For payments of a subscription.
    pub recurring: u32,
}

impl Default for HoldDays {
    fn default() -> Self {
        Self { lead: 3, sale: 30, recurring: 30 }
    }
}

/// One version of everything in a program that affects money.
///
/// # Wire form
/// The fields of `/api/v1/programs`, with its defaults; only `commission` is required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the API")]
pub struct ProgramTerms {
    /// The status of the program.
    #[serde(default)]
    pub status: ProgramStatus,
    /// The number of days after a click in which a payment can be attributed to it.
    #[serde(default = "defaults::attribution_window_days")]
    pub attribution_window_days: u32,
    /// Which of several clicks earns.
    #[serde(default)]
    pub attribution_model: AttributionModel,
    /// How much a payment earns, unless the enrollment has its own rule.
    pub commission: CommissionRule,
    /// Which payments of a subscription earn.
    #[serde(default)]
    pub recurring: Recurring,
    /// What a lead earns, in minor units of `lead_currency`; zero if leads earn nothing.
    #[serde(default)]
    pub lead_amount_minor: i64,
    /// The currency of `lead_amount_minor`.
    #[serde(default)]
    pub lead_currency: Option<Currency>,
    /// Lead events that each earn the lead amount, even if only a page reports them. Of other leads that only
    /// pages report, a customer's first one earns.
    #[serde(default)]
    pub lead_events: Vec<String>,
    /// The number of days after a lead that only a page reported within which the first payment must be made
    /// for the lead to bind the customer.
    #[serde(default = "defaults::client_lead_days")]
    pub client_lead_days: u32,
    /// How many days a commission waits before it is approved.
    #[serde(default)]
    pub hold_days: HoldDays,
    /// What a commission is a share of.
    #[serde(default)]
    pub base: Base,
    /// Whether shipping is part of the base.
    #[serde(default)]
    pub include_shipping: bool,
    /// Whether money paid outside Stripe is part of the base.
    #[serde(default = "defaults::yes")]
    pub count_out_of_band: bool,
    /// `prod_`, `price_` or `plink_` IDs that are covered; empty if everything is covered.
    #[serde(default)]
    pub products: Vec<String>,
    /// What the end of a subscription does to commissions that are not yet due.
    #[serde(default)]
    pub cancel_policy: CancelPolicy,
    /// Whether payments without a click inherit the customer's earlier attribution.
    #[serde(default = "defaults::yes")]
    pub attribute_by_customer: bool,
    /// Whether a partner's own purchase earns nothing.
    #[serde(default = "defaults::yes")]
    pub block_self_referral: bool,
}

mod defaults {
    pub(super) const fn attribution_window_days() -> u32 {
        30
    }

    pub(super) const fn client_lead_days() -> u32 {
        30
    }

    pub(super) const fn yes() -> bool {
        true
    }
}

/// The status of a partner in a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentStatus {
    /// The partner applied; the merchant has not decided.
    Pending,
    /// The partner earns.
    #[default]
    Approved,
    /// The application was rejected.
    Rejected,
    /// Stopped temporarily.
    Suspended,
    /// Stopped permanently.
    Banned,
}

/// One version of an enrollment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollmentTerms {
    /// The status of the partner.
    #[serde(default)]
    pub status: EnrollmentStatus,
    /// A commission rule of the partner's own, in place of the program's.
    #[serde(default)]
    pub commission: Option<CommissionRule>,
    /// The merchant's words about the status, which the partner reads. They change no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A version, and the time from which it is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version<T> {
    /// 1, 2, 3 …
    pub number: u32,
    /// The first second in which it is in force.
    pub valid_from: Timestamp,
    /// The terms of this version.
    pub terms: T,
}

/// All versions of a program or enrollment, in the order in which they were made.
///
/// A version applies from its `valid_from` on, and replaces every version made before it. So a backdated
/// version replaces the earlier versions from that time on, and the newest version is always the one in force
/// now.
///
/// # Examples
/// ```
/// use trac_core::program::{EnrollmentTerms, History, Version};
/// use trac_core::time::Timestamp;
///
/// let version = |number, secs| Version {
///     number,
///     valid_from: Timestamp::from_unix_secs(secs),
///     terms: EnrollmentTerms::default(),
/// };
/// let history = History::new([version(1, 100), version(2, 200)]);
/// let number_at = |secs| history.at(Timestamp::from_unix_secs(secs)).map(|version| version.number);
/// assert_eq!((number_at(0), number_at(199), number_at(200)), (Some(1), Some(1), Some(2)));
///
/// // The third is backdated to before the second.
/// let history = History::new([version(1, 100), version(2, 200), version(3, 150)]);
/// let number_at = |secs| history.at(Timestamp::from_unix_secs(secs)).map(|version| version.number);
/// assert_eq!((number_at(149), number_at(150), number_at(200)), (Some(1), Some(3), Some(3)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History<T>(Vec<Version<T>>);

impl<T> History<T> {
    /// Sorts versions by number.
    pub fn new(versions: impl IntoIterator<Item = Version<T>>) -> Self {
        let mut versions: Vec<_> = versions.into_iter().collect();
        versions.sort_by_key(|version| version.number);
        Self(versions)
    }

    /// The version in force at a time: of those with `valid_from` at or before it, the one made last. The
    /// first version also covers all earlier times. `None` only if there is no version at all.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Option<&Version<T>> {
        self.0.iter().rev().find(|version| version.valid_from <= time).or_else(|| self.0.first())
    }

    /// The version with that number.
    #[must_use]
    pub fn number(&self, number: u32) -> Option<&Version<T>> {
        self.0.iter().find(|version| version.number == number)
    }

    /// The version with the pinned number, else the one in force at a time.
    fn pinned_or_at(&self, pinned: Option<&u32>, time: Timestamp) -> Option<&Version<T>> {
        pinned.and_then(|number| self.number(*number)).or_else(|| self.at(time))
    }

    /// The newest version: the one in force now.
    #[must_use]
    pub fn latest(&self) -> Option<&Version<T>> {
        self.0.last()
    }
}

/// The versions that a replay under later terms pinned for a payment, in place of those in force at its time.
/// For programs and enrollments not named here, the payment's time decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Pins {
    /// Versions of programs, by our ID of the program.
    pub programs: BTreeMap<String, u32>,
    /// Versions of enrollments, by our ID of the enrollment.
    pub enrollments: BTreeMap<String, u32>,
}

impl Pins {
    /// The version of a program that applies to a payment of that time.
    #[must_use]
    pub fn program<'h>(
        pins: Option<&Self>,
        id: &str,
        history: &'h History<ProgramTerms>,
        time: Timestamp,
    ) -> Option<&'h Version<ProgramTerms>> {
        history.pinned_or_at(pins.and_then(|pins| pins.programs.get(id)), time)
    }

    /// The version of an enrollment that applies to a payment of that time.
    #[must_use]
    pub fn enrollment<'h>(
        pins: Option<&Self>,
        id: &str,
        history: &'h History<EnrollmentTerms>,
        time: Timestamp,
    ) -> Option<&'h Version<EnrollmentTerms>> {
        history.pinned_or_at(pins.and_then(|pins| pins.enrollments.get(id)), time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backdated_version_replaces_earlier_versions_from_its_date_on() {
        let version = |number, secs| Version {
            number,
            valid_from: Timestamp::from_unix_secs(secs),
            terms: EnrollmentTerms::default(),
        };
        let check = |dates: &[i64], at: i64, want: u32| {
            let numbered = (1..).zip(dates);
            let history = History::new(numbered.map(|(number, secs)| version(number, *secs)));
            let found = history.at(Timestamp::from_unix_secs(at)).map(|version| version.number);
            assert_eq!(found, Some(want), "{dates:?} at {at}");
        };
        // Backdated to before the program was made: it applies to every payment since.
        check(&[100, 50], 49, 1);
        check(&[100, 50], 50, 2);
        check(&[100, 50], 300, 2);
        // Backdated to between two versions: the later of them is replaced.
        check(&[100, 200, 150], 149, 1);
        check(&[100, 200, 150], 199, 3);
        check(&[100, 200, 150], 200, 3);
        check(&[100, 100], 100, 2);
    }

    #[test]
    fn terms_are_read_with_the_defaults_of_the_api() {
        let terms: ProgramTerms =
            serde_json::from_str(r#"{"commission":{"type":"percentage","rate_bps":2000}}"#).unwrap();
        assert_eq!(terms.attribution_window_days, 30);
        assert_eq!(terms.recurring, Recurring::Lifetime);
        assert_eq!(terms.hold_days, HoldDays { lead: 3, sale: 30, recurring: 30 });
        assert!(terms.count_out_of_band && terms.attribute_by_customer && terms.block_self_referral);
        assert_eq!(terms.cancel_policy, CancelPolicy::VoidUnused);

        let check = |text: &str, want: Recurring| {
            assert_eq!(serde_json::from_str::<Recurring>(text).unwrap(), want);
            assert_eq!(serde_json::to_string(&want).unwrap(), text);
        };
        check(r#""first_payment""#, Recurring::FirstPayment);
        check(r#""lifetime""#, Recurring::Lifetime);
        check(r#"{"months":3}"#, Recurring::Months(3));
    }
}
