//! Time as in Stripe's API: whole seconds since 1970, UTC.
//!
//! This crate never reads the clock; callers pass the time.

use alloc::string::{String, ToString};

use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Seconds in a day, the unit of windows and holds.
pub const DAY_SECS: i64 = 86_400;

/// A moment, in whole seconds since 1970-01-01T00:00:00Z.
///
/// # Wire form
/// An integer in Stripe's events and in the store; in the API [RFC
/// 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC, by [`Timestamp::to_rfc3339`].
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
///
/// let leap = Timestamp::parse_rfc3339("2024-01-31T10:00:00Z").unwrap();
/// assert_eq!(leap.plus_months(1).to_rfc3339(), "2024-02-29T10:00:00Z");
/// assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `secs` seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_unix_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_secs(self) -> i64 {
        self.0
    }

    /// The number of days since 1970-01-01, in UTC.
    ///
    /// # Examples
    /// ```
    /// use trac_core::time::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_unix_secs(86_400).day(), 1);
    /// assert_eq!(Timestamp::from_unix_secs(-1).day(), -1);
    /// ```
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY_SECS)
    }

    /// The moment `secs` later; saturates at the end of the range.
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// The moment `days` × 86,400 s later.
    #[must_use]
    pub const fn plus_days(self, days: u32) -> Self {
        // A u32 always fits an i64; `From` is not const.
        #[expect(clippy::as_conversions, reason = "widening in a const fn")]
        self.plus_secs((days as i64).saturating_mul(DAY_SECS))
    }

    /// Seconds from `earlier` to `self`; negative if `earlier` is later.
    #[must_use]
    pub const fn secs_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same time of day `months` calendar months later, UTC; a day that does not exist in that month
    /// becomes its last day. A moment outside the years −9999 to 9999 is returned unchanged.
    #[must_use]
    pub fn plus_months(self, months: u32) -> Self {
        let moved = || {
            let zoned = jiff::Timestamp::from_second(self.0).ok()?.to_zoned(TimeZone::UTC);
            let later = zoned.checked_add(i64::from(months).months()).ok()?;
            Some(Self(later.timestamp().as_second()))
        };
        moved().unwrap_or(self)
    }

    /// The moment in RFC 3339, UTC, whole seconds: `2026-11-21T08:00:00Z`. A moment outside the years −9999
    /// to 9999 is shown as the nearest one within.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let (earliest, latest) = (jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        let moment = jiff::Timestamp::from_second(self.0.clamp(earliest, latest));
        moment.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
    }

    /// Parses RFC 3339 with any offset; fractions of a second are cut off.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_second()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_calendar_months_and_end_on_days_that_exist() {
        let check = |from: &str, months: u32, want: &str| {
            let moved = Timestamp::parse_rfc3339(from).unwrap().plus_months(months);
            assert_eq!(moved.to_rfc3339(), want, "{from} + {months}");
        };
        check("2025-01-31T23:59:59Z", 1, "2025-02-28T23:59:59Z");
        check("2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z");
        check("2025-11-30T12:00:00Z", 3, "2026-02-28T12:00:00Z");
        check("2025-06-15T12:00:00Z", 0, "2025-06-15T12:00:00Z");
    }

    #[test]
    fn the_ends_of_the_range_do_not_panic() {
        for end in [i64::MIN, i64::MAX] {
            let moment = Timestamp::from_unix_secs(end);
            assert_eq!(moment.plus_months(u32::MAX), moment);
            assert!(!moment.to_rfc3339().is_empty());
            assert!(!moment.plus_days(u32::MAX).to_rfc3339().contains('.'), "whole seconds");
        }
    }
}
