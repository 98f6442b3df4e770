//! Permits of queries, each of which may take long: only a few run at a time, and fewer of one workspace, so that no
//! workspace occupies all connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::error::{StoreError, StoreErrorKind};
use super::scope::Scope;
use crate::clock::Clock;
use crate::tally::Tally;

#[derive(Debug)]
pub(super) struct Permits {
    /// The permits of all workspaces together, and those of each workspace with a running or waiting query.
    all: Arc<Semaphore>,
    of_workspaces: Mutex<HashMap<String, Arc<Semaphore>>>,
    together: usize,
    per_workspace: usize,
    limit: Duration,
    /// Counts interruptions per workspace and query, to limit the warnings in the log.
    interrupted: Tally<(String, String)>,
}

impl Permits {
    /// Permits for so many queries at the same time, and so many of one workspace. `limit` is how long a query waits for
    /// its permits, and then how long it may run.
    pub(super) fn new(together: usize, per_workspace: usize, limit: Duration) -> Self {
        Self {
            all: Arc::new(Semaphore::new(together)),
            of_workspaces: Mutex::default(),
            together,
            per_workspace,
            limit,
            interrupted: Tally::new(),
        }
    }

    /// How long a query may run.
    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for the permits of a query. While it waits for others of its own workspace, it occupies no shared
    /// permit.
    pub(super) async fn acquire(&self, workspace_id: &str) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        let (own, all) = (self.of_workspace(workspace_id), Arc::clone(&self.all));
        let permits =
            async { Ok::<_, AcquireError>([own.acquire_owned().await?, all.acquire_owned().await?]) };
        let Ok(permits) = timeout(self.limit, permits).await else {
            let detail = format!("too many queries are running, some of them {workspace_id}'s");
            return Err(StoreError::new(StoreErrorKind::Busy, detail));
        };
        permits.map_err(|_| StoreError::internal("the queries are closed"))
    }

    /// Waits until no query runs; while the result is held, none begins. `None` if one still runs although its time
    /// is over.
    pub(super) async fn none_running(&self) -> Option<SemaphorePermit<'_>> {
        let all = u32::try_from(self.together).unwrap_or(u32::MAX);
        timeout(self.limit.saturating_mul(2), self.all.acquire_many(all)).await.ok()?.ok()
    }

    /// The error of a query that was interrupted. `narrow` is the advice in it.
    pub(super) fn too_slow(&self, scope: &Scope, narrow: &str) -> StoreError {
        let (workspace, now) = (scope.workspace_id(), Clock::system().now());
        if let Some(times) = self.interrupted.count((workspace.to_owned(), narrow.to_owned()), now) {
            tracing::warn!(
                workspace,
                mode = scope.mode_str(),
                narrow,
                times,
                "a query took too long and was interrupted"
            );
        }
        let detail = format!(
            "The query took longer than {} seconds and was interrupted. {narrow}",
            self.limit.as_secs()
        );
        StoreError::new(StoreErrorKind::TooSlow, detail)
    }

    fn of_workspace(&self, workspace_id: &str) -> Arc<Semaphore> {
        let mut of_workspaces = self.of_workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = of_workspaces.get(workspace_id) {
            return Arc::clone(own);
        }
        // Removes workspaces without a running or waiting query.
        of_workspaces.retain(|_, own| Arc::strong_count(own) > 1);
        Arc::clone(
            of_workspaces
                .entry(workspace_id.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(self.per_workspace))),
        )
    }
}
