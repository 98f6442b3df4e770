//! Where clicks wait on disk until the store takes them.
//!
//! A click in the spool is as durable as one in the store, so that a redirect may carry its ID, and costs a fraction: a line at the
//! end of a file, where the store changes a page for nearly each. The writer brings what waits into the store many at a time: some
//! thousand in a rush, whatever there is a moment after the first, and all of it before anything else that it writes, since
//! whatever names a click, a payment or a lead, comes after the click. Whoever asks for clicks waits for that too
//! ([`crate::router::catch_up`]). While the store takes nothing, locked or full, the spool holds the clicks.
//!
//! Clicks are known by their IDs, so that a spool that is read twice, because the process ended between the commit and the
//! emptying of the file, changes nothing. A damaged line hides no other ([`scan`]). There are two files: clicks are appended to one
//! while those of the other are brought in.
//!
//! The files belong to the one process that serves; a command beside it leaves them alone.

mod line;
mod scan;
mod segment;
mod refused;
mod bring_in;
mod appender;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{fmt, io, mem};

use rusqlite::Connection;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use super::alone::Original;
use super::click::{Condition, NewClick};
use super::error::{StoreError, StoreErrorKind};
use super::queue::Queue;
use super::thread::spawn;
use super::{Scope, file};
use appender::{Append, Appender};
use bring_in::{FEW, MANY, bring_in};
use line::Spooled;
use refused::Refused;
use segment::Segment;

const FILE_NAMES: [&str; 2] = ["clicks.spool", "clicks.spool-2"];
/// How many clicks may wait to be synchronized.
const CAPACITY: usize = 4_096;
/// So many clicks are brought in at once, and fewer after a while.
const RUSH: usize = 8_192;
const WHILE: Duration = Duration::from_millis(200);

/// The spool of a store. It holds nothing until it is [opened](Self::open).
pub(super) struct Spool {
    database: PathBuf,
    opened: OnceLock<Opened>,
    /// Held by whoever opens it.
    opening: Mutex<()>,
    /// How many clicks wait, told without waiting for a file.
    waiting: Arc<AtomicUsize>,
    /// Whether the store refused them when it was last asked.
    refused: AtomicBool,
    /// Whether it was said that another process has the files.
    is_missed: AtomicBool,
    /// Where visitors wait, if its threads run by themselves.
    runtime: Arc<OnceLock<Handle>>,
}

/// Why a click is not in the spool, and the click.
#[derive(Debug)]
pub(super) struct Unkept {
    pub(super) error: StoreError,
    pub(super) click: Option<Box<NewClick>>,
}

struct Opened {
    segments: Arc<Segments>,
    appends: mpsc::SyncSender<Append>,
}

struct Segments {
    /// To which clicks are appended.
    active: Mutex<Segment>,
    /// From which they are brought in, and empty in between.
    resting: Mutex<Segment>,
    /// Whether no more are appended. It is set while nobody appends.
    is_closed: AtomicBool,
}

impl Spool {
    pub(super) fn beside(database: &Path) -> Self {
        let (refused, is_missed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (opened, opening, waiting) = (OnceLock::new(), Mutex::new(()), Arc::default());
        let (database, runtime) = (database.to_owned(), Arc::default());
        Self { database, opened, opening, waiting, refused, is_missed, runtime }
    }

    /// Makes the files this process's own. What an earlier one left in them is brought into the store soon.
    pub(super) fn open(&self, queue: &Arc<Queue>) -> Result<(), StoreError> {
        let _nobody_else = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.opened.get().is_some() {
            return Ok(());
        }
        let [first, second] = FILE_NAMES.map(|name| self.database.with_file_name(name));
        let mut both = [open_segment(&first)?, open_segment(&second)?];
        both.sort_by_key(Segment::oldest);
        let [resting, active] = both;
        self.waiting.store(resting.lines().saturating_add(active.lines()), Ordering::SeqCst);
        let (appends, coming) = mpsc::sync_channel(CAPACITY);
        let (active, resting) = (Mutex::new(active), Mutex::new(resting));
        let segments = Arc::new(Segments { active, resting, is_closed: AtomicBool::new(false) });
        let appender = Appender {
            path: first,
            segments: Arc::clone(&segments),
            waiting: Arc::clone(&self.waiting),
            queue: Arc::clone(queue),
            runtime: Arc::clone(&self.runtime),
            reader: file::connect(&self.database)?,
        };
        spawn("trac-spool", move || appender.run(&coming))?;
        let _ = self.opened.set(Opened { segments, appends });
        Ok(())
    }

    /// Whether this is the first time that the spool is missed.
    pub(super) fn is_first_missed(&self) -> bool {
        !self.is_missed.swap(true, Ordering::SeqCst)
    }

    /// Keeps a click if its condition holds; `Ok` means that it is on disk, or that it does not.
    pub(super) async fn keep(
        &self,
        scope: &Scope,
        click: NewClick,
        only_if: Option<Arc<dyn Condition>>,
    ) -> Result<bool, Unkept> {
        let none = |click| Unkept {
            error: StoreError::new(StoreErrorKind::Unavailable, "there is no spool"),
            click,
        };
        let Some(opened) = self.opened.get() else { return Err(none(Some(Box::new(click)))) };
        if self.runtime.get().is_none()
            && let Ok(runtime) = Handle::try_current()
            && runtime.runtime_flavor() == RuntimeFlavor::MultiThread
        {
            let _ = self.runtime.set(runtime);
        }
        let (tell, told) = oneshot::channel();
        let append = Append { spooled: Spooled::new(scope, click), only_if, tell };
        if let Err(TrySendError::Full(append) | TrySendError::Disconnected(append)) =
            opened.appends.try_send(append)
        {
            let error = StoreError::new(StoreErrorKind::Busy, "too many clicks wait for the spool");
            return Err(Unkept { error, click: Some(Box::new(append.spooled.click)) });
        }
        told.await.unwrap_or_else(|_| Err(none(None)))
    }

    /// Whether the store refused clicks when it was last asked.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::SeqCst)
    }

    /// How many clicks wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// In how long clicks are to be brought in; `None` if there are none.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.waiting() {
            0 => None,
            RUSH.. if !self.is_refused() => Some(Duration::ZERO),
            _ => Some(WHILE),
        }
    }

    /// Brings all that waits into the store, if that is still where it was.
    ///
    /// # Errors
    /// The store's; what was brought in before stays there.
    pub(super) fn drain(&self, connection: &mut Connection, original: &Original) -> Result<(), StoreError> {
        let Some(Opened { segments, .. }) = self.opened.get() else { return Ok(()) };
        let limit = if self.is_refused() { FEW } else { MANY };
        let drained = original.is_in_place().and_then(|()| self.drain_both(segments, connection, limit));
        let refused_before = self.refused.swap(drained.is_err(), Ordering::SeqCst);
        match &drained {
            Err(error) if !refused_before => {
                tracing::error!(%error, "the store takes no clicks; they wait beside it");
            }
            Ok(()) if refused_before => tracing::info!("the clicks that waited are in the store"),
            _ => {}
        }
        drained
    }

    /// Takes no more, brings in the last, so that whatever a visitor was told is in the store, and leaves the files to others.
    pub(super) fn finish(&self, connection: &mut Connection, original: &Original) {
        let Some(Opened { segments, .. }) = self.opened.get() else { return };
        let nobody_appends = lock(&segments.active);
        segments.is_closed.store(true, Ordering::SeqCst);
        drop(nobody_appends);
        if let Err(error) = self.drain(connection, original) {
            tracing::warn!(%error, clicks = self.waiting(), "the last clicks wait beside the store for the next start");
        }
        lock(&segments.active).release();
        lock(&segments.resting).release();
    }

    fn drain_both(
        &self,
        segments: &Segments,
        connection: &mut Connection,
        limit: usize,
    ) -> Result<(), StoreError> {
        if self.waiting() == 0 {
            return Ok(());
        }
        let mut resting = lock(&segments.resting);
        let refused = Refused::beside(&self.database);
        let taken = |count| {
            self.waiting.fetch_sub(count, Ordering::SeqCst);
        };
        bring_in(&mut resting, connection, &refused, limit, taken)?;
        mem::swap(&mut *lock(&segments.active), &mut *resting);
        bring_in(&mut resting, connection, &refused, limit, taken)
    }
}

/// Whether a server has the spool, of whatever version it is.
pub(super) fn is_in_use(database: &Path) -> bool {
    FILE_NAMES.map(|name| database.with_file_name(name)).iter().any(|path| {
        File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    })
}

/// Brings in what an ended server left in its spool, for a command on its folder. The spool of one that runs is left alone, and what the
/// store does not take stays where it is.
pub(super) fn bring_in_left(database: &Path, connection: &mut Connection) {
    let mut left = Vec::new();
    for path in FILE_NAMES.map(|name| database.with_file_name(name)) {
        match Segment::open_left(&path) {
            Ok(segment) => left.push(segment),
            // There is none, or a server has it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {}
            Err(error) => tracing::warn!(%error, "clicks may be left in {}", path.display()),
        }
    }
    left.sort_by_key(Segment::oldest);
    for mut segment in left {
        if let Err(error) = bring_in(&mut segment, connection, &Refused::beside(database), FEW, |_| ()) {
            tracing::warn!(%error, "clicks stay beside {}", database.display());
            return;
        }
    }
}

fn open_segment(path: &Path) -> Result<Segment, StoreError> {
    let opened = Segment::open(path).map_err(|error| {
        StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", path.display()))
    });
    let mut segment = opened?;
    if let Err(error) = segment.take_room() {
        tracing::warn!(%error, "there is no room to keep for clicks");
    }
    Ok(segment)
}

fn lock(segment: &Mutex<Segment>) -> MutexGuard<'_, Segment> {
    segment.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("database", &self.database)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
