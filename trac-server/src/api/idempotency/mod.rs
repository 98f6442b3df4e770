//! `Idempotency-Key`: a POST that is sent again with the same key takes effect once, and gets the same
//! response.
//!
//! # Wire form
//! 1 to 255 printable ASCII characters; valid for 24 hours, in the workspace and mode of the secret key. The
//! response to a repeat has `Idempotent-Replayed: true`. The same key with another body is
//! `422 IDEMPOTENCY_KEY_REUSED`; a repeat of a call that is still being answered is `409 IDEMPOTENCY_KEY_IN_USE`,
//! and so is a repeat of one that made an API key or an invitation, which are shown once. A call that failed had no effect and
//! its response is not stored: a repeat is executed again.

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
/// The largest response that is stored.
const ANSWER_MAX: usize = 1024 * 1024;

/// The middleware of the routes that change something.
pub(crate) async fn once(State(trac): State<Trac>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    answer(trac, request, next).await.unwrap_or_else(Problem::into_response)
}

async fn answer(trac: Trac, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    // Checked first: an unauthorized caller must not learn whether an `Idempotency-Key` was used.
    let Merchant { scope, .. } = Merchant::from_request_parts(&mut parts, &trac).await?;
    let key = key(&parts.headers)?;
    let body = to_bytes(body, BODY_LIMIT_BYTES).await.map_err(|_| Problem::too_large(BODY_LIMIT_BYTES))?;
    let mut request_hash = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body] {
        request_hash.update(part.len().to_be_bytes());
        request_hash.update(part);
    }
    // A new API key or invitation is shown once and never stored, not even in `idempotency`.
    let is_secret = ["/api-keys", "/invitations"].iter().any(|path| parts.uri.path().starts_with(path));
    let ticket = Ticket { scope, key, request: request_hash.finalize().into(), now: trac.clock.now() };
    if let Some(made) = find(&trac, &ticket).await? {
        return repeat(&ticket, made);
    }
    let response = TICKET.scope(ticket.clone(), next.run(Request::from_parts(parts, Body::from(body)))).await;
    // Of two concurrent calls with the same key, the later one may have failed because of the rows that the
    // other one wrote.
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
    let (scope, status, stored) = (ticket.scope.clone(), parts.status.as_u16(), body.clone());
    let written = trac
        .store
        .write_in(&scope, Priority::Api, move |rows| ticket.store_answer(rows.everywhere(), status, &stored));
    written.await?;
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

/// The response to a repeated call.
fn repeat(ticket: &Ticket, made: Made) -> Result<Response, Problem> {
    if made.request != ticket.request {
        let message = "This Idempotency-Key was used for another call. Use a new key for a new call.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", message));
    }
    let Some((status, body)) = made.answer else {
        let message = "A call with this Idempotency-Key took effect, but its response is not stored, or not yet. Try again in \
                       a moment; if this error persists, look up what the call created.";
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
