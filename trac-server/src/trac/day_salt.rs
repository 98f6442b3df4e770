//! The salt of the day for hashes of visitors. The next day it is replaced, so that the hashes can no longer
//! be recomputed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, timeout_at};
use trac_core::time::Timestamp;

use crate::id::random_hex;
use crate::store::rows::args;
use crate::store::{Everywhere, Priority, Store, StoreError, setting};

/// The row in `setting` from which a restarted server reads the salt.
const SALT: &str = "visitor_salt";

/// Today's salt. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct DaySalt(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    salt: Option<Arc<str>>,
    /// Whether it is committed in the store.
    is_stored: bool,
    /// Whether a background task is writing it to the store.
    is_storing: bool,
}

impl DaySalt {
    /// The salt of the day. The first call of a day replaces yesterday's. If the store does not respond
    /// before `limit`, the salt is made in memory and written to the store later, and other visitors do not
    /// wait.
    pub(crate) async fn today(&self, store: &Store, now: Timestamp, limit: Instant) -> Arc<str> {
        match self.of_today(now) {
            Some((salt, true)) => salt,
            Some((salt, false)) => {
                self.store_later(store, now);
                salt
            }
            // Boxed, so that this rare future does not enlarge every request's.
            None => {
                let loaded = Box::pin(timeout_at(limit, self.load(store, now))).await;
                loaded.ok().flatten().unwrap_or_else(|| self.known(now))
            }
        }
    }

    async fn load(&self, store: &Store, now: Timestamp) -> Option<Arc<str>> {
        if store.rejects_clicks() {
            return None;
        }
        let known = self.clone();
        let salt = store.write(Priority::Click, move |tx| known.of(tx, now)).await.ok()?;
        let mut known = self.lock();
        // The transaction is committed here.
        known.is_stored = known.salt.as_ref() == Some(&salt);
        Some(salt)
    }

    /// Writes the day's salt to the store in the background.
    fn store_later(&self, store: &Store, now: Timestamp) {
        if std::mem::replace(&mut self.lock().is_storing, true) {
            return;
        }
        let (salt, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            salt.load(&store, now).await;
            salt.lock().is_storing = false;
        });
    }

    /// The stored salt, or the known one, which this transaction then writes.
    fn of(&self, tx: Everywhere<'_>, now: Timestamp) -> Result<Arc<str>, StoreError> {
        let salt = match setting(tx, SALT)? {
            Some(salt) if is_of(&salt, now) => salt.into(),
            _ => {
                let salt = self.known(now);
                // Another node may store one at the same time: the first of a day is everybody's. A node whose clock
                // is behind does not replace the salt of the next day.
                let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2 \
                           WHERE setting.value < ?3";
                tx.write(sql, args![SALT, salt, before(now)])?;
                setting(tx, SALT)?.filter(|stored| is_of(stored, now)).map_or(salt, Into::into)
            }
        };
        let mut known = self.lock();
        if known.salt.as_ref() != Some(&salt) {
            (known.salt, known.is_stored) = (Some(Arc::clone(&salt)), false);
        }
        drop(known);
        Ok(salt)
    }

    /// The salt of the day if it is known, and whether it is committed in the store.
    fn of_today(&self, now: Timestamp) -> Option<(Arc<str>, bool)> {
        let known = self.lock();
        let salt = known.salt.as_ref().filter(|salt| is_of(salt, now))?;
        Some((Arc::clone(salt), known.is_stored))
    }

    /// The salt of the day without the store: the known one, or a new one.
    fn known(&self, now: Timestamp) -> Arc<str> {
        let mut known = self.lock();
        if let Some(salt) = known.salt.as_ref().filter(|salt| is_of(salt, now)) {
            return Arc::clone(salt);
        }
        let day = now.day();
        let salt: Arc<str> = format!("{day}:{}", random_hex::<16>()).into();
        (known.salt, known.is_stored) = (Some(Arc::clone(&salt)), false);
        salt
    }

    /// Deletes a salt of an earlier day from the store.
    pub(crate) fn forget(tx: Everywhere<'_>, now: Timestamp) -> Result<(), StoreError> {
        tx.write("DELETE FROM setting WHERE name = ?1 AND value < ?2", args![SALT, before(now)])?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text that sorts after the salts of earlier days and before that of the day: until the year 2243, the numbers of
/// days have five digits.
fn before(now: Timestamp) -> String {
    format!("{}:", now.day())
}

fn is_of(salt: &str, now: Timestamp) -> bool {
    let day = salt.split(':').next().and_then(|day| day.parse().ok());
    day == Some(now.day())
}

impl fmt::Debug for DaySalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DaySalt(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::app::Locked;

    #[tokio::test]
    async fn the_salt_survives_a_restart_and_is_replaced_the_next_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (noon, night) = (Timestamp::from_unix_secs(43_200), Timestamp::from_unix_secs(86_400));
        let checked = store.write(Priority::Click, move |tx| {
            let first = DaySalt::default().of(tx, noon)?;
            let again = DaySalt::default();
            assert_eq!(again.of(tx, noon)?, first);
            assert_eq!(again.known(noon), first, "the salt is in memory");
            DaySalt::forget(tx, noon)?;
            assert_eq!(setting(tx, SALT)?.as_deref(), Some(&*first));
            DaySalt::forget(tx, night)?;
            assert_eq!(setting(tx, SALT)?, None);
            assert_eq!(again.of_today(noon), Some((first.clone(), false)), "nothing is committed yet");
            let without_store = again.known(night);
            assert_ne!(without_store, first);
            assert_eq!(again.of(tx, night)?, without_store, "the store gets the salt later");
            Ok(())
        });
        checked.await.unwrap();
    }

    #[tokio::test]
    async fn a_server_whose_clock_is_behind_replaces_and_deletes_no_later_salt() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [before, after] = [20_786, 20_787].map(|day| Timestamp::from_unix_secs(day * 86_400));
        let checked = store.write(Priority::Click, move |tx| {
            let ahead = DaySalt::default().of(tx, after)?;
            let behind = DaySalt::default();
            assert_ne!(behind.of(tx, before)?, ahead, "it keeps its own day's salt in memory");
            DaySalt::forget(tx, before)?;
            assert_eq!(setting(tx, SALT)?.as_deref(), Some(&*ahead));
            assert_eq!(behind.of(tx, after)?, ahead);
            Ok(())
        });
        checked.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_visitor_waits_for_a_locked_store_and_the_salt_is_stored_later() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let lock = Locked::take(folder.path()).await;
        let (salt, noon) = (DaySalt::default(), Timestamp::from_unix_secs(43_200));
        let (wait, begun) = (Duration::from_millis(300), std::time::Instant::now());
        let mut salts = Vec::new();
        for _ in 0..20 {
            salts.push(salt.today(&store, noon, Instant::now() + wait).await);
        }
        assert!(begun.elapsed() < 5 * wait, "{:?}", begun.elapsed());
        lock.release().await;
        assert!(salts.iter().all(|one| *one == salts[0]));
        let deadline = Instant::now() + Duration::from_secs(20);
        while salt.of_today(noon) != Some((Arc::clone(&salts[0]), true)) {
            assert!(Instant::now() < deadline, "the salt was never stored");
            salt.today(&store, noon, Instant::now() + wait).await;
            tokio::task::yield_now().await;
        }
        let stored = store.read(|tx| setting(tx, SALT)).await.unwrap();
        assert_eq!(stored.as_deref(), Some(&*salts[0]));
    }
}
