//! The destinations of the merchant's events, as both of Stripe's interfaces show them.

use serde_json::{Value, json};
use trac_core::time::Timestamp;

use crate::chance::{now, stripe_id};
use crate::event::API_VERSION;
use crate::outbox::Webhook;
use crate::refusal::Refusal;

/// A webhook endpoint at Stripe, which is also an event destination.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) id: String,
    url: String,
    name: String,
    description: String,
    events: Vec<String>,
    is_enabled: bool,
    secret: String,
    created: i64,
}

/// What a caller sets. Fields that are `None` stay as they are.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) url: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) events: Option<Vec<String>>,
    pub(crate) is_enabled: Option<bool>,
}

impl Destination {
    /// A new destination. Its ID has the form of the interface by which it is made.
    pub(crate) fn new(prefix: &str, change: Change) -> Result<Self, Refusal> {
        let url = change.url.clone().filter(|url| url.starts_with("http://") || url.starts_with("https://"));
        let url = url.ok_or_else(|| {
            Refusal::parameter("url", "Invalid URL: An explicit scheme (such as https) must be provided.")
        })?;
        if change.events.as_ref().is_none_or(Vec::is_empty) {
            return Err(Refusal::parameter("enabled_events", "Select at least one event type."));
        }
        let mut destination = Self {
            id: stripe_id(prefix, 24),
            url,
            name: String::new(),
            description: String::new(),
            events: Vec::new(),
            is_enabled: true,
            secret: stripe_id("whsec_", 32),
            created: now(),
        };
        destination.change(change);
        Ok(destination)
    }

    pub(crate) fn change(&mut self, change: Change) {
        let Change { url, name, description, events, is_enabled } = change;
        self.url = url.unwrap_or_else(|| self.url.clone());
        self.name = name.unwrap_or_else(|| self.name.clone());
        self.description = description.unwrap_or_else(|| self.description.clone());
        self.events = events.unwrap_or_else(|| self.events.clone());
        self.is_enabled = is_enabled.unwrap_or(self.is_enabled);
    }

    /// Where its events are posted, if it is enabled.
    pub(crate) fn webhook(&self) -> Option<Webhook> {
        self.is_enabled.then(|| Webhook { url: self.url.clone(), secret: self.secret.clone() })
    }

    const fn status(&self) -> &'static str {
        if self.is_enabled { "enabled" } else { "disabled" }
    }

    /// The object under `/v2/core/event_destinations`. URL and secret are shown only to callers that include them, the
    /// secret only once.
    pub(crate) fn event_destination(&self, includes_url: bool, includes_secret: bool) -> Value {
        let shown = |is_shown: bool, text: &str| if is_shown { json!(text) } else { Value::Null };
        let created = Timestamp::from_unix_secs(self.created).to_rfc3339();
        json!({
            "id": self.id,
            "object": "v2.core.event_destination",
            "created": created,
            "updated": created,
            "name": self.name,
            "description": self.description,
            "enabled_events": self.events,
            "event_payload": "snapshot",
            "events_from": ["@self"],
            "livemode": false,
            "metadata": {},
            "snapshot_api_version": API_VERSION,
            "status": self.status(),
            "status_details": null,
            "type": "webhook_endpoint",
            "webhook_endpoint": {
                "url": shown(includes_url, &self.url),
                "signing_secret": shown(includes_secret, &self.secret),
            },
        })
    }

    /// The object under `/v1/webhook_endpoints`.
    pub(crate) fn webhook_endpoint(&self, includes_secret: bool) -> Value {
        let mut object = json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": API_VERSION,
            "application": null,
            "created": self.created,
            "description": self.description,
            "enabled_events": self.events,
            "livemode": false,
            "metadata": {},
            "status": self.status(),
            "url": self.url,
        });
        if let (true, Some(fields)) = (includes_secret, object.as_object_mut()) {
            fields.insert("secret".to_owned(), json!(self.secret));
        }
        object
    }
}
