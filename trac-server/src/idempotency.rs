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
use crate::fields::BODY_LIMIT_BYTES;
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
    let key = key(request.headers())?;
    let (mut parts, body) = request.into_parts();
    let Merchant(scope) = Merchant::from_request_parts(&mut parts, &trac).await?;
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
    if response.status() == StatusCode::CONFLICT
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
    Ok(trac.store.read(move |connection| ticket.find(connection)).await?)
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
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::{Value, json};

    use crate::test_app::{Answer, App, Merchant};

    async fn post(app: &App, merchant: &Merchant<'_>, path: &str, key: &str, body: Value) -> Answer {
        let request = Request::post(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", merchant.key))
            .header("idempotency-key", key);
        app.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    #[tokio::test]
    async fn a_call_under_a_key_has_its_effect_once() {
        let app = App::new();
        let (test, live) = app.both_modes().await;
        let first = post(&app, &test, "/partners", "k1", json!({ "name": "Ada" })).await;
        let again = post(&app, &test, "/partners", "k1", json!({ "name": "Ada" })).await;
        assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
        assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
        assert_eq!(first.body, again.body);
        assert_eq!(test.get("/partners").await.number("/meta/total"), 1);
        let reused = post(&app, &test, "/partners", "k1", json!({ "name": "Bea" })).await;
        assert_eq!(reused.code(), (422, "IDEMPOTENCY_KEY_REUSED".to_owned()));
        // Another mode, another key, or another day is another call.
        assert_eq!(post(&app, &live, "/partners", "k1", json!({ "name": "Ada" })).await.status, 201);
        assert_eq!(post(&app, &test, "/partners", "k2", json!({ "name": "Ada" })).await.status, 201);
        app.trac.clock.advance(86_401);
        let later = post(&app, &test, "/partners", "k1", json!({ "name": "Ada" })).await;
        assert_eq!((later.status.as_u16(), later.header("idempotent-replayed")), (201, ""));
        assert_eq!(test.get("/partners").await.number("/meta/total"), 3);
    }

    #[tokio::test]
    async fn an_error_is_not_kept_and_two_at_once_take_effect_once() {
        let app = App::new();
        let merchant = app.merchant().await;
        assert_eq!(post(&app, &merchant, "/partners", "k1", json!({})).await.status, 422);
        let ada = || json!({ "name": "Ada" });
        let both = tokio::join!(
            post(&app, &merchant, "/partners", "k1", ada()),
            post(&app, &merchant, "/partners", "k1", ada())
        );
        let statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
        assert!(statuses.contains(&201), "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
        assert_eq!(merchant.get("/partners").await.number("/meta/total"), 1);
    }

    #[tokio::test]
    async fn a_key_that_is_none_is_refused_and_a_stranger_learns_nothing() {
        let app = App::new();
        let merchant = app.merchant().await;
        for key in ["", &"x".repeat(256)] {
            let answer = post(&app, &merchant, "/partners", key, json!({ "name": "Ada" })).await;
            assert_eq!(answer.status, 422, "{key:?}");
        }
        post(&app, &merchant, "/partners", "k1", json!({ "name": "Ada" })).await;
        let made = post(&app, &merchant, "/api-keys", "k2", json!({ "kind": "secret" })).await;
        assert_eq!(made.status, 201);
        let again = post(&app, &merchant, "/api-keys", "k2", json!({ "kind": "secret" })).await;
        assert_eq!(again.code(), (409, "IDEMPOTENCY_KEY_IN_USE".to_owned()));
        let other = app.merchant().await;
        let theirs = post(&app, &other, "/partners", "k1", json!({ "name": "Ada" })).await;
        assert_eq!((theirs.status.as_u16(), theirs.header("idempotent-replayed")), (201, ""));
    }
}
