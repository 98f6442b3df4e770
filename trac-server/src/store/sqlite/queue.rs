//! The writer's jobs, and the bounded queue in which they wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::file::Restart;
use crate::store::Priority;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::rows::Everywhere;

/// A job of the writer.
pub(super) struct Job(pub(super) Write);

/// Runs with the transaction, or with the reason why there is none.
pub(super) type Write = Box<dyn FnOnce(Result<Everywhere<'_>, StoreError>) -> Ran + Send>;

/// Sends a job's result to its caller; takes the result of the commit.
pub(super) type Reply = Box<dyn FnOnce(Result<(), StoreError>)>;

/// A job that ran: whether its savepoint is released or rolled back, and how its caller gets the result after
/// the commit.
pub(super) struct Ran {
    pub(super) keep: bool,
    pub(super) reply: Reply,
}

/// Wraps a job, so that its result is sent to the receiver after the commit.
pub(super) fn job<T, E, F>(job: F) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let write: Write = Box::new(move |tx| {
        let result = match tx {
            Ok(tx) => job(tx),
            Err(error) => Err(error.into()),
        };
        Ran {
            keep: result.is_ok(),
            reply: Box::new(move |committed| {
                // A failed job returns its own error, whatever the commit's. A caller that has left is ignored.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value).map_err(E::from)));
            }),
        }
    });
    (Job(write), receiver)
}

/// How many jobs of each priority may wait.
const CAPACITY: usize = 4_096;
/// How many jobs one commit contains at most.
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
    /// Whether the writer should restart the log, and how.
    restart: Option<Restart>,
    closed: bool,
    /// Whether the writer waits and must be woken. The first caller that wakes it clears this, so that no other
    /// makes a needless system call.
    writer_waits: bool,
}

impl Waiting {
    fn is_idle(&self) -> bool {
        !self.closed
            && self.restart.is_none()
            && self.webhooks.is_empty()
            && self.calls.is_empty()
            && self.clicks.is_empty()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or rejects it if the queue of its priority is full.
    pub(super) fn push(&self, priority: Priority, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::new(StoreErrorKind::Busy, "the store is closing"));
        }
        let queue = match priority {
            Priority::Webhook => &mut waiting.webhooks,
            Priority::Api => &mut waiting.calls,
            Priority::Click => &mut waiting.clicks,
        };
        if queue.len() >= CAPACITY {
            return Err(StoreError::new(StoreErrorKind::Busy, "too many writes are waiting"));
        }
        queue.push_back(job);
        let writer_waited = std::mem::take(&mut waiting.writer_waits);
        drop(waiting);
        if writer_waited {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs and takes as many as one commit contains; `None` once the queue is closed and empty.
    /// `due` returns the time until the spool must be drained, if at all: after that time, the list is
    /// empty, as it is when the log should be restarted.
    pub(super) fn take(&self, due: impl Fn() -> Option<Duration>) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        loop {
            let Waiting { webhooks, calls, clicks, restart, closed, .. } = &mut *waiting;
            let mut jobs: Vec<Job> = Vec::new();
            for queue in [webhooks, calls, clicks] {
                let count = BATCH.saturating_sub(jobs.len()).min(queue.len());
                jobs.extend(queue.drain(..count));
            }
            if !jobs.is_empty() || restart.is_some() {
                return Some(jobs);
            }
            if *closed {
                return None;
            }
            waiting.writer_waits = true;
            let is_due;
            (waiting, is_due) = match due() {
                None => (self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner), false),
                Some(pause) => {
                    let waited = self.arrived.wait_timeout(waiting, pause);
                    let (waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    (waiting, timeout.timed_out())
                }
            };
            waiting.writer_waits = false;
            if is_due && waiting.is_idle() {
                return Some(Vec::new());
            }
        }
    }

    /// Asks the writer to restart the log before its next jobs.
    pub(super) fn request_restart(&self, how: Restart) {
        self.lock().restart = Some(how);
        self.arrived.notify_one();
    }

    /// The request to restart the log, if there is one.
    pub(super) fn take_restart(&self) -> Option<Restart> {
        self.lock().restart.take()
    }

    /// Wakes the writer, so that it calls `due` again.
    pub(super) fn wake(&self) {
        drop(self.lock());
        self.arrived.notify_one();
    }

    /// How many jobs of each priority wait.
    pub(super) fn waiting(&self) -> [(&'static str, usize); 3] {
        let waiting = self.lock();
        let Waiting { webhooks, calls, clicks, .. } = &*waiting;
        [("webhook", webhooks.len()), ("api", calls.len()), ("click", clicks.len())]
    }

    /// Rejects new jobs; the waiting ones are still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
        self.ended.notify_all();
    }

    /// Waits for `pause`; returns `false` as soon as the queue is closed.
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
