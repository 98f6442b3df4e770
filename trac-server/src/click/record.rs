//! A visitor's click is written down within the time a visitor waits: in the store, else in the spool beside it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trac_core::click::ClickId;

use super::visitor::Trail;
use crate::store::click::NewClick;
use crate::store::{Group, Scope, StoreError, StoreErrorKind};
use crate::trac::Trac;

/// How long the store may take over a visitor, and the whole. A commit takes some milliseconds.
const STORE_LIMIT: Duration = Duration::from_millis(300);
const LIMIT: Duration = Duration::from_millis(450);

/// How long a visitor waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(Instant);

impl Patience {
    /// Begins to count now.
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Until when the store may be waited for.
    pub(super) fn store(self) -> Instant {
        self.0.checked_add(STORE_LIMIT).unwrap_or(self.0)
    }

    /// Until when the answer must be on its way.
    pub(super) fn all(self) -> Instant {
        self.0.checked_add(LIMIT).unwrap_or(self.0)
    }
}

/// A click and where it came from.
#[derive(Clone)]
pub(super) struct Visit {
    scope: Scope,
    click: Arc<NewClick>,
    trail: Option<Trail>,
}

/// What the store did with a click.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is on disk.
    Yes,
    /// Its link is not what it was: nothing is written.
    LinkChanged,
    /// The store did not take it, or not in time. It may still take it later.
    Not,
}

impl Visit {
    pub(super) fn new(scope: &Scope, click: NewClick, trail: Option<Trail>) -> Self {
        Self { scope: scope.clone(), click: Arc::new(click), trail }
    }

    /// The click's ID.
    pub(super) fn id(&self) -> &ClickId {
        &self.click.id
    }

    /// Writes the click down and answers its ID once it is on disk; `None` if it cannot be, or not in time.
    pub(super) async fn record(&self, trac: &Trac, patience: Patience) -> Option<ClickId> {
        if !trac.store.takes_no_clicks() && self.in_store(trac, |_| Ok(true), patience).await == Written::Yes
        {
            return Some(self.id().clone());
        }
        self.in_spool(trac, patience).await
    }

    /// Asks the store, which writes the click if its link `is_so`, by one read in the same transaction.
    pub(super) async fn in_store(
        &self,
        trac: &Trac,
        is_so: impl FnOnce(&Group<'_>) -> Result<bool, StoreError> + Send + 'static,
        patience: Patience,
    ) -> Written {
        let (salts, visit) = (trac.day_salt.clone(), self.clone());
        let written = trac.store.write_click(move |group| {
            if !is_so(group)? {
                return Ok(false);
            }
            let mark = match visit.trail {
                Some(trail) => {
                    trail.mark(visit.click.subject(), &salts.in_group(group, visit.click.clicked_at)?)
                }
                None => None,
            };
            visit.click.insert_marked(group.tx, &visit.scope, mark)?;
            Ok(true)
        });
        match timeout_at(patience.store(), written).await {
            Ok(Ok(true)) => return Written::Yes,
            Ok(Ok(false)) => return Written::LinkChanged,
            // The spool and the figures say it for all of them: a line for each would fill a full disk.
            Ok(Err(error)) => tracing::debug!(%error, "a click could not be written"),
            // If the store writes it after all, both are the same click: it has one ID.
            Err(_) => tracing::debug!("a click was not written in time"),
        }
        Written::Not
    }

    /// Leaves the click in the spool, as [`Self::record`] does with what the store does not take.
    pub(super) async fn in_spool(&self, trac: &Trac, patience: Patience) -> Option<ClickId> {
        let mut click = NewClick::clone(&self.click);
        let salt = trac.day_salt.known(click.clicked_at);
        click.visitor = self.trail.clone().and_then(|trail| trail.mark(click.subject(), &salt));
        match timeout_at(patience.all(), trac.store.spool(&self.scope, click)).await {
            Ok(Ok(())) => {
                trac.metrics.click_spooled();
                Some(self.id().clone())
            }
            failed => {
                let lost = trac.metrics.click_unrecorded();
                let late = || StoreError::new(StoreErrorKind::Busy, "the disk took too long");
                let error = failed.ok().and_then(Result::err).unwrap_or_else(late);
                // Not each of them: a disk that is full would be filled by the log.
                if lost.is_power_of_two() {
                    tracing::error!(%error, lost, "a click is lost");
                }
                None
            }
        }
    }
}
