//! The dashboard's actions as JSON, and control over deliveries, for tests.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::outbox::Delivery;
use crate::payment::Payment;
use crate::refusal::Refusal;
use crate::server::StandIn;
use crate::session::Session;

/// A payment made without a browser: `{"link": "test_teachest", "client_reference_id": "clk_…", "metadata": {…}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPayment {
    link: String,
    client_reference_id: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    subscription_metadata: Map<String, Value>,
    email: Option<String>,
}

/// `{"amount": 1000}`, or an empty body for all that is left.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    amount: Option<i64>,
}

/// `{"order": "reversed"}`; otherwise in the original order.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    order: Option<String>,
}

/// `GET /stand-in/payments`, newest first.
pub(crate) async fn payments(State(stand_in): State<StandIn>) -> Json<Vec<Payment>> {
    Json(stand_in.books().payments().cloned().collect())
}

/// `POST /stand-in/payments`: a buyer opens a Payment Link and pays. Returns the payment.
pub(crate) async fn create_payment(
    State(stand_in): State<StandIn>,
    Json(wanted): Json<NewPayment>,
) -> Result<Json<Payment>, Refusal> {
    let link = stand_in.config().catalogue.by_slug(&wanted.link).cloned();
    let link = link.ok_or_else(|| Refusal::not_found("payment_link", &wanted.link))?;
    let query = json!({ "client_reference_id": wanted.client_reference_id });
    let mut session = Session::of_link(&link, &query, None);
    session.metadata = wanted.metadata;
    session.subscription_metadata = wanted.subscription_metadata;
    let id = session.id.clone();
    stand_in.books().open(session);
    let email = wanted.email.unwrap_or_else(|| "ada@example.com".to_owned());
    let paid = stand_in.apply(|books| books.pay(&id, &email)).await?;
    let payment = stand_in.books().payments().find(|payment| payment.id == paid).cloned();
    payment.map(Json).ok_or_else(|| Refusal::not_found("payment_intent", &paid))
}

/// `POST /stand-in/{refund|renew|cancel|dispute|win|lose}/{id}`, or `deliver` with an event's ID.
pub(crate) async fn act(
    State(stand_in): State<StandIn>,
    Path((verb, id)): Path<(String, String)>,
    change: Option<Json<Change>>,
) -> Result<Json<Value>, Refusal> {
    if verb == "deliver" {
        let is_known = stand_in.outbox().resend(&id).await;
        return if is_known { Ok(Json(json!({}))) } else { Err(Refusal::not_found("event", &id)) };
    }
    let change = change.map(|Json(change)| change).unwrap_or_default();
    stand_in.act(&verb, &id, change.amount).await?;
    Ok(Json(json!({})))
}

/// `GET /stand-in/events`: every event sent and its response, newest first.
pub(crate) async fn events(State(stand_in): State<StandIn>) -> Json<Vec<Delivery>> {
    Json(stand_in.outbox().deliveries())
}

/// `POST /stand-in/hold`: from now on events are held back.
pub(crate) async fn hold(State(stand_in): State<StandIn>) -> Json<Value> {
    stand_in.outbox().hold();
    Json(json!({ "held": stand_in.outbox().held() }))
}

/// `POST /stand-in/release`: sends the events held back, with `{"order": "reversed"}` the last one first.
pub(crate) async fn release(
    State(stand_in): State<StandIn>,
    wanted: Option<Json<Release>>,
) -> Result<Json<Value>, Refusal> {
    let order = wanted.and_then(|Json(wanted)| wanted.order);
    let mut events = stand_in.outbox().release();
    match order.as_deref() {
        None | Some("sent") => {}
        Some("reversed") => events.reverse(),
        Some(_) => return Err(Refusal::parameter("order", "The order is sent or reversed.")),
    }
    let released = events.len();
    stand_in.outbox().send(events).await;
    Ok(Json(json!({ "released": released })))
}
