//! Stripe events.

use serde_json::{Value, json};
use trac_core::time::Timestamp;

use crate::chance::{now, stripe_id};

/// The API version whose objects and events the simulator writes.
pub const API_VERSION: &str = "2026-10-28.endive";

/// An event; `body` is its JSON, as it is posted.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

impl Event {
    pub(crate) fn new(kind: &'static str, created: i64, object: &Value) -> Self {
        Self::with_previous(kind, created, object, None)
    }

    /// The thin event that tests a destination.
    pub(crate) fn ping(destination_id: &str) -> Self {
        let kind = "v2.core.event_destination.ping";
        let id = stripe_id("evt_test_", 24);
        let url = format!("/v2/core/event_destinations/{destination_id}");
        let body = json!({
            "id": id,
            "object": "v2.core.event",
            "created": Timestamp::from_unix_secs(now()).to_rfc3339(),
            "livemode": false,
            "context": null,
            "reason": null,
            "related_object": { "id": destination_id, "type": "v2.core.event_destination", "url": url },
            "type": kind,
        });
        Self { id, kind, body: body.to_string() }
    }

    /// An event with the previous values of the changed fields.
    pub(crate) fn with_previous(
        kind: &'static str,
        created: i64,
        object: &Value,
        previous: Option<Value>,
    ) -> Self {
        let id = stripe_id("evt_1", 23);
        let mut data = json!({ "object": object });
        if let (Some(previous), Some(fields)) = (previous, data.as_object_mut()) {
            fields.insert("previous_attributes".to_owned(), previous);
        }
        let body = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": created,
            "data": data,
            "livemode": false,
            "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": null},
            "type": kind,
        });
        Self { id, kind, body: body.to_string() }
    }
}
