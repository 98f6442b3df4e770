//! Threads of the store.

use std::thread::{self, JoinHandle};

use super::error::StoreError;

/// Starts a thread of the store.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map_err(|error| StoreError::internal(format!("the thread {name} did not start: {error}")))
}
