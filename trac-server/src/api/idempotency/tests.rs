use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::app::{Answer, App, Merchant};

async fn post(app: &App, merchant: &Merchant<'_>, path: &str, key: &str, body: Value) -> Answer {
    let request = Request::post(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {}", merchant.key))
        .header("idempotency-key", key);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_call_under_a_key_has_its_effect_once() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let first = post(&app, &test, "/partners", "k1", json!({ "name": "Ada" })).await;
    let again = post(&app, &test, "/partners", "k1", json!({ "name": "Ada" })).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!(first.body, again.body);
    assert_eq!(test.get("/partners").await.number("/meta/total"), 1);
    let reused = post(&app, &test, "/partners", "k1", json!({ "name": "Bea" })).await;
    assert_eq!(reused.code(), (422, "IDEMPOTENCY_KEY_REUSED".to_owned()));
    // Another mode, another key, or another day: another call.
    assert_eq!(post(&app, &live, "/partners", "k1", json!({ "name": "Ada" })).await.status, 201);
    assert_eq!(post(&app, &test, "/partners", "k2", json!({ "name": "Ada" })).await.status, 201);
    app.trac.clock.advance(86_401);
    let later = post(&app, &test, "/partners", "k1", json!({ "name": "Ada" })).await;
    assert_eq!((later.status.as_u16(), later.header("idempotent-replayed")), (201, ""));
    assert_eq!(test.get("/partners").await.number("/meta/total"), 3);
}

#[tokio::test]
async fn an_error_is_not_stored_and_concurrent_calls_take_effect_once() {
    let app = App::new();
    let merchant = app.merchant().await;
    assert_eq!(post(&app, &merchant, "/partners", "k1", json!({})).await.status, 422);
    let ada = || json!({ "name": "Ada" });
    let both = tokio::join!(
        post(&app, &merchant, "/partners", "k1", ada()),
        post(&app, &merchant, "/partners", "k1", ada())
    );
    let statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(merchant.get("/partners").await.number("/meta/total"), 1);
}

#[tokio::test]
async fn an_invalid_key_is_refused_and_no_caller_sees_anothers_response() {
    let app = App::new();
    let merchant = app.merchant().await;
    for key in ["", &"x".repeat(256)] {
        let answer = post(&app, &merchant, "/partners", key, json!({ "name": "Ada" })).await;
        assert_eq!(answer.status, 422, "{key:?}");
    }
    for key in ["", "k1"] {
        let request = Request::post("/api/v1/partners").header("idempotency-key", key);
        assert_eq!(app.send(request.body(Body::empty()).unwrap()).await.status, 401, "{key:?}");
    }
    post(&app, &merchant, "/partners", "k1", json!({ "name": "Ada" })).await;
    let made = post(&app, &merchant, "/api-keys", "k2", json!({ "kind": "secret" })).await;
    assert_eq!(made.status, 201);
    let again = post(&app, &merchant, "/api-keys", "k2", json!({ "kind": "secret" })).await;
    assert_eq!(again.code(), (409, "IDEMPOTENCY_KEY_IN_USE".to_owned()));
    let other = app.merchant().await;
    let theirs = post(&app, &other, "/partners", "k1", json!({ "name": "Ada" })).await;
    assert_eq!((theirs.status.as_u16(), theirs.header("idempotent-replayed")), (201, ""));
}
