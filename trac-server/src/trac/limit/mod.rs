//! Rate limits: an approximate one per address, so that one visitor cannot use up the limit of a workspace,
//! and an exact one per workspace in any 60 s, not on average.

mod callers;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{CALLS_PER_ADDRESS, VISITS_PER_ADDRESS};
use crate::store::Scope;

pub(crate) use callers::{Callers, public};

/// Calls of one kind that a workspace may receive in any window.
pub(crate) const CALLS: usize = 1_000;
pub(crate) const WINDOW_MILLIS: i64 = 60_000;
/// By how much the times of calls that arrive together may be out of order.
const JITTER_MILLIS: i64 = 1_000;

/// Sign-ins that one address may try in a minute.
const SIGN_INS_PER_ADDRESS: u32 = 20;

/// All limits. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) workspaces: Limiter,
    pub(crate) visits: Callers,
    pub(crate) calls: Callers,
    pub(crate) sign_ins: Callers,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workspaces: Limiter::default(),
            visits: Callers::at_most(VISITS_PER_ADDRESS),
            calls: Callers::at_most(CALLS_PER_ADDRESS),
            sign_ins: Callers::at_most(SIGN_INS_PER_ADDRESS),
        }
    }
}

/// The key of a count: the calls of one kind in a workspace and mode, whichever key or ID they send.
pub(crate) type Bucket = (Scope, &'static str);

/// The calls in each bucket within the last window. Clones share them.
///
/// Only workspaces that exist get an entry, so that unknown callers cannot fill the memory. An entry without
/// calls for a whole window is removed.
#[derive(Clone, Default)]
pub(crate) struct Limiter(Arc<Mutex<HashMap<Bucket, VecDeque<i64>>>>);

impl Limiter {
    /// Counts a call, or refuses it: `Err` is how many seconds to wait.
    pub(crate) fn count(&self, bucket: &Bucket, now_millis: i64) -> Result<(), u32> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(bucket) {
            let begin = now_millis.saturating_sub(WINDOW_MILLIS);
            buckets.retain(|_, calls| calls.back().is_some_and(|last| *last > begin));
        }
        let calls = buckets.entry(bucket.clone()).or_default();
        has_room(calls, now_millis)?;
        calls.push_back(now_millis);
        Ok(())
    }

    /// Whether a call would be refused now. It is not counted.
    pub(crate) fn has_room(&self, bucket: &Bucket, now_millis: i64) -> Result<(), u32> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get_mut(bucket).map_or(Ok(()), |calls| has_room(calls, now_millis))
    }
}

/// Removes the calls that have left the window; `Err` if the remaining ones reach the limit.
fn has_room(calls: &mut VecDeque<i64>, now_millis: i64) -> Result<(), u32> {
    let begin = now_millis.saturating_sub(WINDOW_MILLIS);
    // After a clock was set back, a workspace must not be refused until the clock has caught up.
    let latest = now_millis.saturating_add(JITTER_MILLIS);
    for call in calls.iter_mut().rev().take_while(|call| **call > latest) {
        *call = latest;
    }
    while calls.front().is_some_and(|first| *first <= begin) {
        calls.pop_front();
    }
    match calls.front() {
        Some(first) if calls.len() >= CALLS => Err(seconds_to_wait(*first, now_millis)),
        _ => Ok(()),
    }
}

/// How many seconds to wait until the oldest call of a full window has left it.
pub(crate) fn seconds_to_wait(oldest_millis: i64, now_millis: i64) -> u32 {
    let wait_millis = oldest_millis.saturating_sub(now_millis.saturating_sub(WINDOW_MILLIS));
    u32::try_from(wait_millis.saturating_add(999).div_euclid(1_000)).unwrap_or(60)
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Limiter").field("buckets", &buckets).finish()
    }
}

#[cfg(test)]
mod tests {
    use trac_core::program::Mode;

    use super::*;

    fn bucket(workspace_id: &str) -> Bucket {
        (Scope::new(workspace_id, Mode::Test), "click")
    }

    #[test]
    fn the_call_after_a_thousand_in_any_minute_is_refused() {
        let limiter = Limiter::default();
        let own = bucket("ws_1");
        for call in 0..1_000 {
            assert_eq!(limiter.has_room(&own, call * 10), Ok(()), "{call}");
            assert_eq!(limiter.count(&own, call * 10), Ok(()), "{call}");
        }
        assert_eq!(limiter.count(&own, 9_990), Err(51));
        assert_eq!(limiter.has_room(&own, 9_990), Err(51));
        assert_eq!(limiter.count(&bucket("ws_2"), 9_990), Ok(()), "another workspace has its own");
        assert_eq!(limiter.count(&(own.0.clone(), "lead"), 9_990), Ok(()), "and so has another kind of call");
        assert_eq!(limiter.count(&own, 59_999), Err(1));
        assert_eq!(limiter.has_room(&own, 60_000), Ok(()), "the first call left the window");
        assert_eq!(limiter.count(&own, 60_000), Ok(()), "`has_room` did not count a call");
        assert_eq!(limiter.count(&own, 60_000), Err(1), "the second call is still in the window");
    }

    #[test]
    fn after_a_clock_is_set_back_a_workspace_is_refused_for_about_a_window() {
        let limiter = Limiter::default();
        for _ in 0..1_000 {
            limiter.count(&bucket("ws_1"), 3_600_000).unwrap();
        }
        assert_eq!(limiter.count(&bucket("ws_1"), 0), Err(61));
        assert_eq!(limiter.count(&bucket("ws_1"), 61_000), Ok(()));
    }

    #[test]
    fn a_workspace_without_calls_is_removed() {
        let limiter = Limiter::default();
        limiter.count(&bucket("ws_1"), 0).unwrap();
        limiter.count(&bucket("ws_2"), 60_000).unwrap();
        assert_eq!(limiter.0.lock().unwrap().len(), 1);
    }
}
