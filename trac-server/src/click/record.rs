//! A visitor's click is written down within the time a visitor waits: in the store, else in the spool beside it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trac_core::click::ClickId;

use super::visitor::Trail;
use crate::store::click::NewClick;
use crate::store::{Priority, Scope, StoreError, StoreErrorKind};
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

/// Writes the click down and answers its ID once it is on disk; `None` if it cannot be, or not in time.
pub(super) async fn record(
    trac: &Trac,
    scope: &Scope,
    mut click: NewClick,
    trail: Option<Trail>,
    patience: Patience,
) -> Option<ClickId> {
    let id = click.id.clone();
    let subject = click.link_id.as_ref().unwrap_or(&click.partner_id).clone();
    if !trac.store.takes_no_clicks() {
        match timeout_at(patience.store(), in_store(trac, scope, &click, trail.clone(), &subject)).await {
            Ok(Ok(())) => return Some(id),
            Ok(Err(error)) => tracing::warn!(%error, "a click could not be written"),
            // If the store writes it after all, both are the same click: it has one ID.
            Err(_) => tracing::warn!("a click was not written in time"),
        }
    }
    let salt = trac.day_salt.known(click.clicked_at);
    click.visitor = trail.and_then(|trail| trail.mark(&subject, &salt));
    match timeout_at(patience.all(), trac.store.spool(scope, click)).await {
        Ok(Ok(())) => {
            trac.metrics.click_spooled();
            Some(id)
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

async fn in_store(
    trac: &Trac,
    scope: &Scope,
    click: &NewClick,
    trail: Option<Trail>,
    subject: &str,
) -> Result<(), StoreError> {
    let (salts, scope, mut click, subject) =
        (trac.day_salt.clone(), scope.clone(), click.clone(), subject.to_owned());
    let written = trac.store.write(Priority::Click, move |tx| {
        if let Some(trail) = trail {
            click.visitor = trail.mark(&subject, &salts.of(tx, click.clicked_at)?);
        }
        click.insert(tx, &scope)
    });
    written.await
}
