use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use trac_core::webhook::customer_token::customer_token;

use crate::testing::app::{Answer, App, Merchant};
use crate::webhook::secrets::{check_secrets, rotate_master_key};

/// The ID of the merchant's first publishable key.
async fn publishable(merchant: &Merchant<'_>) -> String {
    merchant.get("/api-keys?kind=publishable").await.text("/data/0/id")
}

async fn new_secret(merchant: &Merchant<'_>, id: &str) -> String {
    let made = merchant.post(&format!("/api-keys/{id}/token-secret"), json!({})).await;
    assert_eq!((made.status.as_u16(), made.text("/id")), (201, id.to_owned()), "{}", made.body);
    made.text("/token_secret")
}

async fn lead(app: &App, headers: &[(&str, &str)], customer: &str, token: &str) -> Answer {
    let request = Request::post("/api/track/lead");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let body = json!({ "eventName": "Sign up", "customerExternalId": customer, "customerToken": token });
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// The error for the token; empty if it was accepted.
fn wrong(answer: &Answer) -> String {
    if answer.status.is_success() {
        return String::new();
    }
    assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{}", answer.body);
    let fields = answer.body["error"]["fields"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["customerToken"]);
    answer.text("/error/fields/customerToken")
}

/// The customer of each lead in the store, and whether the merchant vouches for it.
async fn vouched(app: &App) -> Vec<(String, bool)> {
    let read =
        app.trac.store.read(|tx| tx.all("SELECT facts FROM payment", &[], |row| row.document::<Value>(0)));
    let facts = read.await.unwrap();
    let leads = facts.iter().filter_map(|facts| facts["leads"].as_object()).flat_map(|leads| leads.values());
    let mut vouched: Vec<_> =
        leads.map(|lead| (lead["customer"].as_str().unwrap().to_owned(), lead["vouched"] == true)).collect();
    vouched.sort();
    vouched
}

#[tokio::test]
async fn a_token_secret_is_shown_once_and_stored_sealed() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = publishable(&merchant).await;
    let path = format!("/api-keys/{id}");
    assert_eq!(merchant.get(&path).await.body["has_token_secret"], false);
    let secret = new_secret(&merchant, &id).await;
    assert!(secret.starts_with("ts_test_") && secret.len() == 48, "{secret}");
    let listed = merchant.get(&path).await;
    assert_eq!(listed.body["has_token_secret"], true);
    assert!(!listed.body.to_string().contains(&secret));
    let stored = app.trac.store.read(|tx| {
        let sql = "SELECT token_secret FROM api_key WHERE token_secret IS NOT NULL";
        tx.one(sql, &[], |row| row.get::<String>(0))
    });
    let stored = stored.await.unwrap().unwrap();
    assert!(stored.starts_with("sealed:1:") && !stored.contains(&secret), "{stored}");

    let unknown = merchant.post(&path.replace(&id, "key_unknown/token-secret"), json!({})).await;
    assert_eq!(unknown.code(), (404, "NOT_FOUND".to_owned()));
    let unknown_field = merchant.post(&format!("{path}/token-secret"), json!({ "secret": "mine" })).await;
    assert_eq!(unknown_field.code(), (422, "VALIDATION_FAILED".to_owned()));
    let of_secret_key = merchant.get("/api-keys?kind=secret").await.text("/data/0/id");
    let refused = merchant.post(&format!("/api-keys/{of_secret_key}/token-secret"), json!({})).await;
    assert_eq!(refused.code(), (409, "KEY_NOT_PUBLISHABLE".to_owned()));
    merchant.delete(&path).await;
    let revoked = merchant.post(&format!("{path}/token-secret"), json!({})).await;
    assert_eq!(revoked.code(), (409, "KEY_NOT_ACTIVE".to_owned()));
}

#[tokio::test]
async fn a_lead_with_a_customer_token_counts_as_the_merchants_own() {
    let app = App::new();
    let merchant = app.merchant().await;
    let secret = new_secret(&merchant, &publishable(&merchant).await).await;
    let now = app.trac.clock.now();
    let page = [("x-publishable-key", merchant.publishable_key.as_str())];
    let good = lead(&app, &page, "user_1", &customer_token("user_1", &secret, now)).await;
    assert_eq!(good.status, 201, "{}", good.body);
    let plain = json!({ "eventName": "Sign up", "customerExternalId": "user_2", "customerToken": null });
    let request = Request::post("/api/track/lead").header(page[0].0, page[0].1);
    assert_eq!(app.send(request.body(Body::from(plain.to_string())).unwrap()).await.status, 201);
    let server = format!("Bearer {}", merchant.key);
    assert_eq!(lead(&app, &[("authorization", &server)], "user_3", "t=1,v1=00").await.status, 201);
    let want = [("user_1", true), ("user_2", false), ("user_3", true)];
    assert_eq!(vouched(&app).await, want.map(|(customer, vouched)| (customer.to_owned(), vouched)));
}

#[tokio::test]
async fn an_invalid_token_is_rejected_with_its_fault_and_nothing_is_recorded() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let page = [("x-publishable-key", test.publishable_key.as_str())];
    let now = app.trac.clock.now();
    let check = async |token: &str, want: &str| {
        let answer = lead(&app, &page, "user_1", token).await;
        assert!(wrong(&answer).contains(want), "{token}: {}", answer.body);
    };
    check(&customer_token("user_1", "ts_test_guess", now), "no token secret yet").await;
    let secret = new_secret(&test, &publishable(&test).await).await;
    let of_live = new_secret(&live, &publishable(&live).await).await;
    check("", "1 to 255 characters").await;
    check("yes", "form t=").await;
    check(&customer_token("user_2", &secret, now), "does not match").await;
    check(&customer_token("user_1", &of_live, now), "does not match").await;
    check(&customer_token("user_1", &secret, now.plus_secs(-86_401)), "24 hours").await;
    check(&customer_token("user_1", &secret, now.plus_secs(301)), "future").await;
    let by_workspace = [("x-workspace-id", test.workspace_id.as_str()), ("x-trac-mode", "test")];
    let answer = lead(&app, &by_workspace, "user_1", &customer_token("user_1", &secret, now)).await;
    assert!(wrong(&answer).contains("x-publishable-key"), "{}", answer.body);
    assert_eq!(test.get("/leads").await.number("/meta/total"), 0);
    assert_eq!(
        lead(&app, &page, "user_1", &customer_token("user_1", &secret, now.plus_secs(-86_400))).await.status,
        201
    );
}

#[tokio::test]
async fn a_new_token_secret_replaces_the_old_one_and_is_copied_when_the_key_is_rolled() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = publishable(&merchant).await;
    let (old, new) = (new_secret(&merchant, &id).await, new_secret(&merchant, &id).await);
    let rolled = merchant.post(&format!("/api-keys/{id}/roll"), json!({})).await;
    assert_eq!(rolled.body["has_token_secret"], true);
    let successor = rolled.text("/key");
    for key in [&merchant.publishable_key, &successor] {
        let error_with = async |secret: &str| {
            let token = customer_token("user_1", secret, app.trac.clock.now());
            wrong(&lead(&app, &[("x-publishable-key", key)], "user_1", &token).await)
        };
        assert!(error_with(&old).await.contains("does not match"));
        assert_eq!(error_with(&new).await, "");
    }
}

#[tokio::test]
async fn a_token_secret_opens_under_a_new_master_key() {
    let app = App::new();
    let merchant = app.merchant().await;
    let secret = new_secret(&merchant, &publishable(&merchant).await).await;
    rotate_master_key(app.trac.store()).await.unwrap();
    check_secrets(app.trac.store()).await.unwrap();
    let token = customer_token("user_1", &secret, app.trac.clock.now());
    let page = [("x-publishable-key", merchant.publishable_key.as_str())];
    assert_eq!(lead(&app, &page, "user_1", &token).await.body["attributed"], Value::Bool(false));

    // Sealed for another row, the secret does not open, and the check at start-up reports that.
    let sql =
        "UPDATE api_key SET token_secret = (SELECT token_secret FROM api_key WHERE token_secret IS NOT NULL)";
    app.rows(sql.to_owned()).await;
    assert!(check_secrets(app.trac.store()).await.is_err());
}
