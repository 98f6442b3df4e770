//! The jobs of the writer, and the bounded queue in which they wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Transaction;
use tokio::sync::oneshot;

use super::error::{StoreError, StoreErrorKind};

/// Something to write.
pub(super) struct Job(pub(super) Write);

/// It is given the transaction, or the reason why there is none.
pub(super) type Write = Box<dyn FnOnce(Result<&Transaction<'_>, StoreError>) -> Ran + Send>;

/// Tells whoever waits for a job how the commit went.
pub(super) type Tell = Box<dyn FnOnce(Result<(), StoreError>)>;

/// A job that ran: whether its savepoint is to be kept, and who is to be told once the commit is known.
pub(super) struct Ran {
    pub(super) keep: bool,
    pub(super) tell: Tell,
}

/// Wraps a job so that its answer travels back after the commit.
pub(super) fn job<T, E, F>(job: F) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let write: Write = Box::new(move |tx| {
        let result = match tx {
            Ok(tx) => job(tx),
            Err(error) => Err(error.into()),
        };
        Ran {
            keep: result.is_ok(),
            tell: Box::new(move |committed| {
                // A job that failed by itself keeps its own answer; nobody listening any more is no matter.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value).map_err(E::from)));
            }),
        }
    });
    (Job(write), receiver)
}

/// Who goes first when much is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Stripe's events: they are money.
    Webhook,
    /// A merchant's own calls.
    Api,
    /// Visitors' clicks.
    Click,
}

/// How many jobs of each priority may wait.
const CAPACITY: usize = 4_096;
/// How many jobs one commit carries at most.
const BATCH: usize = 256;

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct Waiting {
    webhooks: VecDeque<Job>,
    calls: VecDeque<Job>,
    clicks: VecDeque<Job>,
    closed: bool,
    /// Whether the writer rests and is to be woken. Whoever wakes it takes this: to wake it again would ask the system for nothing.
    resting: bool,
}

impl Waiting {
    fn is_idle(&self) -> bool {
        !self.closed && self.webhooks.is_empty() && self.calls.is_empty() && self.clicks.is_empty()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job in line, or refuses it if the line is full.
    pub(super) fn push(&self, priority: Priority, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::new(StoreErrorKind::Busy, "the store is closing"));
        }
        let line = match priority {
            Priority::Webhook => &mut waiting.webhooks,
            Priority::Api => &mut waiting.calls,
            Priority::Click => &mut waiting.clicks,
        };
        if line.len() >= CAPACITY {
            return Err(StoreError::new(StoreErrorKind::Busy, "too many writes are waiting"));
        }
        line.push_back(job);
        let rested = std::mem::take(&mut waiting.resting);
        drop(waiting);
        if rested {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs and takes as many as one commit carries; `None` once closed and drained. If there is something else to be done,
    /// and `due` says in how long, it waits no longer and takes what there is.
    pub(super) fn take(&self, due: impl Fn() -> Option<Duration>) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        loop {
            let Waiting { webhooks, calls, clicks, closed, .. } = &mut *waiting;
            let mut jobs: Vec<Job> = Vec::new();
            for line in [webhooks, calls, clicks] {
                let room = BATCH.saturating_sub(jobs.len()).min(line.len());
                jobs.extend(line.drain(..room));
            }
            if !jobs.is_empty() {
                return Some(jobs);
            }
            if *closed {
                return None;
            }
            waiting.resting = true;
            let is_due;
            (waiting, is_due) = match due() {
                None => (self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner), false),
                Some(pause) => {
                    let waited = self.arrived.wait_timeout(waiting, pause);
                    let (waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    (waiting, timeout.timed_out())
                }
            };
            waiting.resting = false;
            if is_due && waiting.is_idle() {
                return Some(Vec::new());
            }
        }
    }

    /// Lets the writer look whether there is something else to be done.
    pub(super) fn wake(&self) {
        drop(self.lock());
        self.arrived.notify_one();
    }

    /// How many jobs of each kind wait.
    pub(super) fn waiting(&self) -> [(&'static str, usize); 3] {
        let waiting = self.lock();
        let Waiting { webhooks, calls, clicks, .. } = &*waiting;
        [("webhook", webhooks.len()), ("api", calls.len()), ("click", clicks.len())]
    }

    /// Lets what waits be finished and takes no more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
        self.ended.notify_all();
    }

    /// Waits for a while; `false` once closed.
    pub(super) fn is_open_after(&self, pause: Duration) -> bool {
        let waiting = self.lock();
        let waited = self.ended.wait_timeout_while(waiting, pause, |waiting| !waiting.closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.lock();
        f.debug_struct("Queue")
            .field("webhooks", &waiting.webhooks.len())
            .field("calls", &waiting.calls.len())
            .field("clicks", &waiting.clicks.len())
            .field("closed", &waiting.closed)
            .finish()
    }
}
