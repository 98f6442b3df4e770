//! One of the servers on a database.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::address::Address;
use super::group::Group;
use super::link::Access;
use super::migrate;
use super::pool::Pool;
use super::sink::{Late, Trusting};
use super::stop::{Stop, StopOnDrop};
use super::turns::Turns;
use crate::store::click::{Condition, NewClick};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::permits::Permits;
use crate::store::rows::Everywhere;
use crate::store::spool::{NotStored, Spool};
use crate::store::{Opening, Priority, Scope, private, thread};

/// How many connections a node has: for writes, for look-ups and reads, for queries, for counting calls; and one for
/// clicks.
const WRITES: usize = 16;
const READS: usize = 8;
const QUERIES: usize = 8;
const SINGLES: usize = 2;
/// How many queries of one workspace run at the same time.
const QUERIES_PER_WORKSPACE: usize = 2;
/// How long a query waits for its permits, and then how long it may run.
const QUERY_LIMIT: Duration = Duration::from_secs(5);
/// How many jobs may wait to be written.
const WAITING_MAX: usize = 4_096;
/// How long a visitor's click waits for the database before it goes to this node's spool.
const CLICK_LIMIT: Duration = Duration::from_millis(150);
/// How long a closing node waits for the jobs that it has accepted, and how often it looks.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
const CLOSE_PAUSE: Duration = Duration::from_millis(5);
/// How often the clicks of the spool are tried again.
const SPOOL_PAUSE: Duration = Duration::from_millis(200);

pub(in crate::store) struct Node {
    writes: Pool,
    reads: Pool,
    queries: Pool,
    singles: Pool,
    turns: Turns,
    permits: Permits,
    group: Arc<Group>,
    spool: Arc<Spool>,
    waiting: Arc<AtomicUsize>,
    /// Ends the thread of the spool.
    close: watch::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Node {
    /// Connects to a database, and applies the missing migrations. `data` is the folder of the spool.
    pub(in crate::store) fn open(url: &str, data: &Path, opening: Opening) -> Result<Self, StoreError> {
        private::make_folder(data).map_err(|error| {
            StoreError::new(
                StoreErrorKind::Unavailable,
                format!("{} cannot be written: {error}", data.display()),
            )
        })?;
        let address = Arc::new(Address::parse(url)?);
        let writes = Pool::of(&address, WRITES);
        // The driver blocks, which a thread of a runtime must not.
        let first = writes.clone();
        let migrated = std::thread::spawn(move || migrate::migrate(&mut first.connect()?.client, opening));
        migrated.join().unwrap_or_else(|_| Err(StoreError::internal("opening the database panicked")))?;
        Ok(Self {
            writes,
            reads: Pool::of(&address, READS),
            queries: Pool::of(&address, QUERIES),
            singles: Pool::of(&address, SINGLES),
            turns: Turns::default(),
            permits: Permits::new(QUERIES, QUERIES_PER_WORKSPACE, QUERY_LIMIT),
            group: Arc::new(Group::start(Pool::of(&address, 1))?),
            spool: Arc::new(Spool::in_folder(data)),
            waiting: Arc::default(),
            close: watch::Sender::new(false),
            threads: Mutex::default(),
        })
    }

    /// Makes this process the owner of the spool in its folder; its clicks are brought in from now on.
    pub(in crate::store) fn use_spool(&self) -> Result<(), StoreError> {
        self.spool.open(|| Ok(Box::new(Trusting)))?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.is_empty() && !*self.close.borrow() {
            let (spool, group, closed) =
                (Arc::clone(&self.spool), Arc::clone(&self.group), self.close.subscribe());
            let mut late = Late(self.writes.clone());
            threads.push(thread::spawn("trac-late", move || {
                while !*closed.borrow() {
                    if spool.waiting() > 0 && spool.drain(&mut late).is_ok() {
                        group.is_back();
                    }
                    std::thread::sleep(SPOOL_PAUSE);
                }
                spool.finish(&mut late);
            })?);
        }
        Ok(())
    }

    pub(in crate::store) fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Records a click if its condition holds: in the database, or in this node's spool if the database does not take it
    /// in time. A click that both take is one.
    pub(in crate::store) async fn record_click(
        &self,
        scope: &Scope,
        click: NewClick,
        only_if: Option<Arc<dyn Condition>>,
    ) -> Result<bool, StoreError> {
        let is_away = self.group.is_away();
        if !is_away {
            let written = self.group.record(scope, click.clone(), only_if.clone());
            if let Ok(Ok(recorded)) = timeout(CLICK_LIMIT, written).await {
                return Ok(recorded);
            }
        }
        match self.spool.store(scope, click, None).await {
            Ok(recorded) => Ok(recorded),
            // Without a spool, only the database can show that it is back.
            Err(NotStored { click: Some(click), .. }) if is_away => {
                self.group.record(scope, *click, only_if).await
            }
            Err(NotStored { error, .. }) => Err(error),
        }
    }

    /// Returns once no click waits in the spool, or the database is away.
    pub(in crate::store) async fn caught_up(&self) {
        while self.spool.waiting() > 0 && !self.spool.is_refused() {
            tokio::time::sleep(CLOSE_PAUSE).await;
        }
    }

    /// How many jobs wait to be written. They wait for their scope, not by priority.
    pub(in crate::store) fn waiting(&self) -> [(&'static str, usize); 3] {
        [("webhook", 0), ("api", self.waiting.load(Ordering::SeqCst)), ("click", 0)]
    }

    /// Runs a job in one transaction and returns its result after the commit.
    pub(in crate::store) fn write<T, E, F>(
        &self,
        scope: Option<&Scope>,
        _: Priority,
        job: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        let (pool, turns, scope) = (self.writes.clone(), self.turns.clone(), scope.cloned());
        let accepted = Accepted::new(&self.waiting, *self.close.borrow());
        let written = async move {
            let _accepted = accepted?;
            let turn = match &scope {
                Some(scope) => Some(turns.wait(scope).await),
                None => None,
            };
            let answer = pool.run(Access::Write, scope, job).await;
            drop(turn);
            answer
        };
        // A job that was accepted runs, whether its caller waits for it or not.
        let running = tokio::runtime::Handle::try_current().map(|runtime| runtime.spawn(written));
        async move {
            match running {
                Ok(running) => {
                    running.await.unwrap_or_else(|_| Err(StoreError::internal("a write panicked").into()))
                }
                Err(_) => Err(StoreError::internal("there is no runtime").into()),
            }
        }
    }

    /// Looks up one row.
    pub(in crate::store) async fn look_up<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.reads.run(Access::LookUp, None, reader).await
    }

    /// Runs one statement that is its own transaction, on connections that no look-up waits for.
    pub(in crate::store) async fn single<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.singles.run(Access::LookUp, None, job).await
    }

    /// Reads from one snapshot.
    pub(in crate::store) async fn read<T, E, F>(&self, reader: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        self.reads.run(Access::Read, None, reader).await
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
        let permits = self.permits.acquire(scope.workspace_id()).await?;
        let stop = Arc::new(Stop::default());
        let _stop_on_drop = StopOnDrop(Arc::clone(&stop));
        let mut reading = std::pin::pin!(self.queries.query(&stop, move |tx| {
            // Released when the query ends, not when its caller leaves.
            let _permits = permits;
            reader(tx)
        }));
        let answer = if let Ok(answer) = timeout(self.permits.limit(), &mut reading).await {
            answer
        } else {
            stop.request();
            reading.await
        };
        if stop.is_requested() {
            answer.map_err(|_| self.permits.too_slow(scope, narrow).into())
        } else {
            answer
        }
    }

    /// How many round trips the jobs that write, and those that read, have made.
    #[cfg(test)]
    pub(in crate::store) fn round_trips(&self) -> [u64; 2] {
        [self.writes.round_trips(), self.reads.round_trips()]
    }

    /// The space that each table takes with its indexes, in bytes.
    pub(in crate::store) async fn space(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        self.read(super::space::measure).await
    }

    /// Rejects new jobs, finishes the accepted ones, and brings in the last clicks. Blocks until that is done.
    pub(in crate::store) fn close(&self) {
        self.group.close();
        self.close.send_replace(true);
        let begun = Instant::now();
        while self.waiting.load(Ordering::SeqCst) > 0 && begun.elapsed() < CLOSE_LIMIT {
            std::thread::sleep(CLOSE_PAUSE);
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A database that stays silent does not keep the process from ending: the clicks are in the spool.
            while !thread.is_finished() && begun.elapsed() < CLOSE_LIMIT {
                std::thread::sleep(CLOSE_PAUSE);
            }
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.group.close();
        self.close.send_replace(true);
    }
}

/// A job that waits or runs.
struct Accepted(Arc<AtomicUsize>);

impl Accepted {
    fn new(waiting: &Arc<AtomicUsize>, is_closed: bool) -> Result<Self, StoreError> {
        if is_closed {
            return Err(StoreError::new(StoreErrorKind::Busy, "the store is closing"));
        }
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        let accepted = Self(Arc::clone(waiting));
        if before >= WAITING_MAX {
            return Err(StoreError::new(StoreErrorKind::Busy, "too many writes are waiting"));
        }
        Ok(accepted)
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("writes", &self.writes)
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;
    use trac_core::program::Mode;

    use super::*;
    use crate::store::rows::args;
    use crate::testing::database;

    const READ: &str = "SELECT count FROM visit_not_counted WHERE workspace_id = ?1 AND mode = ?2";

    /// Two nodes on a new database, if there is a server, with a counter in a scope.
    async fn nodes() -> Option<([Node; 2], Scope, tempfile::TempDir)> {
        let server = database::server()?;
        let name = database::new(&server);
        // Jobs ask for the isolation that they need.
        database::run(
            &server,
            &format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"),
        )
        .unwrap();
        let (url, folder) = (format!("{server}/{name}"), tempfile::tempdir().unwrap());
        let open = |name: &str| Node::open(&url, &folder.path().join(name), Opening::New).unwrap();
        let (nodes, scope) = ([open("one"), open("two")], Scope::new("ws_1", Mode::Test));
        let of = scope.clone();
        let begun = nodes[0].write(None, Priority::Api, move |tx| {
            tx.write("INSERT INTO workspace (id, name, created_at) VALUES ('ws_1', 'A shop', 0)", &[])?;
            let insert = "INSERT INTO visit_not_counted (workspace_id, mode, link_id, day, why, count) \
                          VALUES (?1, ?2, 'link_1', 1, 'bot', 0)";
            tx.within(&of).write(insert, &[])
        });
        begun.await.unwrap();
        Some((nodes, scope, folder))
    }

    /// Reads the counter, calls `between`, and writes the next number.
    fn increment(tx: Everywhere<'_>, scope: &Scope, between: impl FnOnce()) -> Result<(), StoreError> {
        let rows = tx.within(scope);
        let count: i64 = rows.one(READ, &[], |row| row.get(0))?.unwrap_or_default();
        between();
        let write = "UPDATE visit_not_counted SET count = ?3 WHERE workspace_id = ?1 AND mode = ?2";
        rows.write(write, args![count.saturating_add(1)])?;
        Ok(())
    }

    /// A job that has read the counter waits at its first node until a job at the second node has begun (with the lock) or
    /// ended (without it). Returns the counter after both.
    async fn two_at_once(is_locked: bool) -> Option<i64> {
        let (nodes, scope, _folder) = nodes().await?;
        let (read, was_read) = oneshot::channel();
        let (go, goes) = mpsc::channel::<()>();
        let of = scope.clone();
        let first = move |tx: Everywhere<'_>| {
            increment(tx, &of, || {
                read.send(()).unwrap();
                goes.recv().unwrap();
            })
        };
        let (begin, has_begun) = oneshot::channel();
        let of = scope.clone();
        let second = move |tx: Everywhere<'_>| {
            begin.send(()).unwrap();
            increment(tx, &of, || ())
        };
        if is_locked {
            let first = tokio::spawn(nodes[0].write(Some(&scope), Priority::Api, first));
            was_read.await.unwrap();
            let second = tokio::spawn(nodes[1].write(Some(&scope), Priority::Api, second));
            has_begun.await.unwrap();
            go.send(()).unwrap();
            first.await.unwrap().unwrap();
            second.await.unwrap().unwrap();
        } else {
            let [one, other] = [nodes[0].writes.clone(), nodes[1].writes.clone()];
            let first = tokio::spawn(async move { one.run(Access::Append, None, first).await });
            was_read.await.unwrap();
            other.run(Access::Append, None, second).await.unwrap();
            go.send(()).unwrap();
            first.await.unwrap().unwrap();
        }
        nodes[1].read(move |tx| tx.within(&scope).one(READ, &[], |row| row.get(0))).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_sees_what_another_node_wrote_before_it() {
        if database::server().is_none() {
            return;
        }
        assert_eq!(two_at_once(true).await, Some(2));
        assert_eq!(two_at_once(false).await, Some(1), "without the lock, one number is lost");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failed_statement_fails_its_job_and_leaves_the_connection_usable() {
        let Some((nodes, scope, _folder)) = nodes().await else { return };
        let of = scope.clone();
        // The job ignores the error of its statement. Nothing of it may be committed.
        let ignores = nodes[0].write(Some(&scope), Priority::Api, move |tx| {
            increment(tx, &of, || ())?;
            let _ = tx.write("INSERT INTO workspace (id, name, created_at) VALUES ('ws_1', 'Again', 0)", &[]);
            Ok::<_, StoreError>(())
        });
        assert_eq!(ignores.await.unwrap_err().kind(), StoreErrorKind::Internal);
        let panics =
            nodes[0].write(Some(&scope), Priority::Api, |_| -> Result<(), StoreError> { panic!("a job") });
        assert!(panics.await.is_err());
        let of = scope.clone();
        let after: Option<i64> =
            nodes[0].read(move |tx| tx.within(&of).one(READ, &[], |row| row.get(0))).await.unwrap();
        assert_eq!(after, Some(0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_is_cancelled_after_its_time_and_when_its_caller_leaves() {
        let Some((nodes, scope, _folder)) = nodes().await else { return };
        let [mut node, _] = nodes;
        node.permits = Permits::new(1, 1, Duration::from_millis(200));
        let endless =
            |tx: Everywhere<'_>| tx.one("SELECT 1 FROM pg_sleep(1000)", &[], |row| row.get::<i64>(0));
        let error = node.query(&scope, "Ask for less.", endless).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.detail().ends_with("Ask for less.")),
            (StoreErrorKind::TooSlow, true)
        );
        // The permit of a query whose caller has left is free again.
        assert!(timeout(Duration::from_millis(50), node.query(&scope, "", endless)).await.is_err());
        let one = |tx: Everywhere<'_>| tx.one("SELECT 7 FROM scope LIMIT 1", &[], |row| row.get::<i64>(0));
        assert_eq!(node.query(&scope, "", one).await.unwrap(), Some(7));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_nodes_that_start_at_once_make_the_schema_once() {
        let Some(server) = database::server() else { return };
        let url = format!("{server}/{}", database::empty(&server));
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let (url, data) = (url.clone(), folder.path().join(name));
            std::thread::spawn(move || Node::open(&url, &data, Opening::New).map(drop))
        };
        let both = [open("one"), open("two")];
        assert!(both.into_iter().all(|one| one.join().unwrap().is_ok()));
        let unchanged = Node::open(&url, folder.path(), Opening::Unchanged);
        assert!(unchanged.is_ok());
        let empty = format!("{server}/{}", database::empty(&server));
        for opening in [Opening::Known, Opening::Unchanged] {
            let error = Node::open(&empty, folder.path(), opening).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        }
    }
}
