//! The thread that appends, as much at once as is there: the visitors of one moment share one synchronization of the disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;
use std::{io, thread};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::line::Spooled;
use super::{RUSH, Segments, Unkept, lock};
use crate::store::click::Condition;
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::queue::Queue;
use crate::store::rows::Everywhere;

/// How many lines one synchronization carries.
const GROUP: usize = 1_024;

/// How many are many, and how long more are waited for then.
const MANY: usize = 4;
const GATHER: Duration = Duration::from_micros(200);

/// A click on its way to the file.
pub(super) struct Append {
    pub(super) spooled: Spooled,
    /// What must be so.
    pub(super) only_if: Option<Arc<dyn Condition>>,
    /// Told once the click is there, or that the condition did not hold.
    pub(super) tell: Tell,
}

type Tell = oneshot::Sender<Result<bool, Unkept>>;

/// Whose clicks are on disk. They are told when this is dropped, wherever that is.
struct Kept(Vec<Tell>);

impl Drop for Kept {
    fn drop(&mut self) {
        for tell in self.0.drain(..) {
            // Whoever stopped waiting was sent on without an ID.
            let _ = tell.send(Ok(true));
        }
    }
}

pub(super) struct Appender {
    pub(super) path: PathBuf,
    pub(super) segments: Arc<Segments>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) queue: Arc<Queue>,
    /// Where visitors wait.
    pub(super) runtime: Arc<OnceLock<Handle>>,
    /// By which conditions are judged.
    pub(super) reader: Connection,
}

impl Appender {
    /// Appends what comes; ends with the spool.
    pub(super) fn run(&self, coming: &mpsc::Receiver<Append>) {
        // A store that keeps its readers out keeps no visitor waiting.
        if let Err(error) = self.reader.busy_timeout(Duration::ZERO) {
            tracing::warn!(%error, "links are compared slowly");
        }
        let mut together = 0;
        while let Ok(first) = coming.recv() {
            // Where many came together, more are about to, and share the synchronization. Whoever comes alone does not wait.
            if together >= MANY {
                thread::sleep(GATHER);
            } else {
                thread::yield_now();
            }
            let group = std::iter::once(first).chain(coming.try_iter().take(GROUP.saturating_sub(1)));
            let group: Vec<_> = group.collect();
            together = group.len();
            self.append(group);
        }
    }

    fn append(&self, group: Vec<Append>) {
        let (mut lines, mut told) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        let mut judged = HashMap::new();
        for Append { spooled, only_if, tell } in group {
            // Many clicks of one moment have the same condition, which is asked once.
            let holds = only_if.is_none_or(|condition| {
                *judged.entry(Arc::as_ptr(&condition).addr()).or_insert_with(|| self.holds(&*condition))
            });
            if holds {
                lines.push(spooled);
                told.push(tell);
            } else {
                let _ = tell.send(Ok(false));
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
        // Counted before they can be taken.
        let before = appended.is_ok().then(|| self.waiting.fetch_add(count, Ordering::SeqCst));
        drop(active);
        if before.is_some_and(|before| before == 0 || (before < RUSH && before.saturating_add(count) >= RUSH))
        {
            self.queue.wake();
        }
        let Err(error) = appended else {
            return self.tell(Kept(told));
        };
        let error = StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", self.path.display()));
        for (tell, spooled) in told.into_iter().zip(lines) {
            let _ = tell.send(Err(Unkept { error: error.clone(), click: Some(Box::new(spooled.click)) }));
        }
    }

    /// Many are told from within the runtime in which they wait: it is woken once, and not by each of them. A runtime that ends drops
    /// what it was given, which tells them too.
    fn tell(&self, kept: Kept) {
        match self.runtime.get() {
            Some(runtime) if kept.0.len() >= MANY => drop(runtime.spawn(async move { drop(kept) })),
            _ => drop(kept),
        }
    }

    /// What cannot be asked now is as it was when it was last heard of.
    fn holds(&self, condition: &dyn Condition) -> bool {
        condition.holds(Everywhere::of(&self.reader)).unwrap_or_else(|error| {
            tracing::debug!(%error, "a link could not be compared");
            true
        })
    }
}
