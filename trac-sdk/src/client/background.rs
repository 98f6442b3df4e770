//! Reports that are sent in the background, and their results.

use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};

use super::connection::Connection;
use super::conversion::Conversion;
use super::error::ClientError;
use super::lead::Lead;

/// How many reports of one client and its clones are sent at the same time in the background; more wait in memory.
pub const SENT_AT_ONCE: usize = 32;

/// A report that was to be sent in the background.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// From [`TracClient::send_lead`](super::TracClient::send_lead).
    Lead(Lead),
    /// From [`TracClient::send_conversion`](super::TracClient::send_conversion).
    Conversion(Conversion),
}

/// Formats its kind and your own IDs, for a log.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lead(lead) => write!(f, "lead {:?} of {:?}", lead.event_name, lead.customer_external_id),
            Self::Conversion(conversion) => write!(f, "conversion {:?}", conversion.external_transaction_id),
        }
    }
}

/// A report that was sent in the background and failed, with its error.
///
/// It can be sent again: a lead or conversion that was recorded despite the error is not recorded twice.
///
/// # Examples
/// ```no_run
/// use trac_sdk::client::{ClientError, Item, TracClient};
///
/// # async fn end(trac: TracClient) {
/// for failed in trac.flush().await {
///     eprintln!("not reported: {failed}");
///     match (failed.error, failed.item) {
///         (ClientError::NotReached(_), Item::Lead(lead)) => trac.send_lead(lead),
///         (ClientError::NotReached(_), Item::Conversion(conversion)) => trac.send_conversion(conversion),
///         // Another attempt would fail the same way: correct the report or the settings first.
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{item}: {error}")]
pub struct Failed {
    /// The report, unchanged.
    pub item: Item,
    /// Why it failed.
    pub error: ClientError,
}

/// The reports of one client and its clones that are still to be sent.
pub(super) struct Background {
    permits: Semaphore,
    ended: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the next report.
    next: u64,
    unfinished: BTreeSet<u64>,
    failed: Vec<Failed>,
}

impl Background {
    pub(super) fn new() -> Self {
        Self { permits: Semaphore::new(SENT_AT_ONCE), ended: Notify::new(), state: Mutex::default() }
    }

    /// Begins to send a report. Panics outside a Tokio runtime.
    pub(super) fn send(self: Arc<Self>, connection: Arc<Connection>, item: Item) {
        tokio::spawn(Pending::new(self, item).carry_out(connection));
    }

    /// Waits for the reports that were started before, and returns those that failed since the last call. If the
    /// future is dropped, no failure is lost.
    pub(super) async fn flush(&self) -> Vec<Failed> {
        let until = self.state().next;
        loop {
            // Created before the state is read, so that a report that ends between the two is not missed.
            let ended = self.ended.notified();
            if let Some(failed) = self.failed_before(until) {
                return failed;
            }
            ended.await;
        }
    }

    /// The failures, if no report with a number below this one is unfinished.
    fn failed_before(&self, until: u64) -> Option<Vec<Failed>> {
        let mut state = self.state();
        let is_done = state.unfinished.first().is_none_or(|first| *first >= until);
        is_done.then(|| mem::take(&mut state.failed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report in flight. When it is dropped, for any reason including the end of the runtime, its end is recorded.
struct Pending {
    background: Arc<Background>,
    number: u64,
    /// The failure to record on drop; `None` once the report has succeeded.
    failed: Option<Failed>,
}

impl Pending {
    fn new(background: Arc<Background>, item: Item) -> Self {
        let mut state = background.state();
        let number = state.next;
        state.next = number.saturating_add(1);
        state.unfinished.insert(number);
        drop(state);
        Self { background, number, failed: Some(Failed { item, error: ClientError::Interrupted }) }
    }

    async fn carry_out(mut self, connection: Arc<Connection>) {
        let background = Arc::clone(&self.background);
        // The semaphore is never closed.
        let _permit = background.permits.acquire().await;
        let Some(failed) = &mut self.failed else { return };
        let sent = match &failed.item {
            Item::Lead(lead) => connection.lead(lead).await.map(|_| ()),
            Item::Conversion(conversion) => connection.conversion(conversion).await.map(|_| ()),
        };
        match sent {
            Ok(()) => self.failed = None,
            Err(error) => failed.error = error,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut state = self.background.state();
        state.unfinished.remove(&self.number);
        state.failed.extend(self.failed.take());
        drop(state);
        self.background.ended.notify_waiters();
    }
}
