//! The salt of the day: whatever is hashed with it means nothing any more tomorrow.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::{Instant, timeout_at};
use trac_core::time::{DAY_SECS, Timestamp};

use crate::id::random_hex;
use crate::store::{Priority, Store, StoreError, forget_setting, set_setting, setting};

/// The setting under which it outlives a restart.
const SALT: &str = "visitor_salt";

/// Today's salt. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct DaySalt(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    salt: Option<Arc<str>>,
    /// Whether the store has it too.
    is_told: bool,
    /// When the store was asked last.
    asked_at: Option<Instant>,
}

/// How soon a store that did not answer is asked again.
const PAUSE: Duration = Duration::from_secs(5);

impl DaySalt {
    /// The salt of the day. A new one takes the place of yesterday's, which nobody can then repeat. Where the store does not say it in
    /// time, the day has one that the store is told of later.
    pub(crate) async fn today(&self, store: &Store, now: Timestamp, limit: Instant) -> Arc<str> {
        if let Some(salt) = self.at_hand(now) {
            return salt;
        }
        // Once a day: its room is taken when it is needed.
        Box::pin(self.ask(store, now, limit)).await.unwrap_or_else(|| self.known(now))
    }

    async fn ask(&self, store: &Store, now: Timestamp, limit: Instant) -> Option<Arc<str>> {
        self.lock().asked_at = Some(Instant::now());
        let known = self.clone();
        let said = store.write(Priority::Click, move |tx| known.of(tx, now));
        timeout_at(limit, said).await.ok()?.ok()
    }

    /// The salt as the store has it, or will have it with this transaction.
    fn of(&self, tx: &Connection, now: Timestamp) -> Result<Arc<str>, StoreError> {
        let salt = match setting(tx, SALT)? {
            Some(salt) if is_of(&salt, now) => salt.into(),
            _ => {
                let salt = self.known(now);
                set_setting(tx, SALT, &salt)?;
                salt
            }
        };
        let mut known = self.lock();
        (known.salt, known.is_told) = (Some(Arc::clone(&salt)), true);
        Ok(salt)
    }

    /// The day's salt, unless the store is to be asked for it.
    fn at_hand(&self, now: Timestamp) -> Option<Arc<str>> {
        let known = self.lock();
        let was_asked = known.asked_at.is_some_and(|asked_at| asked_at.elapsed() < PAUSE);
        known.salt.as_ref().filter(|salt| (known.is_told || was_asked) && is_of(salt, now)).cloned()
    }

    /// The salt that is known without asking the store: the day's own, or a new one.
    fn known(&self, now: Timestamp) -> Arc<str> {
        let mut known = self.lock();
        if let Some(salt) = known.salt.as_ref().filter(|salt| is_of(salt, now)) {
            return Arc::clone(salt);
        }
        let day = now.unix_secs().div_euclid(DAY_SECS);
        let salt: Arc<str> = format!("{day}:{}", random_hex::<16>()).into();
        (known.salt, known.is_told) = (Some(Arc::clone(&salt)), false);
        salt
    }

    /// Forgets a salt of another day, in the store too.
    pub(crate) fn forget(tx: &Connection, now: Timestamp) -> Result<(), StoreError> {
        match setting(tx, SALT)? {
            Some(salt) if !is_of(&salt, now) => forget_setting(tx, SALT),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_of(salt: &str, now: Timestamp) -> bool {
    let day = salt.split(':').next().and_then(|day| day.parse().ok());
    day == Some(now.unix_secs().div_euclid(DAY_SECS))
}

impl fmt::Debug for DaySalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DaySalt(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_salt_of_a_day_outlives_a_restart_and_not_the_day() {
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch("CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT)").unwrap();
        let (noon, night) = (Timestamp::from_unix_secs(43_200), Timestamp::from_unix_secs(86_400));
        let first = DaySalt::default().of(&store, noon).unwrap();
        let again = DaySalt::default();
        assert_eq!(again.of(&store, noon).unwrap(), first);
        assert_eq!(again.known(noon), first, "it is known without the store");
        DaySalt::forget(&store, noon).unwrap();
        assert_eq!(setting(&store, SALT).unwrap().as_deref(), Some(&*first));
        DaySalt::forget(&store, night).unwrap();
        assert_eq!(setting(&store, SALT).unwrap(), None);
        let without_store = again.known(night);
        assert_ne!(without_store, first);
        assert_eq!(again.of(&store, night).unwrap(), without_store, "the store is told of it later");
    }
}
