//! The state of a running server, in one handle that every handler receives.

pub(crate) mod known_links;
pub(crate) mod day_salt;
pub(crate) mod limit;
mod key_uses;
pub(crate) mod metrics;
pub(crate) mod passwords;
pub(crate) mod refusal;
mod soundness;
pub(crate) mod carrier;
mod shared;
pub(crate) mod uncounted;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Retention, STRIPE_API_URL, VISITOR_WAIT_MS};
use crate::http::bodies::Bodies;
use crate::http::hosts::Hosts;
use crate::http::oidc::Provider;
use crate::http::proxy::{Network, TrustedProxies};
use crate::id::Ids;
use crate::store::{Scope, Store};
use crate::tally::Tally;
pub use carrier::{Carrier, UnusableAddress};

use day_salt::DaySalt;
use key_uses::KeyUses;
use known_links::KnownLinks;
use limit::{Callers, Limits};
use metrics::Metrics;
use passwords::Passwords;
use refusal::{Cause, Refusals};
use shared::Shared;
use soundness::Soundness;
use uncounted::Uncounted;

/// How old the number and the changing part may be that open pages of the dashboard get: they ask every second.
const CHANGES_AGE: Duration = Duration::from_millis(250);
const LIVE_AGE: Duration = Duration::from_secs(1);

/// A running trac: the store, the clock, and the addresses under which it is reached. Clones share the state.
#[derive(Clone, Debug)]
pub struct Trac(Arc<Parts>);

/// The parts of a [`Trac`].
#[derive(Clone, Debug)]
pub struct Parts {
    pub(crate) store: Store,
    /// How long a visitor waits for the click to be on disk.
    pub(crate) visitor_wait: Duration,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) public_url: Arc<str>,
    /// Where requests to Stripe's API are sent, without a trailing slash.
    pub(crate) stripe_api_url: Arc<str>,
    /// The way to the SMTP server.
    pub(crate) carrier: Carrier,
    /// The provider by which people may sign in, besides their passwords.
    pub(crate) provider: Option<Provider>,
    pub(crate) hosts: Hosts,
    pub(crate) proxies: TrustedProxies,
    pub(crate) known_links: KnownLinks,
    pub(crate) day_salt: DaySalt,
    pub(crate) limits: Limits,
    pub(crate) key_uses: KeyUses,
    pub(crate) metrics: Metrics,
    pub(crate) passwords: Passwords,
    pub(crate) refusals: Refusals,
    pub(crate) uncounted: Uncounted,
    pub(crate) soundness: Soundness,
    /// The number of `/dashboard/changes`, for all open pages of a workspace.
    pub(crate) changes: Shared<u64>,
    /// The changing part of the dashboard with its number.
    pub(crate) live_part: Shared<(u64, Arc<str>)>,
    pub(crate) retention: Retention,
    /// Whether `/metrics` is served on another address.
    pub(crate) metrics_apart: bool,
    pub(crate) bodies: Bodies,
    /// Deliveries that were rejected, by endpoint and message.
    pub(crate) rejected: Arc<Tally<(String, String)>>,
}

impl Trac {
    /// Makes a server from a store and a clock. `public_url` is the URL of the server for its callers,
    /// without a trailing slash: links and webhook addresses begin with it.
    #[must_use]
    pub fn new(store: Store, clock: Clock, public_url: &str) -> Self {
        let ids = Ids::new(clock.clone());
        Self(Arc::new(Parts {
            store,
            visitor_wait: Duration::from_millis(VISITOR_WAIT_MS.into()),
            clock,
            ids,
            public_url: public_url.trim_end_matches('/').into(),
            stripe_api_url: STRIPE_API_URL.into(),
            carrier: Carrier::default(),
            provider: None,
            hosts: Hosts::default(),
            proxies: TrustedProxies::default(),
            known_links: KnownLinks::default(),
            day_salt: DaySalt::default(),
            limits: Limits::default(),
            key_uses: KeyUses::default(),
            metrics: Metrics::default(),
            passwords: Passwords::default(),
            refusals: Refusals::default(),
            uncounted: Uncounted::default(),
            soundness: Soundness::default(),
            changes: Shared::for_a(CHANGES_AGE),
            live_part: Shared::for_a(LIVE_AGE),
            retention: Retention::default(),
            metrics_apart: false,
            bodies: Bodies::default(),
            rejected: Arc::new(Tally::new()),
        }))
    }

    /// Sets the `Domain` of the click cookie, for a tracker under the same domain as the merchant's site. Of
    /// several, the one that contains the host of the request is used.
    #[must_use]
    pub fn with_cookie_domains(mut self, domains: &[String]) -> Self {
        Arc::make_mut(&mut self.0).hosts.cookie_domains = domains.into();
        self
    }

    /// Sets the hosts, besides that of the public URL, under which links may be shown: a program's
    /// `tracking_domain` is one of them.
    #[must_use]
    pub fn with_tracking_domains(mut self, domains: &[String]) -> Self {
        Arc::make_mut(&mut self.0).hosts.tracking_domains = domains.into();
        self
    }

    /// Sets the networks of the proxies whose headers about the caller count.
    #[must_use]
    pub fn with_trusted_proxies(mut self, networks: &[Network]) -> Self {
        Arc::make_mut(&mut self.0).proxies = TrustedProxies::new(networks);
        self
    }

    /// Limits how many visits of one address are recorded in a minute (300), and how many calls pages may
    /// make from one address (300); 0 for any number. Visitors beyond the limit are still redirected.
    #[must_use]
    pub fn with_limits_per_address(mut self, visits: u32, calls: u32) -> Self {
        let limits = &mut Arc::make_mut(&mut self.0).limits;
        (limits.visits, limits.calls) = (Callers::at_most(visits), Callers::at_most(calls));
        self
    }

    /// Sets how long rows are kept that no money rests on.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        Arc::make_mut(&mut self.0).retention = retention;
        self
    }

    /// Sets where requests to Stripe's API are sent, such as a simulator of Stripe.
    #[must_use]
    pub fn with_stripe_api_url(mut self, url: &str) -> Self {
        Arc::make_mut(&mut self.0).stripe_api_url = url.trim_end_matches('/').into();
        self
    }

    /// Sets the way to the SMTP server. By default mails are written to the log.
    #[must_use]
    pub fn with_carrier(mut self, carrier: Carrier) -> Self {
        Arc::make_mut(&mut self.0).carrier = carrier;
        self
    }

    /// Lets people sign in by a provider of OpenID Connect, too.
    #[must_use]
    pub fn with_provider(mut self, provider: Provider) -> Self {
        Arc::make_mut(&mut self.0).provider = Some(provider);
        self
    }

    /// Removes `/metrics` from the routes: [`metrics_service`](crate::metrics_service) serves it on another
    /// address.
    #[must_use]
    pub fn with_metrics_apart(mut self) -> Self {
        Arc::make_mut(&mut self.0).metrics_apart = true;
        self
    }

    /// Computes what open pages of the dashboard show for each of them, so that a test sees its last write.
    #[cfg(test)]
    pub(crate) fn with_nothing_shared(mut self) -> Self {
        let parts = Arc::make_mut(&mut self.0);
        (parts.changes, parts.live_part) = (Shared::for_a(Duration::ZERO), Shared::for_a(Duration::ZERO));
        self
    }

    /// Hashes passwords at this cost, so that a test can try thousands.
    #[cfg(test)]
    pub(crate) fn with_password_cost(mut self, cost: argon2::Params) -> Self {
        Arc::make_mut(&mut self.0).passwords = Passwords::at(cost);
        self
    }

    /// Lets visitors wait at most this many milliseconds until the click is on disk.
    #[must_use]
    pub fn with_visitor_wait(mut self, wait_ms: u32) -> Self {
        Arc::make_mut(&mut self.0).visitor_wait = Duration::from_millis(wait_ms.into());
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

    /// Records a refused call for the merchant. `detail` describes this call; if it is empty, the cause's
    /// meaning is recorded.
    pub(crate) async fn record_refusal(&self, scope: &Scope, route: &str, cause: Cause, detail: &str) {
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
