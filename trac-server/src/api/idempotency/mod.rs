//! `Idempotency-Key`: a POST that is sent again under the same key has its effect once, and is answered the same.
//!
//! # Wire form
//! 1 to 255 printable ASCII characters; good for 24 hours, in the workspace and mode of the secret key. A repeat is answered
//! with `Idempotent-Replayed: true`. The same key with another body is `422 IDEMPOTENCY_KEY_REUSED`; a call that is still
//! being answered is `409 IDEMPOTENCY_KEY_IN_USE`, and so is one that made an API key, which is shown once. An error had no effect and is not kept: the next call is made anew.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use crate::access::Merchant;
use crate::api::fields::BODY_LIMIT_BYTES;
use crate::problem::Problem;
use crate::store::{Made, Priority, TICKET, Ticket};
use crate::trac::Trac;

const HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotent-replayed";
/// The largest answer that is kept.
const ANSWER_MAX: usize = 1024 * 1024;

/// The layer for routes that change something.
pub(crate) async fn once(State(trac): State<Trac>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    answer(trac, request, next).await.unwrap_or_else(Problem::into_response)
}

async fn answer(trac: Trac, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    // Whoever may not call at all learns nothing of keys.
    let Merchant(scope) = Merchant::from_request_parts(&mut parts, &trac).await?;
    let key = key(&parts.headers)?;
    let body = to_bytes(body, BODY_LIMIT_BYTES).await.map_err(|_| Problem::too_large(BODY_LIMIT_BYTES))?;
    let mut asked = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body] {
        asked.update(part.len().to_be_bytes());
        asked.update(part);
    }
    // A new key is shown once and kept nowhere, here neither.
    let is_secret = parts.uri.path().starts_with("/api-keys");
    let ticket = Ticket { scope, key, request: asked.finalize().into(), now: trac.clock.now() };
    if let Some(made) = find(&trac, &ticket).await? {
        return repeat(&ticket, made);
    }
    let response = TICKET.scope(ticket.clone(), next.run(Request::from_parts(parts, Body::from(body)))).await;
    // A call that lost against its own twin may have failed for what the twin did.
    if response.status().is_client_error()
        && let Some(made) = find(&trac, &ticket).await?
    {
        return repeat(&ticket, made);
    }
    if is_secret || !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_MAX).await.map_err(|_| Problem::internal())?;
    let (status, kept) = (parts.status.as_u16(), body.clone());
    trac.store.write(Priority::Api, move |tx| ticket.keep(tx, status, &kept)).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut keys = headers.get_all(HEADER).iter();
    let key = keys.next().and_then(|value| value.to_str().ok()).map(str::trim);
    let sane = |key: &&str| {
        (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    let key = key.filter(sane).filter(|_| keys.next().is_none());
    let wrong =
        || Problem::field("Idempotency-Key", "must be 1 to 255 printable ASCII characters, given once");
    key.map(ToOwned::to_owned).ok_or_else(wrong)
}

async fn find(trac: &Trac, ticket: &Ticket) -> Result<Option<Made>, Problem> {
    let ticket = ticket.clone();
    Ok(trac.store.read(move |tx| ticket.find(tx)).await?)
}

/// The answer to a call that was made before.
fn repeat(ticket: &Ticket, made: Made) -> Result<Response, Problem> {
    if made.request != ticket.request {
        let message = "This Idempotency-Key was used for another call. Use a new key for a new call.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", message));
    }
    let Some((status, body)) = made.answer else {
        let message = "A call under this Idempotency-Key took effect, and its answer is not kept, or not yet. Ask again in \
                       a moment; if this stays, look for what it made.";
        return Err(Problem::conflict("IDEMPOTENCY_KEY_IN_USE", message));
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests;
