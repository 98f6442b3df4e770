//! The shop's three pages.

use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};

const INDEX: &str = include_str!("../pages/index.html");
const THANKS: &str = include_str!("../pages/thanks.html");
const STYLE: &str = include_str!("../../payment-link/shop.css");

pub(crate) async fn index() -> Html<&'static str> {
    Html(INDEX)
}

pub(crate) async fn thanks() -> Html<&'static str> {
    Html(THANKS)
}

pub(crate) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// Plain text, so that a message cannot become HTML.
pub(crate) fn sorry(message: &str) -> String {
    format!("Checkout is not possible just now. {message}")
}
