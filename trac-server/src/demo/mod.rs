//! `trac demo`: a merchant, three partners, two months of sales, a shop page and a simulator of Stripe, ready to click
//! through.
//!
//! Everything runs in this one process, on loopback, on a fresh data folder. The tracker is the real one: the
//! demo sets it up through the HTTP API that merchants use, and the simulator sends it signed webhooks. The
//! shop is on `localhost` and the tracker on `127.0.0.1`: to a browser these are two hosts, which share no
//! cookies, like two domains on the Internet.

mod merchant;
mod history;

use std::fmt::Display;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use trac_stand_in::{Catalogue, Config, Shop, ShopOrigins, StandIn, Webhook};
use uuid::Uuid;

use self::merchant::Merchant;
use crate::ask::Asker;
use crate::clock::Clock;
use crate::config::DemoOptions;
use crate::store::{FolderLock, Store};
use crate::{Trac, listen, service, workspace};

/// Ports tried first, so that the addresses are usually the same; if one is taken, any free port is used.
const TRACKER_PORT: u16 = 8787;
const SHOP_PORT: u16 = 8788;
const STRIPE_PORT: u16 = 8789;

/// Why the demo did not start, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DemoError(String);

/// A running demo; dropping it stops everything.
#[derive(Debug)]
pub struct Demo {
    /// The addresses: `tracker`, `shop`, `stripe`, `links`, `dashboard_url`, `workspace`.
    pub addresses: Value,
    tasks: JoinSet<std::io::Result<()>>,
    store: Store,
    _lock: FolderLock,
    // The temporary folder, deleted on drop; `None` if a folder was given as an option.
    _folder: Option<tempfile::TempDir>,
}

/// Starts the tracker, the simulator of Stripe and the shop, and sets up the tracker.
///
/// # Errors
/// [`DemoError`] if no port is free, the folder cannot be written, or the tracker rejects a call.
pub async fn start(options: DemoOptions) -> Result<Demo, DemoError> {
    let (tracker_at, tracker) = bind(options.listen, TRACKER_PORT, "127.0.0.1").await?;
    let (shop_at, shop) = bind(options.shop, SHOP_PORT, "localhost").await?;
    let (stripe_at, stripe) = bind(options.stripe, STRIPE_PORT, "127.0.0.1").await?;
    let (data, folder) = folder(options.data)?;

    let lock = FolderLock::on(&data).map_err(|error| failed("the data folder", &error))?;
    let store = Store::open(&data).map_err(|error| failed("the data folder", &error))?;
    let trac = Trac::new(store.clone(), Clock::system(), &tracker_at).with_stripe_api_url(&stripe_at);
    let created = async {
        workspace::remember_public_url(&store, &tracker_at).await?;
        workspace::create(&trac, "Kettle & Leaf").await
    };
    let workspace = created.await.map_err(|error| failed("the workspace", &error))?;
    let mut tasks = JoinSet::new();
    let asker = Asker::new(trac.clone());
    tasks.spawn(async move {
        asker.run().await;
        Ok(())
    });
    tasks.spawn(async move {
        listen::serve(tracker, service(trac), pending()).await;
        Ok(())
    });

    let secret = format!("whsec_{}", Uuid::new_v4().simple());
    let second = options.second_shop.unwrap_or_else(|| shop_at.clone());
    let merchant = Merchant::new(&tracker_at, &workspace)?;
    let campaigns = merchant.set_up(&secret, [&shop_at, &second]).await?;
    let links: Vec<_> = campaigns.iter().map(|campaign| campaign.url.clone()).collect();
    let webhook = Webhook { url: text(&workspace, "/endpoints/test/url")?, secret };
    if !options.empty {
        history::tell(&merchant, &webhook, &campaigns).await?;
    }

    let stand_in = StandIn::new(Config {
        origin: stripe_at.clone(),
        after_payment: Some(format!("{shop_at}/thanks.html")),
        catalogue: Catalogue::tea_shop(),
        webhook: Some(webhook),
    });
    tasks.spawn(stand_in.serve(stripe));
    let origins = ShopOrigins { tracker: tracker_at.clone(), stripe: stripe_at.clone() };
    let pages: Router = Shop::new(&origins).router();
    tasks.spawn(async move { axum::serve(shop, pages).await });

    let addresses = json!({
        "tracker": tracker_at,
        "shop": shop_at,
        "stripe": stripe_at,
        "links": links,
        "dashboard_url": workspace.pointer("/dashboard_url"),
        "workspace": workspace,
    });
    Ok(Demo { addresses, tasks, store, _lock: lock, _folder: folder })
}

impl Demo {
    /// Stops everything and completes the writes that the store has accepted.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        let store = self.store;
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }

    /// The addresses as lines for a person.
    #[must_use]
    pub fn story(&self) -> String {
        let line =
            |pointer: &str| self.addresses.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        format!(
            "Kettle & Leaf sells tea, and three partners send it buyers. Nothing leaves this machine.\n\n\
             \x20 1  Open trac's dashboard and leave it open; it shows each step at once (this link works once):\n\
             \x20      {}\n\
             \x20 2  Follow a partner's link, as their readers do:\n\
             \x20      {}   Paula, 20 %\n\
             \x20      {}    Pete, 30 %\n\
             \x20 3  Buy something. The payment page is simulated: no card is charged.\n\
             \x20 4  Act as the merchant at Stripe: refund, renew, dispute, cancel:\n\
             \x20      {}/dashboard\n\n\
             For the API, and to sign in to the dashboard again: {}\n\
             Ctrl-C ends the demo. Its temporary data is deleted.",
            line("/dashboard_url"),
            line("/links/0"),
            line("/links/1"),
            line("/stripe"),
            line("/workspace/keys/sk_test"),
        )
    }
}

/// Listens on the given address, otherwise on the usual port, otherwise on a free one; returns the origin for
/// browsers too.
async fn bind(wanted: Option<SocketAddr>, port: u16, host: &str) -> Result<(String, TcpListener), DemoError> {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = match wanted {
        Some(address) => TcpListener::bind(address).await.map_err(|error| (address, error)),
        None => match TcpListener::bind(loopback(port)).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind(loopback(0)).await.map_err(|error| (loopback(0), error)),
        },
    };
    let listener =
        bound.map_err(|(address, error)| failed(&format!("cannot listen on {address}"), &error))?;
    let address = listener.local_addr().map_err(|error| failed("the address of a socket", &error))?;
    Ok((format!("http://{host}:{}", address.port()), listener))
}

fn folder(wanted: Option<PathBuf>) -> Result<(PathBuf, Option<tempfile::TempDir>), DemoError> {
    if let Some(path) = wanted {
        return Ok((path, None));
    }
    let folder = tempfile::tempdir().map_err(|error| failed("a temporary folder", &error))?;
    Ok((folder.path().join("trac-demo"), Some(folder)))
}

fn text(value: &Value, pointer: &str) -> Result<String, DemoError> {
    let found = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| DemoError(format!("no {pointer} in {value}")))
}

fn failed(what: &str, error: &dyn Display) -> DemoError {
    DemoError(format!("{what}: {error}"))
}
