//! How often a publishable key may call: exactly so many times in any window, not so many on average.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Calls a key may make in any window.
const CALLS: usize = 1_000;
const WINDOW_MILLIS: i64 = 60_000;
/// By how much calls that arrive together may be counted in another order.
const JITTER_MILLIS: i64 = 1_000;

/// The calls of each key within the last window. Clones share them.
///
/// Only keys that exist get an entry, so that a stranger cannot fill the memory; a key that has been silent for a
/// window gives its entry back.
#[derive(Clone, Default)]
pub(crate) struct Limiter(Arc<Mutex<HashMap<[u8; 32], VecDeque<i64>>>>);

impl Limiter {
    /// Counts a call, or refuses it: `Err` is how many seconds to wait.
    pub(crate) fn count(&self, key: [u8; 32], now_millis: i64) -> Result<(), u32> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = now_millis.saturating_sub(WINDOW_MILLIS);
        if !keys.contains_key(&key) {
            keys.retain(|_, calls| calls.back().is_some_and(|last| *last > begin));
        }
        let calls = keys.entry(key).or_default();
        // A clock that was put back must not keep a key out until it has caught up.
        let latest = now_millis.saturating_add(JITTER_MILLIS);
        for call in calls.iter_mut().rev().take_while(|call| **call > latest) {
            *call = latest;
        }
        while calls.front().is_some_and(|first| *first <= begin) {
            calls.pop_front();
        }
        match calls.front() {
            Some(first) if calls.len() >= CALLS => {
                let wait_millis = first.saturating_sub(begin);
                Err(u32::try_from(wait_millis.saturating_add(999).div_euclid(1_000)).unwrap_or(60))
            }
            _ => {
                calls.push_back(now_millis);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Limiter").field("keys", &keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_after_a_thousand_in_any_minute_is_refused() {
        let limiter = Limiter::default();
        let key = [1; 32];
        for call in 0..1_000 {
            assert_eq!(limiter.count(key, call * 10), Ok(()), "{call}");
        }
        assert_eq!(limiter.count(key, 9_990), Err(51));
        assert_eq!(limiter.count([2; 32], 9_990), Ok(()), "another key has its own");
        assert_eq!(limiter.count(key, 59_999), Err(1));
        assert_eq!(limiter.count(key, 60_000), Ok(()), "the first call left the window");
        assert_eq!(limiter.count(key, 60_000), Err(1), "and no other has");
    }

    #[test]
    fn a_clock_put_back_keeps_a_key_out_no_longer_than_a_window() {
        let limiter = Limiter::default();
        for _ in 0..1_000 {
            limiter.count([1; 32], 3_600_000).unwrap();
        }
        assert_eq!(limiter.count([1; 32], 0), Err(61));
        assert_eq!(limiter.count([1; 32], 61_000), Ok(()));
    }

    #[test]
    fn a_silent_key_is_forgotten() {
        let limiter = Limiter::default();
        limiter.count([1; 32], 0).unwrap();
        limiter.count([2; 32], 60_000).unwrap();
        assert_eq!(limiter.0.lock().unwrap().len(), 1);
    }
}
