//! Webhooks: each a new paid session with a click, signed, over open connections.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::machine::Used;
use super::{CONNECTIONS, Measured};
use crate::stripe::{Endpoint, envelope, now, session};

/// Bytes that a real session has besides the fields used here.
const PADDING: usize = 1_500;

/// Delivers new sessions for `seconds`.
pub(super) async fn measure(endpoint: &Endpoint, click: &str, process: u32, seconds: u64) -> Measured {
    let mut sample = session("NUMBER", 12_900, click);
    if let Some(fields) = sample.as_object_mut() {
        fields.insert("padding".to_owned(), json!("x".repeat(PADDING)));
    }
    let event = envelope("evt_NUMBER", "checkout.session.completed", now(), &sample).to_string();
    let (host, path) = endpoint.url.trim_start_matches("http://").split_once('/').expect("an address");
    // A store that is measured again has the events of the last time.
    let first = u64::try_from(now()).unwrap_or_default() * 1_000_000;
    let (next, until) = (Rc::new(Cell::new(first)), Instant::now() + Duration::from_secs(seconds));
    let (before, begun) = (Used::by(process), Instant::now());
    let tasks = LocalSet::new();
    let mut working = Vec::new();
    for _ in 0..CONNECTIONS {
        let (next, event, secret) = (Rc::clone(&next), event.clone(), endpoint.secret.clone());
        let (host, path) = (host.to_owned(), path.to_owned());
        working.push(tasks.spawn_local(async move {
            let mut connection = Connection::open(&host).await;
            let mut times = Vec::new();
            while Instant::now() < until {
                let number = next.replace(next.get() + 1);
                let body = event.replace("NUMBER", &number.to_string());
                let signature = trac_stand_in::sign(&secret, now(), body.as_bytes());
                let asked = Instant::now();
                connection.post(&path, &signature, &body).await;
                times.push(asked.elapsed().as_micros());
            }
            times
        }));
    }
    let mut times = Vec::new();
    tasks
        .run_until(async {
            for work in working {
                times.extend(work.await.expect("every webhook is answered"));
            }
        })
        .await;
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let used = Used::by(process).since(before);
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    let answers = u64::try_from(times.len()).unwrap_or(u64::MAX);
    let p99_micros = u64::try_from(p99).unwrap_or(u64::MAX);
    Measured { answers, micros, p99_micros, used }
}

/// A minimal HTTP client, so that the load needs less processor time than the server.
pub(super) struct Connection {
    stream: TcpStream,
    response: Vec<u8>,
}

impl Connection {
    /// A connection to an endpoint, and the endpoint's path.
    pub(super) async fn to(endpoint: &Endpoint) -> (Self, String) {
        let (host, path) = endpoint.url.trim_start_matches("http://").split_once('/').expect("an address");
        (Self::open(host).await, path.to_owned())
    }

    /// Posts an event, signed now, which must be processed. Returns how long that took.
    pub(super) async fn deliver(&mut self, path: &str, secret: &str, event: &str) -> Duration {
        let signature = trac_stand_in::sign(secret, now(), event.as_bytes());
        let asked = Instant::now();
        self.post(path, &signature, event).await;
        asked.elapsed()
    }

    async fn open(host: &str) -> Self {
        let stream = TcpStream::connect(host).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, response: Vec::with_capacity(4_096) }
    }

    /// Posts an event, which must be processed.
    async fn post(&mut self, path: &str, signature: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "POST /{path} HTTP/1.1\r\nhost: trac\r\ncontent-type: application/json\r\n\
             stripe-signature: {signature}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await.expect("the server reads");
        self.response.clear();
        // The response is a JSON object, so it ends with `}`.
        while !self.response.ends_with(b"}") {
            let read = self.stream.read_buf(&mut self.response).await.expect("the server answers");
            assert!(read > 0, "the server closed the connection");
        }
        let answer = String::from_utf8_lossy(&self.response);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"processed\""), "{answer}");
    }
}
