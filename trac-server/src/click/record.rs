//! A visitor's click is written down within the time a visitor waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trac_core::click::ClickId;

use super::visitor::Trail;
use crate::store::click::{Condition, NewClick};
use crate::store::{Scope, StoreError, StoreErrorKind};
use crate::trac::Trac;

/// How long a visitor waits for a click to be on disk. A synchronization takes some milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    store: Instant,
    all: Instant,
}

impl Patience {
    /// Begins to count now: of the time that a visitor waits, the store has two thirds.
    pub(super) fn begin(trac: &Trac) -> Self {
        let now = Instant::now();
        let until = |wait: Duration| now.checked_add(wait).unwrap_or(now);
        let all = trac.visitor_wait;
        Self { store: until(all.saturating_sub(all.checked_div(3).unwrap_or_default())), all: until(all) }
    }

    /// Until when the store may be waited for.
    pub(super) const fn store(self) -> Instant {
        self.store
    }

    /// Until when the answer must be on its way.
    pub(super) const fn all(self) -> Instant {
        self.all
    }
}

/// What became of a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is on disk, under this ID.
    Yes(ClickId),
    /// Its condition does not hold: nothing is written.
    No,
    /// Nothing could be written, or not in time. It may still be, later.
    Lost,
}

/// Writes a click down if its condition holds.
pub(super) async fn record(
    trac: &Trac,
    scope: &Scope,
    mut click: NewClick,
    trail: Option<Trail>,
    only_if: Option<Arc<dyn Condition>>,
    patience: Patience,
) -> Written {
    if let Some(trail) = trail {
        let salt = trac.day_salt.today(&trac.store, click.clicked_at, patience.store()).await;
        click.visitor = trail.mark(click.subject(), &salt);
    }
    let id = click.id.clone();
    let late = |_| Err(StoreError::new(StoreErrorKind::Busy, "the disk took too long"));
    let kept = timeout_at(patience.all(), trac.store.keep_click(scope, click, only_if)).await;
    match kept.unwrap_or_else(late) {
        Ok(true) => Written::Yes(id),
        Ok(false) => Written::No,
        Err(error) => {
            let lost = trac.metrics.click_unrecorded();
            // Not each of them: a disk that is full would be filled by the log.
            if lost.is_power_of_two() {
                tracing::error!(%error, lost, "a click is lost");
            }
            Written::Lost
        }
    }
}
