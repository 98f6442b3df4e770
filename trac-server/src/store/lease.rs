//! Work that one server at a time does, of all that share a database.

use trac_core::time::Timestamp;

use super::rows::{Engine, Everywhere, args};
use super::{Scope, StoreError};

/// Takes or extends a lease until a time; `false` if another holder has it.
///
/// # Errors
/// The store's.
pub(crate) fn take(
    tx: Everywhere<'_>,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO lease (name, holder, until) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE \
               SET holder = excluded.holder, until = excluded.until WHERE lease.until <= ?4 OR lease.holder = excluded.holder";
    Ok(tx.write(sql, args![name, holder, until, now])? > 0)
}

/// Ends a lease of this holder.
///
/// # Errors
/// The store's.
pub(crate) fn end(tx: Everywhere<'_>, name: &str, holder: &str) -> Result<(), StoreError> {
    tx.write("DELETE FROM lease WHERE name = ?1 AND holder = ?2", args![name, holder]).map(|_| ())
}

/// Locks scopes, for a job that works in several of them: in the order of their workspaces and modes, so that two such
/// jobs never wait for each other.
///
/// # Errors
/// The store's.
pub(crate) fn lock<'s>(
    tx: Everywhere<'_>,
    scopes: impl Iterator<Item = &'s Scope>,
) -> Result<(), StoreError> {
    for scope in scopes {
        // The first statement of a scope locks it.
        tx.within(scope).exists("SELECT 1 FROM scope WHERE workspace_id = ?1 AND mode = ?2", &[])?;
    }
    Ok(())
}

/// Locks all rows of all scopes until the end of the transaction, on every server: for a job that writes what the
/// others keep by small steps. Reads go on.
///
/// # Errors
/// The store's.
pub(crate) fn lock_all(tx: Everywhere<'_>) -> Result<(), StoreError> {
    match tx.engine() {
        // There is one writer.
        Engine::Sqlite => Ok(()),
        Engine::Postgres => {
            tx.write("LOCK TABLE scope, click_record, click_day IN EXCLUSIVE MODE", &[]).map(|_| ())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Priority;
    use crate::testing::app::App;

    #[tokio::test]
    async fn a_lease_has_one_holder_until_it_ends() {
        let app = App::new();
        let at = Timestamp::from_unix_secs;
        let take = async |holder: &'static str, now: i64| {
            let taken = app
                .trac
                .store
                .write(Priority::Api, move |tx| take(tx, "daily", holder, at(now), at(now + 10)));
            taken.await.unwrap()
        };
        assert!(take("one", 0).await);
        assert!(!take("two", 9).await);
        assert!(take("one", 9).await, "it is extended");
        assert!(!take("two", 18).await);
        assert!(take("two", 19).await);
        assert!(!take("one", 20).await);
        let end = async |holder: &'static str| {
            app.trac.store.write(Priority::Api, move |tx| end(tx, "daily", holder)).await.unwrap();
        };
        end("one").await;
        assert!(!take("one", 20).await, "only its holder ends it");
        end("two").await;
        assert!(take("one", 20).await);
    }
}
