//! `trac recount`: compares counts, balances, sums by day and customers with the rows they follow from, and mends
//! them. They are kept by triggers and are therefore always equal, unless another program changed the database.

use crate::store::{Priority, Store, StoreError, derived, lease};

/// From this many differences on, there may be more than are listed.
pub const LISTED: usize = derived::LISTED;

/// The differences, one line each; an empty list if everything is equal.
///
/// # Errors
/// The store's.
pub async fn compare(store: &Store) -> Result<Vec<String>, StoreError> {
    store.read(derived::differences).await
}

/// Derives all kept rows anew, and returns the differences that there were.
///
/// # Errors
/// The store's.
pub async fn mend(store: &Store) -> Result<Vec<String>, StoreError> {
    let mended = store.write(Priority::Api, |tx| {
        lease::lock_all(tx)?;
        let found = derived::differences(tx)?;
        if !found.is_empty() {
            derived::rebuild(tx, &found)?;
        }
        Ok(found)
    });
    mended.await
}
