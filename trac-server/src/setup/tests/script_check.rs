//! Checks of pages, with the reports of well-meaning and hostile ones.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{check, step};
use crate::testing::app::{Answer, App, Merchant};

const PAGE: &str = "https://shop.example.com/tea?size=2#buy";

/// Starts a check, and returns its token.
async fn start(merchant: &Merchant<'_>) -> String {
    let started = merchant.post("/setup/script-check", json!({ "page": PAGE })).await;
    assert_eq!(started.status, 201, "{}", started.body);
    let url = started.text("/url");
    let token = url.strip_prefix("https://shop.example.com/tea?size=2&trac_verify=").unwrap();
    token.strip_suffix("#buy").unwrap().to_owned()
}

async fn send(app: &App, body: impl Into<Body>) -> Answer {
    let request = Request::post("/v1/setup/script-check").header("origin", "https://shop.example.com");
    let answer = app.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    answer
}

async fn report(app: &App, token: &str, report: &Value) -> Answer {
    send(app, json!({ "token": token, "report": report }).to_string()).await
}

fn fine() -> Value {
    json!({ "build": "wasm", "version": "0.1.0", "found": 2, "rewritten": 2, "cookie_domain": "example.com",
        "consent": "not_required", "skipped": [], "errors": [], "blocked": [], "key": null, "click_id": null })
}

#[tokio::test]
async fn a_page_reports_once_within_an_hour() {
    let app = App::new();
    let merchant = app.merchant().await;
    check(&merchant, "script", "waiting", "not known").await;
    let token = start(&merchant).await;
    check(&merchant, "script", "waiting", "Waiting for https://shop.example.com/tea").await;
    app.trac.clock.advance(61);
    let remedy = check(&merchant, "script", "waiting", "has not reported").await;
    assert!(
        remedy.as_str().unwrap().contains("<script src=\"https://track.example.com/trac.js\" defer>"),
        "{remedy}"
    );
    let answer = report(&app, &token, &fine()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["ok"]), (200, &json!(true)), "{}", answer.body);
    check(&merchant, "script", "done", "2 links to Stripe are on it").await;
    assert_eq!(report(&app, &token, &fine()).await.code(), (404, "NOT_FOUND".to_owned()));
    let late = start(&merchant).await;
    app.trac.clock.advance(3_601);
    assert_eq!(report(&app, &late, &fine()).await.code(), (404, "NOT_FOUND".to_owned()));
    // A new check deletes old ones, but not the last report.
    start(&merchant).await;
    check(&merchant, "script", "done", "2 links").await;
    let rows =
        app.trac.store.read(|tx| tx.one("SELECT count(*) FROM script_check", &[], |row| row.get::<i64>(0)));
    assert_eq!(rows.await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_problem_of_the_page_fails_until_a_later_check_is_fine() {
    let app = App::new();
    let (merchant, live) = app.both_modes().await;
    let token = start(&merchant).await;
    let mut page = fine();
    page["key"] = json!(live.publishable_key);
    let answer = report(&app, &token, &page).await;
    assert_eq!(answer.body["ok"], false);
    check(&merchant, "script", "failed", "of the other mode").await;
    let stored =
        app.trac.store.read(|tx| tx.one("SELECT report FROM script_check", &[], |row| row.get::<String>(0)));
    let stored = stored.await.unwrap().unwrap();
    assert!(!stored.contains(&live.publishable_key), "{stored}");
    check(&live, "script", "waiting", "not known").await;
    app.trac.clock.advance(1);
    let token = start(&merchant).await;
    check(&merchant, "script", "waiting", "Waiting for").await;
    page["key"] = json!(merchant.publishable_key);
    report(&app, &token, &page).await;
    check(&merchant, "script", "done", "The script runs").await;
    for (key, part) in [
        (json!(merchant.key), "not a publishable key"),
        (json!("pk_test_unknown"), "not a publishable key"),
        (json!(app.merchant().await.publishable_key), "another workspace"),
    ] {
        app.trac.clock.advance(1);
        let token = start(&merchant).await;
        page["key"] = key;
        report(&app, &token, &page).await;
        check(&merchant, "script", "failed", part).await;
    }
}

#[tokio::test]
async fn hostile_reports_are_refused_or_cut() {
    let app = App::new();
    let merchant = app.merchant().await;
    let token = start(&merchant).await;
    for (body, status) in [
        (String::new(), 422),
        ("[]".to_owned(), 400),
        ("{".to_owned(), 400),
        (json!({ "token": token }).to_string(), 422),
        (json!({ "token": token, "report": [] }).to_string(), 422),
        (json!({ "token": [token], "report": {} }).to_string(), 422),
        (json!({ "token": format!("{token} "), "report": {} }).to_string(), 422),
        (json!({ "token": "0".repeat(32), "report": {} }).to_string(), 404),
        (json!({ "token": token, "report": {}, "more": 1 }).to_string(), 422),
        (json!({ "token": token, "report": { "version": "x".repeat(17_000) } }).to_string(), 413),
    ] {
        let answer = send(&app, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    let script = "<script>alert(1)</script>";
    let hostile = json!({ "errors": [script.repeat(100), script], "build": script, "found": u64::MAX, "cookie_domain": "",
        "blocked": { "a": 1 }, "planted": script });
    assert_eq!(report(&app, &token, &hostile).await.status, 200);
    let step = step(&merchant, "script").await;
    assert_eq!(step["status"], "failed");
    assert!(step["what"].as_str().unwrap().chars().count() < 300, "{step}");
}

#[tokio::test]
async fn a_page_of_the_merchant_is_a_web_address() {
    let app = App::new();
    let merchant = app.merchant().await;
    for page in [
        "javascript:alert(1)",
        "https://user@shop.example.com",
        "shop.example.com",
        "",
        "https://shop.example.com/\n",
    ] {
        let answer = merchant.post("/setup/script-check", json!({ "page": page })).await;
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{page}");
    }
    let preflight = Request::options("/v1/setup/script-check")
        .header("origin", "https://shop.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let answer = app.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, "*"));
}

#[tokio::test]
async fn reports_of_one_address_are_limited() {
    let app = App::with(|trac| trac.with_limits_per_address(300, 5));
    let mut last = 0;
    for _ in 0..7 {
        let peer = axum::extract::ConnectInfo(std::net::SocketAddr::from(([198, 51, 100, 1], 4_711)));
        let request = Request::post("/v1/setup/script-check").extension(peer);
        let answer = app.send(request.body(Body::from("{}")).unwrap()).await;
        last = answer.status.as_u16();
    }
    assert_eq!(last, 429);
}
