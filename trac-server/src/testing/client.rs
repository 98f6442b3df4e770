use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::{ClientError, Conversion, Lead, Reported, TracClient};
use crate::testing::app::App;
use crate::testing::shop::Shop;

/// Serves an app on the loopback. Every second call is carried out and its answer kept back, as a broken line would do.
async fn serve(app: &App, breaks: bool) -> (String, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let unreliable = from_fn(move |request: Request, next: Next| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            let answer = next.run(request).await;
            if breaks && call.is_multiple_of(2) {
                return (StatusCode::BAD_GATEWAY, [(header::RETRY_AFTER, "0")]).into_response();
            }
            answer
        }
    });
    let router: Router = crate::router(app.trac.clone()).layer(unreliable);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}/"), calls)
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_has_its_effect_once() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "lead_amount_minor": 300, "lead_currency": "usd" })).await;
    let (address, calls) = serve(&app, true).await;
    let trac = TracClient::new(&address, &shop.merchant.key).unwrap();
    let lead = Lead { click_id: Some(shop.click.clone()), ..Lead::new("Sign up", "user_1") };
    let told = trac.track_lead(&lead).await.unwrap();
    assert_eq!(
        (told.attributed, told.reason.as_str(), told.click_id.as_ref()),
        (true, "ok", Some(&shop.click))
    );
    let sale = Conversion {
        amount: Some((5_000, "usd".to_owned())),
        click_id: Some(shop.click.clone()),
        ..Conversion::new("order 1", "purchase")
    };
    let Reported::New(first) = trac.track_conversion(&sale).await.unwrap() else { panic!("it is new") };
    assert_eq!(first.reason, "ok");
    assert_eq!(trac.track_conversion(&sale).await.unwrap(), Reported::Duplicate(first.id));
    assert_eq!(calls.load(Ordering::SeqCst), 6, "each was sent twice");
    assert_eq!(shop.net().await, 1_300);
}

#[tokio::test]
async fn what_is_sent_without_waiting_is_there_after_a_flush() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (address, _) = serve(&app, false).await;
    let trac = TracClient::new(&address, &merchant.key).unwrap();
    for number in 0..20 {
        trac.send_lead(Lead::new("Sign up", &format!("user_{number}")));
    }
    trac.send_conversion(Conversion::new("", "purchase"));
    let failed = trac.flush().await;
    assert!(matches!(failed.as_slice(), [ClientError::Refused { status: 422, .. }]), "{failed:?}");
    assert_eq!(merchant.get("/leads").await.number("/meta/total"), 20);
    assert_eq!(trac.flush().await, []);
}

#[tokio::test]
async fn a_refusal_is_told_at_once_and_shows_no_key() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (address, calls) = serve(&app, false).await;
    let trac = TracClient::new(&address, "sk_test_wrong").unwrap();
    let refused = trac.track_lead(&Lead::new("Sign up", "user_1")).await.unwrap_err();
    let ClientError::Refused { status, code, .. } = &refused else { panic!("{refused}") };
    assert_eq!((*status, code.as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "trying again would not help");
    let shown = format!("{:?} {refused:?}", TracClient::new(&address, &merchant.key).unwrap());
    assert!(!shown.contains(&merchant.key) && !shown.contains("sk_test_wrong"));
    for wrong in ["", "track.example.com", "ftp://x"] {
        assert_eq!(
            TracClient::new(wrong, "sk_test_1").unwrap_err(),
            ClientError::NoAddress(wrong.to_owned())
        );
    }
}
