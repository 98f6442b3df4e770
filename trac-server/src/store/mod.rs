//! The database: what trac stores, and how the rest of the server reads and writes it.
//!
//! The data is one SQLite file in the data folder, in WAL mode with `synchronous=FULL`. One thread writes: it
//! takes jobs from a bounded queue, runs each in its own savepoint, commits many at once, and returns their
//! results only after the commit. Each reader sees one snapshot. Look-ups of single rows have their own
//! connections, so that they never wait for slow queries. Clicks, the most frequent writes, are appended to a
//! spool and written to the database many at a time. Nothing cached outside the database is trusted: the cached
//! link of a redirect is compared with the database before its click is recorded, so that a change by another
//! process on the same folder (`trac workspace create`) takes effect at once.
//!
//! Every function that reads or writes rows takes a [`Scope`]: no row is reached without naming workspace and
//! mode.

mod error;
mod scope;
pub(crate) mod rows;
#[cfg(test)]
mod plan;
mod sqlite;
mod sum;
pub(crate) mod body;
mod migrate;
pub(crate) mod scratch;
mod file;
pub(crate) mod schema;
mod folder_lock;
mod settings;
mod vault;
mod ticket;
mod room;
mod thread;
mod queue;
pub(crate) mod click;
mod visitors;
mod numbers;
pub(crate) mod spans;
mod click_days;
mod sale_days;
pub(crate) mod old_clicks;
mod space;
pub(crate) mod recorder;
pub(crate) mod derived;
mod spool;
mod backup;
mod writer;
mod checkpoints;
mod readers;
mod queries;
pub(crate) mod load;
mod customers;
pub(crate) mod apply;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use backup::{BackupProgress, back_up, restore};
pub use error::{StoreError, StoreErrorKind};
pub(crate) use file::{make_folder as make_private_folder, new_private as new_private_file};
pub use folder_lock::FolderLock;
pub use queue::Priority;
pub use scope::Scope;
pub(crate) use scope::mode_of;
pub(crate) use settings::{PUBLIC_URL, forget_setting, set_setting, setting};
pub(crate) use ticket::{Made, TICKET, Ticket};
pub(crate) use vault::{Place, Vault, unhex};
pub(crate) use visitors::forget_marks;

use click::{Condition, NewClick};
use folder_lock::Original;
use queries::Queries;
use queue::Queue;
use readers::Readers;
use room::Room;
pub use rows::Everywhere;
use spool::{NotStored, Spool};

/// How many connections look up single rows at the same time.
const READERS: usize = 4;

/// A handle to the store. Clones share one store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    queue: Arc<Queue>,
    spool: Arc<Spool>,
    room: Arc<Room>,
    /// For quick reads: keys, endpoints, links, sessions, `/readyz`.
    readers: Readers,
    /// For reads that may take long: lists, figures, pages, stories.
    queries: Queries,
    vault: Arc<Vault>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Store {
    /// Opens the store of a data folder. Creates the folder and the database if they are missing.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the folder cannot be written, [`StoreErrorKind::Corrupt`] if the file
    /// is not a database of this program or a newer version made it, [`StoreErrorKind::Conflict`] if a server
    /// of an older version runs on it. The message names the file.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let file = file::prepare(data)?;
        Self::start(&file, Vault::in_folder(data)?)
    }

    /// [`Store::open`] with the master key that opens the sealed secrets: 64 hex digits, or several keys
    /// separated by commas, the newest first. `None` means the file `master.key` in the folder.
    ///
    /// # Errors
    /// As [`Store::open`], and if the key has another form.
    pub fn open_with_master_key(data: &Path, master_key: Option<&str>) -> Result<Self, StoreError> {
        match master_key {
            None => Self::open(data),
            Some(text) => {
                let vault = Vault::from_config(text)?;
                Self::start(&file::prepare(data)?, vault)
            }
        }
    }

    /// [`Store::open_with_master_key`] for a store that must exist already: nothing is created.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreErrorKind::Unavailable`] if there is no store in the folder; the message
    /// names the folder.
    pub fn open_known(data: &Path, master_key: Option<&str>) -> Result<Self, StoreError> {
        file::must_be_there(data)?;
        Self::open_with_master_key(data, master_key)
    }

    /// [`Store::open_known`] for a command that changes nothing: the store of an older version is left as it is.
    ///
    /// # Errors
    /// As [`Store::open_known`], and [`StoreErrorKind::Conflict`] if an older version made the store; the message says
    /// what converts it.
    pub fn open_unchanged(data: &Path, master_key: Option<&str>) -> Result<Self, StoreError> {
        file::must_be_there(data)?;
        let file = data.join(file::FILE_NAME);
        if file::read_only(&file)
            .and_then(|connection| migrate::is_older(&connection))
            .map_err(|error| error.at(&file))?
        {
            let detail = "an older trac made it: make a backup, then start trac serve, which converts it";
            return Err(StoreError::new(StoreErrorKind::Conflict, detail).at(&file));
        }
        Self::open_with_master_key(data, master_key)
    }

    fn start(file: &Path, vault: Vault) -> Result<Self, StoreError> {
        let named = |error: StoreError| error.at(file);
        let mut connection = file::connect(file).map_err(named)?;
        // An older server cannot write to the newer schema.
        if migrate::is_older(&connection).map_err(named)? && spool::is_in_use(file) {
            let detail = "a server of an older trac runs on it: stop that server first";
            return Err(named(StoreError::new(StoreErrorKind::Conflict, detail)));
        }
        migrate::migrate(&mut connection).map_err(named)?;
        spool::bring_in_left(file, &mut connection);
        let readers = Readers::open(file, READERS, file::CACHE_KIB).map_err(named)?;
        let queries = Queries::open(file).map_err(named)?;
        let (queue, spool) = (Arc::new(Queue::default()), Arc::new(Spool::next_to(file)));
        let (original, room) = (Original::of(file), Arc::new(Room::around(file)));
        let threads = vec![
            writer::start(connection, original, Arc::clone(&queue), Arc::clone(&spool))?,
            checkpoints::start(
                file::connect(file).map_err(named)?,
                file,
                (Arc::clone(&queue), Arc::clone(&room)),
            )?,
        ];
        let (vault, threads) = (Arc::new(vault), Mutex::new(threads));
        let file = file.to_owned();
        Ok(Self(Arc::new(Inner { file, queue, spool, room, readers, queries, vault, threads })))
    }

    /// Makes this process the owner of the spool and brings in the clicks that an earlier process left there.
    /// `false` if that is impossible now: another process owns the spool, or the disk fails.
    pub(crate) fn use_spool(&self) -> bool {
        let opened = self.0.spool.open(&self.0.queue);
        if let Err(error) = &opened
            && self.0.spool.is_first_failure()
        {
            tracing::warn!(%error, "the spool is not available: each click is its own commit, and a click that the database rejects is lost");
        }
        self.0.queue.wake();
        opened.is_ok()
    }

    /// Records a click if its condition holds. `Ok(true)` means that it is on disk and that every later request
    /// finds it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the disk fails or is full, [`StoreErrorKind::Busy`] if too many
    /// clicks wait.
    pub(crate) async fn record_click(
        &self,
        scope: &Scope,
        click: NewClick,
        only_if: Option<Arc<dyn Condition>>,
    ) -> Result<bool, StoreError> {
        self.0.room.check_for_pages()?;
        let (error, click) = match self.0.spool.store(scope, click, only_if.clone()).await {
            Ok(recorded) => return Ok(recorded),
            Err(NotStored { error, click }) => (error, click),
        };
        let Some(click) = click.filter(|_| !self.rejects_clicks()) else { return Err(error) };
        let scope = scope.clone();
        // Boxed, so that this rare future does not enlarge every click's.
        let written = Box::pin(self.write(Priority::Click, move |tx| {
            let holds = only_if.map_or(Ok(true), |condition| condition.holds(tx))?;
            if holds {
                recorder::insert_if_new(tx.within(&scope), &click)?;
            }
            Ok(holds)
        }));
        written.await
    }

    /// Reserves this many megabytes of the disk for webhooks: with less free space, no clicks, leads and claims
    /// from pages are recorded. A new store reserves nothing. The free space is read only on Linux; elsewhere
    /// nothing is reserved.
    pub fn reserve_space(&self, megabytes: u32) {
        self.0.room.reserve(u64::from(megabytes) << 20);
    }

    /// Returns an error with the reason if the disk has too little free space to record what pages report.
    pub(crate) fn has_room_for_pages(&self) -> Result<(), StoreError> {
        self.0.room.check_for_pages()
    }

    /// Whether the database rejected the spooled clicks when the writer last tried to write them.
    pub(crate) fn rejects_clicks(&self) -> bool {
        self.0.spool.is_refused()
    }

    /// How many clicks wait in the spool.
    pub(crate) fn spooled(&self) -> usize {
        self.0.spool.waiting()
    }

    /// The keys that seal and open secrets.
    pub(crate) fn vault(&self) -> Arc<Vault> {
        Arc::clone(&self.0.vault)
    }

    /// How many jobs of each priority wait to be written.
    pub(crate) fn waiting(&self) -> [(&'static str, usize); 3] {
        self.0.queue.waiting()
    }

    /// Runs a job in its own savepoint and returns its result after the commit: `Ok` means that its writes are
    /// on disk. The writes of a job that returns `Err` are rolled back.
    ///
    /// # Errors
    /// The job's own; [`StoreErrorKind::Busy`] if the queue is full; [`StoreErrorKind::Unavailable`] if the
    /// disk fails or is full.
    pub fn write<T, F>(
        &self,
        priority: Priority,
        job: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.try_write(priority, job)
    }

    /// [`Store::write`] for jobs with another error type.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn try_write<T, E, F>(
        &self,
        priority: Priority,
        job: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        // A merchant's call with an idempotency key records the key in the same savepoint.
        let ticket = Ticket::current().filter(|_| priority == Priority::Api);
        let job = queue::job(move |tx| {
            let written = job(tx)?;
            sale_days::add_changes(tx)?;
            if let Some(ticket) = ticket {
                ticket.record(tx)?;
            }
            Ok(written)
        });
        self.push(priority, job)
    }

    fn push<T, E>(
        &self,
        priority: Priority,
        (job, answer): (queue::Job, oneshot::Receiver<Result<T, E>>),
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let accepted = self.0.queue.push(priority, job);
        async move {
            accepted?;
            answer.await.unwrap_or_else(|_| Err(StoreError::internal("the job was dropped").into()))
        }
    }

    /// Reads from one snapshot of the database, on a connection for look-ups. Reads that a caller can make slow
    /// belong to `Store::query`.
    ///
    /// # Errors
    /// The reader's.
    pub async fn read<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.try_read(reader).await
    }

    /// Looks up one row on the caller's own thread, which is as quick as handing it to another thread. Not for
    /// lists, which would delay the thread's other requests; and for one statement only, since there is no
    /// snapshot.
    ///
    /// # Errors
    /// The reader's.
    pub(crate) async fn look_up<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.readers.look_up(move |connection| reader(Everywhere::of(connection))).await
    }

    /// [`Store::read`] for readers with another error type.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn try_read<T, E, F>(&self, reader: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        self.0.readers.read(move |connection| reader(Everywhere::of(connection))).await
    }

    /// Checks the whole database for damage. That takes a second for some hundred megabytes; no other call
    /// waits for it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Corrupt`] with the damage that was found.
    pub(crate) async fn quick_check(&self) -> Result<(), StoreError> {
        self.read_whole(file::quick_check).await
    }

    /// The space that each part of the database takes, in bytes. Every page is read, which takes a second for some
    /// hundred megabytes; no other call waits for it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the file cannot be read.
    pub async fn space(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        self.read_whole(space::measure).await
    }

    /// Reads the whole file, on a thread of its own and of low priority.
    async fn read_whole<T: Send + 'static>(
        &self,
        read: fn(&Path) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let file = self.0.file.clone();
        let (done, answer) = oneshot::channel();
        // Joined by its answer.
        drop(thread::spawn("trac-check", move || {
            thread::lower_priority();
            let _ = done.send(read(&file));
        })?);
        answer.await.unwrap_or_else(|_| Err(StoreError::internal("a read of the whole file panicked")))
    }

    /// Runs a query of a workspace on one snapshot. Few queries run at a time, and fewer of one workspace. A
    /// query that takes too long, or whose caller has left, is interrupted; `narrow` is a sentence that
    /// advises the caller how to narrow the query.
    ///
    /// # Errors
    /// The reader's; [`StoreErrorKind::TooSlow`] if the query was interrupted, [`StoreErrorKind::Busy`] if too
    /// many wait.
    pub(crate) async fn query<T, E, F>(&self, scope: &Scope, narrow: &'static str, reader: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        self.0.queries.run(scope, narrow, move |connection| reader(Everywhere::of(connection))).await
    }

    /// Restarts the write-ahead log if it has become too large. Queries that overlap each other prevent that without
    /// end; therefore new ones wait here until those that run have ended, which takes seconds at most.
    pub(crate) async fn shorten_log(&self) -> Result<(), StoreError> {
        self.shorten_log_from(file::LOG_LIMIT_BYTES).await
    }

    async fn shorten_log_from(&self, limit_bytes: u64) -> Result<(), StoreError> {
        let log = file::log_of(&self.0.file);
        if std::fs::metadata(log).map_or(0, |log| log.len()) < limit_bytes {
            return Ok(());
        }
        let Some(_none_begins) = self.0.queries.none_running().await else { return Ok(()) };
        self.0.queue.request_restart(file::Restart::Truncate);
        // The writer restarts the log before its next job.
        self.write(Priority::Api, |_| Ok(())).await
    }

    /// Rejects new jobs, finishes the accepted ones, and closes the file. Blocks until that is done.
    pub fn close(&self) {
        self.0.queue.close();
        let threads = std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests;
