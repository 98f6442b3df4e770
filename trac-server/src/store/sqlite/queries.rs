//! Queries: lists, figures, pages and stories, each of which may take long.
//!
//! They have their own connections, so that webhooks, redirects and look-ups of keys never wait for them. Only
//! a few run at a time, and fewer of one workspace, so that no workspace occupies all connections. A query is
//! interrupted after some seconds, and when its caller has left.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::readers::{Readers, in_snapshot};
use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::permits::Permits;
use crate::store::scope::Scope;

/// How many queries run at the same time.
const TOGETHER: usize = 4;
/// How many of them may belong to one workspace.
const PER_WORKSPACE: usize = 2;
/// The cache of each of their connections. A report of 90 days by a thousand partners reads 20 MB of pages; of a cache
/// that is smaller than what a query reads in order, the next query finds nothing.
const CACHE_KIB: i64 = 32_000;
/// How long a query waits for its permits, and then how long it may run.
const LIMIT: Duration = Duration::from_secs(5);
/// After how many steps of SQLite's virtual machine a query checks whether it must stop: some tens of
/// microseconds.
const STEPS: i32 = 2_000;

#[derive(Debug)]
pub(super) struct Queries {
    readers: Readers,
    permits: Permits,
}

impl Queries {
    pub(super) fn open(file: &Path) -> Result<Self, StoreError> {
        Self::with_limit(file, LIMIT)
    }

    fn with_limit(file: &Path, limit: Duration) -> Result<Self, StoreError> {
        let readers = Readers::open(file, TOGETHER, CACHE_KIB)?;
        Ok(Self { readers, permits: Permits::new(TOGETHER, PER_WORKSPACE, limit) })
    }

    /// Runs a query once it has its permits. `narrow` is the advice in the error of a query that takes too
    /// long.
    pub(super) async fn run<T, E, F>(&self, scope: &Scope, narrow: &str, reader: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let permits = self.permits.acquire(scope.workspace_id()).await?;
        let stop = Arc::new(Stop::default());
        let _stop_on_drop = StopOnDrop(Arc::clone(&stop));
        let running = Arc::clone(&stop);
        let reading = self.readers.lend(move |connection| {
            // The permits are released when the query ends, not when its caller leaves.
            let _permits = permits;
            running.run(connection, |connection| in_snapshot(connection, reader))
        });
        let mut reading = std::pin::pin!(reading);
        let answer = if let Ok(answer) = timeout(self.permits.limit(), &mut reading).await {
            answer
        } else {
            stop.request();
            reading.await
        };
        if !stop.is_requested() {
            return answer;
        }
        answer.map_err(|_| self.permits.too_slow(scope, narrow).into())
    }

    /// Waits until no query runs; while the result is held, none begins. `None` if one still runs although its time
    /// is over.
    pub(super) async fn none_running(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.none_running().await
    }
}

/// Signals a running query that it must stop.
#[derive(Default)]
struct Stop {
    requested: AtomicBool,
    /// Interrupts the query while it runs. Cleared afterwards, so that the next query of the connection is not
    /// interrupted.
    running: Mutex<Option<InterruptHandle>>,
}

impl Stop {
    fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
        if let Some(handle) = &*lock(&self.running) {
            handle.interrupt();
        }
    }

    /// Runs a query that ends once a stop is requested: the progress handler checks for the request every
    /// [`STEPS`] steps, so also between two statements, and the interrupt handle ends a long step at once.
    fn run<T, E: From<StoreError>>(
        self: &Arc<Self>,
        connection: &mut Connection,
        query: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let stop = Arc::clone(self);
        connection.progress_handler(STEPS, Some(move || stop.is_requested())).map_err(StoreError::from)?;
        *lock(&self.running) = Some(connection.get_interrupt_handle());
        let _ended = Ended(self);
        if self.is_requested() {
            return Err(
                StoreError::new(StoreErrorKind::TooSlow, "the caller left before the query began").into()
            );
        }
        query(connection)
    }
}

/// Clears the interrupt handle when the query has ended.
struct Ended<'a>(&'a Stop);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        *lock(&self.0.running) = None;
    }
}

/// Stops the query when it is dropped, as it is when the caller leaves.
struct StopOnDrop(Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tempfile::TempDir;
    use tokio::sync::oneshot;
    use trac_core::program::Mode;

    use super::*;
    use crate::store::{Everywhere, Store};

    /// A query that never ends.
    const ENDLESS: &str =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
    const NEVER: Duration = Duration::from_secs(1_000_000);

    fn count(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
        Ok(connection.query_row(sql, [], |row| row.get(0))?)
    }

    fn queries(limit: Duration) -> (TempDir, Arc<Queries>) {
        let folder = tempfile::tempdir().unwrap();
        let queries = Queries::with_limit(&folder.path().join("trac.db"), limit).unwrap();
        (folder, Arc::new(queries))
    }

    fn workspace(name: &str) -> Scope {
        Scope::new(name, Mode::Live)
    }

    async fn run<T: Send + 'static>(
        queries: &Queries,
        of: &str,
        reader: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        queries.run(&workspace(of), "Ask for less.", reader).await
    }

    #[tokio::test]
    async fn an_endless_query_is_interrupted_and_its_error_has_the_advice() {
        let (_folder, queries) = queries(Duration::from_millis(20));
        for _ in 0..=TOGETHER {
            let endless = run(&queries, "ws_1", |connection| count(connection, ENDLESS));
            let error = endless.await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::TooSlow);
            assert!(error.detail().ends_with("Ask for less."), "{error}");
        }
        // Their connections still work.
        let one = run(&queries, "ws_1", |connection| count(connection, "SELECT 1"));
        assert_eq!(one.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_endless_series_of_statements_is_interrupted_between_two_of_them() {
        let (_folder, queries) = queries(Duration::from_millis(20));
        let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) SELECT count(*) FROM n";
        let endless = run(&queries, "ws_1", move |connection| -> Result<i64, StoreError> {
            loop {
                count(connection, many)?;
            }
        });
        assert_eq!(endless.await.unwrap_err().kind(), StoreErrorKind::TooSlow);
    }

    #[tokio::test]
    async fn a_query_whose_caller_has_left_is_interrupted() {
        let (_folder, queries) = queries(NEVER);
        let (begin, runs) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let caller = tokio::spawn({
            let queries = Arc::clone(&queries);
            async move {
                let endless = run(&queries, "ws_1", move |connection| {
                    begin.send(()).unwrap();
                    let answer = count(connection, ENDLESS);
                    end.send(answer.as_ref().map_err(StoreError::kind).copied()).unwrap();
                    answer
                });
                endless.await
            }
        });
        runs.await.unwrap();
        caller.abort();
        assert_eq!(ended.await.unwrap(), Err(StoreErrorKind::TooSlow));
    }

    /// Queries that run until their latches are dropped.
    async fn latched(queries: &Arc<Queries>, of: &str, number: usize) -> Vec<mpsc::Sender<()>> {
        let mut latches = Vec::new();
        for _ in 0..number {
            let (latch, open) = mpsc::channel::<()>();
            let (begin, runs) = oneshot::channel();
            let (queries, of) = (Arc::clone(queries), of.to_owned());
            tokio::spawn(async move {
                let waiting = run(&queries, &of, move |_| {
                    begin.send(()).unwrap();
                    let _ = open.recv();
                    Ok::<_, StoreError>(())
                });
                waiting.await
            });
            runs.await.unwrap();
            latches.push(latch);
        }
        latches
    }

    #[tokio::test]
    async fn a_workspace_runs_no_more_queries_than_its_permits() {
        let (_folder, queries) = queries(Duration::from_millis(20));
        let one = latched(&queries, "ws_1", PER_WORKSPACE).await;
        let run_one = async |of: &str| {
            let result = run(&queries, of, |connection| count(connection, "SELECT 1"));
            result.await.map_err(|error| error.kind())
        };
        assert_eq!(run_one("ws_1").await, Err(StoreErrorKind::Busy));
        assert_eq!(run_one("ws_2").await, Ok(1));
        let other = latched(&queries, "ws_2", TOGETHER - PER_WORKSPACE).await;
        assert_eq!(run_one("ws_3").await, Err(StoreErrorKind::Busy), "all permits are taken");
        drop((one, other));
        let (_folder, queries) = self::queries(NEVER);
        let one = latched(&queries, "ws_1", PER_WORKSPACE).await;
        let mut waits = std::pin::pin!(run(&queries, "ws_1", |connection| count(connection, "SELECT 1")));
        tokio::select! {
            biased;
            answer = &mut waits => panic!("no permit is free: {answer:?}"),
            () = tokio::task::yield_now() => {}
        }
        drop(one);
        assert_eq!(waits.await.unwrap(), 1, "it runs once a permit is free");
    }

    #[tokio::test]
    async fn look_ups_and_reads_never_wait_for_queries() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (end, _ends) = tokio::sync::broadcast::channel::<()>(1);
        let mut running = tokio::task::JoinSet::new();
        for number in 0..TOGETHER * 4 {
            let (store, scope) = (store.clone(), workspace(&format!("ws_{number}")));
            let mut open = end.subscribe();
            running.spawn(async move {
                let blocked = store.query(&scope, "", move |_| {
                    let _ = open.blocking_recv();
                    Ok::<_, StoreError>(())
                });
                blocked.await
            });
        }
        let one = |tx: Everywhere<'_>| tx.one("SELECT count(*) FROM workspace", &[], |row| row.get::<i64>(0));
        for _ in 0..100 {
            tokio::task::yield_now().await;
            assert_eq!(store.look_up(one).await.unwrap(), Some(0));
            assert_eq!(store.read(one).await.unwrap(), Some(0));
        }
        drop(end);
        running.join_all().await;
    }
}
