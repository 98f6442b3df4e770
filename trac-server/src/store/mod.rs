//! What trac keeps, and how it is reached.
//!
//! One SQLite file in the data folder, in WAL mode with `synchronous=FULL`. One thread writes: it drains a bounded
//! queue, runs each job in a savepoint of its own, commits many at once, and answers only after the commit. Readers
//! see one snapshot each; look-ups have connections of their own, so that they never wait for queries, which may take long. Clicks, of which there are more than of anything else, wait in a spool and are
//! brought in many at a time. Nothing is believed that is cached beside the database: what a redirect
//! remembers of its link is compared before its click is kept, so that another process on the same folder
//! (`trac workspace create`) is heard at once.
//!
//! Every function that reads or writes rows takes a [`Scope`]: no row is reached without naming workspace and mode.

mod error;
mod scope;
pub(crate) mod rows;
mod sum;
mod migrate;
mod file;
pub(crate) mod schema;
mod alone;
mod settings;
mod vault;
mod ticket;
mod room;
mod thread;
mod queue;
pub(crate) mod click;
mod visitors;
pub(crate) mod recorder;
mod followed;
mod spool;
mod backup;
mod writer;
mod checkpoints;
mod readers;
mod queries;
pub(crate) mod load;
pub(crate) mod apply;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Transaction;
use tokio::sync::oneshot;

pub use alone::Alone;
pub use backup::{back_up, restore};
pub use error::{StoreError, StoreErrorKind};
pub(crate) use file::{make_folder as make_private_folder, new_private as new_private_file};
pub(crate) use followed::Followed;
pub use queue::Priority;
pub use scope::Scope;
pub(crate) use scope::mode_of;
pub(crate) use settings::{PUBLIC_URL, forget_setting, set_setting, setting};
pub(crate) use ticket::{Made, TICKET, Ticket};
pub(crate) use vault::{Place, Vault, unhex};
pub(crate) use visitors::forget_marks;

use alone::Original;
use click::{Condition, NewClick};
use queries::Queries;
use queue::Queue;
use readers::Readers;
use room::Room;
pub use rows::Everywhere;
use spool::{Spool, Unkept};

/// How many connections look single rows up at the same time.
const READERS: usize = 4;

/// A handle to the store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    queue: Arc<Queue>,
    spool: Arc<Spool>,
    room: Arc<Room>,
    /// For what is answered at once: keys, endpoints, links, sessions, `/readyz`.
    readers: Readers,
    /// For what may take long: lists, figures, pages, stories.
    queries: Queries,
    vault: Arc<Vault>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Store {
    /// Opens the store of a data folder, making both where they are missing.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the folder cannot be written, [`StoreErrorKind::Corrupt`] if the file is
    /// no database of this program or was made by a newer version of it, [`StoreErrorKind::Conflict`] if a server of an older
    /// version runs on it; the message names the file.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let file = file::prepare(data)?;
        Self::start(&file, Vault::beside(data)?)
    }

    /// [`Store::open`] with the master key that opens the secrets in it: 64 hex digits, or several such with commas between,
    /// the newest first. Without one it is the file `master.key` in the folder.
    ///
    /// # Errors
    /// As [`Store::open`], and if the key is not written so.
    pub fn open_with_master_key(data: &Path, master_key: Option<&str>) -> Result<Self, StoreError> {
        match master_key {
            None => Self::open(data),
            Some(text) => {
                let vault = Vault::given(text)?;
                Self::start(&file::prepare(data)?, vault)
            }
        }
    }

    /// [`Store::open_with_master_key`] for a store that must be there already: nothing is made where there is none.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreErrorKind::Unavailable`] if there is no store in the folder; the message names it.
    pub fn open_known(data: &Path, master_key: Option<&str>) -> Result<Self, StoreError> {
        file::must_be_there(data)?;
        Self::open_with_master_key(data, master_key)
    }

    fn start(file: &Path, vault: Vault) -> Result<Self, StoreError> {
        let named = |error: StoreError| error.at(file);
        let mut connection = file::connect(file).map_err(named)?;
        // It could write no more once the schema is another.
        if migrate::is_older(&connection).map_err(named)? && spool::is_in_use(file) {
            let detail = "a server of an older trac runs on it: stop that first";
            return Err(named(StoreError::new(StoreErrorKind::Conflict, detail)));
        }
        migrate::migrate(&mut connection).map_err(named)?;
        spool::bring_in_left(file, &mut connection);
        let readers = Readers::open(file, READERS).map_err(named)?;
        let queries = Queries::open(file).map_err(named)?;
        let (queue, spool) = (Arc::new(Queue::default()), Arc::new(Spool::beside(file)));
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

    /// Makes this process the one whose clicks wait on disk until they are brought in, and brings in those that an earlier one left
    /// behind. `false` where that cannot be now: another process has the spool, or the disk refuses.
    pub(crate) fn use_spool(&self) -> bool {
        let opened = self.0.spool.open(&self.0.queue);
        if let Err(error) = &opened
            && self.0.spool.is_first_missed()
        {
            tracing::warn!(%error, "each click is a commit of its own, and those that the store cannot take will not be kept");
        }
        self.0.queue.wake();
        opened.is_ok()
    }

    /// Keeps a click if its condition holds: `Ok(true)` means that it is on disk, and there for whoever is served later.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the disk refuses, [`StoreErrorKind::Busy`] if too many wait.
    pub(crate) async fn keep_click(
        &self,
        scope: &Scope,
        click: NewClick,
        only_if: Option<Arc<dyn Condition>>,
    ) -> Result<bool, StoreError> {
        self.0.room.for_pages()?;
        let (error, click) = match self.0.spool.keep(scope, click, only_if.clone()).await {
            Ok(kept) => return Ok(kept),
            Err(Unkept { error, click }) => (error, click),
        };
        let Some(click) = click.filter(|_| !self.takes_no_clicks()) else { return Err(error) };
        let scope = scope.clone();
        // Seldom: its room is taken when it is needed.
        let written = Box::pin(self.write(Priority::Click, move |tx| {
            let holds = only_if.map_or(Ok(true), |condition| condition.holds(tx))?;
            if holds {
                recorder::Recorder::new(tx.connection)?.record(&scope, &click)?;
            }
            Ok(holds)
        }));
        written.await
    }

    /// Keeps so many megabytes of the disk free for webhooks: with less, no more clicks, leads and claims of pages are recorded. A new store keeps none. Where
    /// the system is not Linux nothing is known of the disk, and nothing kept.
    pub fn keep_free(&self, megabytes: u32) {
        self.0.room.keep(u64::from(megabytes) << 20);
    }

    /// `Err`, which says why, if the disk has too little room left for what pages report.
    pub(crate) fn has_room_for_pages(&self) -> Result<(), StoreError> {
        self.0.room.for_pages()
    }

    /// Whether the store took no clicks when it was last asked.
    pub(crate) fn takes_no_clicks(&self) -> bool {
        self.0.spool.is_refused()
    }

    /// How many clicks wait beside the database.
    pub(crate) fn spooled(&self) -> usize {
        self.0.spool.waiting()
    }

    /// What seals and opens secrets.
    pub(crate) fn vault(&self) -> Arc<Vault> {
        Arc::clone(&self.0.vault)
    }

    /// How many jobs of each kind are still to be written.
    pub(crate) fn waiting(&self) -> [(&'static str, usize); 3] {
        self.0.queue.waiting()
    }

    /// Runs a job in a transaction of its own and answers after the commit: `Ok` means it is on disk. A job that
    /// answers `Err` leaves nothing behind.
    ///
    /// # Errors
    /// What the job answers; [`StoreErrorKind::Busy`] if the queue is full; [`StoreErrorKind::Unavailable`] if the
    /// disk refuses.
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

    /// [`Store::write`] for jobs with an error of their own.
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
        // What a merchant's call writes under an idempotency key leaves its mark with it.
        let ticket = Ticket::held().filter(|_| priority == Priority::Api);
        let job = queue::job(move |tx: &Transaction<'_>| {
            let tx = Everywhere::of(tx);
            let written = job(tx)?;
            if let Some(ticket) = ticket {
                ticket.punch(tx)?;
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

    /// Reads from one snapshot of the database, on a connection for look-ups. What a caller's choice can make slow is for
    /// `Store::query`.
    ///
    /// # Errors
    /// What the reader answers.
    pub async fn read<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.try_read(reader).await
    }

    /// Looks one row up, on the caller's own thread: as quick as handing it to another one would be. Not for lists, which
    /// would keep other requests of that thread waiting; and one statement only, since there is no snapshot around it.
    ///
    /// # Errors
    /// What the reader answers.
    pub(crate) async fn look_up<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.readers.look_up(move |connection| reader(Everywhere::of(connection))).await
    }

    /// [`Store::read`] for readers with an error of their own.
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

    /// Looks through the whole database for damage, which takes a second for some hundred megabytes and keeps nobody waiting.
    ///
    /// # Errors
    /// [`StoreErrorKind::Corrupt`] with what was found.
    pub(crate) async fn quick_check(&self) -> Result<(), StoreError> {
        let file = self.0.file.clone();
        let checked = tokio::task::spawn_blocking(move || file::quick_check(&file)).await;
        checked.unwrap_or_else(|_| Err(StoreError::internal("a check panicked")))
    }

    /// Answers a query of a workspace from one snapshot. Few queries run at a time, and fewer of one workspace. One that takes too long,
    /// or whose caller has left, is interrupted; `narrow` says in a sentence how to ask for less.
    ///
    /// # Errors
    /// What the reader answers; [`StoreErrorKind::TooSlow`] if it was interrupted, [`StoreErrorKind::Busy`] if too many wait.
    pub(crate) async fn query<T, E, F>(&self, scope: &Scope, narrow: &'static str, reader: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        self.0.queries.run(scope, narrow, move |connection| reader(Everywhere::of(connection))).await
    }

    /// Takes no more jobs, finishes those accepted, and closes the file. Blocks until that is done.
    pub fn close(&self) {
        self.0.queue.close();
        let threads = std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store ended badly");
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
