//! The shop of `examples/payment-link` on loopback: the same files, with two URLs replaced.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

const INDEX: &str = include_str!("../../payment-link/index.html");
const THANKS: &str = include_str!("../../payment-link/thanks.html");
const STYLE: &str = include_str!("../../payment-link/shop.css");
const SHIM: &str = include_str!("../assets/demo-shim.js");

/// The origins of the shop's scripts.
#[derive(Clone, Debug)]
pub struct ShopOrigins {
    /// Replaces `https://track.example.com`.
    pub tracker: String,
    /// Replaces `https://js.stripe.com`, and `https://buy.stripe.com` when a link is clicked.
    pub stripe: String,
}

/// The static shop, ready to be served.
#[derive(Clone, Debug)]
pub struct Shop {
    index: String,
    thanks: String,
}

impl Shop {
    /// Puts the origins into the pages and appends the demo's shim.
    #[must_use]
    pub fn new(origins: &ShopOrigins) -> Self {
        let shim =
            format!("<script src=\"demo-shim.js\" data-stripe=\"{}\"></script>\n</body>", origins.stripe);
        let fill = |page: &str| {
            page.replace("https://track.example.com", &origins.tracker)
                .replace("https://js.stripe.com", &origins.stripe)
                .replace("</body>", &shim)
        };
        Self { index: fill(INDEX), thanks: fill(THANKS) }
    }

    /// The pages as routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(async |State(shop): State<Self>| Html(shop.index)))
            .route("/thanks.html", get(async |State(shop): State<Self>| Html(shop.thanks)))
            .route("/shop.css", get(async || typed("text/css; charset=utf-8", STYLE)))
            .route("/demo-shim.js", get(async || typed("text/javascript; charset=utf-8", SHIM)))
            .with_state(self)
    }
}

fn typed(kind: &'static str, body: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payment_links_keep_stripes_host_and_scripts_get_the_given_origins() {
        let origins =
            ShopOrigins { tracker: "http://127.0.0.1:1".to_owned(), stripe: "http://127.0.0.1:2".to_owned() };
        let shop = Shop::new(&origins);
        assert!(shop.index.contains("href=\"https://buy.stripe.com/test_teachest"));
        assert!(shop.index.contains("src=\"http://127.0.0.1:1/trac.js\" defer"));
        assert!(shop.index.contains("src=\"http://127.0.0.1:2/v3/buy-button.js\""));
        assert!(!shop.index.contains("track.example.com"));
    }
}
