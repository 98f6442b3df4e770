//! The turns of the jobs that write in one scope: one after the other, in the order of their arrival. So the jobs of a
//! workspace that has many occupy one connection, and wait for no lock in the database but those of other nodes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::store::Scope;

#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<Scope, Arc<Turn<()>>>>>);

impl Turns {
    /// Waits for the turn of a job.
    pub(super) async fn wait(&self, scope: &Scope) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = turns.get(scope) {
                Arc::clone(known)
            } else {
                // Forgets the scopes without a job.
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
                Arc::clone(turns.entry(scope.clone()).or_default())
            }
        };
        turn.lock_owned().await
    }
}
