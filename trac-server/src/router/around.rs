//! What goes around every request, in one layer: one box and one clone for each request, where a layer for each of
//! these would cost as many again.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::problem::Problem;
use crate::trac::Trac;
use crate::{metrics, path, patience, request_id};

/// Names the request, counts it, answers for a handler that panics or takes too long, and lets nothing be asked for
/// under a path that is no text (the routes would each refuse it in a form of their own).
pub(super) async fn around(State(trac): State<Trac>, request: Request, next: Next) -> Response {
    let answer = async |request: Request| {
        if path::is_text(request.uri().path()) {
            unharmed(patience::limit(next.run(request))).await
        } else {
            Problem::not_found("page").into_response()
        }
    };
    request_id::stamp(&trac.ids, request, async |request| {
        metrics::count(&trac.metrics, request, answer).await
    })
    .await
}

/// What a handler answers, or `500` if it panics: one request takes no other down.
async fn unharmed(answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Problem::internal().into_response()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_for() {
        let check = async |answer: fn() -> Response, want: u16| {
            assert_eq!(unharmed(async { answer() }).await.status(), want);
        };
        check(|| "well".into_response(), 200).await;
        check(|| panic!("on purpose"), 500).await;
    }
}
