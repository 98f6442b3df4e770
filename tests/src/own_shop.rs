//! A shop as merchants build it: one page with a script tag and a few lines of code, and a server that makes
//! Checkout Sessions. It uses trac only in its page and its `metadata` line.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The form fields that the shop's server adds to a session, from the request's cookies and body.
pub type Metadata = fn(cookies: &str, body: &Value) -> Vec<(String, String)>;

/// A running shop; it ends with the test's runtime.
#[derive(Debug)]
pub struct OwnShop {
    /// Its URL, such as `http://localhost:40125`.
    pub url: String,
}

#[derive(Clone)]
struct Shop {
    url: String,
    stripe_url: String,
    page: String,
    mode: &'static str,
    metadata: Metadata,
    client: Client,
}

/// A socket for a shop, and its URL. A link can lead there before the shop is open.
pub async fn shop_address() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it has a port").port();
    (listener, format!("http://localhost:{port}"))
}

impl OwnShop {
    /// Opens a shop that sells one item in `mode` (`payment` or `subscription`) at a simulator of Stripe.
    #[must_use]
    pub fn open(
        (listener, url): (TcpListener, String),
        stripe_url: String,
        page: String,
        mode: &'static str,
        metadata: Metadata,
    ) -> Self {
        let shop = Shop { url: url.clone(), stripe_url, page, mode, metadata, client: Client::new() };
        let router = Router::new()
            .route("/", get(async |State(shop): State<Shop>| Html(shop.page)))
            .route("/thanks", get(async || Html("<h1>Thank you</h1>")))
            .route("/checkout", post(begin))
            .with_state(shop);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url }
    }
}

async fn begin(State(shop): State<Shop>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut fields: Vec<(String, String)> = [
        ("mode", shop.mode),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][unit_amount]", "5000"),
        ("line_items[0][price_data][product_data][name]", "A thing"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if shop.mode == "subscription" {
        fields.push(("line_items[0][price_data][recurring][interval]".to_owned(), "month".to_owned()));
    }
    fields.push(("success_url".to_owned(), format!("{}/thanks", shop.url)));
    fields.extend((shop.metadata)(cookies, &body));
    let request = shop.client.post(format!("{}/v1/checkout/sessions", shop.stripe_url));
    let session =
        request.bearer_auth("sk_test_own").form(&fields).send().await.expect("the simulator answers");
    let session: Value = session.json().await.expect("a session");
    Json(json!({ "url": session.get("url") }))
}
