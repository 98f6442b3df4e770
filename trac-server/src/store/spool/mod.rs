//! Where clicks wait on disk while the store cannot take them: locked, full, too slow.
//!
//! A click in the spool is as durable as one in the store, so that a redirect may carry its ID. The writer brings what waits
//! into the store before anything else that it writes: whatever names a click, a payment or a lead, comes after the click.
//! Clicks are known by their IDs, so that a spool that is read twice, because the process ended between the commit and the
//! emptying of the file, changes nothing.
//!
//! The file belongs to the one process that serves; a command beside it leaves it alone.

mod file;
mod line;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::{fmt, io};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::click::NewClick;
use super::error::{StoreError, StoreErrorKind};
use super::queue::Queue;
use super::{Scope, writer};
use file::SpoolFile;
use line::Spooled;

const FILE_NAME: &str = "clicks.spool";
/// How many clicks may wait to be synchronized, and how many one synchronization carries.
const CAPACITY: usize = 4_096;
const GROUP: usize = 256;

/// A line on its way to the file, and who is told when it is there.
type Append = (Spooled, oneshot::Sender<Result<(), StoreError>>);

/// The spool of a store. It holds nothing until it is [opened](Self::open).
pub(super) struct Spool {
    path: PathBuf,
    opened: OnceLock<Opened>,
    /// Whether the store failed to take clicks and has not taken any since.
    is_needed: AtomicBool,
    /// How many clicks wait, told without waiting for the file.
    waiting: Arc<AtomicUsize>,
}

struct Opened {
    file: Arc<Mutex<SpoolFile>>,
    appends: mpsc::SyncSender<Append>,
}

impl Spool {
    pub(super) fn beside(database: &Path) -> Self {
        let path = database.with_file_name(FILE_NAME);
        let (is_needed, waiting) = (AtomicBool::new(false), Arc::default());
        Self { path, opened: OnceLock::new(), is_needed, waiting }
    }

    /// Makes the file this process's own. What an earlier one left in it is brought into the store soon.
    pub(super) fn open(&self, queue: &Arc<Queue>) -> Result<(), StoreError> {
        if self.opened.get().is_some() {
            return Ok(());
        }
        let mut file = SpoolFile::open(&self.path).map_err(|error| self.cannot(&error))?;
        if let Err(error) = file.take_room() {
            tracing::warn!(%error, "there is no room to keep for clicks that the store cannot take");
        }
        self.waiting.store(file.lines(), Ordering::SeqCst);
        let (appends, coming) = mpsc::sync_channel(CAPACITY);
        let file = Arc::new(Mutex::new(file));
        let appender = Appender {
            path: self.path.clone(),
            file: Arc::clone(&file),
            waiting: Arc::clone(&self.waiting),
            queue: Arc::clone(queue),
        };
        writer::spawn("trac-spool", move || appender.run(&coming))?;
        let _ = self.opened.set(Opened { file, appends });
        Ok(())
    }

    /// Keeps a click; `Ok` means that it is on disk.
    pub(super) async fn keep(&self, scope: &Scope, click: NewClick) -> Result<(), StoreError> {
        let is_first = !self.is_needed.swap(true, Ordering::SeqCst);
        let kept = self.append(Spooled::new(scope, click)).await;
        if is_first && kept.is_ok() {
            tracing::error!("the store does not take clicks in time; they wait in {}", self.path.display());
        }
        if kept.is_err() && self.waiting() == 0 {
            // Neither takes anything: the store is to be asked again.
            self.is_needed.store(false, Ordering::SeqCst);
        }
        kept
    }

    async fn append(&self, spooled: Spooled) -> Result<(), StoreError> {
        let none = || StoreError::new(StoreErrorKind::Unavailable, "there is no spool");
        let opened = self.opened.get().ok_or_else(none)?;
        let (tell, told) = oneshot::channel();
        let busy = |_| StoreError::new(StoreErrorKind::Busy, "too many clicks wait for the spool");
        opened.appends.try_send((spooled, tell)).map_err(busy)?;
        told.await.unwrap_or_else(|_| Err(none()))
    }

    /// Whether clicks go to the spool at once.
    pub(super) fn is_needed(&self) -> bool {
        self.is_needed.load(Ordering::SeqCst)
    }

    /// How many clicks wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Brings all that waits into the store.
    ///
    /// # Errors
    /// The store's; what was brought in before stays there.
    pub(super) fn drain(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let Some(opened) = self.opened.get() else { return Ok(()) };
        let mut brought = 0_usize;
        loop {
            let chunk = lock(&opened.file).waiting().map_err(|error| self.cannot(&error))?;
            let Some((lines, end)) = chunk else { break };
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for spooled in &lines {
                spooled.insert_once(&tx)?;
            }
            tx.commit()?;
            self.is_needed.store(false, Ordering::SeqCst);
            brought = brought.saturating_add(lines.len());
            let mut file = lock(&opened.file);
            file.drained(lines.len(), end).map_err(|error| self.cannot(&error))?;
            self.waiting.store(file.lines(), Ordering::SeqCst);
        }
        if brought > 0 {
            tracing::info!(clicks = brought, "clicks that had waited were brought into the store");
        }
        Ok(())
    }

    fn cannot(&self, error: &io::Error) -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", self.path.display()))
    }
}

/// What appends, on a thread of its own: a disk that is slow to synchronize keeps nobody else waiting.
struct Appender {
    path: PathBuf,
    file: Arc<Mutex<SpoolFile>>,
    waiting: Arc<AtomicUsize>,
    queue: Arc<Queue>,
}

impl Appender {
    /// Appends what comes, as much at once as is there; ends with the spool.
    fn run(&self, coming: &mpsc::Receiver<Append>) {
        while let Ok(first) = coming.recv() {
            let more = coming.try_iter().take(GROUP);
            let (lines, told): (Vec<_>, Vec<_>) = std::iter::once(first).chain(more).unzip();
            let appended = {
                let mut file = lock(&self.file);
                let appended = file.append(&lines);
                self.waiting.store(file.lines(), Ordering::SeqCst);
                appended
            };
            let appended = appended.map_err(|error| {
                StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", self.path.display()))
            });
            for tell in told {
                // Whoever stopped waiting was sent on without an ID.
                let _ = tell.send(appended.clone());
            }
            self.queue.wake();
        }
    }
}

fn lock(file: &Mutex<SpoolFile>) -> MutexGuard<'_, SpoolFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("path", &self.path)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
