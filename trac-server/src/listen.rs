//! Connections, and how long a caller may take over one.
//!
//! Whoever opens a connection and then says nothing, or one byte now and then, holds a file handle for nothing; a
//! thousand of them, and nobody else is let in. So the head of a request, and of the next one on a kept connection,
//! must have come whole within a time that is a little longer than proxies keep their connections open. How long a
//! whole request may take is limited by the [router](crate::router).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

/// How long the head of a request may take. Proxies hang up after 60 s, and must be the first to.
const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// How long the head of a request may be, which is what each connection may take of the memory.
const HEAD_BYTES: usize = 64 << 10;
/// How long to wait where no connection can be taken: because the process has no file handle left, for one.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers connections by HTTP/1.1 until `stop`, then waits for those in the middle of a request. Handlers find the
/// peer's address as [`ConnectInfo<SocketAddr>`].
///
/// Waits as long as callers take; whoever has waited enough drops this future.
pub async fn serve<S>(listener: TcpListener, service: S, stop: impl Future<Output = ()> + Send)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let (open, mut stop) = (GracefulShutdown::new(), pin!(stop));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => answer(stream, peer, service.clone(), &open),
            Err(error) if is_the_callers(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    open.shutdown().await;
}

/// Answers one connection, in a task of its own.
fn answer<S>(stream: TcpStream, peer: SocketAddr, service: S, open: &GracefulShutdown)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        service.clone().call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(HEAD_BYTES);
    let connection = open.watch(builder.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
}

/// Whether a caller hung up before it was let in, which says nothing about the next.
fn is_the_callers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;

    /// Says this much on a new connection; answers what comes back before the server hangs up.
    async fn told(said: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let who = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string();
        let server =
            tokio::spawn(serve(listener, Router::new().route("/", get(who)), std::future::pending()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        server.abort();
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_does_not_finish_the_head_is_cut_off() {
        let check = async |said: &str, want: &str| {
            let heard = tokio::time::timeout(HEAD_LIMIT * 2, told(said)).await;
            let heard = heard.unwrap_or_else(|_| panic!("still connected after {said:?}"));
            assert!(heard.ends_with(want) && heard.is_empty() == want.is_empty(), "{said:?}: {heard}");
        };
        check("", "").await;
        check("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ", "").await;
        check("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "\r\n\r\n127.0.0.1").await;
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let begun = "GET / HTTP/1.1\r\nhost: x\r\nx-long: ";
        let head = format!("{begun}{}", "x".repeat(HEAD_BYTES - begun.len()));
        assert!(told(&head).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test]
    async fn a_server_asked_to_stop_hangs_up_on_those_who_wait_for_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { stopped.await.unwrap_or_default() };
        let server =
            tokio::spawn(serve(listener, Router::new().route("/", get(async || "answered")), stopped));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut heard = vec![0; 512];
        let read = stream.read(&mut heard).await.unwrap();
        assert!(heard[..read].ends_with(b"answered"));
        stop.send(()).unwrap();
        server.await.unwrap();
        assert_eq!(stream.read(&mut heard).await.unwrap(), 0);
    }
}
