//! The thread that appends clicks to the spool, all that wait at once: they share one synchronization of the
//! disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::line::Spooled;
use super::sink::Source;
use super::{NotStored, RUSH, Segments, lock};
use crate::store::click::Condition;
use crate::store::error::{StoreError, StoreErrorKind};

/// How many lines one synchronization covers at most.
const GROUP: usize = 1_024;

/// After a group of at least this many clicks, the appender waits [`GATHER`] for more before the next write.
const BUSY: usize = 4;
const GATHER: Duration = Duration::from_micros(200);

/// A click on its way to the file.
pub(super) struct Append {
    pub(super) spooled: Spooled,
    /// The condition under which the click is recorded.
    pub(super) only_if: Option<Arc<dyn Condition>>,
    /// Receives `Ok(true)` once the click is on disk, `Ok(false)` if the condition does not hold.
    pub(super) reply: Reply,
}

type Reply = oneshot::Sender<Result<bool, NotStored>>;

/// The senders of clicks that are on disk. Each sends `Ok(true)` when this value is dropped, wherever that
/// happens.
struct Stored(Vec<Reply>);

impl Drop for Stored {
    fn drop(&mut self) {
        for reply in self.0.drain(..) {
            // A request that stopped waiting has redirected its visitor without a click ID.
            let _ = reply.send(Ok(true));
        }
    }
}

pub(super) struct Appender {
    pub(super) path: PathBuf,
    pub(super) segments: Arc<Segments>,
    pub(super) waiting: Arc<AtomicUsize>,
    /// The runtime in which requests wait for replies.
    pub(super) runtime: Arc<OnceLock<Handle>>,
    /// The database by which conditions are checked.
    pub(super) source: Box<dyn Source>,
}

impl Appender {
    /// Appends clicks as they arrive; ends when the spool is dropped.
    pub(super) fn run(&self, incoming: &mpsc::Receiver<Append>) {
        let mut together = 0;
        while let Ok(first) = incoming.recv() {
            // If many clicks arrived together, more are likely to follow and can share the synchronization. A
            // single click does not wait.
            if together >= BUSY {
                thread::sleep(GATHER);
            } else {
                thread::yield_now();
            }
            let group = std::iter::once(first).chain(incoming.try_iter().take(GROUP.saturating_sub(1)));
            let group: Vec<_> = group.collect();
            together = group.len();
            self.append(group);
        }
    }

    fn append(&self, group: Vec<Append>) {
        let (mut lines, mut replies) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        let mut checked = HashMap::new();
        for Append { spooled, only_if, reply } in group {
            // Clicks of one group often share a condition, which is checked once.
            let holds = only_if.is_none_or(|condition| {
                *checked
                    .entry(Arc::as_ptr(&condition).addr())
                    .or_insert_with(|| self.source.holds(&*condition))
            });
            if holds {
                lines.push(spooled);
                replies.push(reply);
            } else {
                let _ = reply.send(Ok(false));
            }
        }
        if lines.is_empty() {
            return;
        }
        let count = lines.len();
        let mut active = lock(&self.segments.active);
        let appended = if self.segments.is_closed.load(Ordering::SeqCst) {
            Err(io::Error::other("the store is closing"))
        } else {
            active.append(&mut lines)
        };
        // Counted before the writer can bring them in.
        let before = appended.is_ok().then(|| self.waiting.fetch_add(count, Ordering::SeqCst));
        drop(active);
        if before.is_some_and(|before| before == 0 || (before < RUSH && before.saturating_add(count) >= RUSH))
        {
            self.source.wake();
        }
        let Err(error) = appended else {
            return self.reply(Stored(replies));
        };
        let error = StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", self.path.display()));
        for (reply, spooled) in replies.into_iter().zip(lines) {
            let _ = reply.send(Err(NotStored { error: error.clone(), click: Some(Box::new(spooled.click)) }));
        }
    }

    /// Sends the replies. Many replies are sent from a task in the runtime of their receivers, which is then
    /// woken once, not once per reply. A runtime that shuts down drops the task, which sends the replies too.
    fn reply(&self, stored: Stored) {
        match self.runtime.get() {
            Some(runtime) if stored.0.len() >= BUSY => drop(runtime.spawn(async move { drop(stored) })),
            _ => drop(stored),
        }
    }
}
