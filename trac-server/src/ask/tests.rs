mod lines;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::Asker;
use crate::testing::app::App;
use crate::testing::shop::{DAY, Shop, charge, invoice};

const KEY: &str = "rk_test_planted0123456789wxyz";

/// A simulator of Stripe that sends prepared responses, and records its requests.
#[derive(Clone, Default)]
struct Api {
    /// With `None` it never responds.
    answers: Arc<Mutex<VecDeque<Option<Response>>>>,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    /// Notified at each request.
    requested: Arc<Notify>,
    url: String,
}

impl Api {
    async fn open(app: &App) -> (Self, Asker) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self { url: format!("http://{}/", listener.local_addr().unwrap()), ..Self::default() };
        let router = Router::new()
            .route("/v1/invoice_payments", get(answer))
            .route("/v1/invoices/{id}/lines", get(answer))
            .with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let asker = Asker::new(app.trac.clone().with_stripe_api_url(&api.url));
        (api, asker)
    }

    /// Prepares the response to the next request.
    fn will_send(&self, answer: impl IntoResponse) {
        self.answers.lock().unwrap().push_back(Some(answer.into_response()));
    }

    fn will_hang(&self) {
        self.answers.lock().unwrap().push_back(None);
    }

    fn will_name(&self, invoice: &str, payment_intent: &str) {
        let link = json!({ "id": "inpay_1", "object": "invoice_payment", "invoice": invoice, "status": "paid",
            "livemode": false, "payment": { "type": "payment_intent", "payment_intent": payment_intent } });
        self.will_send(axum::Json(json!({ "object": "list", "data": [link], "has_more": false })));
    }

    fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The URIs of its requests, with their queries.
    fn request_uris(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(uri, _)| uri.clone()).collect()
    }
}

/// The next prepared response, or an empty list.
async fn answer(State(api): State<Api>, uri: Uri, headers: HeaderMap) -> Response {
    api.requests.lock().unwrap().push((uri.to_string(), headers));
    api.requested.notify_one();
    let planned = api.answers.lock().unwrap().pop_front();
    match planned {
        Some(Some(answer)) => answer,
        Some(None) => pending().await,
        None => axum::Json(json!({ "object": "list", "data": [] })).into_response(),
    }
}

/// An error in Stripe's format.
fn error(status: u16, message: &str) -> Response {
    let body = axum::Json(json!({ "error": { "message": message } }));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// A shop where a renewal of 50.00 was paid by two charges, and one was refunded: no event links that charge
/// to the invoice.
async fn unlinked(app: &App) -> Shop<'_> {
    let shop = Shop::open(app, json!({})).await;
    let metadata = json!({ "tracClickId": shop.click });
    let parent = json!({ "subscription_details": { "subscription": "sub_1", "metadata": metadata } });
    assert_eq!(
        shop.deliver_object("invoice.paid", 0, invoice("in_1", json!({ "parent": parent }))).await,
        "processed ok"
    );
    let refunded = charge(2_000, json!({ "amount": 2_000, "amount_captured": 2_000, "customer": "cus_1" }));
    assert_eq!(shop.deliver_object("charge.refunded", 9, refunded).await, "deferred payment_unlinked");
    app.trac.clock.advance(60);
    shop
}

impl Shop<'_> {
    async fn set_key(&self, key: Value) {
        let path = format!("/webhook-endpoints/{}", self.endpoint);
        let answer = self.merchant.patch(&path, json!({ "stripe_api_key": key })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    async fn problem(&self) -> Value {
        let path = format!("/webhook-endpoints/{}", self.endpoint);
        self.merchant.get(&path).await.body["stripe_api_key_problem"].clone()
    }

    /// The refund's event.
    async fn refund(&self) -> Value {
        self.merchant.get("/events?type=charge.refunded").await.body["data"][0].clone()
    }
}

#[tokio::test]
async fn stripes_answer_settles_the_waiting_refund_and_is_logged_and_explained() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let (api, asker) = Api::open(&app).await;
    assert_eq!((asker.round().await.unwrap(), api.request_count()), (0, 0), "no request without a key");
    assert_eq!(shop.net().await, 1_000);

    shop.set_key(json!(KEY)).await;
    api.will_name("in_1", "pi_1");
    assert_eq!(asker.round().await.unwrap(), 1);
    let (uri, headers) = api.requests.lock().unwrap()[0].clone();
    assert_eq!(
        uri,
        "/v1/invoice_payments?payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=pi_1&limit=10"
    );
    assert_eq!(headers["authorization"], format!("Bearer {KEY}").as_str());
    assert_eq!(headers["stripe-version"], super::stripe::VERSION);
    assert!(!headers.contains_key("stripe-account"));
    assert_eq!(shop.net().await, 600, "two fifths of the payment, and so of the commission, went back");

    let answer = shop.merchant.get("/events?type=invoice_payment.paid").await.body["data"][0].clone();
    assert_eq!((&answer["stripe_event_id"], &answer["outcome"]), (&Value::Null, &json!("processed")));
    assert_eq!(answer["asked_at"], "2026-11-21T08:01:00Z");
    assert_eq!(answer["message"], "Stripe was asked, and named the invoice in_1.");
    let refund = shop.refund().await;
    assert_eq!((&refund["outcome"], &refund["settled_by"]), (&json!("processed"), &answer["id"]));
    assert_eq!(refund["asked_at"], Value::Null);
    let story = shop.merchant.get("/explain/ch_1").await.body.to_string();
    assert!(story.contains("2026-11-21T08:01:00Z") && story.contains("named the invoice in_1"), "{story}");

    assert_eq!(asker.round().await.unwrap(), 0, "no question is open any more");
    let replayed = crate::operate::replay::replay_all(
        &app.trac,
        trac_core::time::Timestamp::default(),
        crate::operate::replay::Rules::Then,
        false,
    )
    .await;
    assert_eq!(replayed.unwrap()["changed"], json!([]));
    assert_eq!((shop.net().await, api.request_count()), (600, 1), "a replay sends no request");
}

#[tokio::test]
async fn an_answer_that_arrives_before_its_invoice_is_used_later() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    let refunded = charge(5_000, json!({ "amount": 5_000, "amount_captured": 5_000 }));
    assert_eq!(shop.deliver_object("charge.refunded", 9, refunded).await, "deferred payment_unknown");
    assert_eq!(
        asker.round().await.unwrap(),
        0,
        "the missing event may still follow an event that has just arrived"
    );
    app.trac.clock.advance(60);
    api.will_name("in_1", "pi_1");
    assert_eq!(asker.round().await.unwrap(), 1);
    assert_eq!(shop.refund().await["outcome"], "deferred", "the sale itself is still unknown");
    app.trac.clock.advance(DAY);
    assert_eq!(
        (asker.round().await.unwrap(), api.request_count()),
        (0, 1),
        "an answered question is not asked again"
    );
    let metadata = json!({ "tracClickId": shop.click });
    let parent = json!({ "subscription_details": { "subscription": "sub_1", "metadata": metadata } });
    shop.deliver_object("invoice.paid", 0, invoice("in_1", json!({ "parent": parent }))).await;
    assert_eq!((shop.refund().await["outcome"].clone(), shop.net().await), (json!("processed"), 0));
}

#[tokio::test]
async fn a_key_that_stripe_rejects_is_reported_and_not_used_until_another_is_set() {
    for status in [401, 403] {
        let app = App::new();
        let shop = unlinked(&app).await;
        let (api, asker) = Api::open(&app).await;
        shop.set_key(json!(KEY)).await;
        api.will_send(error(
            status,
            "Having the 'rak_invoice_read' permission would allow this request to continue.",
        ));
        assert_eq!(asker.round().await.unwrap(), 1);
        let problem = shop.problem().await;
        assert!(
            problem.as_str().unwrap().starts_with(&format!("Stripe answered {status}: Having")),
            "{problem}"
        );
        let names_permission =
            problem.as_str().unwrap().ends_with("The key needs the permission Invoices: read.");
        assert_eq!(names_permission, status == 403, "{problem}");
        app.trac.clock.advance(DAY);
        assert_eq!((asker.round().await.unwrap(), api.request_count()), (0, 1));
        assert_eq!(app.visit("/readyz", &[]).await.status, 200, "the server stays ready");
        let story = shop.merchant.get("/explain/ch_1").await.body.to_string();
        assert!(story.contains("rak_invoice_read"), "{story}");

        shop.set_key(json!("rk_test_another0123456789abcd")).await;
        assert_eq!(shop.problem().await, Value::Null);
        api.will_name("in_1", "pi_1");
        assert_eq!((asker.round().await.unwrap(), shop.net().await), (1, 600), "the new key is used at once");
    }
}

#[tokio::test]
async fn no_request_is_sent_until_retry_after_has_passed() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    api.will_send((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")]));
    assert_eq!(asker.round().await.unwrap(), 1);
    let check = async |secs: i64, want: usize| {
        app.trac.clock.advance(secs);
        assert_eq!(asker.round().await.unwrap(), want, "{secs} seconds later");
    };
    check(0, 0).await;
    check(119, 0).await;
    api.will_name("in_1", "pi_1");
    check(1, 1).await;
    assert_eq!(shop.net().await, 600);
}

#[tokio::test]
async fn a_question_without_an_answer_is_asked_twelve_times_and_no_more() {
    let app = App::new();
    let shop = unlinked(&app).await;
    shop.set_key(json!(KEY)).await;
    // No server listens at this address any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let asker = Asker::new(app.trac.clone().with_stripe_api_url(&format!("http://{gone}")));
    let mut tries = 0;
    for _ in 0..30 {
        tries += asker.round().await.unwrap();
        assert_eq!(asker.round().await.unwrap(), 0, "there is a pause after each try");
        app.trac.clock.advance(DAY);
    }
    assert_eq!(tries, 12);
    assert_eq!(shop.problem().await, Value::Null, "the key is not the cause");
    let story = shop.merchant.get("/explain/ch_1").await.body.to_string();
    assert!(story.contains("Stripe could not be reached"), "{story}");
}

#[tokio::test]
async fn the_pauses_between_tries_grow() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    for pause in [30, 60, 120, 240] {
        api.will_send(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(asker.round().await.unwrap(), 1);
        app.trac.clock.advance(pause - 1);
        assert_eq!(asker.round().await.unwrap(), 0, "{pause}");
        app.trac.clock.advance(1);
    }
}

#[tokio::test]
async fn a_payment_intent_without_an_invoice_is_asked_about_three_times_and_stays_deferred() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    // A link of another payment, a link of another mode, and no link: none of them is used.
    api.will_name("in_1", "pi_other");
    let live = json!({ "invoice": "in_1", "livemode": true, "payment": { "payment_intent": "pi_1" } });
    api.will_send(axum::Json(json!({ "data": [live] })));
    api.will_send(error(404, "No such payment_intent"));
    for _ in 0..10 {
        asker.round().await.unwrap();
        app.trac.clock.advance(DAY);
    }
    assert_eq!((api.request_count(), shop.net().await), (3, 1_000));
    let refund = shop.refund().await;
    assert_eq!((&refund["outcome"], &refund["reason"]), (&json!("deferred"), &json!("payment_unlinked")));
    assert_eq!(shop.merchant.get("/events?type=invoice_payment.paid").await.number("/meta/total"), 0);
}

#[tokio::test]
async fn a_question_interrupted_by_a_crash_is_asked_again_after_the_restart() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    // The process ends after the try is recorded and before the answer is.
    let scope = crate::store::Scope::new(&shop.merchant.workspace_id, trac_core::program::Mode::Test);
    let (key, endpoint_id) = (KEY.to_owned(), shop.endpoint.clone());
    let now = app.trac.clock.now();
    let vault = app.trac.store.vault();
    let begun = app.trac.store.write(crate::store::Priority::Api, move |tx| {
        let account =
            super::Account::all(tx, &vault, now)?.into_iter().find(|one| one.scope == scope).unwrap();
        assert_eq!((account.key.reveal(), &account.endpoint_id), (key.as_str(), &endpoint_id));
        let rows = tx.within(&account.scope);
        let due = super::Question::due(rows, &account, now)?;
        assert_eq!(due.len(), 1);
        due[0].begin(rows, now)
    });
    assert!(begun.await.unwrap());
    assert_eq!(asker.round().await.unwrap(), 0, "another server may be asking");
    app.trac.clock.advance(30);
    api.will_name("in_1", "pi_1");
    let restarted = Asker::new(app.trac.clone().with_stripe_api_url(&api.url));
    assert_eq!((restarted.round().await.unwrap(), shop.net().await), (1, 600));
}

#[tokio::test]
async fn a_key_of_another_workspace_account_or_mode_is_never_used() {
    let app = App::new();
    let ours = unlinked(&app).await;
    let (api, asker) = Api::open(&app).await;
    // All others have a key: another workspace, our live mode, and our endpoint of a connected account.
    let (theirs, theirs_live) = app.both_modes().await;
    theirs.make("/webhook-endpoints", json!({ "stripe_api_key": KEY })).await;
    let live = json!({ "stripe_api_key": "rk_live_0123456789abcdef" });
    theirs_live.make("/webhook-endpoints", live).await;
    let connected = json!({ "stripe_api_key": KEY, "stripe_account": "acct_1" });
    ours.merchant.make("/webhook-endpoints", connected).await;
    assert_eq!((asker.round().await.unwrap(), api.request_count()), (0, 0));
    // A second endpoint of the same account gets a key: it is used.
    let second = ours.merchant.make("/webhook-endpoints", json!({ "stripe_api_key": KEY })).await;
    api.will_name("in_1", "pi_1");
    assert_eq!((asker.round().await.unwrap(), ours.net().await), (1, 600));
    let answer = ours.merchant.get("/events?type=invoice_payment.paid").await;
    assert_eq!(answer.text("/data/0/endpoint_id"), second);
}

#[tokio::test]
async fn a_connected_account_is_sent_in_the_stripe_account_header() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let (api, asker) = Api::open(&app).await;
    let path = format!("/webhook-endpoints/{}", shop.endpoint);
    let change = json!({ "stripe_account": "acct_1", "stripe_api_key": KEY });
    assert_eq!(shop.merchant.patch(&path, change).await.status, 200);
    api.will_name("in_1", "pi_1");
    assert_eq!((asker.round().await.unwrap(), shop.net().await), (1, 600));
    assert_eq!(api.requests.lock().unwrap()[0].1["stripe-account"], "acct_1");
}

#[tokio::test]
async fn a_key_can_be_set_and_is_never_returned() {
    let app = App::new();
    let merchant = app.merchant().await;
    let made = merchant.post("/webhook-endpoints", json!({ "stripe_api_key": KEY })).await;
    assert_eq!((made.status.as_u16(), made.text("/stripe_api_key")), (201, "rk_test_…wxyz".to_owned()));
    let path = format!("/webhook-endpoints/{}", made.text("/id"));
    for refused in
        [json!("sk_test_0123456789abcdef01"), json!("rk_live_0123456789abcdef01"), json!(""), json!(7)]
    {
        let answer = merchant.patch(&path, json!({ "stripe_api_key": refused })).await;
        assert_eq!(answer.status, 422, "{refused}");
        assert!(answer.body["error"]["fields"]["stripe_api_key"].is_string());
        assert!(!answer.body.to_string().contains("0123456789"), "an error contains no key");
    }
    assert_eq!(merchant.get(&path).await.text("/stripe_api_key"), "rk_test_…wxyz");
    let removed = merchant.patch(&path, json!({ "stripe_api_key": null })).await;
    assert_eq!(removed.body["stripe_api_key"], Value::Null);
}
