//! Records a visitor's click within the time that a visitor may wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trac_core::click::ClickId;

use super::visitor::VisitorHash;
use crate::store::click::{Condition, NewClick};
use crate::store::{Scope, StoreError, StoreErrorKind};
use crate::trac::Trac;

/// The deadlines of recording one click. To write a click to disk usually takes some milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    salt: Instant,
    store: Instant,
    response: Instant,
}

impl Deadlines {
    /// Starts now. The store gets a third of the time that a visitor may wait to return the day's salt, which is made
    /// in memory without it, and two thirds to return the link. The rest is for the spool.
    pub(super) fn start(trac: &Trac) -> Self {
        let now = Instant::now();
        let until = |wait: Duration| now.checked_add(wait).unwrap_or(now);
        let (all, third) = (trac.visitor_wait, trac.visitor_wait.checked_div(3).unwrap_or_default());
        Self { salt: until(third), store: until(all.saturating_sub(third)), response: until(all) }
    }

    /// When to stop waiting for the store.
    pub(super) const fn store(self) -> Instant {
        self.store
    }

    /// When the response must be sent.
    pub(super) const fn response(self) -> Instant {
        self.response
    }
}

/// The result of recording a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The click is on disk, with this ID.
    Yes(ClickId),
    /// The click's condition does not hold: nothing was written.
    No,
    /// The click could not be written, or was not written in time. In the latter case it may still be written
    /// later.
    Lost,
}

/// Records a click if its condition holds.
pub(super) async fn record(
    trac: &Trac,
    scope: &Scope,
    mut click: NewClick,
    visitor: Option<VisitorHash>,
    only_if: Option<Arc<dyn Condition>>,
    deadlines: Deadlines,
) -> Written {
    if let Some(visitor) = visitor {
        let salt = trac.day_salt.today(&trac.store, click.clicked_at, deadlines.salt).await;
        click.visitor = visitor.mark(click.subject(), &salt);
    }
    let id = click.id.clone();
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the disk took too long"));
    let recorded = timeout_at(deadlines.response(), trac.store.record_click(scope, click, only_if)).await;
    match recorded.unwrap_or_else(late) {
        Ok(true) => Written::Yes(id),
        Ok(false) => Written::No,
        Err(error) => {
            let lost = trac.metrics.click_unrecorded();
            // Logged at the 1st, 2nd, 4th, 8th … click, so that the log does not fill a disk that is nearly
            // full.
            if lost.is_power_of_two() {
                tracing::error!(%error, lost, "a click is lost");
            }
            Written::Lost
        }
    }
}
