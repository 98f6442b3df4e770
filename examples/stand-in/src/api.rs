//! The part of Stripe's API that a server-side checkout calls.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde_json::Value;

use crate::form;
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
    let answer = session.object(Some(&address(&stand_in, &session)));
    stand_in.books().open(session);
    Ok(Json(answer))
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

fn address(stand_in: &StandIn, session: &Session) -> String {
    format!("{}/c/pay/{}", stand_in.config().origin, session.id)
}

fn authorize(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = value.and_then(|value| value.strip_prefix("Bearer "));
    if key.is_some_and(|key| key.starts_with("sk_test_")) { Ok(()) } else { Err(Refusal::NoKey) }
}
