//! trac in this process: the real store on a folder, the real routes, and a clock that the caller sets.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use trac_core::time::Timestamp;
use trac_core::webhook::signature::sign;
use trac_server::clock::Clock;
use trac_server::proxy::Network;
use trac_server::store::{Opening, Store};
use trac_server::{Trac, recount, replay, router, workspace};

use crate::postgres::{MASTER_KEY, SERVER, new_database};

const PUBLIC_URL: &str = "https://track.example.com";

/// A server that can be restarted.
pub(crate) struct House {
    folder: PathBuf,
    /// Deletes a temporary folder.
    temporary: Option<TempDir>,
    /// The URL of its database, if it is not the file in the folder.
    database: Option<String>,
    pub(crate) clock: Clock,
    running: Option<(Trac, Router)>,
}

/// One workspace in test mode.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) secret_key: String,
    /// `we_…`
    pub(crate) endpoint: String,
}

/// In memory if the system has `/dev/shm`: thousands of seeds are simulated, and no power failure is.
fn folder() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    let made = if in_memory.is_dir() { tempfile::tempdir_in(in_memory) } else { tempfile::tempdir() };
    made.expect("a folder for the store")
}

impl House {
    /// A server on a temporary folder, at a time.
    pub(crate) fn open(now: i64) -> Self {
        let temporary = folder();
        let mut house = Self::in_folder(temporary.path(), now);
        house.temporary = Some(temporary);
        house.database = env::var(SERVER).ok().map(|server| new_database(&server));
        house.start();
        house
    }

    /// A server on a data folder, at a time.
    pub(crate) fn at(folder: &Path, now: i64) -> Self {
        let mut house = Self::in_folder(folder, now);
        house.start();
        house
    }

    fn in_folder(folder: &Path, now: i64) -> Self {
        let clock = Clock::settable(Timestamp::from_unix_secs(now));
        Self { folder: folder.to_owned(), temporary: None, database: None, clock, running: None }
    }

    fn start(&mut self) {
        let store = match &self.database {
            None => Store::open(&self.folder),
            Some(url) => Store::open_postgres(url, &self.folder, MASTER_KEY, Opening::New),
        };
        let store = store.expect("the store opens");
        let own: Network = "127.0.0.1".parse().expect("an address");
        let trac = Trac::new(store, self.clock.clone(), PUBLIC_URL)
            .with_trusted_proxies(&[own])
            .with_limits_per_address(u32::MAX, u32::MAX);
        self.running = Some((trac.clone(), router(trac)));
    }

    /// Closes the store and opens it again.
    pub(crate) fn restart(&mut self) {
        self.close();
        self.start();
    }

    pub(crate) fn close(&mut self) {
        if let Some((trac, router)) = self.running.take() {
            drop(router);
            trac.store().close();
        }
    }

    fn running(&self) -> &(Trac, Router) {
        self.running.as_ref().expect("the server runs")
    }

    /// Advances the clock to a time; never back.
    pub(crate) fn wait_until(&self, time: i64) {
        self.clock.advance((time - self.clock.now().unix_secs()).max(0));
    }

    pub(crate) async fn merchant(&self, name: &str) -> Keys {
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
    pub(crate) async fn call(&self, keys: &Keys, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", keys.secret_key));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).expect("a request")).await
    }

    /// Creates an object and returns its ID.
    pub(crate) async fn make(&self, keys: &Keys, path: &str, body: Value) -> String {
        let (status, answer) = self.call(keys, "POST", path, &body).await;
        assert_eq!(status, 201, "POST {path} {body}: {answer}");
        answer.pointer("/id").and_then(Value::as_str).expect("an ID").to_owned()
    }

    /// Follows a link as a visitor at an address, and returns the click ID that the shop's URL contains.
    pub(crate) async fn follow(&self, slug: &str, address: Ipv4Addr) -> String {
        let request = Request::get(format!("/t/{slug}"))
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
            .header("host", "track.example.com")
            .header("x-forwarded-for", address.to_string())
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        let request = request.body(Body::empty()).expect("a request");
        let answer = self.running().1.clone().oneshot(request).await.expect("the router answers");
        let target = answer.headers().get("location").and_then(|target| target.to_str().ok());
        let click = target.and_then(|target| target.split_once("trac_click_id="));
        let Some((_, click)) = click else { panic!("no click ID: {answer:?}") };
        click.split('&').next().unwrap_or_default().to_owned()
    }

    /// Calls a tracking route as the merchant's server.
    pub(crate) async fn track(&self, keys: &Keys, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::post(format!("/api/track{path}"))
            .header("authorization", format!("Bearer {}", keys.secret_key));
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// Every row of a list.
    pub(crate) async fn all(&self, keys: &Keys, path: &str) -> Vec<Value> {
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
    pub(crate) async fn set_secrets(&self, keys: &Keys, endpoint: &str, secrets: &[String]) {
        let body = json!({ "signing_secrets": secrets });
        let (status, answer) =
            self.call(keys, "PATCH", &format!("/webhook-endpoints/{endpoint}"), &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Posts a webhook, signed now with each of these secrets.
    pub(crate) async fn deliver(&self, endpoint: &str, body: Vec<u8>, secrets: &[String]) -> (u16, Value) {
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

    /// The kept counts, balances and sums that differ from the rows they follow from.
    pub(crate) async fn differences(&self) -> Vec<String> {
        recount::compare(self.running().0.store()).await.expect("the store answers")
    }

    /// Replays every event and returns what changed.
    pub(crate) async fn replay(&self) -> Vec<Value> {
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
