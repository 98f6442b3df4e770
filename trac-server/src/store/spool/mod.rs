//! The spool: files in which clicks wait on disk until they are written to the database.
//!
//! A click in the spool is as durable as a row of the database, so that a redirect can carry its ID, and costs
//! a fraction: it appends a line to a file, where the database changes a page for almost each click. The writer
//! brings waiting clicks into the database in batches: when some thousand wait, a moment after the first one,
//! and before every other job, since a payment or lead that names a click arrives after the click. Readers of
//! clicks wait for that too ([`crate::router::catch_up`]). While the database is locked or full, the clicks
//! stay in the spool.
//!
//! A click that is read from the spool twice, because the process ended between the commit and the emptying of
//! the file, is recorded once: its ID is unique. A damaged line affects no other ([`scan`]). There are two
//! files: clicks are appended to one while those of the other are brought in.
//!
//! Only the serving process uses the files; a command on the same folder leaves them alone.

mod line;
mod scan;
mod segment;
mod refused;
mod sink;
mod bring_in;
mod appender;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{fmt, io, mem};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use super::Scope;
use super::click::{Condition, NewClick};
use super::error::{StoreError, StoreErrorKind};
use super::thread::spawn;
use appender::{Append, Appender};
use bring_in::{BATCH, SMALL_BATCH, bring_in};
pub(super) use line::Spooled;
pub(super) use refused::Refused;
use segment::Segment;
pub(super) use sink::{Sink, Source};

const FILE_NAMES: [&str; 2] = ["clicks.spool", "clicks.spool-2"];
/// How many clicks may wait for the appender.
const CAPACITY: usize = 4_096;
/// Waiting clicks are brought in at once if there are this many, otherwise after [`DELAY`].
const RUSH: usize = 8_192;
const DELAY: Duration = Duration::from_millis(200);

/// The spool of a store. It accepts no clicks until it is [opened](Self::open).
pub(super) struct Spool {
    folder: PathBuf,
    opened: OnceLock<Opened>,
    /// Locked while the spool is opened.
    opening: Mutex<()>,
    /// How many clicks wait; read without locking a file.
    waiting: Arc<AtomicUsize>,
    /// Whether the database rejected the clicks at the last drain.
    refused: AtomicBool,
    /// Whether opening has failed before; the warning is logged once.
    has_failed: AtomicBool,
    /// The runtime in which requests wait for replies, if it is multi-threaded.
    runtime: Arc<OnceLock<Handle>>,
}

/// A click that is not in the spool, and the reason.
#[derive(Debug)]
pub(super) struct NotStored {
    pub(super) error: StoreError,
    pub(super) click: Option<Box<NewClick>>,
}

struct Opened {
    segments: Arc<Segments>,
    appends: mpsc::SyncSender<Append>,
}

struct Segments {
    /// Clicks are appended to this one.
    active: Mutex<Segment>,
    /// Clicks are brought in from this one; empty otherwise.
    draining: Mutex<Segment>,
    /// Whether no more clicks are appended. Set while `active` is locked.
    is_closed: AtomicBool,
}

impl Spool {
    pub(super) fn in_folder(folder: &Path) -> Self {
        let (refused, has_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (opened, opening, waiting) = (OnceLock::new(), Mutex::new(()), Arc::default());
        let (folder, runtime) = (folder.to_owned(), Arc::default());
        Self { folder, opened, opening, waiting, refused, has_failed, runtime }
    }

    /// Locks the files for this process. Clicks that an earlier process left in them are brought in soon.
    pub(super) fn open(
        &self,
        source: impl FnOnce() -> Result<Box<dyn Source>, StoreError>,
    ) -> Result<(), StoreError> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.opened.get().is_some() {
            return Ok(());
        }
        let [first, second] = FILE_NAMES.map(|name| self.folder.join(name));
        let mut both = [open_segment(&first)?, open_segment(&second)?];
        both.sort_by_key(Segment::oldest);
        let [draining, active] = both;
        self.waiting.store(draining.lines().saturating_add(active.lines()), Ordering::SeqCst);
        let (appends, incoming) = mpsc::sync_channel(CAPACITY);
        let (active, draining) = (Mutex::new(active), Mutex::new(draining));
        let segments = Arc::new(Segments { active, draining, is_closed: AtomicBool::new(false) });
        let appender = Appender {
            path: first,
            segments: Arc::clone(&segments),
            waiting: Arc::clone(&self.waiting),
            runtime: Arc::clone(&self.runtime),
            source: source()?,
        };
        spawn("trac-spool", move || appender.run(&incoming))?;
        let _ = self.opened.set(Opened { segments, appends });
        Ok(())
    }

    /// Whether this is the first failure to open the spool.
    pub(super) fn is_first_failure(&self) -> bool {
        !self.has_failed.swap(true, Ordering::SeqCst)
    }

    /// Stores a click if its condition holds: `Ok(true)` if it is on disk, `Ok(false)` if the condition does
    /// not hold.
    pub(super) async fn store(
        &self,
        scope: &Scope,
        click: NewClick,
        only_if: Option<Arc<dyn Condition>>,
    ) -> Result<bool, NotStored> {
        let not_open = |click| NotStored {
            error: StoreError::new(StoreErrorKind::Unavailable, "the spool is not open"),
            click,
        };
        let Some(opened) = self.opened.get() else { return Err(not_open(Some(Box::new(click)))) };
        if self.runtime.get().is_none()
            && let Ok(runtime) = Handle::try_current()
            && runtime.runtime_flavor() == RuntimeFlavor::MultiThread
        {
            let _ = self.runtime.set(runtime);
        }
        let (reply, replied) = oneshot::channel();
        let append = Append { spooled: Spooled::new(scope, click), only_if, reply };
        if let Err(TrySendError::Full(append) | TrySendError::Disconnected(append)) =
            opened.appends.try_send(append)
        {
            let error = StoreError::new(StoreErrorKind::Busy, "too many clicks wait for the spool");
            return Err(NotStored { error, click: Some(Box::new(append.spooled.click)) });
        }
        replied.await.unwrap_or_else(|_| Err(not_open(None)))
    }

    /// Whether the database rejected the clicks at the last drain.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::SeqCst)
    }

    /// How many clicks wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// The time until waiting clicks must be brought in; `None` if there are none.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.waiting() {
            0 => None,
            RUSH.. if !self.is_refused() => Some(Duration::ZERO),
            _ => Some(DELAY),
        }
    }

    /// Brings all waiting clicks into the database.
    ///
    /// # Errors
    /// The database's; clicks that were brought in before the error stay there.
    pub(super) fn drain(&self, sink: &mut dyn Sink) -> Result<(), StoreError> {
        let Some(Opened { segments, .. }) = self.opened.get() else { return Ok(()) };
        let limit = if self.is_refused() { SMALL_BATCH } else { BATCH };
        let drained = sink.check().and_then(|()| self.drain_both(segments, sink, limit));
        let refused_before = self.refused.swap(drained.is_err(), Ordering::SeqCst);
        match &drained {
            Err(error) if !refused_before => {
                tracing::error!(%error, "the database rejects clicks; they wait in the spool");
            }
            Ok(()) if refused_before => {
                tracing::info!("the clicks that waited in the spool are in the database");
            }
            _ => {}
        }
        drained
    }

    /// Rejects new clicks, brings in the last ones, so that every click whose ID a visitor received is in the
    /// database, and unlocks the files.
    pub(super) fn finish(&self, sink: &mut dyn Sink) {
        let Some(Opened { segments, .. }) = self.opened.get() else { return };
        let active = lock(&segments.active);
        segments.is_closed.store(true, Ordering::SeqCst);
        drop(active);
        if let Err(error) = self.drain(sink) {
            tracing::warn!(%error, clicks = self.waiting(), "the last clicks wait in the spool for the next start");
        }
        lock(&segments.active).release();
        lock(&segments.draining).release();
    }

    fn drain_both(&self, segments: &Segments, sink: &mut dyn Sink, limit: usize) -> Result<(), StoreError> {
        if self.waiting() == 0 {
            return Ok(());
        }
        let mut draining = lock(&segments.draining);
        let refused = Refused::in_folder(&self.folder);
        let on_commit = |count| {
            self.waiting.fetch_sub(count, Ordering::SeqCst);
        };
        bring_in(&mut draining, sink, &refused, limit, on_commit)?;
        mem::swap(&mut *lock(&segments.active), &mut *draining);
        bring_in(&mut draining, sink, &refused, limit, on_commit)
    }
}

/// Whether a server, of any version, has locked the spool.
pub(super) fn is_in_use(folder: &Path) -> bool {
    FILE_NAMES.map(|name| folder.join(name)).iter().any(|path| {
        File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    })
}

/// Brings in the clicks that an ended server left in its spool, for a command on its folder. A running server's
/// spool is left alone, and clicks that the database rejects stay in the files.
pub(super) fn bring_in_left(folder: &Path, sink: &mut dyn Sink) {
    let mut left = Vec::new();
    for path in FILE_NAMES.map(|name| folder.join(name)) {
        match Segment::open_left(&path) {
            Ok(segment) => left.push(segment),
            // The file does not exist, or a server has locked it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {}
            Err(error) => tracing::warn!(%error, "clicks may be left in {}", path.display()),
        }
    }
    left.sort_by_key(Segment::oldest);
    for mut segment in left {
        if let Err(error) = bring_in(&mut segment, sink, &Refused::in_folder(folder), SMALL_BATCH, |_| ()) {
            tracing::warn!(%error, "clicks stay in the spool in {}", folder.display());
            return;
        }
    }
}

fn open_segment(path: &Path) -> Result<Segment, StoreError> {
    let opened = Segment::open(path).map_err(|error| {
        StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", path.display()))
    });
    let mut segment = opened?;
    if let Err(error) = segment.reserve() {
        tracing::warn!(%error, "no space could be reserved for clicks");
    }
    Ok(segment)
}

fn lock(segment: &Mutex<Segment>) -> MutexGuard<'_, Segment> {
    segment.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("folder", &self.folder)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests;
