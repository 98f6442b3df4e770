//! How long a whole request may take.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::problem::Problem;

/// Longer than any request needs, and longer than Stripe waits for a response.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The response to a request that is not finished in time. Its jobs in the store's queue are still written.
pub(crate) fn ended() -> Response {
    let message = "The request was not finished within 30 seconds.";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message).into_response()
}
