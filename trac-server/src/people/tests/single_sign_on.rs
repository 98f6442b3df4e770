//! Signing in by a provider of OpenID Connect.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use url::Url;

use super::{html, input, status};
use crate::http::oidc::Provider;
use crate::testing::app::{Answer, App};
use crate::testing::person::{add_person, cookie_of, post_form};

const DESCRIPTION: &str = "/.well-known/openid-configuration";
const TOKEN: &str = "/token";

/// A provider whose people are who the test says.
#[derive(Clone)]
struct IdentityProvider {
    origin: String,
    /// By the code: the challenge of the browser, and the claims.
    codes: Arc<Mutex<BTreeMap<String, (String, Value)>>>,
}

impl IdentityProvider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self { origin, codes: Arc::default() };
        let routes = Router::new()
            .route(DESCRIPTION, get(describe))
            .route(TOKEN, post(redeem))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    fn app(&self) -> App {
        App::with(|trac| {
            trac.with_provider(Provider::new(&self.origin, "trac", "a secret", "Example ID").unwrap())
        })
    }

    /// Signs a person in at the provider, who was sent to this address. Returns the code.
    fn confirm(&self, url: &Url, now: i64, change: &Value) -> String {
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let mut claims = json!({
            "iss": self.origin, "aud": "trac", "sub": "1", "iat": now, "exp": now + 300, "nonce": query["nonce"],
            "email": "nobody@example.com", "email_verified": true
        });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut codes = self.codes.lock().unwrap();
        let code = format!("code {}", codes.len());
        codes.insert(code.clone(), (query["code_challenge"].clone(), claims));
        code
    }
}

async fn describe(State(provider): State<IdentityProvider>) -> Json<Value> {
    let origin = &provider.origin;
    Json(json!({
        "issuer": origin, "authorization_endpoint": format!("{origin}/authorize?tenant=1"),
        "token_endpoint": format!("{origin}{TOKEN}")
    }))
}

/// A code is valid once, with the verifier of its challenge, for the client with the secret.
async fn redeem(
    State(provider): State<IdentityProvider>,
    headers: HeaderMap,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Result<Json<Value>, (axum::http::StatusCode, Json<Value>)> {
    let refused = |error: &str| Err((axum::http::StatusCode::BAD_REQUEST, Json(json!({ "error": error }))));
    let wanted = format!("Basic {}", STANDARD.encode("trac:a+secret"));
    if headers["authorization"] != wanted.as_str() {
        return refused("invalid_client");
    }
    assert_eq!(fields["redirect_uri"], "https://track.example.com/dashboard/sso/done");
    let Some((challenge, claims)) = provider.codes.lock().unwrap().remove(&fields["code"]) else {
        return refused("invalid_grant");
    };
    if URL_SAFE_NO_PAD.encode(Sha256::digest(&fields["code_verifier"])) != challenge {
        return refused("invalid_grant");
    }
    let token = format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims.to_string()));
    Ok(Json(json!({ "access_token": "unused", "token_type": "Bearer", "id_token": token })))
}

/// A browser on its way: the address at the provider, and its cookie.
async fn leave(app: &App) -> (Url, String) {
    let sent = app.visit("/dashboard/sso", &[]).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    let url = Url::parse(sent.header("location")).unwrap();
    let cookie = sent.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(
        sent.header("set-cookie").contains("HttpOnly; SameSite=Lax; Secure"),
        "{}",
        sent.header("set-cookie")
    );
    (url, cookie)
}

async fn come_back(app: &App, query: &[(&str, &str)], cookie: &str) -> Answer {
    let query = serde_urlencoded(query);
    app.visit(&format!("/dashboard/sso/done?{query}"), &[("cookie", cookie)]).await
}

fn serde_urlencoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn state(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_a_provider() {
    let provider = IdentityProvider::start().await;
    let app = provider.app();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let page = app.visit("/dashboard/login", &[]).await;
    assert!(
        html(&page).contains("href=\"../dashboard/sso\"") && html(&page).contains("Example ID"),
        "{}",
        page.body
    );
    let now = app.trac.clock.now().unix_secs();

    let (url, cookie) = leave(&app).await;
    assert!(
        url.as_str().starts_with(&format!("{}/authorize?tenant=1&response_type=code", provider.origin)),
        "{url}"
    );
    let code = provider.confirm(&url, now, &json!({ "email": ada.email.to_uppercase() }));
    let returned = come_back(&app, &[("code", &code), ("state", &state(&url))], &cookie).await;
    assert_eq!(returned.status, 200, "{}", returned.body);
    assert!(returned.header("set-cookie").contains("Max-Age=0"), "the trip is over");
    let token = input(html(&returned), "token");
    let entered = post_form(&app, "/dashboard/enter", &[("token", &token)], "").await;
    assert_eq!(status(&app, "/dashboard/account", &cookie_of(&entered)).await, 200);
    assert_eq!(
        merchant.get("/activity?action=session.began").await.text("/data/0/after/with"),
        "single sign-on"
    );
    let again = come_back(&app, &[("code", &code), ("state", &state(&url))], &cookie).await;
    assert_eq!(again.status, 502, "a code is valid once");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_signs_in_as_somebody_else() {
    let provider = IdentityProvider::start().await;
    let app = provider.app();
    let merchant = app.merchant().await;
    let ada = add_person(&app, &merchant.workspace_id, "owner").await;
    let now = app.trac.clock.now().unix_secs();
    for (change, want) in [
        (json!({ "email": "nobody@example.com" }), 403),
        (json!({ "email": ada.email, "email_verified": false }), 403),
        (json!({ "email": ada.email, "aud": "another" }), 502),
        (json!({ "email": ada.email, "nonce": "another" }), 502),
        (json!({ "email": ada.email, "iss": "https://another.example.com" }), 502),
        (json!({ "email": ada.email, "exp": now - 3_600 }), 502),
    ] {
        let (url, cookie) = leave(&app).await;
        let code = provider.confirm(&url, now, &change);
        let returned = come_back(&app, &[("code", &code), ("state", &state(&url))], &cookie).await;
        assert_eq!(returned.status.as_u16(), want, "{change}: {}", returned.body);
        assert!(!html(&returned).contains("name=\"token\""));
    }
    // Another browser, another trip, a stranger's code, no code.
    let (url, cookie) = leave(&app).await;
    let (others, others_cookie) = leave(&app).await;
    let code = provider.confirm(&others, now, &json!({ "email": ada.email }));
    for (query, cookie, want) in [
        (vec![("code", code.as_str()), ("state", "x")], cookie.as_str(), 401),
        (vec![("code", &code), ("state", &state(&url))], "", 401),
        (vec![("code", &code), ("state", &state(&url))], others_cookie.as_str(), 401),
        (vec![("error", "access_denied"), ("state", &state(&url))], &cookie, 401),
        (vec![("state", &state(&url))], &cookie, 401),
        // The verifier of this browser is not that of the code.
        (vec![("code", &code), ("state", &state(&url))], &cookie, 502),
    ] {
        let returned = come_back(&app, &query, cookie).await;
        assert_eq!(returned.status.as_u16(), want, "{query:?}: {}", returned.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_or_while_it_is_away_a_page_says_so() {
    let app = App::new();
    assert_eq!(app.visit("/dashboard/sso", &[]).await.status, 404);
    assert_eq!(app.visit("/dashboard/sso/done?code=1&state=2", &[]).await.status, 404);
    assert!(!html(&app.visit("/dashboard/login", &[]).await).contains("dashboard/sso"));
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let app = App::with(|trac| {
        trac.with_provider(Provider::new(&format!("http://{gone}"), "c", "s", "ID").unwrap())
    });
    let page = app.visit("/dashboard/sso", &[]).await;
    assert_eq!(page.status, 502);
    assert!(html(&page).contains("sign in with your password"), "{}", page.body);
}
