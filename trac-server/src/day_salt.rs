//! The salt of the day: whatever is hashed with it means nothing any more tomorrow.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use trac_core::time::{DAY_SECS, Timestamp};

use crate::id::random_hex;
use crate::store::{Group, StoreError, forget_setting, set_setting, setting};

/// The setting under which it outlives a restart.
const SALT: &str = "visitor_salt";

/// Today's salt. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct DaySalt(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    salt: Option<String>,
    /// The transaction in which the store last said so.
    group: u64,
}

impl DaySalt {
    /// The salt of the day. A new one takes the place of yesterday's, which nobody can then repeat.
    pub(crate) fn of(&self, tx: &Connection, now: Timestamp) -> Result<String, StoreError> {
        let salt = match setting(tx, SALT)? {
            Some(salt) if is_of(&salt, now) => salt,
            _ => {
                let salt = self.known(now);
                set_setting(tx, SALT, &salt)?;
                salt
            }
        };
        self.lock().salt.clone_from(&Some(salt.clone()));
        Ok(salt)
    }

    /// [`Self::of`], asked once in each transaction.
    pub(crate) fn in_group(&self, group: &Group<'_>, now: Timestamp) -> Result<String, StoreError> {
        {
            let known = self.lock();
            if let Some(salt) =
                known.salt.as_ref().filter(|salt| known.group == group.number && is_of(salt, now))
            {
                return Ok(salt.clone());
            }
        }
        let salt = self.of(group.tx, now)?;
        self.lock().group = group.number;
        Ok(salt)
    }

    /// The salt that is known without asking the store: the day's own, or one that the store is told of later.
    pub(crate) fn known(&self, now: Timestamp) -> String {
        let mut known = self.lock();
        match &known.salt {
            Some(salt) if is_of(salt, now) => salt.clone(),
            _ => {
                let day = now.unix_secs().div_euclid(DAY_SECS);
                known.salt.insert(format!("{day}:{}", random_hex::<16>())).clone()
            }
        }
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
        assert_eq!(setting(&store, SALT).unwrap(), Some(first.clone()));
        DaySalt::forget(&store, night).unwrap();
        assert_eq!(setting(&store, SALT).unwrap(), None);
        let without_store = again.known(night);
        assert_ne!(without_store, first);
        assert_eq!(again.of(&store, night).unwrap(), without_store, "the store is told of it later");
    }
}
