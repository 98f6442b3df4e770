//! A small pool of read-only connections.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::file;
use crate::store::error::{StoreError, StoreErrorKind};

#[derive(Clone, Debug)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Opens connections, each with a cache of this many KiB.
    pub(super) fn open(file: &Path, count: usize, cache_kib: i64) -> Result<Self, StoreError> {
        let open = || {
            let connection = file::connect(file)?;
            connection.pragma_update(None, "cache_size", cache_kib.saturating_neg())?;
            connection.pragma_update(None, "query_only", true)?;
            Ok::<_, StoreError>(connection)
        };
        let idle = (0..count).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(idle)), permits: Arc::new(Semaphore::new(count)) })
    }

    /// Reads on this thread if a connection is idle and the database is not locked, which is nearly always so;
    /// otherwise on another thread, which can wait.
    pub(super) async fn look_up<T, F>(&self, reader: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return self.read(reader).await;
        };
        let lent = Lent::take(Arc::clone(&self.idle))?;
        let answer = lent.connection.as_ref().map(|connection| without_waiting(connection, &reader));
        drop((lent, permit));
        match answer.unwrap_or_else(|| Err(StoreError::internal("no reader was lent"))) {
            Err(error) if error.kind() == StoreErrorKind::Busy => self.read(reader).await,
            answer => answer,
        }
    }

    pub(super) async fn read<T, E, F>(&self, reader: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.lend(move |connection| in_snapshot(connection, reader)).await
    }

    /// Waits for a connection and runs a job with it on another thread. The connection is lent until the job
    /// ends, even if the caller has left.
    pub(super) async fn lend<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::internal("the readers are closed"))?;
        let idle = Arc::clone(&self.idle);
        let read = tokio::task::spawn_blocking(move || {
            let mut lent = Lent::take(idle)?;
            let answer = lent.connection.as_mut().map(job);
            drop((lent, permit));
            answer.unwrap_or_else(|| Err(StoreError::internal("no reader was lent").into()))
        });
        read.await.unwrap_or_else(|_| Err(StoreError::internal("a read panicked").into()))
    }
}

fn without_waiting<T>(
    connection: &Connection,
    reader: impl Fn(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.busy_timeout(Duration::ZERO)?;
    let answer = reader(connection);
    connection.busy_timeout(file::BUSY_LIMIT)?;
    answer
}

pub(super) fn in_snapshot<T, E, F>(connection: &mut Connection, reader: F) -> Result<T, E>
where
    E: From<StoreError>,
    F: FnOnce(&Connection) -> Result<T, E>,
{
    let snapshot = connection.transaction().map_err(StoreError::from)?;
    reader(&snapshot)
}

/// A connection from the pool, returned to it even if its reader panics.
struct Lent {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Lent {
    fn take(idle: Arc<Mutex<Vec<Connection>>>) -> Result<Self, StoreError> {
        let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = connection.ok_or_else(|| StoreError::internal("no reader is left"))?;
        Ok(Self { connection: Some(connection), idle })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
    }
}
