//! Answers plain visits of tracked links before the routes. They are most of the requests, and to match all
//! routes takes as long as the rest of a visit up to the disk write.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use axum::{BoxError, Router};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::around::{Answering, Around};
use super::router;
use crate::click::{SLUG, plain_visit, visit};
use crate::trac::Trac;
use crate::trac::known_links::LinkName;

/// The whole server for [`listen::serve`](crate::http::listen::serve): it responds as [`router`] does.
///
/// # Examples
/// ```no_run
/// use trac_server::clock::Clock;
/// use trac_server::store::Store;
/// use trac_server::{Trac, listen, service};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::open("trac-data".as_ref())?;
/// let trac = Trac::new(store, Clock::system(), "https://track.example.com");
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8787").await?;
/// listen::serve(listener, service(trac), std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn service<B>(
    trac: Trac,
) -> impl Service<Request<B>, Response = Response, Error = Infallible, Future: Send> + Clone + Send
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (routes, around) = (router(trac.clone()), Around(trac.clone()));
    let visit = move |name: LinkName, request: Parts| {
        let trac = trac.clone();
        async move { visit(&trac, name, &request).await }
    };
    Ahead { visit, route: SLUG.into(), around, routes }
}

/// The handler of visits, and the routes for all other requests.
#[derive(Clone)]
struct Ahead<V> {
    visit: V,
    route: Arc<str>,
    around: Around,
    routes: Router,
}

impl<B, V, F> Service<Request<B>> for Ahead<V>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    V: Fn(LinkName, Parts) -> F,
    F: Future<Output = Response>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answered<F>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: Request<B>) -> Answered<F> {
        let Some(name) = plain_visit(&request) else {
            return Answered::Else { answer: self.routes.call(request.map(Body::new)) };
        };
        let Self { visit, route, around, .. } = self;
        // No time limit is needed: a visit waits for the disk for half a second at most.
        let handle = |request: Request<B>| visit(name, request.into_parts().0);
        Answered::Visit { answer: around.answer(request, Arc::clone(route), handle) }
    }
}

pin_project! {
    #[project = AnsweredProjection]
    enum Answered<F> {
        Visit { #[pin] answer: Answering<F> },
        Else { #[pin] answer: RouteFuture<Infallible> },
    }
}

impl<F: Future<Output = Response>> Future for Answered<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AnsweredProjection::Visit { answer } => answer.poll(context),
            AnsweredProjection::Else { answer } => answer.poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::http::HeaderMap;
    use axum::http::header::{CONTENT_LENGTH, LOCATION, SET_COOKIE, VARY};
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::{listen, request_id};
    use crate::testing::app::App;

    /// Headers without those that differ between clicks, that the connection adds if they are missing, or
    /// that are about preflights.
    fn comparable(mut headers: HeaderMap) -> HeaderMap {
        headers.remove(CONTENT_LENGTH);
        headers.remove(VARY);
        headers.remove(request_id::HEADER).unwrap();
        for name in [LOCATION, SET_COOKIE] {
            if let Some(value) = headers.get_mut(&name) {
                let text = value.to_str().unwrap();
                let id = text.split_once("clk_").map(|(_, rest)| rest.split(['&', ';']).next().unwrap());
                *value = text.replace(id.unwrap_or("no click"), "…").try_into().unwrap();
            }
        }
        headers
    }

    #[tokio::test]
    async fn a_visit_is_answered_as_its_route_answers_it() {
        let app = App::new();
        let merchant = app.merchant().await;
        let (program, partner) = merchant.program_and_partner().await;
        let link = json!({ "program_id": program, "partner_id": partner, "destination": "https://shop.example/?a=1" });
        for slug in ["ada", "gone", "A.da-2_3"] {
            let mut link = link.clone();
            link["slug"] = slug.into();
            merchant.make("/links", link).await;
        }
        merchant.patch("/links/gone", json!({ "archived": true })).await;
        let (ahead, routes) = (service(app.trac.clone()), router(app.trac.clone()));
        let check = async |method: &str, path: &str, header: (&str, &str), is_plain: bool| {
            let request = || {
                let request = Request::builder().method(method).uri(path).header(header.0, header.1);
                request.body(Body::empty()).unwrap()
            };
            assert_eq!(plain_visit(&request()).is_some(), is_plain, "{method} {path}");
            let (one, other) =
                (ahead.clone().oneshot(request()).await, routes.clone().oneshot(request()).await);
            let ((one, one_body), (other, other_body)) =
                (one.unwrap().into_parts(), other.unwrap().into_parts());
            assert_eq!(one.status, other.status, "{method} {path}");
            assert_eq!(comparable(one.headers), comparable(other.headers), "{method} {path}");
            let read = async |body| axum::body::to_bytes(body, 1 << 20).await.unwrap().len();
            assert_eq!(read(one_body).await, read(other_body).await, "{method} {path}");
        };
        let none = ("accept", "*/*");
        check("GET", "/s/ada", none, true).await;
        check("GET", "/s/ADA?utm=1&trac_click_id=old", none, true).await;
        check("GET", "/s/A.da-2_3", none, true).await;
        check("GET", "/s/gone", none, true).await;
        check("GET", "/s/unknown", none, true).await;
        check("GET", "https://track.example.com/s/ada", none, true).await;
        check("GET", "/s/ada", ("user-agent", "Googlebot/2.1"), true).await;
        check("GET", "/s/ada", ("sec-purpose", "prefetch"), true).await;
        check("GET", "/s/ada", ("origin", "https://shop.example"), true).await;
        check("GET", "/s/ada", ("cookie", "trac_click_id=clk_1_0000000000000001"), true).await;
        check("GET", "/s/", none, false).await;
        check("GET", "/s", none, false).await;
        check("GET", "/s/ada/", none, false).await;
        check("GET", "/t/ada", none, false).await;
        check("GET", "/s/%61da", none, false).await;
        check("GET", "/s/%ff", none, false).await;
        check("GET", "/s/ada/ada", none, false).await;
        check("GET", "/x/s/ada", none, false).await;
        check("HEAD", "/s/ada", none, false).await;
        check("POST", "/s/ada", none, false).await;
        check("OPTIONS", "/s/ada", ("access-control-request-method", "GET"), false).await;
        check("GET", "/healthz", none, false).await;
        let figures = app.trac.metrics.text([("webhook", 0), ("api", 0), ("click", 0)], 0);
        let counted = "trac_http_requests_total{method=\"GET\",route=\"/s/{slug}\",status=\"302\"}";
        assert!(figures.contains(counted), "{figures}");
    }

    #[tokio::test]
    async fn a_body_of_a_visit_does_not_end_the_connection() {
        let app = App::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(listen::serve(listener, service(app.trac.clone()), pending()));
        let check = async |body: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let requests = format!(
                "GET /s/ada HTTP/1.1\r\nhost: x\r\n{body}GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(requests.as_bytes()).await.unwrap();
            let mut responses = String::new();
            stream.read_to_string(&mut responses).await.unwrap();
            assert_eq!(responses.matches("HTTP/1.1 ").count(), 2, "{body:?}: {responses}");
        };
        check("\r\n").await;
        check("content-length: 5\r\n\r\nhello").await;
        check("transfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
        check("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").await;
        for (head, want) in [
            ("GET /s/ada HTTP/1.1\r\n", "HTTP/1.1 400 "),
            ("GET /healthz HTTP/1.1\r\nhost: x\r\nhost: x\r\n", "HTTP/1.1 400 "),
            ("GET /healthz HTTP/1.0\r\n", "HTTP/1.0 200 "),
            ("GET /healthz HTTP/1.1\r\nhost: x\r\n", "HTTP/1.1 200 "),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            assert!(response.starts_with(want), "{head:?}: {response}");
        }
        server.abort();
    }
}
