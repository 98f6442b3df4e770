//! Everything one event could touch, loaded before anything is decided.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::money::Currency;
use crate::program::{EnrollmentTerms, History, ProgramTerms};
use crate::time::Timestamp;
use crate::webhook::facts::Facts;

/// The neighbourhood of an event in one workspace and mode: its payment, the payments of the same subscription and
/// customer, and all that is needed to judge them.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Payments by our ID.
    pub payments: BTreeMap<String, Known>,
    /// What is known of the subscriptions and customers themselves.
    pub holders: Facts,
    /// The clicks that candidates resolve to, by click ID. A value that is not here is no click.
    pub clicks: BTreeMap<String, Click>,
    /// Programs of those clicks and of existing commissions.
    pub programs: BTreeMap<String, History<ProgramTerms>>,
    /// Enrollments by (program, partner).
    pub enrollments: BTreeMap<(String, String), Enrollment>,
    /// E-mail addresses of the partners of those clicks.
    pub partner_emails: BTreeMap<String, String>,
}

/// A payment as it is kept: facts, and the commissions made of it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All facts about its objects.
    pub facts: Facts,
    /// Oldest first.
    pub commissions: Vec<Commission>,
}

/// A recorded click, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// The program whose link was clicked.
    pub program_id: String,
    /// Whose link it was.
    pub partner_id: String,
    /// When.
    pub clicked_at: Timestamp,
}

/// An enrollment with all its versions.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// Our ID.
    pub id: String,
    /// Its versions.
    pub history: History<EnrollmentTerms>,
}

/// What the ledger says of one commission so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commission {
    /// Our ID.
    pub id: String,
    /// The click it is credited to.
    pub click_id: String,
    /// The program whose terms hold.
    pub program_id: String,
    /// Who earns.
    pub partner_id: String,
    /// The version of the program it was settled by.
    pub program_version: u32,
    /// The version of the enrollment it was settled by.
    pub enrollment_version: u32,
    /// The time of its payment when it was opened; the older of two that turn out to be one payment survives.
    pub payment_time: Timestamp,
    /// Its currency.
    pub currency: Currency,
    /// Σ(earn, adjust).
    pub amount_minor: i64,
    /// −Σ(reverse, restore).
    pub reversed_minor: i64,
    /// Whether another commission took its place.
    pub closed: bool,
    /// Whether a payout holds it.
    pub paid: bool,
}
