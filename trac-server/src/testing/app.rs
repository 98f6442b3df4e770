//! A whole server in a test: a fresh store, a clock that only tests advance, and a merchant as the caller.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc;

use axum::body::{Body, to_bytes};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use trac_core::time::Timestamp;

use super::database::open_store;
use crate::Trac;
use crate::clock::Clock;
use crate::store::{Priority, Store, StoreError};

/// The time at which tests begin: 2026-11-21T08:00:00Z.
pub(crate) const START: i64 = 1_795_248_000;

pub(crate) struct App {
    pub(crate) trac: Trac,
    service: BoxCloneSyncService<Request<Body>, Response, Infallible>,
    pub(crate) folder: TempDir,
}

/// One merchant in one mode.
pub(crate) struct Merchant<'a> {
    app: &'a App,
    pub(crate) key: String,
    pub(crate) publishable_key: String,
    pub(crate) workspace_id: String,
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(|trac| trac)
    }

    /// A server on a file, also when the other tests run on PostgreSQL.
    pub(crate) fn on_a_file() -> Self {
        Self::on_a_file_in(tempfile::tempdir().unwrap())
    }

    /// [`Self::on_a_file`] in an existing folder.
    pub(crate) fn on_a_file_in(folder: TempDir) -> Self {
        let store = Store::open(folder.path()).unwrap();
        Self::of(store, "https://track.example.com/", folder, |trac| trac)
    }

    /// A server whose `Trac` was changed by `set_up`.
    pub(crate) fn with(set_up: impl FnOnce(Trac) -> Trac) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), set_up)
    }

    /// A server on an existing data folder.
    pub(crate) fn in_folder(folder: TempDir, set_up: impl FnOnce(Trac) -> Trac) -> Self {
        Self::at("https://track.example.com/", folder, set_up)
    }

    /// A server with another public URL.
    pub(crate) fn reached_under(public_url: &str) -> Self {
        Self::at(public_url, tempfile::tempdir().unwrap(), |trac| trac)
    }

    /// A server with another public URL, on an existing data folder, whose `Trac` was changed by `set_up`.
    pub(crate) fn at(public_url: &str, folder: TempDir, set_up: impl FnOnce(Trac) -> Trac) -> Self {
        let store = open_store(folder.path());
        Self::of(store, public_url, folder, set_up)
    }

    fn of(store: Store, public_url: &str, folder: TempDir, set_up: impl FnOnce(Trac) -> Trac) -> Self {
        let clock = Clock::settable(Timestamp::from_unix_secs(START));
        let trac = Trac::new(store, clock, public_url).with_visitor_wait(20_000);
        // Passwords are hashed in microseconds.
        let cost = argon2::Params::new(8, 1, 1, None).unwrap();
        let trac = set_up(trac.with_nothing_shared().with_password_cost(cost));
        let service = BoxCloneSyncService::new(crate::service(trac.clone()));
        Self { trac, service, folder }
    }

    /// A new workspace, as its merchant in test mode.
    pub(crate) async fn merchant(&self) -> Merchant<'_> {
        self.both_modes().await.0
    }

    /// A new workspace, as its merchant in test mode and in live mode.
    pub(crate) async fn both_modes(&self) -> (Merchant<'_>, Merchant<'_>) {
        let created = crate::workspace::create(&self.trac, "A shop").await.unwrap();
        let text = |path: &str| created.pointer(path).unwrap().as_str().unwrap().to_owned();
        let merchant = |mode: &str| Merchant {
            app: self,
            key: text(&format!("/keys/sk_{mode}")),
            publishable_key: text(&format!("/keys/pk_{mode}")),
            workspace_id: text("/workspace_id"),
        };
        (merchant("test"), merchant("live"))
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        // As every HTTP/1.1 client does.
        request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("track.example.com"));
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A GET with headers and no key.
    pub(crate) async fn visit(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Waits until all jobs that were accepted are written.
    pub(crate) async fn written(&self) {
        while self.trac.store.waiting().iter().any(|(_, jobs)| *jobs > 0) {
            tokio::task::yield_now().await;
        }
        self.rows(String::new()).await;
    }

    /// Executes SQL on the database.
    pub(crate) async fn rows(&self, sql: String) {
        self.trac.store.write(Priority::Api, move |tx| tx.batch(&sql)).await.unwrap();
    }
}

/// A database that another writer has locked. Dropping this unlocks it.
pub(crate) struct Locked {
    end: mpsc::Sender<()>,
    ended: Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>,
}

impl Locked {
    /// Locks the database of a data folder.
    pub(crate) async fn take(folder: &Path) -> Self {
        let (locked, is_locked) = oneshot::channel();
        let (end, is_ended) = mpsc::channel();
        let other = Store::open(folder).unwrap();
        // A writer has the lock while its job runs.
        let ended = Box::pin(other.write(Priority::Api, move |_| {
            locked.send(()).unwrap();
            assert!(is_ended.recv().is_err(), "the sender is dropped");
            Ok(())
        }));
        is_locked.await.unwrap();
        Self { end, ended }
    }

    /// Unlocks the database, and returns once it is unlocked.
    pub(crate) async fn release(self) {
        drop(self.end);
        self.ended.await.unwrap();
    }
}

impl Merchant<'_> {
    pub(crate) async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", self.key))
            .header("x-request-id", "req_test");
        self.app.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, Body::empty()).await
    }

    /// Creates an object and returns its ID.
    pub(crate) async fn make(&self, path: &str, body: Value) -> String {
        let made = self.post(path, body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{path}: {}", made.body);
        made.text("/id")
    }

    /// A program of 20 % and a partner enrolled in it: their IDs.
    pub(crate) async fn program_and_partner(&self) -> (String, String) {
        let commission = json!({ "type": "percentage", "rate_bps": 2_000 });
        let program = self.make("/programs", json!({ "name": "Friends", "commission": commission })).await;
        let partner = self.make("/partners", json!({ "name": "Ada", "code": "ada" })).await;
        self.make("/enrollments", json!({ "program_id": program, "partner_id": partner })).await;
        (program, partner)
    }
}

impl Answer {
    pub(crate) fn text(&self, path: &str) -> String {
        let found = self.body.pointer(path).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {path}: {}", self.body)).to_owned()
    }

    pub(crate) fn number(&self, path: &str) -> i64 {
        let found = self.body.pointer(path).and_then(Value::as_i64);
        found.unwrap_or_else(|| panic!("no number at {path}: {}", self.body))
    }

    pub(crate) fn code(&self) -> (u16, String) {
        (self.status.as_u16(), self.text("/error/code"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of a field in every row of a list.
    pub(crate) fn column(&self, name: &str) -> Vec<Value> {
        let rows = self.body.pointer("/data").and_then(Value::as_array).unwrap();
        rows.iter().map(|row| row[name].clone()).collect()
    }
}
