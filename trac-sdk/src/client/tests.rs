use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::*;

/// Serves a handler on the loopback; returns the base URL and how often it was called.
async fn serve<F, R>(handler: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(usize) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send,
{
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let respond = move |_: Request| handler(counter.fetch_add(1, Ordering::SeqCst));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await.unwrap() });
    (base_url, calls)
}

/// A client of a server that always sends this response.
async fn client_of(status: StatusCode, header: (&'static str, &'static str), body: Value) -> TracClient {
    let header = (HeaderName::from_static(header.0), header.1);
    let (base_url, _) =
        serve(move |_| std::future::ready((status, [header.clone()], Json(body.clone())).into_response()))
            .await;
    TracClient::new(&base_url, "sk_test_1").unwrap()
}

const NO_HEADER: (&str, &str) = ("x-other", "");

fn recorded() -> Response {
    (StatusCode::CREATED, Json(json!({ "id": "lead_1", "attributed": false }))).into_response()
}

#[tokio::test]
async fn the_status_determines_the_effect_of_a_reported_conversion() {
    let check = async |status: StatusCode, body: Value| {
        let client = client_of(status, NO_HEADER, body).await;
        client.track_conversion(&Conversion::new("order_1", "purchase")).await
    };
    let sale = json!({ "id": "conv_1", "attributed": true, "reason": "ok", "click_id": "clk_1" });
    let receipt = Receipt::read(&sale).unwrap();
    assert_eq!(check(StatusCode::CREATED, sale.clone()).await, Ok(Reported::New(receipt.clone())));
    assert_eq!(check(StatusCode::OK, sale).await, Ok(Reported::Completed(receipt)));
    let before =
        json!({ "error": { "code": "CONVERSION_DUPLICATE", "message": "…", "conversion_id": "conv_1" } });
    assert_eq!(check(StatusCode::CONFLICT, before).await, Ok(Reported::Duplicate("conv_1".to_owned())));
}

#[tokio::test]
async fn a_rejection_names_fields_and_request() {
    let fields = json!({ "eventName": "is required", "mode": "must be deferred, or left out" });
    let body = json!({ "error": {
        "code": "VALIDATION_FAILED", "message": "Wrong.", "request_id": "req_1", "fields": fields
    } });
    let client = client_of(StatusCode::UNPROCESSABLE_ENTITY, NO_HEADER, body).await;
    let error = client.track_lead(&Lead::new("", "user_1")).await.unwrap_err();
    let want = "422 VALIDATION_FAILED: Wrong. (eventName: is required; mode: must be deferred, or left out)";
    assert_eq!(error.to_string(), want);
    let ClientError::Refused { fields, request_id, .. } = error else { panic!("{error}") };
    assert_eq!((fields.len(), request_id.as_deref()), (2, Some("req_1")));
}

#[tokio::test]
async fn a_response_that_is_not_from_trac_has_the_code_not_trac() {
    for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
        let client = client_of(status, NO_HEADER, json!("a page")).await;
        let error = client.track_lead(&Lead::new("Sign up", "user_1")).await.unwrap_err();
        let want = format!("{} NOT_TRAC: the response is not from a trac server", status.as_u16());
        assert!(error.to_string().starts_with(&want), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_target_is_named() {
    let target = "https://track.example.com/api/track/lead";
    let client = client_of(StatusCode::MOVED_PERMANENTLY, ("location", target), Value::Null).await;
    let error = client.track_lead(&Lead::new("Sign up", "user_1")).await.unwrap_err();
    assert_eq!(error, ClientError::Redirected { status: 301, location: target.to_owned() });
    assert!(error.to_string().contains(target), "{error}");
}

#[tokio::test]
async fn a_call_that_is_still_being_processed_is_retried() {
    let (base_url, calls) = serve(|call| {
        let body = Json(json!({ "error": { "code": "IDEMPOTENCY_KEY_IN_USE", "message": "…" } }));
        let busy = (StatusCode::CONFLICT, [("retry-after", "0")], body).into_response();
        std::future::ready(if call == 0 { busy } else { recorded() })
    })
    .await;
    let client = TracClient::new(&base_url, "sk_test_1").unwrap();
    client.track_lead(&Lead::new("Sign up", "user_1")).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_response_is_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let complete = r#"{"id":"lead_1","attributed":false}"#;
        for body in ["{", complete] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                socket.read_buf(&mut request).await.unwrap();
            }
            let length = complete.len();
            let response = format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n{body}");
            socket.write_all(response.as_bytes()).await.unwrap();
        }
    });
    let client = TracClient::new(&base_url, "sk_test_1").unwrap();
    let receipt = client.track_lead(&Lead::new("Sign up", "user_1")).await.unwrap();
    assert_eq!(receipt.id, "lead_1");
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_error_for_an_unreachable_server_has_the_cause_and_no_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = TracClient::new(&base_url, "sk_test_1").unwrap();
    let error = client.track_lead(&Lead::new("Sign up", "user_1")).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!error.to_string().contains(&base_url), "{error}");
}

#[tokio::test]
async fn no_more_reports_than_the_limit_are_sent_at_the_same_time() {
    let (sender, mut counts) = mpsc::unbounded_channel();
    let (release, in_flight) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::clone(&release);
    let (base_url, calls) = serve(move |_| {
        let (sender, gate, in_flight) = (sender.clone(), Arc::clone(&gate), Arc::clone(&in_flight));
        async move {
            sender.send(in_flight.fetch_add(1, Ordering::SeqCst) + 1).unwrap();
            gate.acquire().await.unwrap().forget();
            in_flight.fetch_sub(1, Ordering::SeqCst);
            recorded()
        }
    })
    .await;
    let client = TracClient::new(&base_url, "sk_test_1").unwrap();
    let all = SENT_AT_ONCE + 8;
    for number in 0..all {
        client.clone().send_lead(Lead::new("Sign up", &format!("user_{number}")));
    }
    let mut most = 0;
    for _ in 0..SENT_AT_ONCE {
        most = most.max(counts.recv().await.unwrap());
    }
    assert_eq!(most, SENT_AT_ONCE);
    release.add_permits(all);
    assert_eq!(client.flush().await, []);
    assert_eq!(calls.load(Ordering::SeqCst), all);
    counts.close();
    while let Some(number) = counts.recv().await {
        assert!(number <= SENT_AT_ONCE, "{number} at once");
    }
}

#[tokio::test]
async fn a_failed_report_is_returned_once_with_what_was_sent() {
    let (base_url, _) = serve(|call| {
        std::future::ready(if call == 1 { StatusCode::NOT_FOUND.into_response() } else { recorded() })
    })
    .await;
    let client = TracClient::new(&base_url, "sk_test_1").unwrap();
    client.send_lead(Lead::new("Sign up", "user_1"));
    assert_eq!(client.flush().await, []);
    let sale = Conversion { amount: Some((1, "usd".to_owned())), ..Conversion::new("order_1", "purchase") };
    client.send_conversion(sale.clone());
    let failed = client.flush().await;
    let [Failed { item, error: ClientError::Refused { status: 404, .. } }] = failed.as_slice() else {
        panic!("{failed:?}")
    };
    assert_eq!(item, &Item::Conversion(sale));
    let text = failed.iter().map(ToString::to_string).collect::<String>();
    assert!(text.starts_with(r#"conversion "order_1": 404 NOT_TRAC: "#), "{text}");
    assert_eq!(client.flush().await, []);
}

#[tokio::test]
async fn a_cancelled_flush_loses_no_failure() {
    let release = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&release);
    let (base_url, _) = serve(move |_| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            StatusCode::NOT_FOUND.into_response()
        }
    })
    .await;
    let client = TracClient::new(&base_url, "sk_test_1").unwrap();
    client.send_lead(Lead::new("Sign up", "user_1"));
    assert!(tokio::time::timeout(Duration::ZERO, client.flush()).await.is_err());
    release.add_permits(1);
    let (one, other) = tokio::join!(client.flush(), client.flush());
    assert_eq!(one.len() + other.len(), 1, "each failure is returned once");
}

#[test]
fn a_report_interrupted_by_the_end_of_its_runtime_is_returned() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = TracClient::new("http://127.0.0.1:1", "sk_test_1").unwrap();
    let lead = Lead::new("Sign up", "user_1");
    runtime().block_on(async { client.send_lead(lead.clone()) });
    let failed = runtime().block_on(client.flush());
    assert_eq!(failed, [Failed { item: Item::Lead(lead), error: ClientError::Interrupted }]);
}

#[test]
fn bodies_have_the_field_names_of_the_api() {
    let lead =
        Lead { deferred: true, customer_email: Some("a@b".to_owned()), ..Lead::new("Sign up", "user_1") };
    let want = json!({
        "eventName": "Sign up", "customerExternalId": "user_1", "clickId": null, "customerEmail": "a@b",
        "customerName": null, "metadata": {}, "mode": "deferred",
    });
    assert_eq!(lead.body(), want);
    let sale = Conversion {
        amount: Some((4_900, "usd".to_owned())),
        customer_email: Some("a@b".to_owned()),
        ..Conversion::new("order_1", "purchase")
    };
    let want = json!({
        "external_transaction_id": "order_1", "event_type": "purchase", "amount_cents": 4_900, "currency": "usd",
        "click_id": null, "promo_code": null, "customer_external_id": null, "customer_email": "a@b",
        "occurred_at": null,
    });
    assert_eq!(sale.body(), want);
}

#[test]
fn a_key_is_checked_and_not_printed() {
    for key in ["", "sk_test_1\n", "sk test", "sk_tést", &"x".repeat(256)] {
        let error = TracClient::new("https://track.example.com", key).unwrap_err();
        assert_eq!(error, ClientError::InvalidKey, "{key:?}");
    }
    let client = TracClient::new("https://track.example.com/", &"x".repeat(255)).unwrap();
    assert_eq!(format!("{client:?}"), r#"TracClient { base_url: "https://track.example.com", .. }"#);
}
