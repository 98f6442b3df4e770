//! The part of Stripe's API that a server-side checkout calls, and the requests for the invoice of a payment
//! and the lines of an invoice.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::form;
use crate::payment::Payment;
use crate::refusal::Refusal;
use crate::server::StandIn;
use crate::session::Session;

/// `POST /v1/checkout/sessions`.
pub(crate) async fn create_session(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let catalogue = &stand_in.config().catalogue;
    let session = Session::of_api(&form::parse(&body), |id| catalogue.price(id).cloned())?;
    let created = session.object(Some(&address(&stand_in, &session)));
    stand_in.books().open(session);
    Ok(Json(created))
}

/// `GET /v1/checkout/sessions/{id}`.
pub(crate) async fn session(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let session = stand_in.books().session(&id)?.clone();
    let url = session.completion.is_none().then(|| address(&stand_in, &session));
    Ok(Json(session.object(url.as_deref())))
}

/// `GET /v1/invoice_payments`, and `?payment[type]=payment_intent&payment[payment_intent]=pi_…` for those of a payment.
pub(crate) async fn invoice_payments(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let query = form::parse(query.unwrap_or_default().as_bytes());
    if query.get("payment").is_none() {
        let books = stand_in.books();
        let data: Vec<Value> = books.payments().filter_map(Payment::invoice_payment_object).collect();
        return Ok(Json(
            json!({ "object": "list", "url": "/v1/invoice_payments", "has_more": false, "data": data }),
        ));
    }
    if form::text(&query, "/payment/type") != Some("payment_intent") {
        return Err(Refusal::parameter("payment[type]", "The simulator supports only payment_intent."));
    }
    let id = form::text(&query, "/payment/payment_intent").unwrap_or_default();
    let books = stand_in.books();
    let payment = books.payments().find(|payment| payment.id == id);
    let payment = payment.ok_or_else(|| Refusal::not_found("payment_intent", id))?;
    let data: Vec<Value> = payment.invoice_payment_object().into_iter().collect();
    Ok(Json(json!({ "object": "list", "url": "/v1/invoice_payments", "has_more": false, "data": data })))
}

/// `GET /v1/invoices/{id}/lines`, and `?starting_after=il_…` for those after a line.
pub(crate) async fn invoice_lines(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    authorize(&headers)?;
    let query = form::parse(query.unwrap_or_default().as_bytes());
    let mut data = stand_in.books().lines(&id)?;
    if let Some(after) = form::text(&query, "/starting_after") {
        let found = data.iter().position(|line| line.get("id").and_then(Value::as_str) == Some(after));
        let index = found.ok_or_else(|| Refusal::not_found("line_item", after))?;
        data.drain(..=index);
    }
    let url = format!("/v1/invoices/{id}/lines");
    Ok(Json(json!({ "object": "list", "url": url, "has_more": false, "data": data })))
}

fn address(stand_in: &StandIn, session: &Session) -> String {
    format!("{}/c/pay/{}", stand_in.config().origin, session.id)
}

/// Requires a test key.
pub(crate) fn authorize(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = value.and_then(|value| value.strip_prefix("Bearer "));
    let is_test_key = |key: &str| key.starts_with("sk_test_") || key.starts_with("rk_test_");
    if key.is_some_and(is_test_key) { Ok(()) } else { Err(Refusal::NoKey) }
}
