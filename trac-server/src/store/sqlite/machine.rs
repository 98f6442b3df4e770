//! The file with its threads and connections.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::bring_in::Database;
use super::file;
use super::original::Original;
use super::queries::Queries;
use super::queue::{self, Queue};
use super::readers::Readers;
use super::room::Room;
use super::{checkpoints, migrate, recorder, space, writer};
use crate::store::click::{Condition, NewClick};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::rows::Everywhere;
use crate::store::spool::{self, NotStored, Source, Spool};
use crate::store::{Priority, Scope, thread};

/// How many connections look up single rows at the same time.
pub(in crate::store) const READERS: usize = 4;

/// The store of a data folder.
#[derive(Debug)]
pub(in crate::store) struct Machine {
    file: PathBuf,
    queue: Arc<Queue>,
    spool: Arc<Spool>,
    room: Arc<Room>,
    /// For quick reads: keys, endpoints, links, sessions, `/readyz`.
    readers: Readers,
    /// For reads that may take long: lists, figures, pages, stories.
    queries: Queries,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Machine {
    /// Opens the database of a data folder. Creates the folder and the database if they are missing.
    pub(in crate::store) fn open(data: &Path) -> Result<Self, StoreError> {
        Self::start(&file::prepare(data)?)
    }

    /// Returns an error if an older version made the database.
    pub(in crate::store) fn must_be_new(data: &Path) -> Result<(), StoreError> {
        let file = data.join(file::FILE_NAME);
        if file::read_only(&file)
            .and_then(|connection| migrate::is_older(&connection))
            .map_err(|error| error.at(&file))?
        {
            let detail = "an older trac made it: make a backup, then start trac serve, which converts it";
            return Err(StoreError::new(StoreErrorKind::Conflict, detail).at(&file));
        }
        Ok(())
    }

    fn start(file: &Path) -> Result<Self, StoreError> {
        let named = |error: StoreError| error.at(file);
        let mut connection = file::connect(file).map_err(named)?;
        let folder = file::folder_of(file);
        // An older server cannot write to the newer schema.
        if migrate::is_older(&connection).map_err(named)? && spool::is_in_use(folder) {
            let detail = "a server of an older trac runs on it: stop that server first";
            return Err(named(StoreError::new(StoreErrorKind::Conflict, detail)));
        }
        migrate::migrate(&mut connection).map_err(named)?;
        spool::bring_in_left(folder, &mut Database::alone(&mut connection));
        let readers = Readers::open(file, READERS, file::CACHE_KIB).map_err(named)?;
        let queries = Queries::open(file).map_err(named)?;
        let (queue, spool) = (Arc::new(Queue::default()), Arc::new(Spool::in_folder(folder)));
        let (original, room) = (Original::of(file), Arc::new(Room::around(file)));
        let threads = vec![
            writer::start(connection, original, Arc::clone(&queue), Arc::clone(&spool))?,
            checkpoints::start(
                file::connect(file).map_err(named)?,
                file,
                (Arc::clone(&queue), Arc::clone(&room)),
            )?,
        ];
        let (file, threads) = (file.to_owned(), Mutex::new(threads));
        Ok(Self { file, queue, spool, room, readers, queries, threads })
    }

    /// Makes this process the owner of the spool and brings in the clicks that an earlier process left there.
    pub(in crate::store) fn use_spool(&self) -> Result<(), StoreError> {
        let opened = self.spool.open(|| {
            let (reader, queue) = (file::connect(&self.file)?, Arc::clone(&self.queue));
            // A locked database must not delay visitors.
            reader.busy_timeout(Duration::ZERO)?;
            Ok(Box::new(Links { reader, queue }))
        });
        self.queue.wake();
        opened
    }

    pub(in crate::store) const fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Records a click if its condition holds: in the spool, or in the database if the spool is not available.
    pub(in crate::store) async fn record_click(
        &self,
        scope: &Scope,
        click: NewClick,
        only_if: Option<Arc<dyn Condition>>,
    ) -> Result<bool, StoreError> {
        self.room.check_for_pages()?;
        let (error, click) = match self.spool.store(scope, click, only_if.clone()).await {
            Ok(recorded) => return Ok(recorded),
            Err(NotStored { error, click }) => (error, click),
        };
        let Some(click) = click.filter(|_| !self.spool.is_refused()) else { return Err(error) };
        let scope = scope.clone();
        // Boxed, so that this rare future does not enlarge every click's.
        let written = Box::pin(self.write(Priority::Click, move |tx| {
            let holds = only_if.map_or(Ok(true), |condition| condition.holds(tx))?;
            if holds {
                recorder::record(tx, &[(&scope, &click)])?;
            }
            Ok::<_, StoreError>(holds)
        }));
        written.await
    }

    pub(in crate::store) fn reserve_space(&self, megabytes: u32) {
        self.room.reserve(u64::from(megabytes) << 20);
    }

    pub(in crate::store) fn has_room_for_pages(&self) -> Result<(), StoreError> {
        self.room.check_for_pages()
    }

    pub(in crate::store) fn waiting(&self) -> [(&'static str, usize); 3] {
        self.queue.waiting()
    }

    /// Runs a job in its own savepoint and returns its result after the commit.
    pub(in crate::store) fn write<T, E, F>(
        &self,
        priority: Priority,
        job: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        let (job, answer) = queue::job(job);
        let accepted = self.queue.push(priority, job);
        async move {
            accepted?;
            answer.await.unwrap_or_else(|_| Err(StoreError::internal("the job was dropped").into()))
        }
    }

    /// Looks up one row on the caller's own thread.
    pub(in crate::store) async fn look_up<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.look_up(move |connection| reader(Everywhere::of(connection))).await
    }

    /// Reads from one snapshot, on a connection for look-ups.
    pub(in crate::store) async fn read<T, E, F>(&self, reader: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        self.readers.read(move |connection| reader(Everywhere::of(connection))).await
    }

    /// Runs a query of a workspace on one snapshot.
    pub(in crate::store) async fn query<T, E, F>(
        &self,
        scope: &Scope,
        narrow: &'static str,
        reader: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        self.queries.run(scope, narrow, move |connection| reader(Everywhere::of(connection))).await
    }

    /// Checks the whole file for damage.
    pub(in crate::store) async fn quick_check(&self) -> Result<(), StoreError> {
        self.read_whole(file::quick_check).await
    }

    /// The space that each part of the file takes, in bytes.
    pub(in crate::store) async fn space(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        self.read_whole(space::measure).await
    }

    /// Reads the whole file, on a thread of its own and of low priority.
    async fn read_whole<T: Send + 'static>(
        &self,
        read: fn(&Path) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let file = self.file.clone();
        let (done, answer) = oneshot::channel();
        // Joined by its answer.
        drop(thread::spawn("trac-check", move || {
            thread::lower_priority();
            let _ = done.send(read(&file));
        })?);
        answer.await.unwrap_or_else(|_| Err(StoreError::internal("a read of the whole file panicked")))
    }

    /// Restarts the write-ahead log if it has become too large. Queries that overlap each other prevent that without
    /// end; therefore new ones wait here until those that run have ended, which takes seconds at most.
    pub(in crate::store) async fn shorten_log(&self) -> Result<(), StoreError> {
        self.shorten_log_from(file::LOG_LIMIT_BYTES).await
    }

    /// [`Self::shorten_log`] with another limit.
    pub(in crate::store) async fn shorten_log_from(&self, limit_bytes: u64) -> Result<(), StoreError> {
        let log = file::log_of(&self.file);
        if std::fs::metadata(log).map_or(0, |log| log.len()) < limit_bytes {
            return Ok(());
        }
        let Some(_none_begins) = self.queries.none_running().await else { return Ok(()) };
        self.queue.request_restart(file::Restart::Truncate);
        // The writer restarts the log before its next job.
        self.write(Priority::Api, |_| Ok(())).await
    }

    /// Rejects new jobs, finishes the accepted ones, and closes the file. Blocks until that is done.
    pub(in crate::store) fn close(&self) {
        self.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Compares the links of clicks with the database, and wakes the writer.
struct Links {
    reader: Connection,
    queue: Arc<Queue>,
}

impl Source for Links {
    fn holds(&self, condition: &dyn Condition) -> bool {
        condition.holds(Everywhere::of(&self.reader)).unwrap_or_else(|error| {
            tracing::debug!(%error, "a link could not be compared");
            true
        })
    }

    fn wake(&self) {
        self.queue.wake();
    }
}
