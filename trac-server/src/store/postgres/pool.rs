//! A small pool of connections.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::address::Address;
use super::link::Access;
use super::mark;
use super::session::Session;
use super::stop::Stop;
use super::transaction::{Ended, run};
use crate::store::{Everywhere, Scope, StoreError, StoreErrorKind};

/// How long a job of one scope, a look-up or a query may take, and how long any job may wait for a connection.
const SILENT_LIMIT: Duration = Duration::from_secs(30);
/// How long the end of a transaction is asked for after the connection broke.
const ASK_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait between two attempts.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// Connections to one database. Clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    address: Arc<Address>,
    idle: Arc<Idle>,
    permits: Arc<Semaphore>,
    /// How many round trips all jobs have made.
    round_trips: Arc<AtomicU64>,
}

/// Connections that no job uses. The driver blocks while it closes one, which a thread of the runtime must not.
#[derive(Default)]
struct Idle(Mutex<Vec<Session>>);

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let sessions = std::mem::take(&mut *self.lock());
        if !sessions.is_empty() {
            let _ = thread::spawn(move || drop(sessions)).join();
        }
    }
}

impl Pool {
    /// A pool of so many connections, which are made when they are first needed.
    pub(super) fn of(address: &Arc<Address>, connections: usize) -> Self {
        Self {
            address: Arc::clone(address),
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(connections)),
            round_trips: Arc::default(),
        }
    }

    fn take(&self) -> Result<Session, StoreError> {
        loop {
            let known = self.idle.lock().pop();
            let Some(mut session) = known else { return Session::open(&self.address) };
            if session.is_usable() {
                return Ok(session);
            }
        }
    }

    fn put_back(&self, mut session: Session) {
        if session.is_usable() {
            self.idle.lock().push(session);
        } else {
            // The others were made before it broke, and are probably broken as well.
            let others = std::mem::take(&mut *self.idle.lock());
            drop((session, others));
        }
    }

    /// Waits for a connection and runs a job on it in one transaction, which is committed if the job succeeds. The
    /// result is returned after the commit.
    pub(super) async fn run<T, E, F>(&self, access: Access, scope: Option<Scope>, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        let _permit = self.permit().await?;
        let pool = self.clone();
        // An import or an export takes as long as it takes. They are jobs of no single scope.
        let has_limit = access == Access::LookUp || scope.is_some();
        let ran = tokio::task::spawn_blocking(move || pool.run_here(access, scope, job));
        if has_limit { answered(ran).await } else { ended(ran.await) }
    }

    /// Waits for a connection.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        match timeout(SILENT_LIMIT, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| StoreError::internal("the connections are closed")),
            Err(_) => {
                Err(StoreError::new(StoreErrorKind::Busy, "all connections to the database are in use"))
            }
        }
    }

    /// Runs a query on one snapshot; `stop` cancels it.
    pub(super) async fn query<T, E, F>(&self, stop: &Arc<Stop>, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Everywhere<'_>) -> Result<T, E> + Send + 'static,
    {
        let _permit = self.permit().await?;
        let (pool, stop) = (self.clone(), Arc::clone(stop));
        let ran = tokio::task::spawn_blocking(move || {
            let mut session = pool.take()?;
            stop.begin(session.client.cancel_token(), pool.address.tls.clone());
            let ended = if stop.is_requested() {
                let detail = "the caller left before the query began";
                Ended::Failed(StoreError::new(StoreErrorKind::TooSlow, detail).into())
            } else {
                run(&mut session, Access::Read, None, job)
            };
            stop.end();
            // A request to cancel may still be on its way: it must not meet another job.
            if !stop.is_requested() {
                pool.put_back(session);
            }
            match ended {
                Ended::Committed(value) => Ok(value),
                Ended::Failed(error) => Err(error),
                Ended::Unknown { error, .. } => Err(error.into()),
            }
        });
        answered(ran).await
    }

    /// [`Self::run`] on this thread, which must not be one of a runtime.
    pub(super) fn run_here<T, E, F>(&self, access: Access, scope: Option<Scope>, job: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: FnOnce(Everywhere<'_>) -> Result<T, E>,
    {
        let mut session = self.take()?;
        let before = session.sent;
        let ended = run(&mut session, access, scope, job);
        self.round_trips.fetch_add(session.sent.saturating_sub(before), Ordering::SeqCst);
        self.put_back(session);
        match ended {
            Ended::Committed(value) => Ok(value),
            Ended::Failed(error) => Err(error),
            Ended::Unknown { value, mark, error } => {
                if self.is_committed(&mark) {
                    Ok(value)
                } else {
                    Err(error.into())
                }
            }
        }
    }

    /// Finds out how a transaction ended.
    fn is_committed(&self, mark: &str) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < ASK_LIMIT {
            let asked = Session::open(&self.address)
                .and_then(|mut session| mark::is_committed(&mut session.client, mark));
            match asked {
                Ok(is_committed) => return is_committed,
                Err(error) => {
                    tracing::debug!(%error, mark, "the end of a transaction could not be found out yet");
                    thread::sleep(ASK_PAUSE);
                }
            }
        }
        tracing::error!(
            mark,
            "it is not known whether a transaction was committed: the database does not answer"
        );
        false
    }

    /// How many round trips all jobs have made, without those that only prepared a statement.
    #[cfg(test)]
    pub(super) fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::SeqCst)
    }

    /// A connection for a thread of its own.
    pub(super) fn connect(&self) -> Result<Session, StoreError> {
        Session::open(&self.address)
    }
}

/// Waits for a job. A database that stays silent, such as one behind a proxy that lost it, must not block callers without
/// end: its thread is left to itself, and its transaction ends when the connection does.
async fn answered<T, E: From<StoreError>>(ran: JoinHandle<Result<T, E>>) -> Result<T, E> {
    match timeout(SILENT_LIMIT, ran).await {
        Ok(ran) => ended(ran),
        Err(_) => Err(StoreError::new(StoreErrorKind::Unavailable, "the database does not answer").into()),
    }
}

fn ended<T, E: From<StoreError>>(ran: Result<Result<T, E>, JoinError>) -> Result<T, E> {
    ran.unwrap_or_else(|_| Err(StoreError::internal("a job panicked").into()))
}

/// Whether an error says that the database cannot be reached now.
pub(super) fn is_away(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Unavailable
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("idle", &self.idle.lock().len()).finish_non_exhaustive()
    }
}
