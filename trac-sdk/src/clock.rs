//! [`Clock`]: the system's time, or a settable one for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use trac_core::time::Timestamp;

/// The clock that timestamps are compared with.
///
/// # Examples
/// ```
/// use trac_sdk::Timestamp;
/// use trac_sdk::clock::Clock;
///
/// let clock = Clock::settable(Timestamp::from_unix_secs(1_700_000_000));
/// clock.advance(60);
/// assert_eq!(clock.now().unix_secs(), 1_700_000_060);
///
/// let system = Clock::system();
/// system.advance(60); // has no effect
/// assert!(system.now().unix_secs() > 1_700_000_000);
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Settable(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that changes only by [`advance`](Self::advance), for tests. Clones share the time.
    #[must_use]
    pub fn settable(now: Timestamp) -> Self {
        Self(Source::Settable(Arc::new(AtomicI64::new(now.unix_secs().saturating_mul(1_000)))))
    }

    /// The present time, in whole seconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_secs(self.unix_millis().div_euclid(1_000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        match &self.0 {
            Source::Settable(millis) => millis.load(Ordering::SeqCst),
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|since| i64::try_from(since.as_millis()).ok())
                .unwrap_or_default(),
        }
    }

    /// Moves a settable clock by this many seconds, backwards if negative. Has no effect on the system's clock.
    pub fn advance(&self, secs: i64) {
        if let Source::Settable(millis) = &self.0 {
            millis.fetch_add(secs.saturating_mul(1_000), Ordering::SeqCst);
        }
    }
}
