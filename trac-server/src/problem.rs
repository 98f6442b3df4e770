//! Error responses. Only this module turns an error into HTTP.
//!
//! # Wire form
//! `{"error":{"code":"NOT_FOUND","message":"…","request_id":"req_…"}}`; `VALIDATION_FAILED` also has
//! `fields`, an object of field names and what is wrong with each; `CONVERSION_DUPLICATE` also has
//! `conversion_id`. Codes are stable, messages are for people.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trac_core::program::Mode;

use crate::clock::Clock;
use crate::http::request_id;
use crate::store::{StoreError, StoreErrorKind};
use crate::tally::Tally;

/// Limits the warnings about a failing store, by error, so that they do not fill the disk.
static WARNED: Tally<String> = Tally::new();

/// `Retry-After` for a query that took too long: as long as a query may run.
const QUERY_PAUSE_SECS: u32 = 5;

/// The message of an error response, as an extension of it: pages show it in place of the JSON.
#[derive(Clone, Debug)]
pub(crate) struct ForPeople(pub(crate) Cow<'static, str>);

/// An error as the caller receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    fields: BTreeMap<String, String>,
    retry_after_secs: Option<u32>,
    about: Option<(&'static str, String)>,
}

impl Problem {
    /// An error with this status, code and message, and no other fields.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: BTreeMap::new(),
            retry_after_secs: None,
            about: None,
        }
    }

    /// No key, or one that is not valid for this route.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "Send a secret key of this workspace: `Authorization: Bearer sk_…`.",
        )
    }

    /// A key that is not valid for this route, and the reason, as a sentence.
    pub(crate) fn unauthorized_because(why: &str) -> Self {
        let message = format!("{why} Send a secret key of this workspace: `Authorization: Bearer sk_…`.");
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
    }

    /// There is no such object in this workspace and mode.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("There is no such {what} here."))
    }

    /// The object exists in the other mode of this workspace, `mode`.
    pub(crate) fn of_mode(what: &str, mode: Mode) -> Self {
        let (mode, own) = match mode {
            Mode::Live => ("live", "test"),
            Mode::Test => ("test", "live"),
        };
        let message = format!(
            "There is no such {what} in {own} mode: it is a {mode} one. Call with a {mode} key of this workspace (sk_{mode}_…)."
        );
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// The body is not a JSON object.
    pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_FAILED", message)
    }

    /// The body is JSON, but these fields are invalid.
    pub(crate) fn validation(fields: BTreeMap<String, String>) -> Self {
        let names: Vec<_> = fields.keys().map(String::as_str).collect();
        let message = format!("These fields are invalid: {}.", names.join(", "));
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED", message);
        problem.fields = fields;
        problem
    }

    /// These fields are invalid, and `more` others are unknown and not named.
    pub(crate) fn validation_of_more(fields: BTreeMap<String, String>, more: usize) -> Self {
        let mut problem = Self::validation(fields);
        problem.message = format!("{} {more} more are not fields of this resource.", problem.message).into();
        problem
    }

    /// One field is invalid.
    pub(crate) fn field(name: &str, message: &str) -> Self {
        Self::validation(BTreeMap::from([(name.to_owned(), message.to_owned())]))
    }

    /// The status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The message, for a person.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Adds the ID of the object that the error is about, as a field of this name.
    pub(crate) fn about(mut self, name: &'static str, id: &str) -> Self {
        self.about = Some((name, id.to_owned()));
        self
    }

    /// The stored data conflicts with the call, for example because the object exists already.
    pub(crate) fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// The request does not have exactly one `Host` header.
    pub(crate) fn host() -> Self {
        Self::malformed("A request must have exactly one Host header.")
    }

    /// The route does not support the method.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "This route does not support this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    /// Too many calls in one workspace.
    pub(crate) fn rate_limited(retry_after_secs: u32) -> Self {
        let message = "This workspace has been called a thousand times within a minute.";
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
        problem.retry_after_secs = Some(retry_after_secs);
        problem
    }

    /// Too many calls from one address.
    pub(crate) fn too_many_calls(retry_after_secs: u32) -> Self {
        let message = "This address has called too often within a minute.";
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
        problem.retry_after_secs = Some(retry_after_secs);
        problem
    }

    /// The key is restricted to pages of other origins.
    pub(crate) fn origin_not_allowed() -> Self {
        let message = "This key may not be used by pages of this origin: see its allowed_origins.";
        Self::new(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", message)
    }

    /// The store cannot be read or written now.
    pub(crate) fn store_busy(message: impl Into<Cow<'static, str>>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "STORE_BUSY", message);
        problem.retry_after_secs = Some(1);
        problem
    }

    /// The last check of the database found damage.
    pub(crate) fn damaged(found: &str) -> Self {
        let message =
            format!("The database is damaged: {found}. Restore the newest backup; see docs/operations.md.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "DATABASE_DAMAGED", message)
    }

    /// A query took too long and was interrupted. The message describes how to narrow it.
    pub(crate) fn query_too_slow(message: impl Into<Cow<'static, str>>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "QUERY_TOO_SLOW", message);
        problem.retry_after_secs = Some(QUERY_PAUSE_SECS);
        problem
    }

    /// The request's body would exceed the budget for bodies in flight.
    pub(crate) fn server_busy() -> Self {
        let message = "This server is receiving too much data at once. Send the request again in a moment.";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVER_BUSY", message);
        problem.retry_after_secs = Some(1);
        problem
    }

    /// A bug in trac.
    pub(crate) fn internal() -> Self {
        let message = "The server failed. Its log has the error under this request ID.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
    }

    /// The body is larger than the route's limit.
    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        let message = format!("The body is larger than {limit_bytes} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Busy | StoreErrorKind::Unavailable => {
                if let Some(times) = WARNED.count(error.detail().to_owned(), Clock::system().now()) {
                    tracing::warn!(%error, times, "the store cannot be read or written now");
                }
                Self::store_busy("The store cannot be read or written now. Try again in a moment.")
            }
            StoreErrorKind::TooSlow => Self::query_too_slow(error.detail().to_owned()),
            StoreErrorKind::Conflict => Self::conflict("CONFLICT", "This object exists already."),
            StoreErrorKind::Corrupt | StoreErrorKind::Internal => {
                tracing::error!(%error, "the store failed");
                Self::internal()
            }
        }
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = json!({
            "code": self.code,
            "message": self.message,
            "request_id": request_id::current_id(),
        });
        if let (false, Some(object)) = (self.fields.is_empty(), error.as_object_mut()) {
            object.insert("fields".to_owned(), json!(self.fields));
        }
        if let (Some((name, id)), Some(object)) = (&self.about, error.as_object_mut()) {
            object.insert((*name).to_owned(), id.as_str().into());
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        response.extensions_mut().insert(ForPeople(self.message));
        if let Some(secs) = self.retry_after_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_query_that_took_too_long_gets_503_with_advice_and_retry_after() {
        let error = StoreError::new(StoreErrorKind::TooSlow, "Ask for fewer days.");
        let response = Problem::from(error).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        let body = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "QUERY_TOO_SLOW");
        assert_eq!(body["error"]["message"], "Ask for fewer days.");
    }
}
