//! The layer around every request, in one future: it assigns the request ID, records metrics, responds if the
//! handler panics or takes too long, and sets common headers.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::Body;
use axum::extract::MatchedPath;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tokio::time::{Timeout, timeout};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument as _;
use tracing::instrument::Instrumented;

use super::time_limit;
use crate::http::bodies::Share;
use crate::http::hosts::is_named_once;
use crate::http::path;
use crate::http::request_id::{CURRENT, HEADER, Named, sane};
use crate::id::Kind;
use crate::problem::Problem;
use crate::trac::{Trac, metrics};

/// The layer.
#[derive(Clone, Debug)]
pub(super) struct Around(pub(super) Trac);

impl<S> Layer<S> for Around {
    type Service = Surrounded<S>;

    fn layer(&self, routes: S) -> Surrounded<S> {
        Surrounded { routes, around: self.clone() }
    }
}

impl Around {
    /// Runs `handle` for a request of this route.
    pub(super) fn answer<B, F: Future<Output = Response>>(
        &self,
        request: Request<B>,
        route: Arc<str>,
        handle: impl FnOnce(Request<B>) -> F,
    ) -> Answering<F> {
        let Self(trac) = self;
        let id = request.headers().get(HEADER).and_then(sane).unwrap_or_else(|| trac.ids.make(Kind::Request));
        let id_header = HeaderValue::from_str(&id).ok();
        let method = metrics::named(request.method());
        // For apps with a log of their own. `crate::log` adds the request to each line without a span.
        let span = tracing::debug_span!("request", id, method, route = &*route);
        // A path that is not UTF-8 is not routed: each route would reject it with a different response.
        let refused: fn() -> Problem =
            if is_named_once(&request) { || Problem::not_found("page") } else { Problem::host };
        let is_fine = is_named_once(&request) && path::is_text(request.uri().path());
        let response = is_fine.then(|| handle(request));
        let began = Instant::now();
        let named = Named { id, method, route: Arc::clone(&route) };
        let answer = CURRENT.scope(named, Answer { response, refused, began }.instrument(span));
        Answering { answer, trac: trac.clone(), began, method, route, id_header }
    }
}

/// The routes with the layer around them.
#[derive(Clone, Debug)]
pub(super) struct Surrounded<S> {
    routes: S,
    around: Around,
}

impl<S> Service<Request<Body>> for Surrounded<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<Limited<S::Future>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.routes.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Answering<Limited<S::Future>> {
        let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).into();
        let routes = &mut self.routes;
        let (request, share) = self.around.0.bodies.count(request);
        let handle = |request| Limited { answer: timeout(time_limit::LIMIT, routes.call(request)), share };
        self.around.answer(request, route, handle)
    }
}

pin_project! {
    /// The future of a response.
    pub(super) struct Answering<F> {
        #[pin]
        answer: TaskLocalFuture<Named, Instrumented<Answer<F>>>,
        trac: Trac,
        began: Instant,
        method: &'static str,
        route: Arc<str>,
        id_header: Option<HeaderValue>,
    }
}

impl<F: Future<Output = Response>> Future for Answering<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(context));
        this.trac.metrics.request(this.method, this.route, response.status().as_u16(), this.began.elapsed());
        if let Some(id) = this.id_header.take() {
            response.headers_mut().insert(HEADER, id);
        }
        guard(&mut response, this.trac.is_https());
        Poll::Ready(Ok(response))
    }
}

/// Sets common headers: `nosniff`; `no-store` unless the handler set a `Cache-Control`, since responses may
/// contain keys and money; and HSTS if the public URL is https.
fn guard(response: &mut Response, is_https: bool) {
    let is_not_modified = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !is_not_modified {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

pin_project! {
    /// The response of the routes: `408` if they take too long, `503` if the body exceeded a budget.
    pub(super) struct Limited<F> {
        #[pin]
        answer: Timeout<F>,
        share: Option<Arc<Share>>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Limited<F> {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let this = self.project();
        let answered = ready!(this.answer.poll(context));
        if this.share.take().is_some_and(|share| share.is_refused()) {
            return Poll::Ready(Problem::server_busy().into_response());
        }
        Poll::Ready(answered.map_or_else(|_| time_limit::ended(), |Ok(response)| response))
    }
}

pin_project! {
    /// The response of a handler; `500` if it panics, since one request must not end others. Its log lines
    /// contain the request.
    struct Answer<F> {
        #[pin]
        response: Option<F>,
        // Called if `response` is `None`.
        refused: fn() -> Problem,
        began: Instant,
    }
}

impl<F: Future<Output = Response>> Future for Answer<F> {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let this = self.project();
        let polled =
            this.response.as_pin_mut().map(|future| catch_unwind(AssertUnwindSafe(|| future.poll(context))));
        let response = match polled {
            None => (this.refused)().into_response(),
            Some(Ok(polled)) => ready!(polled),
            Some(Err(_)) => {
                tracing::error!("a handler panicked");
                Problem::internal().into_response()
            }
        };
        tracing::debug!(
            status = response.status().as_u16(),
            micros = u64::try_from(this.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
        Poll::Ready(response)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::testing::app::App;

    /// The response for a request to this handler.
    async fn answered<F>(handler: impl Fn() -> F + Clone + Send + Sync + 'static) -> Response
    where
        F: Future<Output = &'static str> + Send + 'static,
    {
        let app = App::new();
        let routes = Router::new().route("/", get(handler)).layer(Around(app.trac.clone()));
        let answer = routes.oneshot(Request::new(Body::empty())).await.unwrap();
        let figures = app.trac.metrics.text([("webhook", 0), ("api", 0), ("click", 0)], 0);
        let status = answer.status().as_u16();
        let counted = format!("trac_http_requests_total{{method=\"GET\",route=\"/\",status=\"{status}\"}} 1");
        assert!(figures.contains(&counted), "{figures}");
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_panics_or_takes_too_long_gets_an_error_response() {
        let check = async |answer: Response, want: (u16, &str)| {
            let (head, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let error = &serde_json::from_slice::<serde_json::Value>(&body).unwrap()["error"];
            assert_eq!((head.status.as_u16(), error["code"].as_str().unwrap()), want);
            assert!(!error["request_id"].as_str().unwrap().is_empty(), "{error}");
            assert_eq!(error["request_id"], head.headers[HEADER].to_str().unwrap());
        };
        check(answered(async || panic!("on purpose")).await, (500, "INTERNAL")).await;
        check(answered(std::future::pending).await, (408, "TIMEOUT")).await;
        assert_eq!(answered(async || "well").await.status(), 200);
    }
}
