//! What time it is: the only reader of the system's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use trac_core::time::Timestamp;

/// The clock everything on the server asks.
///
/// # Examples
/// ```
/// use trac_core::time::Timestamp;
/// use trac_sdk::clock::Clock;
///
/// let clock = Clock::settable(Timestamp::from_unix_secs(1_700_000_000));
/// clock.advance(60);
/// assert_eq!(clock.now().unix_secs(), 1_700_000_060);
///
/// let system = Clock::system();
/// system.advance(60); // the system's clock is nobody's to move
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

    /// A clock that stands still until it is moved, for tests. Clones share the time.
    #[must_use]
    pub fn settable(now: Timestamp) -> Self {
        Self(Source::Settable(Arc::new(AtomicI64::new(now.unix_secs().saturating_mul(1_000)))))
    }

    /// The present second.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_secs(self.unix_millis().div_euclid(1_000))
    }

    /// Milliseconds since 1970 began.
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

    /// Moves a settable clock by so many seconds, backwards too; leaves the system's clock alone.
    pub fn advance(&self, secs: i64) {
        if let Source::Settable(millis) = &self.0 {
            millis.fetch_add(secs.saturating_mul(1_000), Ordering::SeqCst);
        }
    }
}
