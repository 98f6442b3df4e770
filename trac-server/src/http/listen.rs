//! The listener: time limits for request heads and idle connections, and a limit of connections per address.
//!
//! A connection that sends nothing, or a byte now and then, occupies a file descriptor; a thousand of them
//! would exhaust the process's limit. So a request head must be complete ten seconds after the connection was
//! opened or after the head's first byte. A keep-alive connection may be idle between two requests for a
//! little longer than proxies keep theirs. An address may have some hundred connections; a known proxy may
//! have any number. The [router](crate::router) limits how long a whole request may take.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use crate::clock::Clock;
use crate::http::proxy::{Network, TrustedProxies};
use crate::tally::Tally;

/// How long the head of a request may take, from its first byte or, for the first request, from the opening
/// of the connection.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long a keep-alive connection may be idle. Proxies close theirs after 60 s, and must do so first.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// How long the head of a request may be. Each connection buffers at most this much.
const HEAD_BYTES: usize = 64 << 10;
/// How long to wait after `accept` failed, for example because the process has no file descriptor left.
const PAUSE: Duration = Duration::from_millis(200);
/// How many connections one address may have unless configured otherwise.
pub const CONNECTIONS_PER_ADDRESS: usize = 512;

/// Counts the open connections of each address except proxies, which carry the connections of many callers.
/// Clones share the counts.
///
/// # Examples
/// ```
/// use trac_server::listen::Callers;
///
/// let proxies = ["10.0.0.0/8".parse()?];
/// let callers = Callers::new(512, &proxies);
/// # Ok::<(), trac_server::proxy::ParseNetworkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Callers {
    most: usize,
    proxies: TrustedProxies,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Callers {
    /// Allows each address `most` connections (0: any number), and these networks any number.
    #[must_use]
    pub fn new(most: usize, proxies: &[Network]) -> Self {
        Self { most, proxies: TrustedProxies::new(proxies), open: Arc::default() }
    }

    /// Counts one more connection of an address; `None` if it has `most` already.
    fn admit(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        if self.most == 0 || self.proxies.trusts(peer) {
            return Some(Place(None));
        }
        let peer = holder(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let held = open.entry(peer).or_default();
        if *held >= self.most {
            return None;
        }
        *held = held.saturating_add(1);
        drop(open);
        Some(Place(Some((peer, self.clone()))))
    }
}

impl Default for Callers {
    /// [`CONNECTIONS_PER_ADDRESS`] connections each, and no proxies.
    fn default() -> Self {
        Self::new(CONNECTIONS_PER_ADDRESS, &[])
    }
}

/// The caller behind an address: an IPv4 address, or the /64 network of an IPv6 address.
fn holder(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// A counted connection; dropping it ends the count.
#[derive(Debug)]
struct Place(Option<(IpAddr, Callers)>);

impl Drop for Place {
    fn drop(&mut self) {
        let Some((peer, callers)) = self.0.take() else { return };
        let mut open = callers.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = open.get_mut(&peer) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                open.remove(&peer);
            }
        }
    }
}

/// Raises the limit of open files to the hard limit: each connection needs one descriptor.
pub fn raise_open_files() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        let before = limit.current;
        limit.current = limit.maximum;
        match setrlimit(Resource::Nofile, limit) {
            Ok(()) => tracing::debug!(?before, now = ?limit.current, "raised the limit of open files"),
            Err(error) => tracing::warn!(%error, ?before, "the limit of open files could not be raised"),
        }
    }
}

/// [`serve_callers`] for [`Callers::default`].
pub async fn serve<S>(listener: TcpListener, service: S, stop: impl Future<Output = ()> + Send)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    serve_callers(listener, service, Callers::default(), stop).await;
}

/// Serves HTTP/1.1 on each connection until `stop`, then waits for the requests in progress. Handlers find
/// the peer's address as [`ConnectInfo<SocketAddr>`].
///
/// The wait at the end has no limit; a caller that wants one drops this future.
pub async fn serve_callers<S>(
    listener: TcpListener,
    service: S,
    callers: Callers,
    stop: impl Future<Output = ()> + Send,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let (open, mut stop) = (GracefulShutdown::new(), pin!(stop));
    let (refusals, failures) = (Tally::new(), Tally::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => match callers.admit(peer.ip()) {
                Some(place) => answer(stream, (peer, place), service.clone(), &open),
                None => {
                    if let Some(times) = refusals.count(holder(peer.ip()), Clock::system().now()) {
                        tracing::warn!(peer = %peer.ip(), times, "an address holds too many connections");
                    }
                }
            },
            Err(error) if is_caller_gone(&error) => {}
            Err(error) => {
                if let Some(times) = failures.count((), Clock::system().now()) {
                    tracing::error!(%error, times, "a connection could not be accepted");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    open.shutdown().await;
}

/// Serves one connection, in a task of its own.
fn answer<S>(stream: TcpStream, (peer, place): (SocketAddr, Place), service: S, open: &GracefulShutdown)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let _ = stream.set_nodelay(true);
    let heads = Heads::on(stream);
    let requests = Arc::clone(&heads.requests);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answering = Answering::begin(&requests);
        let answer = service.clone().call(request);
        async move {
            let _answering = answering;
            answer.await
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE_LIMIT).max_buf_size(HEAD_BYTES);
    let connection = open.watch(builder.serve_connection(TokioIo::new(heads), service));
    tokio::spawn(async move {
        let _place = place;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection failed");
        }
    });
}

/// A connection that fails if the head of a request is not complete in time.
struct Heads {
    stream: TcpStream,
    requests: Arc<Requests>,
    /// The value of `requests.begun` at the last read.
    seen: usize,
    /// The deadline for the head: `None` while a request is answered and while the connection is idle.
    until: Option<Instant>,
    /// Created only if a head is not complete at the first read.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Heads {
    fn on(stream: TcpStream) -> Self {
        Self { stream, requests: Arc::default(), seen: 0, until: head_deadline(), timer: None }
    }
}

fn head_deadline() -> Option<Instant> {
    Instant::now().checked_add(HEAD_LIMIT)
}

impl AsyncRead for Heads {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (begun, ended) = this.requests.so_far();
        if begun != this.seen {
            (this.seen, this.until, this.timer) = (begun, None, None);
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if begun != ended {
            return read;
        }
        if read.is_ready() {
            if this.until.is_none() && buffer.filled().len() > before {
                this.until = head_deadline();
            }
            return read;
        }
        let Some(until) = this.until else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Heads {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// How many request heads of a connection are complete, and how many of these requests are answered.
#[derive(Default)]
struct Requests {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Requests {
    fn so_far(&self) -> (usize, usize) {
        (self.begun.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }
}

/// Exists from the complete head of a request until its response is ready.
struct Answering(Arc<Requests>);

impl Answering {
    fn begin(requests: &Arc<Requests>) -> Self {
        requests.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(requests))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether `accept` failed because the caller closed the connection first; the next `accept` may succeed.
fn is_caller_gone(error: &io::Error) -> bool {
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

    /// A server that responds with the caller's address; returns where it listens.
    async fn listening(callers: Callers) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let who = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string();
        let routes = Router::new().route("/", get(who));
        (address, tokio::spawn(serve_callers(listener, routes, callers, std::future::pending())))
    }

    /// Sends `request` on a new connection; returns the response up to the end of the connection.
    async fn exchange(request: &str) -> String {
        let (address, server) = listening(Callers::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        server.abort();
        response
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_does_not_finish_the_head_is_cut_off() {
        let check = async |request: &str, want: &str| {
            let response = tokio::time::timeout(IDLE_LIMIT * 2, exchange(request)).await;
            let response = response.unwrap_or_else(|_| panic!("still connected after {request:?}"));
            let is_wanted = response.ends_with(want) && response.is_empty() == want.is_empty();
            assert!(is_wanted, "{request:?}: {response}");
        };
        check("", "").await;
        check("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ", "").await;
        check("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "\r\n\r\n127.0.0.1").await;
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_idle_time_a_connection_has_as_long_for_a_head_as_a_new_one() {
        let (address, server) = listening(Callers::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut response = vec![0; 512];
        for _ in 0..2 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let read = stream.read(&mut response).await.unwrap();
            assert!(response[..read].ends_with(b"127.0.0.1"));
            tokio::time::sleep(HEAD_LIMIT * 6).await;
        }
        let begun = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        assert_eq!(stream.read(&mut response).await.unwrap(), 0, "half a head is not a request");
        assert!(
            (HEAD_LIMIT..IDLE_LIMIT.checked_sub(HEAD_LIMIT * 6).unwrap()).contains(&begun.elapsed()),
            "{:?}",
            begun.elapsed()
        );
        server.abort();
    }

    /// Whether a new connection from this address is answered.
    async fn is_answered(from: &str, to: SocketAddr) -> (bool, TcpStream) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        // A rejected connection may be closed already.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let read = stream.read(&mut [0; 512]).await.unwrap_or_default();
        (read > 0, stream)
    }

    #[cfg(target_os = "linux")] // Only Linux routes all of 127.0.0.0/8 to this machine.
    #[tokio::test]
    async fn an_address_has_a_limit_of_connections_and_a_proxy_has_none() {
        let callers = Callers::new(3, &["127.0.0.9".parse().unwrap()]);
        let (address, server) = listening(callers.clone()).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            let (is_in, stream) = is_answered("127.0.0.2", address).await;
            assert!(is_in);
            held.push(stream);
        }
        assert!(!is_answered("127.0.0.2", address).await.0);
        assert!(is_answered("127.0.0.3", address).await.0);
        for _ in 0..9 {
            let (is_in, stream) = is_answered("127.0.0.9", address).await;
            assert!(is_in);
            held.push(stream);
        }
        server.abort();
        drop(held);
        let place = callers.admit([127, 0, 0, 4].into());
        assert_eq!(callers.open.lock().unwrap().get(&IpAddr::from([127, 0, 0, 4])), Some(&1));
        drop(place);
        assert_eq!(callers.open.lock().unwrap().get(&IpAddr::from([127, 0, 0, 4])), None);
    }

    #[test]
    fn ipv6_callers_are_counted_by_their_64_bit_networks() {
        let callers = Callers::new(1, &[]);
        let admit = |address: &str| callers.admit(address.parse().unwrap());
        let first = admit("2001:db8:0:1::1");
        assert!(first.is_some() && admit("2001:db8:0:1:ffff::2").is_none());
        assert!(admit("2001:db8:0:2::1").is_some());
        let mapped = admit("::ffff:192.0.2.1");
        assert!(mapped.is_some() && admit("192.0.2.1").is_none());
        assert!(Callers::new(0, &[]).admit([192, 0, 2, 1].into()).is_some());
    }

    #[tokio::test]
    async fn a_handler_is_dropped_when_its_caller_disconnects() {
        /// Reports when it is dropped.
        struct Left(tokio::sync::mpsc::UnboundedSender<()>);
        impl Drop for Left {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (begin, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let (leave, mut left) = tokio::sync::mpsc::unbounded_channel();
        let endless = move || {
            let (begin, leaving) = (begin.clone(), Left(leave.clone()));
            async move {
                let _leaving = leaving;
                begin.send(()).unwrap();
                std::future::pending::<()>().await;
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/", get(endless));
        let server = tokio::spawn(serve(listener, routes, std::future::pending()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        answers.recv().await.unwrap();
        assert!(left.try_recv().is_err(), "the handler still runs");
        drop(stream);
        left.recv().await.unwrap();
        server.abort();
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused() {
        let begun = "GET / HTTP/1.1\r\nhost: x\r\nx-long: ";
        let head = format!("{begun}{}", "x".repeat(HEAD_BYTES - begun.len()));
        assert!(exchange(&head).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test]
    async fn a_server_asked_to_stop_closes_idle_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { stopped.await.unwrap_or_default() };
        let server =
            tokio::spawn(serve(listener, Router::new().route("/", get(async || "answered")), stopped));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut response = vec![0; 512];
        let read = stream.read(&mut response).await.unwrap();
        assert!(response[..read].ends_with(b"answered"));
        stop.send(()).unwrap();
        server.await.unwrap();
        assert_eq!(stream.read(&mut response).await.unwrap(), 0);
    }
}
