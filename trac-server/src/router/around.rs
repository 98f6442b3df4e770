//! What goes around every request, in one layer and one future: each request is named, counted, answered for if its handler panics
//! or takes too long, and marked.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderValue;
use axum::response::{IntoResponse as _, Response};
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tokio::time::{Timeout, timeout};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument as _;
use tracing::instrument::Instrumented;

use crate::id::Kind;
use crate::problem::Problem;
use crate::request_id::{CURRENT, HEADER, Named, sane};
use crate::trac::Trac;
use crate::{metrics, path, patience};

/// The layer.
#[derive(Clone, Debug)]
pub(super) struct Around(pub(super) Trac);

impl<S> Layer<S> for Around {
    type Service = Surrounded<S>;

    fn layer(&self, routes: S) -> Surrounded<S> {
        Surrounded { routes, trac: self.0.clone() }
    }
}

/// Routes with all that goes around them.
#[derive(Clone, Debug)]
pub(super) struct Surrounded<S> {
    routes: S,
    trac: Trac,
}

impl<S> Service<Request> for Surrounded<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.routes.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Answering<S::Future> {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let id =
            request.headers().get(HEADER).and_then(sane).unwrap_or_else(|| self.trac.ids.make(Kind::Request));
        let mark = HeaderValue::from_str(&id).ok();
        let method = metrics::named(request.method());
        let name: Arc<str> = route.as_ref().map_or("none", MatchedPath::as_str).into();
        // For who has spans of its own; the log of the program names the request itself.
        let span = tracing::debug_span!("request", id, method, route = &*name);
        // Under a path that is no text nothing is asked for: the routes would each refuse it in a form of their own.
        let answer = if path::is_text(request.uri().path()) {
            Answer::Asked { answer: self.routes.call(request) }
        } else {
            Answer::Refused
        };
        let named = Named { id, method, route: Arc::clone(&name) };
        Answering {
            answer: CURRENT.scope(named, timeout(patience::LIMIT, answer).instrument(span)),
            trac: self.trac.clone(),
            began: Instant::now(),
            method,
            route: name,
            mark,
        }
    }
}

pin_project! {
    /// An answer on its way.
    pub(super) struct Answering<F> {
        #[pin]
        answer: TaskLocalFuture<Named, Instrumented<Timeout<Answer<F>>>>,
        trac: Trac,
        began: Instant,
        method: &'static str,
        route: Arc<str>,
        mark: Option<HeaderValue>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Answering<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(context)).unwrap_or_else(|_| patience::ended());
        let (status, took) = (response.status().as_u16(), this.began.elapsed());
        tracing::debug!(status, micros = took.as_micros(), "answered");
        this.trac.metrics.request(this.method, this.route, status, took);
        if let Some(mark) = this.mark.take() {
            response.headers_mut().insert(HEADER, mark);
        }
        Poll::Ready(Ok(response))
    }
}

pin_project! {
    /// What a handler answers, or `500` if it panics: one request takes no other down.
    #[project = Asked]
    enum Answer<F> {
        Asked { #[pin] answer: F },
        Refused,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Answer<F> {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Asked::Asked { answer } = self.project() else {
            return Poll::Ready(Problem::not_found("page").into_response());
        };
        match catch_unwind(AssertUnwindSafe(|| answer.poll(context))) {
            Ok(polled) => polled.map(|Ok(response)| response),
            Err(_) => Poll::Ready(Problem::internal().into_response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_for() {
        let check = async |answer: fn() -> Response, want: u16| {
            let answer = async move { Ok(answer()) };
            assert_eq!(Answer::Asked { answer }.await.status(), want);
        };
        check(|| "well".into_response(), 200).await;
        check(|| panic!("on purpose"), 500).await;
    }
}
