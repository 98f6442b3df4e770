//! A workspace never sees another's rows, and test mode never sees live mode's.

use reqwest::Method;
use serde_json::{Value, json};
use trac_tests::{Server, envelope, now, session};

#[tokio::test]
async fn every_object_of_another_workspace_is_404() {
    let server = Server::start().await;
    let (mine, other) = (server.merchant("mine"), server.merchant("other"));
    let endpoint = mine.endpoint().await;
    let terms = mine.terms(2_000, "mine", "https://shop.example/").await;
    let click = mine.click(&terms.link).await;
    endpoint
        .deliver(&envelope("evt_mine", "checkout.session.completed", now(), &session("mine", 1_000, &click)))
        .await;
    let first = async |path: &str| {
        let rows = mine.all(path).await;
        rows.first().and_then(|row| row.get("id")).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let commission = first("/commissions").await;
    let enrollment = first("/enrollments").await;
    let event = first("/events").await;
    let paths = [
        format!("/programs/{}", terms.program),
        format!("/partners/{}", terms.partner),
        format!("/enrollments/{enrollment}"),
        format!("/links/{}", terms.link),
        format!("/clicks/{click}"),
        format!("/commissions/{commission}"),
        format!("/commissions/{commission}/entries"),
        format!("/events/{event}"),
        "/events/evt_mine".to_owned(),
    ];
    for path in &paths {
        assert_eq!(mine.ask(Method::GET, path, None).await.status, 200, "{path}");
        let foreign = other.ask(Method::GET, path, None).await;
        assert_eq!((foreign.status, foreign.text("/error/code").as_str()), (404, "NOT_FOUND"), "{path}");
    }
    for path in [
        "/programs",
        "/partners",
        "/enrollments",
        "/links",
        "/clicks",
        "/commissions",
        "/conversions",
        "/events",
        "/payouts",
        "/balances",
    ] {
        assert!(other.all(path).await.is_empty(), "{path}");
    }
    let theirs = json!({"program_id": terms.program, "partner_id": terms.partner});
    let stolen = other.ask(Method::POST, "/clicks", Some(theirs.clone())).await;
    assert!(matches!(stolen.status, 404 | 422), "{} {}", stolen.status, stolen.body);
    let stolen = other.ask(Method::POST, "/enrollments", Some(theirs)).await;
    assert!(matches!(stolen.status, 404 | 422), "{} {}", stolen.status, stolen.body);
}

#[tokio::test]
async fn a_foreign_click_earns_nothing() {
    let server = Server::start().await;
    let (mine, other) = (server.merchant("mine"), server.merchant("other"));
    let terms = other.terms(2_000, "theirs", "https://shop.example/").await;
    let click = other.click(&terms.link).await;
    let endpoint = mine.endpoint().await;
    let answer = endpoint
        .deliver(&envelope("evt_x", "checkout.session.completed", now(), &session("x", 1_000, &click)))
        .await;
    assert_eq!((answer.status, answer.text("/outcome").as_str()), (200, "deferred"), "{}", answer.body);
    assert_eq!(answer.text("/reason"), "no_attribution_yet");
    assert!(mine.all("/commissions").await.is_empty() && other.all("/commissions").await.is_empty());
}

#[tokio::test]
async fn live_and_test_mode_are_separate() {
    let server = Server::start().await;
    let merchant = server.merchant("modes");
    let (test, live) = (merchant.endpoint().await, merchant.endpoint_of("live", "sk_live").await);
    let terms = merchant.terms(2_000, "modes", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    let mut event = envelope("evt_m", "checkout.session.completed", now(), &session("m", 1_000, &click));
    event["livemode"] = json!(true);
    let answer = test.deliver(&event).await;
    assert_eq!(
        (answer.text("/outcome").as_str(), answer.text("/reason").as_str()),
        ("ignored", "mode_mismatch")
    );
    // In live mode the same event is a payment, but the click belongs to test mode.
    let answer = live.deliver(&event).await;
    assert_eq!(
        (answer.text("/outcome").as_str(), answer.text("/reason").as_str()),
        ("deferred", "no_attribution_yet")
    );
    assert_eq!(merchant.net_minor().await, 0);

    let mut foreign = envelope("evt_c", "checkout.session.completed", now(), &session("c", 1_000, &click));
    foreign["account"] = json!("acct_1");
    let answer = test.deliver(&foreign).await;
    assert_eq!(
        (answer.text("/outcome").as_str(), answer.text("/reason").as_str()),
        ("ignored", "account_mismatch")
    );
}
