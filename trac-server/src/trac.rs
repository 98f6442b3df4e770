//! Everything a request needs, in one handle.

use std::sync::Arc;

use crate::clock::Clock;
use crate::id::Ids;
use crate::key_uses::KeyUses;
use crate::last_known::LastKnown;
use crate::limit::Limiter;
use crate::metrics::Metrics;
use crate::refusal::{Cause, Refusals};
use crate::store::{Scope, Store};

/// A running trac: the store, the clock, and how it is reached from outside. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Trac {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) public_url: Arc<str>,
    pub(crate) cookie_domain: Option<Arc<str>>,
    pub(crate) last_known: LastKnown,
    pub(crate) limiter: Limiter,
    pub(crate) key_uses: KeyUses,
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
}

impl Trac {
    /// Puts a store and a clock together. `public_url` is how the server is reached from outside, without a slash
    /// at the end: links and webhook addresses begin with it.
    #[must_use]
    pub fn new(store: Store, clock: Clock, public_url: &str) -> Self {
        let ids = Ids::new(clock.clone());
        Self {
            store,
            clock,
            ids,
            public_url: public_url.trim_end_matches('/').into(),
            cookie_domain: None,
            last_known: LastKnown::default(),
            limiter: Limiter::default(),
            key_uses: KeyUses::default(),
            metrics: Metrics::default(),
            refusals: Refusals::default(),
        }
    }

    /// Sets the `Domain` of the click cookie, for a tracker that serves the merchant's site too.
    #[must_use]
    pub fn with_cookie_domain(mut self, domain: Option<&str>) -> Self {
        self.cookie_domain = domain.map(Into::into);
        self
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Notes that a call was turned away, for the merchant to see. `detail` says what was wrong with this one.
    pub(crate) async fn refused(&self, scope: &Scope, route: &str, cause: Cause, detail: &str) {
        let message = if detail.is_empty() { cause.meaning() } else { detail };
        let call = (scope.clone(), route.to_owned(), cause);
        let now = self.clock.now();
        self.refusals.note((&self.store, &self.ids), call, message.to_owned(), now).await;
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }
}
