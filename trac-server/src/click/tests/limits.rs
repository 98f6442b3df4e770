use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use serde_json::{Value, json};

use super::{ask, link};
use crate::testing::app::{Answer, App, Merchant};

/// Sends a request from an IP address.
async fn from(app: &App, address: [u8; 4], request: axum::http::request::Builder, body: Value) -> Answer {
    let request = request.extension(ConnectInfo(SocketAddr::from((address, 4_711))));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    app.send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn the_1001st_click_within_a_minute_is_refused_under_every_key_of_the_workspace() {
    let app = App::new();
    let merchant = app.merchant().await;
    merchant.program_and_partner().await;
    let other = merchant.post("/api-keys", json!({ "kind": "publishable" })).await.text("/key");
    let call = async |key: &str| ask(&app, key, json!({ "ref": "ada" })).await;
    let junk = async |key: &str, body: Value, want: u16| {
        assert_eq!(ask(&app, key, body.clone()).await.status, want, "{body}");
    };
    for _ in 0..600 {
        junk(&merchant.publishable_key, json!({ "ref": "nobody" }), 404).await;
        junk(&merchant.publishable_key, json!({ "ref": "a b" }), 422).await;
    }
    for call_number in 0..1_000 {
        let key = if call_number % 2 == 0 { &merchant.publishable_key } else { &other };
        assert_eq!(call(key).await.status, 201, "{call_number}");
    }
    let refused = call(&other).await;
    assert_eq!(refused.code(), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(call(&merchant.publishable_key).await.status, 429);
    junk(&other, json!({ "ref": "nobody" }), 429).await;
    assert_eq!(merchant.get("/clicks?limit=1").await.number("/meta/total"), 1_000);
    for stranger in 0..50 {
        junk(&format!("pk_test_{stranger}"), json!({ "ref": "nobody" }), 401).await;
    }
    let limiter = format!("{:?}", app.trac.limits.workspaces);
    assert_eq!(limiter, "Limiter { buckets: 1 }", "an unknown key has no bucket");
    app.trac.clock.advance(59);
    assert_eq!(call(&other).await.header("retry-after"), "1");
    assert_eq!(refused.header("retry-after"), "60");
    app.trac.clock.advance(1);
    assert_eq!(call(&other).await.status, 201);
}

#[tokio::test]
async fn leads_sent_with_a_key_and_with_the_workspace_id_share_one_limit() {
    let app = App::new();
    let merchant = app.merchant().await;
    let lead = async |headers: &[(&str, &str)]| {
        let request = axum::http::Request::post("/api/track/lead");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let body = json!({ "eventName": "Sign up", "customerExternalId": "user_1" });
        app.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let by_id = [("x-workspace-id", merchant.workspace_id.as_str()), ("x-trac-mode", "test")];
    let by_key = [("x-publishable-key", merchant.publishable_key.as_str())];
    for _ in 0..500 {
        assert!(lead(&by_id).await.status.is_success());
        assert!(lead(&by_key).await.status.is_success());
    }
    for name in [&by_id[..], &by_key[..]] {
        assert_eq!(lead(name).await.code(), (429, "RATE_LIMITED".to_owned()), "{name:?}");
    }
    assert_eq!(
        ask(&app, &merchant.publishable_key, json!({ "ref": "nobody" })).await.status,
        404,
        "another kind of call has its own limit"
    );
}

#[tokio::test]
async fn one_address_cannot_use_up_the_limit_of_a_workspace() {
    let app = App::new();
    let merchant = app.merchant().await;
    merchant.program_and_partner().await;
    let call = async |address: [u8; 4], body: Value| {
        let request =
            axum::http::Request::post("/v1/clicks").header("x-publishable-key", &merchant.publishable_key);
        from(&app, address, request, body).await
    };
    let attacker = [203, 0, 113, 7];
    for number in 0..300 {
        let body = if number % 2 == 0 { json!({ "ref": "ada" }) } else { json!({ "ref": "nobody" }) };
        assert!(call(attacker, body).await.status != 429, "{number}");
    }
    for _ in 0..1_000 {
        let refused = call(attacker, json!({ "ref": "ada" })).await;
        assert_eq!(refused.code(), (429, "RATE_LIMITED".to_owned()));
        assert_eq!(refused.header("retry-after"), "60");
    }
    let lead =
        axum::http::Request::post("/api/track/lead").header("x-publishable-key", &merchant.publishable_key);
    assert_eq!(
        from(&app, attacker, lead, json!({})).await.status,
        429,
        "all calls of pages are counted together"
    );
    // 850 are left for other callers. An address that is not public may be a proxy's, and has no limit of its
    // own.
    for visitor in 0..849_u16 {
        let [_, low] = visitor.to_be_bytes();
        let address = if visitor < 500 { [198, 51, 100, low] } else { [127, 0, 0, 1] };
        assert_eq!(call(address, json!({ "ref": "ada" })).await.status, 201, "{visitor}");
    }
    assert_eq!(call([127, 0, 0, 1], json!({ "ref": "ada" })).await.status, 201);
    assert_eq!(call([127, 0, 0, 1], json!({ "ref": "ada" })).await.status, 429, "the workspace's own limit");
}

async fn flooded(app: &App, merchant: &Merchant<'_>) {
    link(merchant, "ada", "https://shop.example/").await;
    let visit = async |address: [u8; 4]| {
        let answer = from(app, address, axum::http::Request::get("/s/ada"), Value::Null).await;
        assert_eq!(answer.status, 302);
        answer.header("location").contains("trac_click_id=") && !answer.header("set-cookie").is_empty()
    };
    for _ in 0..3 {
        assert!(visit([203, 0, 113, 7]).await);
    }
    for _ in 0..40 {
        assert!(!visit([203, 0, 113, 7]).await);
    }
    assert!(visit([203, 0, 113, 8]).await, "another address");
    assert!(visit([127, 0, 0, 1]).await, "an address that is not public");
    let bot = axum::http::Request::get("/s/ada").header("user-agent", "Googlebot/2.1");
    from(app, [203, 0, 113, 7], bot, Value::Null).await;
}

#[tokio::test]
async fn a_flood_of_visits_is_redirected_and_not_recorded() {
    let app = App::with(|trac| trac.with_limits_per_address(3, 0));
    let merchant = app.merchant().await;
    flooded(&app, &merchant).await;
    // The counts are written after the responses are sent; when a later write is done, they are in the store.
    app.trac.store.write(crate::store::Priority::Click, |_| Ok(())).await.unwrap();
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 5);
    let not_counted = merchant.get("/links").await.body["data"][0]["not_counted"].clone();
    assert_eq!(not_counted, json!({ "bot": 1, "flood": 40 }));
    let figures = app.visit("/metrics", &[]).await;
    assert!(figures.body.as_str().unwrap().contains("trac_visits_not_counted_total{why=\"flood\"} 40\n"));
    app.trac.clock.advance(120);
    let again = from(&app, [203, 0, 113, 7], axum::http::Request::get("/s/ada"), Value::Null).await;
    assert!(again.header("location").contains("trac_click_id="));
}

#[tokio::test]
async fn a_referrer_is_stored_without_its_query_and_cut_to_256_bytes() {
    let app = App::new();
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example/").await;
    let page = |letters: usize| format!("https://blog.example/{}", "x".repeat(letters));
    let (long, cut) = (page(9_000), page(256 - page(0).len()));
    for (sent, stored) in [
        ("https://blog.example/post?reader=7", "https://blog.example/post"),
        ("https://blog.example/#?", "https://blog.example/"),
        (long.as_str(), cut.as_str()),
    ] {
        app.visit("/s/ada", &[("referer", sent)]).await;
        let clicks = merchant.get("/clicks").await;
        assert!(clicks.column("referrer").contains(&json!(stored)), "{}", clicks.body);
    }
}
