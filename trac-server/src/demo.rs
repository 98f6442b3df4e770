//! `trac demo`: a merchant, two partners, a shop page and a simulator of Stripe, ready to click through.
//!
//! Everything runs in this one process, on loopback, on a fresh data folder. The tracker is the real one: the
//! demo sets it up through the HTTP API that merchants use, and the simulator sends it signed webhooks. The
//! shop is on `localhost` and the tracker on `127.0.0.1`: to a browser these are two hosts, which share no
//! cookies, like two domains on the Internet.

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
    let links = Merchant::new(&tracker_at, &workspace)?.set_up(&secret, [&shop_at, &second]).await?;

    let stand_in = StandIn::new(Config {
        origin: stripe_at.clone(),
        after_payment: Some(format!("{shop_at}/thanks.html")),
        catalogue: Catalogue::tea_shop(),
        webhook: Some(Webhook { url: text(&workspace, "/endpoints/test/url")?, secret }),
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
            "Kettle & Leaf sells tea, and two partners send it buyers. Nothing leaves this machine.\n\n\
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

/// The merchant, who sets up the tracker through the API.
struct Merchant {
    client: reqwest::Client,
    api: String,
    key: String,
    endpoint: String,
}

impl Merchant {
    fn new(tracker: &str, workspace: &Value) -> Result<Self, DemoError> {
        Ok(Self {
            client: reqwest::Client::new(),
            api: format!("{tracker}/api/v1"),
            key: text(workspace, "/keys/sk_test")?,
            endpoint: text(workspace, "/endpoints/test/id")?,
        })
    }

    /// Sets a signing secret, and creates a program and, for each partner, an enrollment and a link. Returns
    /// the links' URLs.
    async fn set_up(&self, secret: &str, shops: [&str; 2]) -> Result<Vec<String>, DemoError> {
        let endpoint = self.client.patch(format!("{}/webhook-endpoints/{}", self.api, self.endpoint));
        self.send(endpoint, &json!({ "signing_secrets": [secret] })).await?;
        let percent = |rate_bps: i32| json!({"type": "percentage", "rate_bps": rate_bps});
        let program = json!({"name": "Friends of tea", "commission": percent(2_000)});
        let program = self.make("programs", &program).await?;
        let partners = [
            ("Paula Press", "paula", None, shops[0]),
            ("Pete Podcast", "pete", Some(percent(3_000)), shops[1]),
        ];
        let mut links = Vec::new();
        for (name, slug, terms, shop) in partners {
            let partner = json!({"name": name, "email": format!("{slug}@partners.example"), "code": slug});
            let partner = text(&self.make("partners", &partner).await?, "/id")?;
            let program = text(&program, "/id")?;
            let mut enrollment = json!({"program_id": program, "partner_id": partner});
            if let (Some(terms), Some(fields)) = (terms, enrollment.as_object_mut()) {
                fields.insert("commission".to_owned(), terms);
            }
            self.make("enrollments", &enrollment).await?;
            let destination = format!("{shop}/");
            let link = json!({"program_id": program, "partner_id": partner, "slug": slug,
                "destination": destination});
            links.push(text(&self.make("links", &link).await?, "/url")?);
        }
        Ok(links)
    }

    async fn make(&self, resource: &str, body: &Value) -> Result<Value, DemoError> {
        self.send(self.client.post(format!("{}/{resource}", self.api)), body).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, body: &Value) -> Result<Value, DemoError> {
        let response = request.bearer_auth(&self.key).json(body).send().await;
        let response = response.map_err(|error| failed("the tracker", &error))?;
        let status = response.status();
        let body: Value = response.json().await.map_err(|error| failed("the tracker's response", &error))?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(DemoError(format!("the tracker rejected a call: {body}")))
        }
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
