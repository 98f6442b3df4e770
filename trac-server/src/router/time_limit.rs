//! How long a whole request may take.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::problem::Problem;

/// Longer than any request needs, and than Stripe waits for an answer.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The answer to a request that is not finished in time. What it had given to the store is still written.
pub(crate) fn ended() -> Response {
    let message = "The request was not finished within 30 seconds.";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message).into_response()
}
