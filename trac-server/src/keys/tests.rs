use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::store::Priority;
use crate::testing::app::{App, Merchant};

async fn status(app: &App, key: &str) -> u16 {
    let request = Request::get("/api/v1/programs").header("authorization", format!("Bearer {key}"));
    app.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
}

/// The ID of the only key of a kind.
async fn only(merchant: &Merchant<'_>, kind: &str) -> String {
    let keys = merchant.get(&format!("/api-keys?kind={kind}")).await;
    assert_eq!(keys.number("/meta/total"), 1);
    keys.text("/data/0/id")
}

#[tokio::test]
async fn a_new_key_is_shown_once() {
    let app = App::new();
    let merchant = app.merchant().await;
    let made = merchant.post("/api-keys", json!({ "kind": "secret", "name": "cron" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let key = made.text("/key");
    assert!(key.starts_with("sk_test_") && key.ends_with(made.text("/hint").rsplit_once('…').unwrap().1));
    assert_eq!(status(&app, &key).await, 200);
    let listed = merchant.get("/api-keys").await;
    assert_eq!(listed.number("/meta/total"), 3);
    assert!(!listed.body.to_string().contains(&key) && !listed.body.to_string().contains(&merchant.key));
    assert_eq!(merchant.post("/api-keys", json!({ "kind": "master" })).await.status, 422);
}

#[tokio::test]
async fn a_rolled_key_works_until_its_overlap_ends() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = only(&merchant, "secret").await;
    let rolled = merchant.post(&format!("/api-keys/{id}/roll"), json!({ "overlap_hours": 2 })).await;
    assert_eq!(rolled.status, 201, "{}", rolled.body);
    let successor = rolled.text("/key");
    assert_eq!((status(&app, &merchant.key).await, status(&app, &successor).await), (200, 200));
    assert_eq!(merchant.get(&format!("/api-keys/{id}")).await.text("/status"), "expiring");
    app.trac.clock.advance(2 * 3_600);
    assert_eq!((status(&app, &merchant.key).await, status(&app, &successor).await), (401, 200));
}

#[tokio::test]
async fn a_revoked_key_stops_working_at_once_and_the_last_secret_key_cannot_be_revoked() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = only(&merchant, "secret").await;
    let refused = merchant.delete(&format!("/api-keys/{id}")).await;
    assert_eq!(refused.code(), (409, "LAST_SECRET_KEY".to_owned()));
    let other = merchant.post("/api-keys", json!({ "kind": "secret" })).await;
    let revoked = merchant.delete(&format!("/api-keys/{}", other.text("/id"))).await;
    assert_eq!((revoked.status.as_u16(), revoked.text("/status")), (200, "revoked".to_owned()));
    assert_eq!(status(&app, &other.text("/key")).await, 401);
    let again = merchant.post(&format!("/api-keys/{}/roll", other.text("/id")), json!({})).await;
    assert_eq!(again.code(), (409, "KEY_NOT_ACTIVE".to_owned()));
    let pk = only(&merchant, "publishable").await;
    assert_eq!(merchant.delete(&format!("/api-keys/{pk}")).await.status, 200);
    let click = Request::post("/v1/clicks").header("x-publishable-key", &merchant.publishable_key);
    let answer = app.send(click.body(Body::from(r#"{"ref":"ada"}"#)).unwrap()).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_key_shows_when_it_was_last_used() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = only(&merchant, "secret").await;
    app.trac.clock.advance(120);
    merchant.get("/programs").await;
    // The use is recorded after the response. Once this later write is done, the use is stored.
    app.trac.store.write(Priority::Click, |_| Ok(())).await.unwrap();
    let key = merchant.get(&format!("/api-keys/{id}")).await;
    assert_eq!(key.text("/last_used_at"), "2026-11-21T08:02:00Z");
    let pk = only(&merchant, "publishable").await;
    assert_eq!(merchant.get(&format!("/api-keys/{pk}")).await.body["last_used_at"], Value::Null);
}

#[tokio::test]
async fn a_publishable_key_can_be_restricted_to_origins() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = only(&merchant, "publishable").await;
    let path = format!("/api-keys/{id}");
    for wrong in [
        json!([]),
        json!(["shop.example.com"]),
        json!(["https://shop.example.com/"]),
        json!(["https://a@b"]),
        json!(["https://shop.example.com:443"]),
        json!(["http://shop.example.com:80"]),
    ] {
        assert_eq!(merchant.patch(&path, json!({ "allowed_origins": wrong })).await.status, 422, "{wrong}");
    }
    let origins = json!({ "allowed_origins": ["https://shop.example.com"] });
    assert_eq!(merchant.patch(&path, origins.clone()).await.status, 200);
    let secret = only(&merchant, "secret").await;
    assert_eq!(merchant.patch(&format!("/api-keys/{secret}"), origins).await.status, 422);
    let lead = async |origin: Option<&str>| {
        let request = Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        let body = json!({ "eventName": "Sign up", "customerExternalId": "user_1" });
        app.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    assert_eq!(lead(Some("https://evil.example")).await.code(), (403, "ORIGIN_NOT_ALLOWED".to_owned()));
    assert_eq!(lead(None).await.status, 403);
    assert_eq!(lead(Some("https://shop.example.com")).await.status, 201);
    // A call with the workspace's ID instead of a key has the same restriction.
    let by_id = async |origin: &str| {
        let request = Request::post("/api/track/lead").header("x-workspace-id", &merchant.workspace_id);
        let request = request.header("x-trac-mode", "test").header("origin", origin);
        let body = json!({ "eventName": "Sign up", "customerExternalId": "user_1" });
        app.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    assert_eq!(by_id("https://evil.example").await.code(), (403, "ORIGIN_NOT_ALLOWED".to_owned()));
    assert_eq!(by_id("https://shop.example.com").await.status, 200);
    let blog = json!({ "kind": "publishable", "allowed_origins": ["https://blog.example.com"] });
    let blog = merchant.make("/api-keys", blog).await;
    assert_eq!(by_id("https://blog.example.com").await.status, 200, "an origin of any key is allowed");
    merchant.delete(&format!("/api-keys/{blog}")).await;
    assert_eq!(by_id("https://blog.example.com").await.status, 403, "an origin of a revoked key is not");
    merchant.patch(&path, json!({ "allowed_origins": null })).await;
    assert_eq!(lead(None).await.status, 200);
    assert_eq!(by_id("https://evil.example").await.status, 200);
}
