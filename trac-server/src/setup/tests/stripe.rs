//! Connecting to the simulator of Stripe on loopback, which some tests make refuse.

use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use trac_stand_in::{Catalogue, Config, StandIn};

use super::{check, step};
use crate::listen;
use crate::testing::app::{App, Merchant, START};

const KEY: &str = "rk_test_planted0123456789wxyz";

/// A response in place of the simulator's, for paths that begin like this.
type Refusal = (Method, &'static str, u16, &'static str);

/// The simulator, with a record of its requests.
#[derive(Clone)]
struct Stripe {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    refusals: Arc<Mutex<Vec<Refusal>>>,
}

impl Stripe {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = Config {
            origin: url.clone(),
            after_payment: None,
            catalogue: Catalogue::tea_shop(),
            webhook: None,
        };
        let stripe = Self { url, requests: Arc::default(), refusals: Arc::default() };
        let router = StandIn::new(config).router().layer(from_fn_with_state(stripe.clone(), refuse));
        tokio::spawn(async move { axum::serve(listener, router).await });
        stripe
    }

    fn refuse(&self, refusals: &[Refusal]) {
        *self.refusals.lock().unwrap() = refusals.to_vec();
    }

    /// The requests since the last call.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    async fn destinations(&self) -> Vec<Value> {
        let list = reqwest::Client::new().get(format!("{}/v1/webhook_endpoints", self.url)).bearer_auth(KEY);
        let list: Value = list.send().await.unwrap().json().await.unwrap();
        list["data"].as_array().unwrap().clone()
    }

    /// Makes a destination as a person does in Stripe, and returns its ID.
    async fn make(&self, url: &str, kinds: &[&str]) -> String {
        let mut form = vec![("url".to_owned(), url.to_owned())];
        form.extend(
            kinds.iter().enumerate().map(|(at, kind)| (format!("enabled_events[{at}]"), (*kind).to_owned())),
        );
        let made = reqwest::Client::new().post(format!("{}/v1/webhook_endpoints", self.url)).bearer_auth(KEY);
        let made: Value = made.form(&form).send().await.unwrap().json().await.unwrap();
        made["id"].as_str().unwrap().to_owned()
    }
}

async fn refuse(State(stripe): State<Stripe>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    stripe.requests.lock().unwrap().push(format!("{method} {path}"));
    let found = stripe
        .refusals
        .lock()
        .unwrap()
        .iter()
        .find(|one| one.0 == method && path.starts_with(one.1))
        .cloned();
    match found {
        Some((_, _, status, message)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, axum::Json(json!({ "error": { "message": message } }))).into_response()
        }
        None => next.run(request).await,
    }
}

/// A server that uses the simulator.
fn app(stripe: &Stripe) -> App {
    let folder = tempfile::tempdir().unwrap();
    App::at("https://track.example.com", folder, |trac| trac.with_stripe_api_url(&stripe.url))
}

async fn connect(merchant: &Merchant<'_>) -> Value {
    let answer = merchant.post("/setup/stripe", json!({ "restricted_key": KEY })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = answer.body.to_string();
    assert!(!text.contains("planted") && !text.contains("whsec_"), "{text}");
    answer.body
}

#[tokio::test]
async fn one_key_makes_the_destination_once() {
    let stripe = Stripe::open().await;
    let app = app(&stripe);
    let merchant = app.merchant().await;
    let first = connect(&merchant).await;
    assert_eq!((&first["created"], &first["disabled"]), (&json!(true), &json!([])));
    assert_eq!(first["endpoint"]["signing_secret_count"], 1);
    assert_eq!(first["endpoint"]["stripe_api_key"], "rk_test_…wxyz");
    assert_eq!(first["steps"].as_array().unwrap().len(), 11);
    let made = stripe.destinations().await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["url"], first["endpoint"]["url"]);
    assert_eq!(made[0]["enabled_events"], first["endpoint"]["events"]);
    assert_eq!(made[0]["id"], first["stripe_destination"]);
    assert!(first["stripe_destination"].as_str().unwrap().starts_with("ed_"), "the newer interface");
    check(&merchant, "signing_secret", "done", "is set").await;
    check(&merchant, "event_types", "done", "All 16 event types are selected").await;
    stripe.requests();
    let second = connect(&merchant).await;
    assert_eq!(
        (&second["created"], &second["stripe_destination"]),
        (&json!(false), &first["stripe_destination"])
    );
    assert_eq!(stripe.requests(), ["GET /v1/invoice_payments", "GET /v2/core/event_destinations"]);
    let activity = merchant.get("/activity").await;
    let actions = activity.column("action");
    assert!(actions.contains(&json!("webhook_endpoint.connected")), "{actions:?}");
    assert!(!activity.body.to_string().contains("whsec_"), "{}", activity.body);
}

#[tokio::test]
async fn the_older_interface_is_used_where_the_newer_one_refuses() {
    for refusals in [
        vec![(Method::GET, "/v2/", 403, "no"), (Method::POST, "/v2/", 403, "no")],
        vec![(Method::GET, "/v2/", 404, "Unrecognized request URL"), (Method::POST, "/v2/", 404, "no")],
        vec![(Method::POST, "/v2/", 403, "no")],
    ] {
        let stripe = Stripe::open().await;
        stripe.refuse(&refusals);
        let app = app(&stripe);
        let merchant = app.merchant().await;
        let first = connect(&merchant).await;
        assert!(first["stripe_destination"].as_str().unwrap().starts_with("we_"), "{first}");
        assert_eq!(first["events"].as_array().unwrap().len(), 16);
        assert_eq!(connect(&merchant).await["created"], false);
        assert_eq!(stripe.destinations().await.len(), 1);
    }
}

#[tokio::test]
async fn each_failure_at_stripe_is_explained_and_nothing_is_stored() {
    let both = |status, message| {
        let at = |method: Method, path| (method, path, status, message);
        [
            (Method::GET, "/v1/webhook"),
            (Method::POST, "/v1/webhook"),
            (Method::GET, "/v2/"),
            (Method::POST, "/v2/"),
        ]
        .map(|(method, path)| at(method, path))
        .to_vec()
    };
    let needs = "Having the 'rak_webhook_write' permission would allow this request to continue.";
    for (refusals, want, part) in [
        (both(403, needs), (422, "VALIDATION_FAILED"), "rak_webhook_write"),
        (both(403, ""), (422, "VALIDATION_FAILED"), "Webhook Endpoints: write"),
        (both(401, "Invalid API Key provided"), (422, "VALIDATION_FAILED"), "Invalid API Key"),
        (both(400, "URL must be publicly accessible."), (422, "STRIPE_REFUSED"), "publicly accessible"),
        (both(429, "Too many requests"), (502, "STRIPE_UNREACHABLE"), "Try again"),
        (both(500, ""), (502, "STRIPE_UNREACHABLE"), "Try again"),
        (
            vec![(Method::GET, "/v1/invoice_payments", 403, "no")],
            (422, "VALIDATION_FAILED"),
            "Invoices: read",
        ),
    ] {
        let stripe = Stripe::open().await;
        stripe.refuse(&refusals);
        let app = app(&stripe);
        let merchant = app.merchant().await;
        let answer = merchant.post("/setup/stripe", json!({ "restricted_key": KEY })).await;
        assert_eq!(answer.code(), (want.0, want.1.to_owned()), "{}", answer.body);
        assert!(answer.body.to_string().contains(part), "{part}: {}", answer.body);
        let endpoint = merchant.get("/webhook-endpoints").await;
        assert_eq!(endpoint.column("stripe_api_key"), [Value::Null]);
        stripe.refuse(&[]);
        assert_eq!(connect(&merchant).await["created"], true, "the next call is not excluded");
    }
}

#[tokio::test]
async fn an_absent_stripe_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let app = App::with(|trac| trac.with_stripe_api_url(&gone));
    let merchant = app.merchant().await;
    let answer = merchant.post("/setup/stripe", json!({ "restricted_key": KEY })).await;
    assert_eq!(answer.code(), (502, "STRIPE_UNREACHABLE".to_owned()));
}

#[tokio::test]
async fn only_a_restricted_key_of_the_mode_is_sent_to_stripe() {
    let stripe = Stripe::open().await;
    let app = app(&stripe);
    let (test, live) = app.both_modes().await;
    for (merchant, key, part) in [
        (&test, "sk_test_0123456789abcdef", "can move money"),
        (&test, "rk_live_0123456789abcdef", "other mode"),
        (&live, "rk_test_0123456789abcdef", "other mode"),
        (&test, "rk_test_short", "not a complete key"),
        (&test, "whsec_0123456789abcdef", "must be a restricted key"),
        (&test, "", "must be a restricted key"),
    ] {
        let answer = merchant.post("/setup/stripe", json!({ "restricted_key": key })).await;
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{key}");
        let wrong = answer.text("/error/fields/restricted_key");
        assert!(wrong.contains(part) && (key.is_empty() || !wrong.contains(key)), "{key}: {wrong}");
    }
    assert_eq!(test.post("/setup/stripe", json!({})).await.status, 422);
    assert_eq!(stripe.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_live_destination_needs_a_public_address() {
    let stripe = Stripe::open().await;
    let key = KEY.replace("test", "live");
    for url in ["http://127.0.0.1:8787", "http://track.example.com", "https://10.0.0.1"] {
        let folder = tempfile::tempdir().unwrap();
        let app = App::at(url, folder, |trac| trac.with_stripe_api_url(&stripe.url));
        let (_, live) = app.both_modes().await;
        let answer = live.post("/setup/stripe", json!({ "restricted_key": key })).await;
        assert_eq!(answer.code(), (422, "PUBLIC_URL_UNREACHABLE".to_owned()));
        assert!(answer.text("/error/message").contains("--public-url"), "{}", answer.body);
    }
    assert_eq!(stripe.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_destination_whose_secret_is_here_is_kept_and_completed() {
    let stripe = Stripe::open().await;
    let app = app(&stripe);
    let merchant = app.merchant().await;
    let endpoints = merchant.get("/webhook-endpoints").await;
    let (id, url) = (endpoints.text("/data/0/id"), endpoints.text("/data/0/url"));
    let other = stripe.make("https://another.example.com/hook", &["invoice.paid"]).await;
    let own = stripe.make(&url, &["invoice.paid", "payout.paid"]).await;
    merchant
        .patch(&format!("/webhook-endpoints/{id}"), json!({ "signing_secrets": ["whsec_by_hand"] }))
        .await;
    let connected = connect(&merchant).await;
    assert_eq!((&connected["created"], &connected["stripe_destination"]), (&json!(false), &json!(own)));
    let destinations = stripe.destinations().await;
    assert_eq!(destinations.len(), 2);
    let events =
        |id: &str| destinations.iter().find(|one| one["id"] == id).unwrap()["enabled_events"].clone();
    assert_eq!(events(&other), json!(["invoice.paid"]));
    assert_eq!(events(&own).as_array().unwrap().len(), 17, "the merchant's own type stays");
    assert_eq!(connected["endpoint"]["signing_secret_count"], 1);
}

#[tokio::test]
async fn a_destination_whose_secret_is_unknown_is_replaced_and_disabled() {
    let stripe = Stripe::open().await;
    let app = app(&stripe);
    let merchant = app.merchant().await;
    let endpoints = merchant.get("/webhook-endpoints").await;
    let (id, url) = (endpoints.text("/data/0/id"), endpoints.text("/data/0/url"));
    let old = stripe.make(&url, &["invoice.paid"]).await;
    let connected = connect(&merchant).await;
    assert_eq!((&connected["created"], &connected["disabled"]), (&json!(true), &json!([old])));
    let states: Vec<_> = stripe.destinations().await.iter().map(|one| one["status"].clone()).collect();
    assert_eq!(states, ["disabled", "enabled"]);
    // The secret here no longer is that of the destination: its deliveries are refused.
    merchant.patch(&format!("/webhook-endpoints/{id}"), json!({ "signing_secrets": ["whsec_wrong"] })).await;
    app.trac.clock.advance(1);
    let header = format!("t={START},v1=00");
    let delivery = Request::post(format!("/api/webhooks/{id}")).header("stripe-signature", header);
    assert_eq!(app.send(delivery.body(Body::from("{}")).unwrap()).await.status, 401);
    check(&merchant, "signing_secret", "failed", "refused").await;
    let again = connect(&merchant).await;
    assert_eq!(
        (&again["created"], &again["disabled"]),
        (&json!(true), &json!([connected["stripe_destination"]]))
    );
    assert_eq!(again["endpoint"]["signing_secret_count"], 2, "the old secret stays for deliveries under way");
}

#[tokio::test]
async fn calls_at_the_same_time_make_one_destination() {
    let stripe = Stripe::open().await;
    let app = app(&stripe);
    let merchant = app.merchant().await;
    let call = || merchant.post("/setup/stripe", json!({ "restricted_key": KEY }));
    let answers = tokio::join!(call(), call(), call());
    let answers = [answers.0, answers.1, answers.2];
    let made = answers.iter().filter(|answer| answer.body["created"] == true).count();
    assert_eq!(made, 1);
    for answer in answers {
        let is_fine = answer.status == 200 || answer.code() == (409, "SETUP_UNDER_WAY".to_owned());
        assert!(is_fine, "{}", answer.body);
    }
    assert_eq!(stripe.destinations().await.len(), 1);
}

#[tokio::test]
async fn a_mode_without_an_endpoint_gets_one() {
    let stripe = Stripe::open().await;
    let app = app(&stripe);
    let merchant = app.merchant().await;
    app.rows("DELETE FROM webhook_endpoint".to_owned()).await;
    check(&merchant, "endpoint", "waiting", "no address").await;
    let connected = connect(&merchant).await;
    assert_eq!(stripe.destinations().await[0]["url"], connected["endpoint"]["url"]);
    check(&merchant, "endpoint", "done", "/api/webhooks/we_").await;
}

/// The whole story over sockets: one key, and the events of the simulator arrive and are authentic.
#[tokio::test]
async fn the_events_of_the_new_destination_are_accepted() {
    let stripe = Stripe::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let app = App::at(&url, folder, |trac| trac.with_stripe_api_url(&stripe.url));
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    app.trac.clock.advance(i64::try_from(since.as_secs()).unwrap() - START);
    tokio::spawn(listen::serve(listener, crate::service(app.trac.clone()), pending()));
    let merchant = app.merchant().await;
    let connected = connect(&merchant).await;
    // Stripe answers before it sends the test event.
    let mut found = step(&merchant, "first_event").await;
    while found["status"] != "done" {
        tokio::task::yield_now().await;
        found = step(&merchant, "first_event").await;
        assert_ne!(found["status"], "failed", "{found}");
    }
    let payment = json!({ "link": "test_teachest", "email": "ada@example.com" });
    let paid = reqwest::Client::new().post(format!("{}/stand-in/payments", stripe.url)).json(&payment);
    let paid = paid.send().await.unwrap();
    assert!(paid.status().is_success(), "{}", paid.text().await.unwrap());
    let events = merchant.get("/events").await;
    let kinds = events.column("type");
    assert!(kinds.contains(&json!("checkout.session.completed")), "{kinds:?}");
    assert!(kinds.contains(&json!("v2.core.event_destination.ping")), "{kinds:?}");
    let outcomes = events.column("outcome");
    assert!(!outcomes.contains(&json!("rejected")), "{outcomes:?}");
    check(&merchant, "signing_secret", "done", "is set").await;
    assert_eq!(connected["created"], true);
}
