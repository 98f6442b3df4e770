use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::testing::app::App;
use crate::testing::shop::Shop;
use trac_sdk::client::{ClientError, Conversion, Failed, Item, Lead, Reported, TracClient};

/// Serves an app on loopback. If `breaks`, every other call is executed and its response replaced by `502`.
async fn serve(app: &App, breaks: bool) -> (String, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let unreliable = from_fn(move |request: Request, next: Next| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            let response = next.run(request).await;
            if breaks && call.is_multiple_of(2) {
                return (StatusCode::BAD_GATEWAY, [(header::RETRY_AFTER, "0")]).into_response();
            }
            response
        }
    });
    let router: Router = crate::router(app.trac.clone()).layer(unreliable);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}/"), calls)
}

#[tokio::test]
async fn a_call_whose_response_was_lost_has_its_effect_once() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "lead_amount_minor": 300, "lead_currency": "usd" })).await;
    let (address, calls) = serve(&app, true).await;
    let trac = TracClient::new(&address, &shop.merchant.key).unwrap();
    let lead = Lead { click_id: Some(shop.click.clone()), ..Lead::new("Sign up", "user_1") };
    let receipt = trac.track_lead(&lead).await.unwrap();
    assert_eq!(
        (receipt.attributed, receipt.reason.as_str(), receipt.click_id.as_ref()),
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
    assert_eq!(calls.load(Ordering::SeqCst), 6, "each call was sent twice");
    assert_eq!(shop.net().await, 1_300);
}

#[tokio::test]
async fn a_repeat_completes_a_conversion_and_changes_nothing_else() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let (address, _) = serve(&app, false).await;
    let trac = TracClient::new(&address, &shop.merchant.key).unwrap();
    let bare = Conversion {
        amount: Some((5_000, "usd".to_owned())),
        customer_email: Some("buyer@example.org".to_owned()),
        ..Conversion::new("order 1", "purchase")
    };
    let Reported::New(first) = trac.track_conversion(&bare).await.unwrap() else { panic!("it is new") };
    assert!(!first.attributed, "{first:?}");
    let whole = Conversion { click_id: Some(shop.click.clone()), ..bare };
    let completed = trac.track_conversion(&whole).await.unwrap();
    let Reported::Completed(receipt) = completed else { panic!("{completed:?}") };
    assert_eq!((&receipt.id, receipt.click_id.as_ref()), (&first.id, Some(&shop.click)));
    assert_eq!(trac.track_conversion(&whole).await.unwrap(), Reported::Duplicate(first.id));
}

#[tokio::test]
async fn background_reports_are_stored_after_a_flush() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (address, _) = serve(&app, false).await;
    let trac = TracClient::new(&address, &merchant.key).unwrap();
    for number in 0..20 {
        trac.send_lead(Lead::new("Sign up", &format!("user_{number}")));
    }
    trac.send_conversion(Conversion::new("", "purchase"));
    let failed = trac.flush().await;
    let [Failed { item, error: ClientError::Refused { status: 422, fields, .. } }] = failed.as_slice() else {
        panic!("{failed:?}")
    };
    assert_eq!(item, &Item::Conversion(Conversion::new("", "purchase")));
    assert!(fields.keys().eq(["external_transaction_id"]), "{fields:?}");
    assert_eq!(merchant.get("/leads").await.number("/meta/total"), 20);
    assert_eq!(trac.flush().await, []);
}

#[tokio::test]
async fn a_rejection_is_returned_at_once_and_debug_prints_no_key() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (address, calls) = serve(&app, false).await;
    let trac = TracClient::new(&address, "sk_test_wrong").unwrap();
    let refused = trac.track_lead(&Lead::new("Sign up", "user_1")).await.unwrap_err();
    let ClientError::Refused { status, code, .. } = &refused else { panic!("{refused}") };
    assert_eq!((*status, code.as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "a rejected call is not repeated");
    let shown = format!("{:?} {refused:?}", TracClient::new(&address, &merchant.key).unwrap());
    assert!(!shown.contains(&merchant.key) && !shown.contains("sk_test_wrong"));
    for wrong in ["", "track.example.com", "ftp://x"] {
        let error = TracClient::new(wrong, "sk_test_1").unwrap_err();
        assert!(matches!(error, ClientError::InvalidUrl(_)), "{wrong}: {error}");
    }
}
