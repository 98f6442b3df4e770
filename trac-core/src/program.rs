//! What a merchant agreed with partners: the program, its terms, who is enrolled, each in versions.
//!
//! Eligibility is a matter of time: a payment is judged by the version in force when it happened
//! ([`History::at`]), so a later change of terms never re-prices an old sale.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::money::Currency;
use crate::time::Timestamp;

/// One of the two data planes, which never meet. Stripe calls it `livemode`.
///
/// # Wire form
/// `test` or `live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Play money.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// The mode of a Stripe object that says `livemode`.
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

/// Whether a program takes part.
///
/// A paused program attributes nothing new while renewals of attributed subscriptions go on earning; a draft or
/// archived one earns nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramStatus {
    /// Not begun.
    Draft,
    /// In force.
    #[default]
    Active,
    /// Nothing new is attributed.
    Paused,
    /// Over.
    Archived,
}

/// Which of several clicks earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributionModel {
    /// The newest.
    #[default]
    LastClick,
    /// The one that first bound the subscription or customer.
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
        /// The currency of the commission, whatever the sale's is.
        currency: Currency,
        /// Never more than the base of the sale, where both are in the same currency.
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
    /// The first payment with money in it.
    FirstPayment,
    /// All.
    #[default]
    Lifetime,
    /// Those of the first so many calendar months.
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
    /// Those for time after the end are taken back, by the service period of the invoice's lines; all of them where no
    /// period is known.
    #[default]
    VoidUnused,
    /// They are taken back.
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

/// Everything about a program that decides over money, as one version of it.
///
/// # Wire form
/// The fields of `/api/v1/programs`, with its defaults; only `commission` has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the contract")]
pub struct ProgramTerms {
    /// Whether the program takes part.
    #[serde(default)]
    pub status: ProgramStatus,
    /// How long after a click a payment can still be attributed to it.
    #[serde(default = "defaults::attribution_window_days")]
    pub attribution_window_days: u32,
    /// Which of several clicks earns.
    #[serde(default)]
    pub attribution_model: AttributionModel,
    /// How much a payment earns, unless the enrollment says otherwise.
    pub commission: CommissionRule,
    /// Which payments of a subscription earn.
    #[serde(default)]
    pub recurring: Recurring,
    /// What a lead earns, in minor units of `lead_currency`; zero for nothing.
    #[serde(default)]
    pub lead_amount_minor: i64,
    /// The currency of `lead_amount_minor`.
    #[serde(default)]
    pub lead_currency: Option<Currency>,
    /// Events that each earn a lead amount where only a page reports them; without this list a customer's first lead does.
    #[serde(default)]
    pub lead_events: Vec<String>,
    /// How long after a lead that only a page reported the first payment may come for the lead to bind the customer.
    #[serde(default = "defaults::client_lead_days")]
    pub client_lead_days: u32,
    /// How long commissions wait.
    #[serde(default)]
    pub hold_days: HoldDays,
    /// What a commission is a share of.
    #[serde(default)]
    pub base: Base,
    /// Whether shipping counts.
    #[serde(default)]
    pub include_shipping: bool,
    /// Whether money paid outside Stripe counts.
    #[serde(default = "defaults::yes")]
    pub count_out_of_band: bool,
    /// `prod_`, `price_` or `plink_` IDs that are covered; empty for all.
    #[serde(default)]
    pub products: Vec<String>,
    /// What the end of a subscription does to commissions that are not yet due.
    #[serde(default)]
    pub cancel_policy: CancelPolicy,
    /// Whether a customer who was attributed once stays so for payments without a click.
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

/// Where a partner stands with a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentStatus {
    /// Asked, not answered.
    Pending,
    /// Earns.
    #[default]
    Approved,
    /// Refused.
    Rejected,
    /// Stopped for a while.
    Suspended,
    /// Stopped for good.
    Banned,
}

/// One version of an enrollment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollmentTerms {
    /// Where the partner stands.
    #[serde(default)]
    pub status: EnrollmentStatus,
    /// A commission rule of the partner's own, in place of the program's.
    #[serde(default)]
    pub commission: Option<CommissionRule>,
}

/// A version and since when it is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version<T> {
    /// 1, 2, 3 …
    pub number: u32,
    /// The first second of its force.
    pub valid_from: Timestamp,
    /// What holds.
    pub terms: T,
}

/// All versions of one thing, in the order in which they were made.
///
/// A version holds from its `valid_from` on, over every version made before it. One that is dated back therefore replaces what
/// the earlier versions said from that time on, and the newest is always the one in force now.
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
/// // The third is dated back to before the second.
/// let history = History::new([version(1, 100), version(2, 200), version(3, 150)]);
/// let number_at = |secs| history.at(Timestamp::from_unix_secs(secs)).map(|version| version.number);
/// assert_eq!((number_at(149), number_at(150), number_at(200)), (Some(1), Some(3), Some(3)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History<T>(Vec<Version<T>>);

impl<T> History<T> {
    /// Puts versions in the order of their numbers.
    pub fn new(versions: impl IntoIterator<Item = Version<T>>) -> Self {
        let mut versions: Vec<_> = versions.into_iter().collect();
        versions.sort_by_key(|version| version.number);
        Self(versions)
    }

    /// The version in force at a time: of those that had begun, the one made last; the first also covers all earlier times.
    /// `None` only where there is no version at all.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Option<&Version<T>> {
        self.0.iter().rev().find(|version| version.valid_from <= time).or_else(|| self.0.first())
    }

    /// The version of that number.
    #[must_use]
    pub fn number(&self, number: u32) -> Option<&Version<T>> {
        self.0.iter().find(|version| version.number == number)
    }

    /// The version of a pinned number, else the one in force at a time.
    fn pinned_or_at(&self, pinned: Option<&u32>, time: Timestamp) -> Option<&Version<T>> {
        pinned.and_then(|number| self.number(*number)).or_else(|| self.at(time))
    }

    /// The newest version: the one in force now.
    #[must_use]
    pub fn latest(&self) -> Option<&Version<T>> {
        self.0.last()
    }
}

/// The versions a payment is judged by, in place of those of its time, because it was decided again under the rules of a later
/// day. What is not named here is judged by the payment's time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Pins {
    /// Versions of programs, by our ID of the program.
    pub programs: BTreeMap<String, u32>,
    /// Versions of enrollments, by our ID of the enrollment.
    pub enrollments: BTreeMap<String, u32>,
}

impl Pins {
    /// The version of a program that counts for a payment of that time.
    #[must_use]
    pub fn program<'h>(
        pins: Option<&Self>,
        id: &str,
        history: &'h History<ProgramTerms>,
        time: Timestamp,
    ) -> Option<&'h Version<ProgramTerms>> {
        history.pinned_or_at(pins.and_then(|pins| pins.programs.get(id)), time)
    }

    /// The version of an enrollment that counts for a payment of that time.
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
    fn a_version_dated_back_holds_from_then_on_over_those_made_before_it() {
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
        // Back to before the program was made: it holds for every payment since.
        check(&[100, 50], 49, 1);
        check(&[100, 50], 50, 2);
        check(&[100, 50], 300, 2);
        // Between two versions: the later of them is replaced.
        check(&[100, 200, 150], 149, 1);
        check(&[100, 200, 150], 199, 3);
        check(&[100, 200, 150], 200, 3);
        check(&[100, 100], 100, 2);
    }

    #[test]
    fn terms_read_the_contracts_wire_form_with_its_defaults() {
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
