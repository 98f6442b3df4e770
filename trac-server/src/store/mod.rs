//! The database: what trac stores, and how the rest of the server reads and writes it.
//!
//! There are two engines: one SQLite file in the data folder (`sqlite/`), and PostgreSQL, which several servers share
//! (`postgres/`). Clicks that the database cannot take at once wait on this machine's disk (`spool/`). Nothing cached
//! outside the database is trusted: the cached link of a redirect is compared with the database before its click is
//! recorded, so that a change by another process (`trac workspace create`, another node) takes effect at once.
//!
//! Every function that reads or writes rows takes a [`Scope`]: no row is reached without naming workspace and
//! mode.

mod error;
mod scope;
mod priority;
mod opening;
pub(crate) mod rows;
pub(crate) mod body;
pub(crate) mod schema;
mod private;
mod folder_lock;
mod settings;
mod vault;
mod ticket;
pub(crate) mod lease;
mod thread;
mod permits;
mod parts;
pub(crate) mod click;
mod numbers;
pub(crate) mod spans;
mod sale_days;
mod spool;
mod sqlite;
mod postgres;
mod visitors;
pub(crate) mod old_clicks;
pub(crate) mod recorder;
pub(crate) mod derived;
pub(crate) mod load;
mod customers;
pub(crate) mod apply;
pub(crate) mod calls;

use std::path::Path;
use std::sync::Arc;

pub use error::{StoreError, StoreErrorKind};
pub use folder_lock::FolderLock;
pub use opening::Opening;
pub use priority::Priority;
pub(crate) use private::{make_folder as make_private_folder, new as new_private_file};
pub use rows::Everywhere;
pub use scope::Scope;
pub(crate) use scope::mode_of;
pub(crate) use settings::{PUBLIC_URL, set_setting, setting};
pub(crate) use sqlite::Scratch;
pub use sqlite::{BackupProgress, back_up, restore};
pub(crate) use ticket::{Made, TICKET, Ticket};
pub(crate) use vault::{Place, Vault, unhex};
pub(crate) use visitors::forget_marks;

use trac_core::time::Timestamp;

use click::{Condition, NewClick};
use postgres::Node;
use rows::Rows;
use sqlite::Machine;

/// A handle to the store. Clones share one store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    vault: Arc<Vault>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Machine),
    Postgres(Node),
}

impl Store {
    /// Opens the store of a data folder. Creates the folder and the database if they are missing.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the folder cannot be written, [`StoreErrorKind::Corrupt`] if the file
    /// is not a database of this program or a newer version made it, [`StoreErrorKind::Conflict`] if a server
    /// of an older version runs on it. The message names the file.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let machine = Machine::open(data)?;
        Ok(Self::of(Engine::Sqlite(machine), Vault::in_folder(data)?))
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
                Ok(Self::of(Engine::Sqlite(Machine::open(data)?), vault))
            }
        }
    }

    /// [`Store::open_with_master_key`] for a store that must exist already: nothing is created.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreErrorKind::Unavailable`] if there is no store in the folder; the message
    /// names the folder.
    pub fn open_known(data: &Path, master_key: Option<&str>) -> Result<Self, StoreError> {
        sqlite::file::must_be_there(data)?;
        Self::open_with_master_key(data, master_key)
    }

    /// [`Store::open_known`] for a command that changes nothing: the store of an older version is left as it is.
    ///
    /// # Errors
    /// As [`Store::open_known`], and [`StoreErrorKind::Conflict`] if an older version made the store; the message says
    /// what converts it.
    pub fn open_unchanged(data: &Path, master_key: Option<&str>) -> Result<Self, StoreError> {
        sqlite::file::must_be_there(data)?;
        Machine::must_be_new(data)?;
        Self::open_with_master_key(data, master_key)
    }

    /// Connects to a database of PostgreSQL, which several servers may share, and applies the migrations that it
    /// lacks if `opening` allows that. `url` begins with `postgres://`; `data` is the folder of this server's own spool.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the database cannot be reached, [`StoreErrorKind::Corrupt`] if a newer
    /// version made its schema, and if the URL or the key has another form. No message contains the password.
    pub fn open_postgres(
        url: &str,
        data: &Path,
        master_key: &str,
        opening: Opening,
    ) -> Result<Self, StoreError> {
        let vault = Vault::from_config(master_key)?;
        Ok(Self::of(Engine::Postgres(Node::open(url, data, opening)?), vault))
    }

    fn of(engine: Engine, vault: Vault) -> Self {
        Self(Arc::new(Inner { engine, vault: Arc::new(vault) }))
    }

    /// Makes this process the owner of the spool and brings in the clicks that an earlier process left there.
    /// `false` if that is impossible now: another process owns the spool, or the disk fails.
    pub(crate) fn use_spool(&self) -> bool {
        let opened = match &self.0.engine {
            Engine::Sqlite(machine) => machine.use_spool(),
            Engine::Postgres(node) => node.use_spool(),
        };
        if let Err(error) = &opened
            && self.spool().is_first_failure()
        {
            tracing::warn!(%error, "the spool is not available: each click is its own commit, and a click that the database rejects is lost");
        }
        opened.is_ok()
    }

    fn spool(&self) -> &spool::Spool {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.spool(),
            Engine::Postgres(node) => node.spool(),
        }
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
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.record_click(scope, click, only_if).await,
            Engine::Postgres(node) => Box::pin(node.record_click(scope, click, only_if)).await,
        }
    }

    /// Reserves this many megabytes of the disk for webhooks: with less free space, no clicks, leads and claims
    /// from pages are recorded. A new store reserves nothing. The free space is read only on Linux, and only if the
    /// database is a file of this machine.
    pub fn reserve_space(&self, megabytes: u32) {
        if let Engine::Sqlite(machine) = &self.0.engine {
            machine.reserve_space(megabytes);
        }
    }

    /// Returns an error with the reason if the disk has too little free space to record what pages report.
    pub(crate) fn has_room_for_pages(&self) -> Result<(), StoreError> {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.has_room_for_pages(),
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// Whether the database rejected the spooled clicks when the writer last tried to write them.
    pub(crate) fn rejects_clicks(&self) -> bool {
        self.spool().is_refused()
    }

    /// How many clicks wait in the spool.
    pub(crate) fn spooled(&self) -> usize {
        self.spool().waiting()
    }

    /// Returns once the clicks that wait in the spool are in the database, or the database cannot take them now.
    pub(crate) async fn caught_up(&self) {
        match &self.0.engine {
            // The writer writes the spooled clicks before any other job.
            Engine::Sqlite(machine) => {
                let _ = machine.write(Priority::Api, |_| Ok::<_, StoreError>(())).await;
            }
            Engine::Postgres(node) => node.caught_up().await,
        }
    }

    /// The keys that seal and open secrets.
    pub(crate) fn vault(&self) -> Arc<Vault> {
        Arc::clone(&self.0.vault)
    }

    /// How many jobs of each priority wait to be written.
    pub(crate) fn waiting(&self) -> [(&'static str, usize); 3] {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.waiting(),
            Engine::Postgres(node) => node.waiting(),
        }
    }

    /// Runs a job of one workspace and mode, all or nothing, and returns its result after the commit: `Ok` means that
    /// its writes are on disk. Jobs of one scope run one after the other, on whichever node: no other changes what a
    /// job has read. The writes of a job that returns `Err` are rolled back.
    ///
    /// # Errors
    /// The job's own; [`StoreErrorKind::Busy`] if too many jobs wait; [`StoreErrorKind::Unavailable`] if the
    /// disk fails or is full, or the database cannot be reached.
    pub(crate) fn write_in<T, F>(
        &self,
        scope: &Scope,
        priority: Priority,
        job: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(Rows<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.try_write_in(scope, priority, job)
    }

    /// [`Store::write_in`] for jobs with another error type.
    ///
    /// # Errors
    /// As [`Store::write_in`].
    pub(crate) fn try_write_in<T, E, F>(
        &self,
        scope: &Scope,
        priority: Priority,
        job: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Rows<'_>) -> Result<T, E> + Send + 'static,
    {
        let of = scope.clone();
        self.run(Some(scope), priority, move |tx| job(tx.within(&of)))
    }

    /// Runs a job, all or nothing, and returns its result after the commit: `Ok` means that its writes are on disk. The
    /// writes of a job that returns `Err` are rolled back.
    ///
    /// # Errors
    /// The job's own; [`StoreErrorKind::Busy`] if too many jobs wait; [`StoreErrorKind::Unavailable`] if the
    /// disk fails or is full, or the database cannot be reached.
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
        self.run(None, priority, job)
    }

    fn run<T, E, F>(
        &self,
        scope: Option<&Scope>,
        priority: Priority,
        job: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        // A merchant's call with an idempotency key records the key in the same transaction.
        let ticket = Ticket::current().filter(|_| priority == Priority::Api);
        let job = move |tx: Everywhere<'_>| {
            let written = job(tx)?;
            sale_days::add_changes(tx)?;
            if let Some(ticket) = ticket {
                ticket.record(tx)?;
            }
            Ok(written)
        };
        // The job is accepted, or rejected, before the first poll.
        let written = match &self.0.engine {
            Engine::Sqlite(machine) => Ok(machine.write(priority, job)),
            Engine::Postgres(node) => Err(node.write(scope, priority, job)),
        };
        async move {
            match written {
                Ok(written) => written.await,
                Err(written) => written.await,
            }
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

    /// Looks up one row, as quickly as possible. Not for lists, which would delay the thread's other requests; and for
    /// one statement only, since there is no snapshot.
    ///
    /// # Errors
    /// The reader's.
    pub(crate) async fn look_up<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.look_up(reader).await,
            Engine::Postgres(node) => node.look_up(reader).await,
        }
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
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.read(reader).await,
            Engine::Postgres(node) => node.read(reader).await,
        }
    }

    /// Whether other servers may use the same database.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0.engine, Engine::Postgres(_))
    }

    /// Deletes what a shared database keeps of each commit for an hour.
    pub(crate) async fn forget_commits(&self, now: Timestamp) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        self.write(Priority::Click, move |tx| postgres::forget_commits(tx, now)).await
    }

    /// Runs one statement that is its own transaction, on a connection that no look-up waits for. Only for a shared
    /// database.
    ///
    /// # Errors
    /// The job's.
    pub(crate) async fn single<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        match &self.0.engine {
            Engine::Sqlite(_) => Err(StoreError::internal("a file has one writer")),
            Engine::Postgres(node) => node.single(job).await,
        }
    }

    /// Checks the whole database for damage, if it is a file. That takes a second for some hundred megabytes; no
    /// other call waits for it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Corrupt`] with the damage that was found.
    pub(crate) async fn quick_check(&self) -> Result<(), StoreError> {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.quick_check().await,
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// The space that each part of the database takes, in bytes. In a file, every page is read, which takes a second for
    /// some hundred megabytes; no other call waits for it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] if the database cannot be read.
    pub async fn space(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.space().await,
            Engine::Postgres(node) => node.space().await,
        }
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
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.query(scope, narrow, reader).await,
            Engine::Postgres(node) => node.query(scope, narrow, reader).await,
        }
    }

    /// Restarts the write-ahead log of a file if it has become too large.
    pub(crate) async fn shorten_log(&self) -> Result<(), StoreError> {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.shorten_log().await,
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// Rejects new jobs, finishes the accepted ones, and closes the database. Blocks until that is done.
    pub fn close(&self) {
        match &self.0.engine {
            Engine::Sqlite(machine) => machine.close(),
            Engine::Postgres(node) => node.close(),
        }
    }

    /// How many round trips to a shared database the jobs that write, and those that read, have made.
    #[cfg(test)]
    pub(crate) fn round_trips(&self) -> [u64; 2] {
        match &self.0.engine {
            Engine::Sqlite(_) => [0; 2],
            Engine::Postgres(node) => node.round_trips(),
        }
    }

    #[cfg(test)]
    fn machine(&self) -> Option<&Machine> {
        match &self.0.engine {
            Engine::Sqlite(machine) => Some(machine),
            Engine::Postgres(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
