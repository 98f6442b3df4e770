//! The simulator as a server: configuration, state and routes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::catalogue::Catalogue;
use crate::destination::{Change, Destination};
use crate::event::Event;
use crate::merchant::Books;
use crate::outbox::{Outbox, Webhook};
use crate::refusal::Refusal;
use crate::{api, control, destinations_api, pages};

/// The configuration of the simulator.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its own URL for browsers, such as `http://127.0.0.1:12111`, without a trailing slash.
    pub origin: String,
    /// Where a Payment Link redirects the buyer after payment; `{CHECKOUT_SESSION_ID}` is filled in.
    pub after_payment: Option<String>,
    /// The products, prices and links for sale.
    pub catalogue: Catalogue,
    /// Where events are posted; none are sent before it is set.
    pub webhook: Option<Webhook>,
}

/// A running simulator of Stripe; clones share the same books.
///
/// # Examples
/// ```
/// use trac_stand_in::{Catalogue, Config, StandIn};
///
/// let stand_in = StandIn::new(Config {
///     origin: "http://127.0.0.1:12111".to_owned(),
///     after_payment: None,
///     catalogue: Catalogue::tea_shop(),
///     webhook: None,
/// });
/// let app: axum::Router = stand_in.router();
/// ```
#[derive(Clone, Debug)]
pub struct StandIn {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    books: Mutex<Books>,
    destinations: Mutex<Vec<Destination>>,
    outbox: Outbox,
}

impl StandIn {
    /// A merchant's account with nothing paid yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let outbox = Outbox::default();
        if let Some(webhook) = config.webhook.clone() {
            outbox.set_webhook(webhook);
        }
        Self {
            inner: Arc::new(Inner {
                config,
                books: Mutex::default(),
                destinations: Mutex::default(),
                outbox,
            }),
        }
    }

    /// Sets the endpoint that events are posted to, and its secret.
    pub fn set_webhook(&self, webhook: Webhook) {
        self.inner.outbox.set_webhook(webhook);
    }

    /// Serves this socket until the task is dropped.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    /// Every page, script and API route.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(pages::index))
            .route("/stand-in.css", get(pages::style))
            .route("/v3/buy-button.js", get(pages::buy_button_script))
            .route("/v3/pricing-table.js", get(pages::pricing_table_script))
            .route("/embed/buy-button/{id}", get(pages::buy_button))
            .route("/embed/pricing-table/{id}", get(pages::pricing_table))
            .route("/{slug}", get(pages::payment_link))
            .route("/c/pay/{session}", get(pages::hosted_session))
            .route("/pay/{session}", post(pages::pay))
            .route("/dashboard", get(pages::dashboard))
            .route("/dashboard/{verb}/{id}", post(pages::act))
            .route("/v1/checkout/sessions", post(api::create_session))
            .route("/v1/checkout/sessions/{id}", get(api::session))
            .route("/v1/invoice_payments", get(api::invoice_payments))
            .route("/v1/invoices/{id}/lines", get(api::invoice_lines))
            .route(
                "/v2/core/event_destinations",
                get(destinations_api::event_destinations).post(destinations_api::create_event_destination),
            )
            .route("/v2/core/event_destinations/{id}", post(destinations_api::change_event_destination))
            .route("/v2/core/event_destinations/{id}/{verb}", post(destinations_api::act))
            .route(
                "/v1/webhook_endpoints",
                get(destinations_api::webhook_endpoints).post(destinations_api::create_webhook_endpoint),
            )
            .route("/v1/webhook_endpoints/{id}", post(destinations_api::change_webhook_endpoint))
            .route("/stand-in/payments", get(control::payments).post(control::create_payment))
            .route("/stand-in/{verb}/{id}", post(control::act))
            .route("/stand-in/events", get(control::events))
            .route("/stand-in/hold", post(control::hold))
            .route("/stand-in/release", post(control::release))
            .with_state(self.clone())
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.inner.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The destinations of events, in the order in which they were made.
    pub(crate) fn destinations(&self) -> MutexGuard<'_, Vec<Destination>> {
        self.inner.destinations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a destination: events are posted to it from now on.
    pub(crate) fn add_destination(&self, destination: Destination) {
        if let Some(webhook) = destination.webhook() {
            self.inner.outbox.set_webhook(webhook);
        }
        self.destinations().push(destination);
    }

    /// Changes a destination. A disabled one gets no more events.
    pub(crate) fn change_destination(&self, id: &str, change: Change) -> Result<Destination, Refusal> {
        let mut destinations = self.destinations();
        let found = destinations.iter_mut().find(|one| one.id == id);
        let destination = found.ok_or_else(|| Refusal::not_found("event_destination", id))?;
        let before = destination.webhook();
        destination.change(change);
        match (before, destination.webhook()) {
            (Some(before), None) => self.inner.outbox.unset_webhook(&before.secret),
            (None, Some(after)) => self.inner.outbox.set_webhook(after),
            _ => {}
        }
        Ok(destination.clone())
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.inner.outbox
    }

    /// Changes the books and posts the events; returns after their last attempt.
    pub(crate) async fn apply<T>(
        &self,
        change: impl FnOnce(&mut Books) -> Result<(T, Vec<Event>), Refusal>,
    ) -> Result<T, Refusal> {
        let (result, events) = change(&mut self.books())?;
        self.inner.outbox.send(events).await;
        Ok(result)
    }

    /// The actions of the merchant's dashboard, by name; `id` is the payment's or the subscription's.
    pub(crate) async fn act(&self, verb: &str, id: &str, amount_minor: Option<i64>) -> Result<(), Refusal> {
        self.apply(|books| {
            let events = match verb {
                "refund" => books.refund(id, amount_minor)?,
                "renew" => books.renew(id)?.1,
                "cancel" => books.cancel(id)?,
                "dispute" => books.dispute(id)?,
                "win" => books.decide(id, "won")?,
                "lose" => books.decide(id, "lost")?,
                _ => return Err(Refusal::not_found("action", verb)),
            };
            Ok(((), events))
        })
        .await
    }
}
