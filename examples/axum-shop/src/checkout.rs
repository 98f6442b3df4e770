//! From the visitor's cookie to Stripe's payment page.

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;
use trac_server::{Click, stripe_metadata};

use crate::Shop;
use crate::pages;

/// The items, by their name in the form.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Item {
    /// Bought once.
    Teapot,
    /// Every month.
    TeaOfTheMonth,
}

/// The buyer's order.
#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    item: Item,
}

/// The part of Stripe's API that a shop needs.
#[derive(Clone, Debug)]
pub(crate) struct Stripe {
    client: reqwest::Client,
    sessions: String,
    key: String,
}

/// Why no payment page could be opened; the buyer may try again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckoutError {
    #[error("Stripe does not respond: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("Stripe refuses the session: {0}")]
    Refused(String),
}

impl IntoResponse for CheckoutError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_GATEWAY, pages::sorry(&self.to_string())).into_response()
    }
}

/// `POST /checkout`: makes a session with the click, if a partner sent this buyer, and redirects to its page.
pub(crate) async fn begin(
    State(shop): State<Shop>,
    click: Option<Click>,
    Form(order): Form<Order>,
) -> Result<Redirect, CheckoutError> {
    let mut fields = order.item.fields();
    fields.push(("success_url".to_owned(), format!("{}/thanks", shop.url)));
    if let Some(click) = click {
        let metadata = stripe_metadata(&click, None);
        let owned = |(name, value): (String, &str)| (name, value.to_owned());
        fields.extend(metadata.session_fields().map(owned));
        if matches!(order.item, Item::TeaOfTheMonth) {
            fields.extend(metadata.subscription_fields().map(owned));
        }
    }
    Ok(Redirect::to(&shop.stripe.create_session(&fields).await?))
}

impl Item {
    /// The line item and the mode, in Stripe's form encoding.
    fn fields(self) -> Vec<(String, String)> {
        let (name, amount_minor, mode) = match self {
            Self::Teapot => ("Teapot", "6500", "payment"),
            Self::TeaOfTheMonth => ("Tea of the month", "2200", "subscription"),
        };
        let mut fields = vec![("mode", mode), ("line_items[0][quantity]", "1")];
        fields.extend([
            ("line_items[0][price_data][currency]", "usd"),
            ("line_items[0][price_data][unit_amount]", amount_minor),
            ("line_items[0][price_data][product_data][name]", name),
        ]);
        if mode == "subscription" {
            fields.push(("line_items[0][price_data][recurring][interval]", "month"));
        }
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Stripe {
    pub(crate) fn new(api_url: &str, key: &str) -> Self {
        let sessions = format!("{}/v1/checkout/sessions", api_url.trim_end_matches('/'));
        Self { client: reqwest::Client::new(), sessions, key: key.to_owned() }
    }

    /// `POST /v1/checkout/sessions`; returns the URL of the payment page.
    async fn create_session(&self, fields: &[(String, String)]) -> Result<String, CheckoutError> {
        let request = self.client.post(&self.sessions).bearer_auth(&self.key).form(fields);
        let session: Value = request.send().await?.json().await?;
        let url = session.pointer("/url").and_then(Value::as_str).map(str::to_owned);
        url.ok_or_else(|| {
            let message = session.pointer("/error/message").and_then(Value::as_str);
            CheckoutError::Refused(message.unwrap_or("no reason given").to_owned())
        })
    }
}
