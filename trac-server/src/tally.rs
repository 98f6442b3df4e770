//! Limits repeated log lines: within an hour, the 1st, 2nd, 4th, 8th time and so on is reported, so that a
//! call repeated a million times adds twenty lines to the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use trac_core::time::Timestamp;

const HOUR_SECS: i64 = 3_600;

/// The counts of this hour, by key.
#[derive(Debug)]
pub(crate) struct Tally<K>(Mutex<BTreeMap<K, Count>>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    hour: i64,
    times: u64,
    reported: u64,
}

impl<K: Ord> Tally<K> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Counts one time. If it is to be reported now, returns how many times were not reported before.
    pub(crate) fn count(&self, key: K, now: Timestamp) -> Option<u64> {
        let hour = now.unix_secs().div_euclid(HOUR_SECS);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, count| count.hour == hour);
        let count = counts.entry(key).or_insert(Count { hour, ..Count::default() });
        count.times = count.times.saturating_add(1);
        if !count.times.is_power_of_two() {
            return None;
        }
        let unreported = count.times.saturating_sub(count.reported);
        count.reported = count.times;
        Some(unreported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_repeats_are_reported_twenty_times() {
        let tally = Tally::new();
        let now = Timestamp::from_unix_secs(7);
        let reported: Vec<_> = (0..1_000_000).filter_map(|_| tally.count("one", now)).collect();
        assert_eq!((reported.len(), reported.iter().sum::<u64>()), (20, 1 << 19));
        assert_eq!(tally.count("other", now), Some(1), "each key has its own count");
        // The next hour begins at zero and drops this one.
        assert_eq!(tally.count("one", Timestamp::from_unix_secs(HOUR_SECS)), Some(1));
        assert_eq!(tally.0.lock().unwrap().len(), 1);
    }
}
