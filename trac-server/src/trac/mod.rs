//! What a running server keeps in memory, in one handle that every request has.

pub(crate) mod known_links;
pub(crate) mod day_salt;
mod limit;
mod key_uses;
pub(crate) mod metrics;
pub(crate) mod refusal;
mod soundness;
pub(crate) mod uncounted;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::http::bodies::Bodies;
use crate::http::hosts::Hosts;
use crate::http::proxy::{Network, TrustedProxies};
use crate::id::Ids;
use crate::store::{Scope, Store};
use crate::tally::Tally;
use day_salt::DaySalt;
use key_uses::KeyUses;
use known_links::LastKnown;
use limit::{Callers, Limits};
use metrics::Metrics;
use refusal::{Cause, Refusals};
use soundness::Soundness;
use uncounted::Uncounted;

/// How long a visitor waits for a click to be on disk, before being sent on without one.
const VISITOR_WAIT: Duration = Duration::from_millis(450);

/// A running trac: the store, the clock, and how it is reached from outside. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Trac(Arc<Parts>);

/// What a [`Trac`] is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub(crate) store: Store,
    /// How long a visitor waits for a click to be on disk.
    pub(crate) visitor_wait: Duration,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) public_url: Arc<str>,
    pub(crate) hosts: Hosts,
    pub(crate) proxies: TrustedProxies,
    pub(crate) last_known: LastKnown,
    pub(crate) day_salt: DaySalt,
    pub(crate) limits: Limits,
    pub(crate) key_uses: KeyUses,
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
    pub(crate) uncounted: Uncounted,
    pub(crate) soundness: Soundness,
    /// Whether `/metrics` is served elsewhere.
    pub(crate) metrics_apart: bool,
    pub(crate) bodies: Bodies,
    /// Deliveries that were rejected, by endpoint and message.
    pub(crate) rejected: Arc<Tally<(String, String)>>,
}

impl Trac {
    /// Puts a store and a clock together. `public_url` is how the server is reached from outside, without a slash
    /// at the end: links and webhook addresses begin with it.
    #[must_use]
    pub fn new(store: Store, clock: Clock, public_url: &str) -> Self {
        let ids = Ids::new(clock.clone());
        Self(Arc::new(Parts {
            store,
            visitor_wait: VISITOR_WAIT,
            clock,
            ids,
            public_url: public_url.trim_end_matches('/').into(),
            hosts: Hosts::default(),
            proxies: TrustedProxies::default(),
            last_known: LastKnown::default(),
            day_salt: DaySalt::default(),
            limits: Limits::default(),
            key_uses: KeyUses::default(),
            metrics: Metrics::default(),
            refusals: Refusals::default(),
            uncounted: Uncounted::default(),
            soundness: Soundness::default(),
            metrics_apart: false,
            bodies: Bodies::default(),
            rejected: Arc::new(Tally::new()),
        }))
    }

    /// Sets the `Domain` of the click cookie, for a tracker that serves a merchant's site too. Of several, the one that the
    /// host of the request belongs to is taken.
    #[must_use]
    pub fn with_cookie_domains(mut self, domains: &[String]) -> Self {
        Arc::make_mut(&mut self.0).hosts.cookie_domains = domains.into();
        self
    }

    /// Names the hosts, beside that of the public URL, under which links may be shown: a program's `tracking_domain` is one of
    /// them.
    #[must_use]
    pub fn with_tracking_domains(mut self, domains: &[String]) -> Self {
        Arc::make_mut(&mut self.0).hosts.tracking_domains = domains.into();
        self
    }

    /// Names the proxies in front, whose word on who is calling counts.
    #[must_use]
    pub fn with_trusted_proxies(mut self, networks: &[Network]) -> Self {
        Arc::make_mut(&mut self.0).proxies = TrustedProxies::new(networks);
        self
    }

    /// How many visits of one address are recorded in a minute (300), and how many calls of pages one address may make (300); 0 for any
    /// number. Beyond the first, visitors are sent on all the same.
    #[must_use]
    pub fn with_limits_per_address(mut self, visits: u32, calls: u32) -> Self {
        let limits = &mut Arc::make_mut(&mut self.0).limits;
        (limits.visits, limits.calls) = (Callers::at_most(visits), Callers::at_most(calls));
        self
    }

    /// Takes `/metrics` off the routes: [`metrics_service`](crate::metrics_service) serves it under another address.
    #[must_use]
    pub fn with_metrics_apart(mut self) -> Self {
        Arc::make_mut(&mut self.0).metrics_apart = true;
        self
    }

    /// Lets visitors wait so long, for tests on machines that do other things too.
    #[cfg(test)]
    pub(crate) fn with_visitor_wait(mut self, wait: Duration) -> Self {
        Arc::make_mut(&mut self.0).visitor_wait = wait;
        self
    }

    /// Whether the server is reached over https.
    pub(crate) fn is_https(&self) -> bool {
        self.0.public_url.starts_with("https://")
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
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
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }
}

impl Deref for Trac {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
