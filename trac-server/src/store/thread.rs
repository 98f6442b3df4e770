//! Threads of the store.

use std::thread::{self, JoinHandle};

use super::error::StoreError;

/// Starts a thread of the store.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map_err(|error| StoreError::internal(format!("the thread {name} did not start: {error}")))
}

/// Lowers the priority of this thread, so that its work, which may take long, delays no visitor and no webhook. Linux
/// has a priority per thread, and gives the lowest one at least a hundredth of the processor. Source: setpriority(2).
#[cfg(target_os = "linux")]
pub(super) fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "the priority of a thread could not be lowered");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn lower_priority() {}
