use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use trac_core::webhook::signature::sign;

use crate::id::hex;
use crate::testing::app::{App, START};
use crate::testing::database::bytes;
use crate::testing::shop::{Shop, charge};

#[tokio::test]
async fn the_api_stores_signing_secrets_and_never_returns_them() {
    let app = App::new();
    let merchant = app.merchant().await;
    let secrets = json!(["whsec_one", "whsec_two"]);
    let made = merchant.post("/webhook-endpoints", json!({ "signing_secrets": secrets })).await;
    assert_eq!((made.status.as_u16(), made.number("/signing_secret_count")), (201, 2));
    assert!(!made.body.to_string().contains("whsec"));
    let path = format!("/webhook-endpoints/{}", made.text("/id"));
    let url = format!("https://track.example.com/api/webhooks/{}", made.text("/id"));
    assert_eq!(made.text("/url"), url);
    let changed = merchant.patch(&path, json!({ "stripe_account": "acct_1" })).await;
    assert_eq!(
        (changed.text("/stripe_account"), changed.number("/signing_secret_count")),
        ("acct_1".into(), 2)
    );
    let check = async |body: serde_json::Value, field: &str| {
        let answer = merchant.patch(&path, body.clone()).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.body["error"]["fields"].get(field).is_some(), "{body}");
        assert!(!answer.body.to_string().contains("whsec"), "an error contains no secret");
    };
    check(json!({ "signing_secrets": "whsec_one" }), "signing_secrets").await;
    check(json!({ "signing_secrets": [""] }), "signing_secrets").await;
    check(json!({ "signing_secrets": ["whsec one"] }), "signing_secrets").await;
    check(json!({ "signing_secrets": ["whsec_ö"] }), "signing_secrets").await;
    check(json!({ "signing_secrets": ["x".repeat(256)] }), "signing_secrets").await;
    for key in ["sk_live_1", "rk_test_1", "pk_test_1"] {
        let secrets = json!({ "signing_secrets": ["whsec_one", key] });
        for refused in [
            merchant.patch(&path, secrets.clone()).await,
            merchant.post("/webhook-endpoints", secrets.clone()).await,
        ] {
            assert_eq!(refused.code(), (422, "VALIDATION_FAILED".to_owned()), "{key}");
            let message = refused.text("/error/fields/signing_secrets");
            assert_eq!(message, "this is an API key; the signing secret begins with whsec_");
        }
    }
    check(json!({ "stripe_account": "1" }), "stripe_account").await;
    check(json!({ "url": "https://example.com" }), "url").await;
    // Secrets of other signers than Stripe have other forms.
    let other = json!({ "signing_secrets": ["0123456789abcdef"] });
    assert_eq!(merchant.patch(&path, other).await.number("/signing_secret_count"), 1);
    // A new workspace has one endpoint for each mode.
    assert_eq!(merchant.get("/webhook-endpoints").await.number("/meta/total"), 2);
}

#[tokio::test]
async fn an_event_is_found_by_either_id_and_shown_as_skipped_after_72_hours() {
    let app = App::new();
    let merchant = app.merchant().await;
    let ws = &merchant.workspace_id;
    let body = bytes(&hex("\u{feff}{\"id\":\"evt_1\"}".as_bytes()));
    app.rows(format!(
        "INSERT INTO event VALUES ('{ws}', 'test', 'evl_1', 'evt_1', 'we_1', 'invoice.paid', 'in_1', '2026-08-26.dahlia', \
         {START}, {START}, 'deferred', 'no_attribution_yet', 'It waits.', 2, 'pay_1', NULL); \
         INSERT INTO event_body VALUES ('{ws}', 'test', 'evl_1', {body}); \
         INSERT INTO event VALUES ('{ws}', 'test', 'evl_2', NULL, 'we_1', NULL, NULL, NULL, NULL, {START}, 'rejected', \
         'signature_invalid', 'No.', 1, NULL, NULL);"
    ))
    .await;
    let by_ours = merchant.get("/events/evl_1").await;
    assert_eq!(by_ours.body, merchant.get("/events/evt_1").await.body);
    insta::assert_json_snapshot!(by_ours.body, @r#"
    {
      "api_version": "2026-08-26.dahlia",
      "asked_at": null,
      "created_at": "2026-11-21T08:00:00Z",
      "deliveries": 2,
      "endpoint_id": "we_1",
      "id": "evl_1",
      "message": "It waits.",
      "outcome": "deferred",
      "payload": {
        "id": "evt_1"
      },
      "payload_error": null,
      "reason": "no_attribution_yet",
      "remedy": "Put the click ID on the checkout: the script does it for Payment Links, Buy Buttons and Pricing Tables; a server writes metadata.tracClickId on the Checkout Session, and on subscription_data.metadata.",
      "settled_by": null,
      "stripe_created_at": "2026-11-21T08:00:00Z",
      "stripe_event_id": "evt_1",
      "subject_id": "pay_1",
      "type": "invoice.paid"
    }
    "#);
    assert_eq!(merchant.get("/events/evl_2").await.body["payload"], json!(null));
    let ids = async |query: &str| merchant.get(&format!("/events{query}")).await.column("id");
    assert_eq!(ids("").await, ["evl_2", "evl_1"]);
    assert_eq!(ids("?outcome=deferred").await, ["evl_1"]);
    assert_eq!(ids("?type=invoice.paid&reason=no_attribution_yet").await, ["evl_1"]);
    app.trac.clock.advance(72 * 3_600 - 1);
    assert_eq!(ids("?outcome=deferred").await, ["evl_1"]);
    app.trac.clock.advance(1);
    assert!(ids("?outcome=deferred").await.is_empty());
    assert_eq!(ids("?outcome=skipped&reason=no_click").await, ["evl_1"]);
    let other = app.merchant().await;
    assert_eq!(other.get("/events/evt_1").await.status, 404);
}

#[tokio::test]
async fn a_secret_is_sealed_in_the_database_and_opens_after_a_rotation() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let stored = async || {
        let read = app.trac.store.read(|tx| {
            let sql = "SELECT string_agg(secrets, ',') FROM webhook_endpoint";
            Ok(tx.one(sql, &[], |row| row.get::<String>(0))?.unwrap_or_default())
        });
        read.await.unwrap()
    };
    let before = stored().await;
    assert!(before.contains("sealed:1:") && !before.contains("whsec"), "{before}");
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await,
        "processed ok"
    );
    super::secrets::rotate_master_key(app.trac.store()).await.unwrap();
    assert_ne!(stored().await, before);
    assert_eq!(
        shop.deliver_object("charge.refunded", 1, charge(2_500, json!({}))).await,
        "processed refund_partial"
    );

    // A secret that an older version stored unsealed is readable, and is sealed when the server starts.
    app.rows(format!(
        r#"UPDATE webhook_endpoint SET secrets = '["whsec_flow"]' WHERE id = '{}'"#,
        shop.endpoint
    ))
    .await;
    assert_eq!(
        shop.deliver_object("charge.refunded", 2, charge(5_000, json!({}))).await,
        "processed refund_partial"
    );
    super::secrets::check_secrets(app.trac.store()).await.unwrap();
    assert!(!stored().await.contains("whsec"));
    assert_eq!(
        shop.deliver_object("charge.refunded", 3, charge(7_500, json!({}))).await,
        "processed refund_partial"
    );

    // A sealed secret copied from another endpoint does not open, and the check at the server's start reports
    // it.
    let theirs = app.merchant().await;
    let other = theirs.make("/webhook-endpoints", json!({ "signing_secrets": ["whsec_other"] })).await;
    app.rows(format!(
        "UPDATE webhook_endpoint SET secrets = (SELECT secrets FROM webhook_endpoint WHERE id = '{other}') \
         WHERE id = '{}'",
        shop.endpoint
    ))
    .await;
    let event = json!({ "id": "evt_moved", "type": "invoice.paid" });
    assert_eq!(shop.deliver(&event).await.status, 500);
    assert!(super::secrets::check_secrets(app.trac.store()).await.is_err());
}

#[tokio::test]
async fn a_forged_delivery_gets_401_even_if_the_store_is_read_only() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    let endpoint = merchant.get("/webhook-endpoints").await.text("/data/0/id");
    let forged = async || {
        let request =
            Request::post(format!("/api/webhooks/{endpoint}")).header("stripe-signature", "t=1,v1=0");
        app.send(request.body(Body::from("{}")).unwrap()).await.code()
    };
    assert_eq!(forged().await, (401, "SIGNATURE_INVALID".to_owned()));
    app.rows("PRAGMA query_only = true".to_owned()).await;
    assert_eq!(forged().await, (401, "SIGNATURE_INVALID".to_owned()));
}

#[tokio::test]
async fn the_address_without_an_endpoint_id_works_for_a_single_workspace_only() {
    let app = App::new();
    app.merchant().await;
    let deliver = async || {
        let request = Request::post("/api/webhooks/stripe").header("stripe-signature", "t=1,v1=0");
        app.send(request.body(Body::from("{}")).unwrap()).await
    };
    assert_eq!(deliver().await.status, 401);
    app.merchant().await;
    let answer = deliver().await;
    assert_eq!(answer.code(), (404, "NOT_FOUND".to_owned()));
    let message = answer.text("/error/message");
    assert!(message.contains("more than one workspace, use /api/webhooks/we_…"), "{message}");
}

#[tokio::test]
async fn repeated_rejections_with_the_same_cause_share_one_row() {
    let app = App::new();
    let merchant = app.merchant().await;
    let endpoint = merchant.get("/webhook-endpoints").await.text("/data/0/id");
    let forged = async || {
        let header = sign(b"{}", "whsec_wrong", app.trac.clock.now());
        let request = Request::post(format!("/api/webhooks/{endpoint}")).header("stripe-signature", header);
        assert_eq!(app.send(request.body(Body::from("{}")).unwrap()).await.status, 401);
        let log = merchant.get("/events?outcome=rejected").await;
        (log.number("/meta/total"), log.number("/data/0/deliveries"), log.text("/data/0/message"))
    };
    let (_, _, message) = forged().await;
    assert!(message.contains("no signing secret"), "{message}");
    merchant
        .patch(&format!("/webhook-endpoints/{endpoint}"), json!({ "signing_secrets": ["whsec_right"] }))
        .await;
    for want in [1, 2] {
        let (rows, deliveries, message) = forged().await;
        assert_eq!((rows, deliveries), (2, want));
        assert!(message.contains("no signature matches"), "{message}");
    }
}
