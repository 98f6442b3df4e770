//! trac in this process: the real store on a folder, the real routes, and a clock that the simulation sets.

use std::path::Path;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use trac_core::time::Timestamp;
use trac_core::webhook::signature::sign;
use trac_server::clock::Clock;
use trac_server::store::Store;
use trac_server::{Trac, replay, router, workspace};

const PUBLIC_URL: &str = "https://track.example.com";

/// A server that can be restarted.
pub(super) struct House {
    folder: TempDir,
    pub(super) clock: Clock,
    running: Option<(Trac, Router)>,
}

/// One workspace in test mode.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) secret_key: String,
    /// `we_…`
    pub(super) endpoint: String,
}

/// In memory if the system has `/dev/shm`: thousands of lives are simulated, and no power failure is.
fn folder() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    let made = if in_memory.is_dir() { tempfile::tempdir_in(in_memory) } else { tempfile::tempdir() };
    made.expect("a folder for the store")
}

impl House {
    pub(super) fn open(now: i64) -> Self {
        let clock = Clock::settable(Timestamp::from_unix_secs(now));
        let mut house = Self { folder: folder(), clock, running: None };
        house.start();
        house
    }

    fn start(&mut self) {
        let store = Store::open(self.folder.path()).expect("the store opens");
        let trac = Trac::new(store, self.clock.clone(), PUBLIC_URL);
        self.running = Some((trac.clone(), router(trac)));
    }

    /// Closes the store and opens it again.
    pub(super) fn restart(&mut self) {
        self.close();
        self.start();
    }

    pub(super) fn close(&mut self) {
        if let Some((trac, router)) = self.running.take() {
            drop(router);
            trac.store().close();
        }
    }

    fn running(&self) -> &(Trac, Router) {
        self.running.as_ref().expect("the server runs")
    }

    /// Advances the clock to a time; never back.
    pub(super) fn wait_until(&self, time: i64) {
        self.clock.advance((time - self.clock.now().unix_secs()).max(0));
    }

    pub(super) async fn merchant(&self, name: &str) -> Keys {
        let created = workspace::create(&self.running().0, name).await.expect("a workspace is made");
        let text = |path: &str| created.pointer(path).and_then(Value::as_str).expect("a text").to_owned();
        Keys { secret_key: text("/keys/sk_test"), endpoint: text("/endpoints/test/id") }
    }

    async fn send(&self, request: Request<Body>) -> (u16, Value) {
        let answer = self.running().1.clone().oneshot(request).await.expect("the router answers");
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), 1 << 24).await.expect("a whole answer");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Calls the management API.
    pub(super) async fn call(&self, keys: &Keys, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", keys.secret_key));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).expect("a request")).await
    }

    /// Creates an object and returns its ID.
    pub(super) async fn make(&self, keys: &Keys, path: &str, body: Value) -> String {
        let (status, answer) = self.call(keys, "POST", path, &body).await;
        assert_eq!(status, 201, "POST {path} {body}: {answer}");
        answer.pointer("/id").and_then(Value::as_str).expect("an ID").to_owned()
    }

    /// Every row of a list.
    pub(super) async fn all(&self, keys: &Keys, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for page in 1.. {
            let (status, answer) =
                self.call(keys, "GET", &format!("{path}?page={page}&limit=100"), &Value::Null).await;
            assert_eq!(status, 200, "GET {path}: {answer}");
            let data = answer.pointer("/data").and_then(Value::as_array).expect("a list");
            rows.extend(data.iter().cloned());
            if data.len() < 100 {
                break;
            }
        }
        rows
    }

    /// Sets the endpoint's signing secrets.
    pub(super) async fn set_secrets(&self, keys: &Keys, endpoint: &str, secrets: &[String]) {
        let body = json!({ "signing_secrets": secrets });
        let (status, answer) =
            self.call(keys, "PATCH", &format!("/webhook-endpoints/{endpoint}"), &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Posts a webhook, signed now with each of these secrets.
    pub(super) async fn deliver(&self, endpoint: &str, body: Vec<u8>, secrets: &[String]) -> (u16, Value) {
        let now = self.clock.now();
        let mut header = format!("t={}", now.unix_secs());
        for secret in secrets {
            let signed = sign(&body, secret, now);
            let signature = signed.split_once(',').map_or("", |(_, signature)| signature);
            header = format!("{header},{signature}");
        }
        let request = Request::post(format!("/api/webhooks/{endpoint}")).header("stripe-signature", header);
        self.send(request.body(Body::from(body)).expect("a request")).await
    }

    /// Replays every event and returns what changed.
    pub(super) async fn replay(&self) -> Vec<Value> {
        let replayed =
            replay::replay_all(&self.running().0, Timestamp::default(), replay::Rules::Then, false).await;
        let replayed = replayed.expect("the store answers");
        replayed.pointer("/changed").and_then(Value::as_array).cloned().expect("a list")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.close();
    }
}
