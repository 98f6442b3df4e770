//! Values that many readers of one workspace want at once, each computed once for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::store::Scope;

/// The value of a scope, and when its computation began.
type Slot<T> = Arc<Mutex<Option<(Instant, T)>>>;

/// A value for each scope, which is computed again when it is older than the given age. Clones share the values.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    slots: Arc<StdMutex<HashMap<Scope, Slot<T>>>>,
    /// The age at which a value is computed again.
    age: Duration,
}

/// How many scopes are remembered. Beyond that, all values are computed again.
const SCOPES_MAX: usize = 1_000;

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { slots: Arc::clone(&self.slots), age: self.age }
    }
}

impl<T: Clone> Shared<T> {
    /// Values that are computed again at this age.
    pub(crate) fn for_a(age: Duration) -> Self {
        Self { slots: Arc::default(), age }
    }

    /// The value of a scope. While one caller computes it, the others wait for the result. An error is returned to the
    /// caller that computed, and the next one computes again.
    pub(crate) async fn get<E>(
        &self,
        scope: &Scope,
        compute: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let slot = self.slot(scope);
        let mut value = slot.lock().await;
        if let Some((begun, known)) = &*value
            && begun.elapsed() < self.age
        {
            return Ok(known.clone());
        }
        let begun = Instant::now();
        let new = compute.await?;
        *value = Some((begun, new.clone()));
        Ok(new)
    }

    fn slot(&self, scope: &Scope) -> Slot<T> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SCOPES_MAX && !slots.contains_key(scope) {
            slots.clear();
        }
        Arc::clone(slots.entry(scope.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use trac_core::program::Mode;

    use super::*;

    async fn next(count: &AtomicU32) -> Result<u32, String> {
        tokio::task::yield_now().await;
        Ok(count.fetch_add(1, Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_value_is_computed_once_for_all_who_want_it() {
        let count = Arc::new(AtomicU32::new(1));
        let shared = Shared::for_a(Duration::from_hours(1));
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (shared, count) = (shared.clone(), Arc::clone(&count));
            waiting.spawn(async move { shared.get(&Scope::new("ws_1", Mode::Test), next(&count)).await });
        }
        assert!(waiting.join_all().await.into_iter().all(|value| value == Ok(1)));
        assert_eq!(shared.get(&Scope::new("ws_1", Mode::Live), next(&count)).await, Ok(2), "another scope");
    }

    #[tokio::test]
    async fn an_old_value_and_an_error_are_computed_again() {
        let count = AtomicU32::new(1);
        let scope = Scope::new("ws_1", Mode::Test);
        let shared = Shared::for_a(Duration::ZERO);
        assert_eq!(shared.get(&scope, next(&count)).await, Ok(1));
        assert_eq!(shared.get(&scope, next(&count)).await, Ok(2));
        let shared = Shared::for_a(Duration::from_hours(1));
        assert_eq!(shared.get(&scope, async { Err("busy".to_owned()) }).await, Err("busy".to_owned()));
        assert_eq!(shared.get(&scope, next(&count)).await, Ok(3));
        for n in 0..=SCOPES_MAX {
            shared.get(&Scope::new(&format!("ws_{n}"), Mode::Live), next(&count)).await.unwrap();
        }
        assert!(shared.slots.lock().unwrap().len() <= SCOPES_MAX);
    }
}
