//! Stops a running query.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use postgres::CancelToken;

use super::tls::Tls;

/// Signals a running query that it must stop.
#[derive(Default)]
pub(super) struct Stop {
    requested: AtomicBool,
    /// Cancels the statement that runs.
    running: Mutex<Option<(CancelToken, Tls)>>,
}

impl Stop {
    pub(super) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// From now on, a request cancels the statements of this connection.
    pub(super) fn begin(&self, token: CancelToken, tls: Tls) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some((token, tls));
    }

    /// The query has ended.
    pub(super) fn end(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Requests the stop. The request to the server is sent by a thread of its own, since the driver blocks.
    pub(super) fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((token, tls)) = running {
            drop(std::thread::spawn(move || {
                if let Err(error) = token.cancel_query(tls.connector()) {
                    tracing::debug!(%error, "a query could not be cancelled");
                }
            }));
        }
    }
}

/// Stops the query when it is dropped, as it is when the caller leaves.
pub(super) struct StopOnDrop(pub(super) Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}
