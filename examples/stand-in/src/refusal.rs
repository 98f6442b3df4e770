//! Errors in the form of Stripe's API: `{"error": {"type", "message", "param"}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The bearer key is missing or not a test key.
    #[error("No valid API key provided. The simulator accepts keys that begin with sk_test_ or rk_test_.")]
    NoKey,
    /// A parameter is missing or invalid.
    #[error("{message}")]
    Parameter { param: &'static str, message: String },
    /// There is no object with this ID.
    #[error("No such {what}: '{id}'")]
    NotFound { what: &'static str, id: String },
    /// The object's state does not allow the action.
    #[error("{0}")]
    State(&'static str),
}

impl Refusal {
    pub(crate) fn parameter(param: &'static str, message: &str) -> Self {
        Self::Parameter { param, message: message.to_owned() }
    }

    pub(crate) fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, param) = match &self {
            Self::NoKey => (StatusCode::UNAUTHORIZED, None),
            Self::Parameter { param, .. } => (StatusCode::BAD_REQUEST, Some(*param)),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, None),
            Self::State(_) => (StatusCode::BAD_REQUEST, None),
        };
        let error = json!({"type": "invalid_request_error", "message": self.to_string(), "param": param});
        (status, Json(json!({"error": error}))).into_response()
    }
}
