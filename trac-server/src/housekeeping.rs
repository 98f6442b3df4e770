//! What is done now and then, whether anybody asks or not.

use std::time::Duration;

use crate::click::remember_links;
use crate::day_salt::DaySalt;
use crate::store::{Priority, StoreError};
use crate::trac::Trac;

const PAUSE: Duration = Duration::from_mins(10);
/// Until it is asked again for the spool: a command that ran when the server began has it for a moment only.
const SPOOL_PAUSE: Duration = Duration::from_secs(2);

/// Remembers the links, for the moment when the store cannot be read; then, as long as it is polled, throws away yesterday's
/// salt, so that nobody can tell any more whose visits yesterday's were, and notes the refused calls that could not be noted.
pub async fn keep(trac: Trac) {
    if let Err(error) = remember_links(&trac).await {
        tracing::warn!(%error, "the links are not remembered");
    }
    loop {
        // Another process may have had it when this one began.
        let has_spool = trac.store.use_spool();
        trac.refusals.catch_up(&trac.store, &trac.ids).await;
        if let Err(error) = forget_salt(&trac).await {
            tracing::warn!(%error, "yesterday's salt is still there");
        }
        tokio::time::sleep(if has_spool { PAUSE } else { SPOOL_PAUSE }).await;
    }
}

async fn forget_salt(trac: &Trac) -> Result<(), StoreError> {
    let now = trac.clock.now();
    trac.store.write(Priority::Click, move |tx| DaySalt::forget(tx, now)).await
}
