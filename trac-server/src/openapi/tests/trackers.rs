//! The routes that pages call, with every kind of wrong key and beyond the rate limit.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::super::operations::{Caller, OPERATIONS, Operation};
use crate::testing::app::{Answer, App};

fn of_pages() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().filter(|operation| matches!(operation.caller, Caller::Page | Caller::Tracker))
}

async fn send_empty(app: &App, operation: &Operation, headers: &[(&str, &str)]) -> Answer {
    send(app, operation, headers, "{}").await
}

async fn send(app: &App, operation: &Operation, headers: &[(&str, &str)], body: &'static str) -> Answer {
    let request = Request::builder().method(operation.method).uri(operation.path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn every_route_for_pages_rejects_a_wrong_key() {
    let app = App::new();
    let merchant = app.merchant().await;
    let revoked = merchant.post("/api-keys", json!({ "kind": "publishable" })).await;
    merchant.delete(&format!("/api-keys/{}", revoked.text("/id"))).await;
    let (revoked, unknown) = (revoked.text("/key"), format!("pk_test_{}", "0".repeat(40)));
    let unknown_workspace = format!("ws_{}", "0".repeat(32));
    let bearer = format!("Bearer sk_test_{}", "0".repeat(40));
    let publishable = format!("Bearer {}", merchant.publishable_key);
    let wrong: [&[(&str, &str)]; 8] = [
        &[],
        &[("x-publishable-key", "")],
        &[("x-publishable-key", &revoked)],
        &[("x-publishable-key", &unknown)],
        &[("x-publishable-key", &merchant.key)],
        &[("x-workspace-id", &unknown_workspace)],
        &[("authorization", &bearer)],
        &[("authorization", &publishable)],
    ];
    let mut tried = 0;
    for operation in of_pages() {
        for headers in wrong {
            let answer = send_empty(&app, operation, headers).await;
            let at = format!("{} with {headers:?}: {}", operation.path, answer.body);
            assert_eq!(answer.code(), (401, "UNAUTHORIZED".to_owned()), "{at}");
            tried += 1;
        }
    }
    assert!(tried >= 32, "{tried}");
}

#[tokio::test]
async fn pages_may_make_a_thousand_valid_calls_of_a_kind_a_minute() {
    for operation in of_pages() {
        let app = App::new();
        let merchant = app.merchant().await;
        merchant.program_and_partner().await;
        let key = [("x-publishable-key", merchant.publishable_key.as_str())];
        let body = match operation.path {
            "/api/track/lead" => r#"{"eventName": "Sign up", "customerExternalId": "user_1"}"#,
            "/api/track/conversion" => {
                r#"{"amount": 100, "currency": "usd", "externalTransactionId": "order_1"}"#
            }
            _ => r#"{"ref": "ada"}"#,
        };
        for _ in 0..1_000 {
            assert_eq!(send_empty(&app, operation, &key).await.status, 422, "invalid calls do not count");
            let answer = send(&app, operation, &key, body).await;
            assert!(
                answer.status.is_success() || answer.status == 409,
                "{}: {}",
                operation.path,
                answer.body
            );
        }
        let late = send(&app, operation, &key, body).await;
        assert_eq!(late.code(), (429, "RATE_LIMITED".to_owned()), "{}", operation.path);
        assert_eq!(late.header("retry-after"), "60", "{}", operation.path);
        app.trac.clock.advance(60);
        assert_eq!(send_empty(&app, operation, &key).await.status, 422, "{}", operation.path);
    }
}
