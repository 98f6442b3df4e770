//! The part of Stripe's API that makes and changes destinations: `/v2/core/event_destinations` with JSON bodies, and
//! `/v1/webhook_endpoints` with forms.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::api::authorize;
use crate::destination::{Change, Destination};
use crate::event::Event;
use crate::form;
use crate::refusal::Refusal;
use crate::server::StandIn;

/// `GET /v2/core/event_destinations`.
pub(crate) async fn event_destinations(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let includes_url = query.unwrap_or_default().contains("webhook_endpoint.url");
    let data: Vec<_> =
        stand_in.destinations().iter().map(|one| one.event_destination(includes_url, false)).collect();
    Ok(Json(json!({ "data": data, "next_page_url": null, "previous_page_url": null })))
}

/// `POST /v2/core/event_destinations`.
pub(crate) async fn create_event_destination(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let body = json_of(&body)?;
    if body.pointer("/event_payload").and_then(Value::as_str) != Some("snapshot") {
        return Err(Refusal::parameter("event_payload", "The simulator supports only snapshot."));
    }
    let made = Destination::new("ed_test_", change_of_json(&body))?;
    let includes = |name: &str| {
        let list = body.get("include").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|one| one == name))
    };
    let shown =
        made.event_destination(includes("webhook_endpoint.url"), includes("webhook_endpoint.signing_secret"));
    stand_in.add_destination(made);
    Ok(Json(shown))
}

/// `POST /v2/core/event_destinations/{id}`.
pub(crate) async fn change_event_destination(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let change = change_of_json(&json_of(&body)?);
    stand_in.change_destination(&id, change).map(|changed| Json(changed.event_destination(false, false)))
}

/// `POST /v2/core/event_destinations/{id}/enable`, `…/disable` and `…/ping`.
pub(crate) async fn act(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Path((id, verb)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let is_enabled = match verb.as_str() {
        "enable" => Some(true),
        "disable" => Some(false),
        "ping" => None,
        _ => return Err(Refusal::not_found("action", &verb)),
    };
    let changed = stand_in.change_destination(&id, Change { is_enabled, ..Change::default() })?;
    if is_enabled.is_none() {
        let ping = Event::ping(&id);
        let shown = serde_json::from_str(&ping.body).unwrap_or_default();
        // Stripe answers before it posts the event.
        let sender = stand_in.clone();
        tokio::spawn(async move { sender.outbox().send(vec![ping]).await });
        return Ok(Json(shown));
    }
    Ok(Json(changed.event_destination(false, false)))
}

/// `GET /v1/webhook_endpoints`.
pub(crate) async fn webhook_endpoints(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let data: Vec<_> = stand_in.destinations().iter().map(|one| one.webhook_endpoint(false)).collect();
    Ok(Json(json!({ "object": "list", "url": "/v1/webhook_endpoints", "has_more": false, "data": data })))
}

/// `POST /v1/webhook_endpoints`.
pub(crate) async fn create_webhook_endpoint(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let made = Destination::new("we_1", change_of_form(&form::parse(&body)))?;
    let shown = made.webhook_endpoint(true);
    stand_in.add_destination(made);
    Ok(Json(shown))
}

/// `POST /v1/webhook_endpoints/{id}`.
pub(crate) async fn change_webhook_endpoint(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let change = change_of_form(&form::parse(&body));
    stand_in.change_destination(&id, change).map(|changed| Json(changed.webhook_endpoint(false)))
}

fn json_of(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::parameter("body", "The body is not JSON."))
}

fn change_of_json(body: &Value) -> Change {
    let text = |path: &str| body.pointer(path).and_then(Value::as_str).map(ToOwned::to_owned);
    let events = body.get("enabled_events").and_then(Value::as_array);
    let words = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    Change {
        url: text("/webhook_endpoint/url"),
        name: text("/name"),
        description: text("/description"),
        events: events.map(words),
        is_enabled: None,
    }
}

fn change_of_form(form: &Value) -> Change {
    let text = |path: &str| form::text(form, path).map(ToOwned::to_owned);
    let events: Vec<_> = form::object(form, "/enabled_events").into_values().collect();
    let words = |list: Vec<Value>| list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    Change {
        url: text("/url"),
        name: None,
        description: text("/description"),
        events: (!events.is_empty()).then(|| words(events)),
        is_enabled: form::text(form, "/disabled").map(|disabled| disabled != "true"),
    }
}
