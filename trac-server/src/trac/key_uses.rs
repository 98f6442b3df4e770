//! `api_key.last_used_at`, to the minute: one write per minute and key, not one per request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use trac_core::time::Timestamp;

use crate::store::rows::args;
use crate::store::{Priority, Scope, Store};

/// The keys used within this minute. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyUses(Arc<Mutex<HashMap<[u8; 32], i64>>>);

impl KeyUses {
    /// Records that a key was used. The request does not wait for the write, and a failed write is not
    /// retried.
    pub(crate) fn note(&self, store: &Store, scope: &Scope, hash: [u8; 32], now: Timestamp) {
        let minute = now.unix_secs().div_euclid(60);
        {
            let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if uses.insert(hash, minute) == Some(minute) {
                return;
            }
            uses.retain(|_, last| *last == minute);
        }
        drop(store.write_in(scope, Priority::Click, move |rows| {
            let sql =
                "UPDATE api_key SET last_used_at = ?4 WHERE workspace_id = ?1 AND mode = ?2 AND hash = ?3";
            rows.write(sql, args![hash, now])
        }));
    }
}
