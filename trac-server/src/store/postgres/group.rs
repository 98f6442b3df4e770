//! The thread that writes visitors' clicks, all that wait at once: they share one statement and one commit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use super::clicks::record;
use super::link::Access;
use super::pool::{Pool, is_away};
use crate::store::click::{Condition, NewClick};
use crate::store::thread::spawn;
use crate::store::{Scope, StoreError, StoreErrorKind};

/// How many clicks may wait.
const CAPACITY: usize = 4_096;
/// How many clicks one statement records at most.
const GROUP: usize = 512;
/// How many times a group is written before its clicks are given up: two nodes that count clicks of the same links may
/// wait for each other, and the database ends one of them.
const TRIES: usize = 3;

struct Waiting {
    scope: Scope,
    click: NewClick,
    only_if: Option<Arc<dyn Condition>>,
    reply: oneshot::Sender<Result<bool, StoreError>>,
}

/// The clicks that wait to be written.
pub(super) struct Group {
    /// `None` once the store is closed.
    incoming: RwLock<Option<mpsc::SyncSender<Waiting>>>,
    /// Whether the database could not be reached the last time.
    is_away: Arc<AtomicBool>,
}

impl Group {
    pub(super) fn start(pool: Pool) -> Result<Self, StoreError> {
        let (incoming, waiting) = mpsc::sync_channel::<Waiting>(CAPACITY);
        let away = Arc::new(AtomicBool::new(false));
        let last_time = Arc::clone(&away);
        // Ends when the sender is dropped.
        drop(spawn("trac-clicks", move || {
            while let Ok(first) = waiting.recv() {
                let rest = waiting.try_iter().take(GROUP.saturating_sub(1));
                let group: Vec<_> = std::iter::once(first).chain(rest).collect();
                let written = (0..TRIES).find_map(|_| match write(&pool, &group) {
                    Err(error) if error.kind() == StoreErrorKind::Busy => None,
                    written => Some(written),
                });
                let written = written.unwrap_or_else(|| {
                    Err(StoreError::new(StoreErrorKind::Busy, "other nodes write the same clicks' counts"))
                });
                last_time.store(written.as_ref().is_err_and(is_away), Ordering::SeqCst);
                reply(group, written);
            }
        })?);
        Ok(Self { incoming: RwLock::new(Some(incoming)), is_away: away })
    }

    /// Whether the database could not be reached the last time.
    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::SeqCst)
    }

    /// The database was reached.
    pub(super) fn is_back(&self) {
        self.is_away.store(false, Ordering::SeqCst);
    }

    /// Records a click if its condition holds, and returns once it is committed.
    pub(super) async fn record(
        &self,
        scope: &Scope,
        click: NewClick,
        only_if: Option<Arc<dyn Condition>>,
    ) -> Result<bool, StoreError> {
        let (reply, replied) = oneshot::channel();
        let waiting = Waiting { scope: scope.clone(), click, only_if, reply };
        {
            let incoming = self.incoming.read().unwrap_or_else(PoisonError::into_inner);
            let closed = || StoreError::new(StoreErrorKind::Busy, "the store is closing");
            match incoming.as_ref().ok_or_else(closed)?.try_send(waiting) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(StoreError::new(StoreErrorKind::Busy, "too many clicks wait"));
                }
                Err(TrySendError::Disconnected(_)) => return Err(closed()),
            }
        }
        replied.await.unwrap_or_else(|_| Err(StoreError::internal("writing clicks panicked")))
    }

    /// Accepts no more clicks.
    pub(super) fn close(&self) {
        *self.incoming.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Writes the clicks whose condition holds, and returns for each whether it does.
fn write(pool: &Pool, group: &[Waiting]) -> Result<Vec<bool>, StoreError> {
    pool.run_here(Access::Append, None, |tx| {
        // Clicks of one moment often share a link, which is compared once.
        let (mut compared, mut holds) = (HashMap::new(), Vec::with_capacity(group.len()));
        for Waiting { only_if, .. } in group {
            let Some(condition) = only_if else {
                holds.push(true);
                continue;
            };
            holds.push(match compared.entry(Arc::as_ptr(condition).addr()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(condition.holds(tx)?),
            });
        }
        let clicks = group.iter().zip(&holds).filter(|(_, holds)| **holds);
        let clicks: Vec<_> = clicks.map(|(waiting, _)| (&waiting.scope, &waiting.click)).collect();
        if !clicks.is_empty() {
            record(tx, &clicks)?;
        }
        Ok(holds)
    })
}

fn reply(group: Vec<Waiting>, written: Result<Vec<bool>, StoreError>) {
    // A request that stopped waiting has redirected its visitor without this click.
    match written {
        Ok(holds) => {
            for (waiting, holds) in group.into_iter().zip(holds) {
                let _ = waiting.reply.send(Ok(holds));
            }
        }
        Err(error) => {
            for waiting in group {
                let _ = waiting.reply.send(Err(error.clone()));
            }
        }
    }
}
