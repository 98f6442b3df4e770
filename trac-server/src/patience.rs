//! How long a whole request may take.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::problem::Problem;

/// Longer than any request needs, and than Stripe waits for an answer.
const LIMIT: Duration = Duration::from_secs(30);

/// A request that is not answered in time is told so. What it had given to the store is still written.
pub(crate) async fn limit(answer: impl Future<Output = Response>) -> Response {
    let answer = tokio::time::timeout(LIMIT, answer).await;
    answer.unwrap_or_else(|_| {
        let message = "The request was not finished within 30 seconds.";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message).into_response()
    })
}
