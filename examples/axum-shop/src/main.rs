//! A shop that makes its Checkout Sessions on the server.
//!
//! ```text
//! partner's link ─▶ GET /?trac_click_id=clk_…   ClickLayer sets a cookie with the click
//!                   POST /checkout              Option<Click> reads it, stripe_metadata puts it on the session
//!                   303 to Stripe's page
//! ```
//!
//! The page contains no Payment Link and no script: everything happens in [`checkout`] and one layer.
//!
//! | variable | default |
//! |---|---|
//! | `SHOP_LISTEN` | `127.0.0.1:8790` |
//! | `SHOP_URL` | `http://localhost:` and the port |
//! | `STRIPE_API_URL` | `https://api.stripe.com` (build with `--features tls`) |
//! | `STRIPE_SECRET_KEY` | none; required |

mod checkout;
mod pages;

use std::env;
use std::error::Error;
use std::io::{Write, stdout};

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use trac_server::ClickLayer;

use crate::checkout::Stripe;

/// The state of every request.
#[derive(Clone, Debug)]
struct Shop {
    /// The shop's own URL, to which Stripe returns the buyer.
    url: String,
    stripe: Stripe,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let setting = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let key = env::var("STRIPE_SECRET_KEY").map_err(|_| "STRIPE_SECRET_KEY is not set")?;
    let listener = TcpListener::bind(setting("SHOP_LISTEN", "127.0.0.1:8790")).await?;
    let url = setting("SHOP_URL", &format!("http://localhost:{}", listener.local_addr()?.port()));
    let stripe = Stripe::new(&setting("STRIPE_API_URL", "https://api.stripe.com"), &key);
    writeln!(stdout(), "{url}")?;
    // Without https, browsers reject a `Secure` cookie.
    let clicks = ClickLayer::new();
    let clicks = if url.starts_with("https:") { clicks } else { clicks.insecure() };
    let shop = Router::new()
        .route("/", get(pages::index))
        .route("/thanks", get(pages::thanks))
        .route("/shop.css", get(pages::style))
        .route("/checkout", post(checkout::begin))
        .layer(clicks)
        .with_state(Shop { url, stripe });
    axum::serve(listener, shop).await?;
    Ok(())
}
