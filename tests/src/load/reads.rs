//! How long the reads of the API and of the dashboard take on a large store, beside a small one in the same run; and
//! [webhooks](super::beside) on both.

use std::fs;
use std::path::Path;
use std::time::Instant;

use reqwest::Client;
use serde_json::{Value, json};

use super::beside;
use crate::grow::{Size, grow};
use crate::merchant::Merchant;
use crate::server::{Server, Setup};

/// How often each read is repeated; the median is reported.
const TIMES: usize = 15;
/// Large enough that the first page of each list is full.
const SMALL: Size = Size { clicks: 200, events: 400, partners: 60, days: 3 };
const SEED: u64 = 1;

/// A server on a grown store, and IDs of some of its rows.
pub(super) struct Grown {
    pub(super) server: Server,
    pub(super) merchant: Merchant,
    cookie: String,
    pub(super) samples: Value,
}

/// Reads every list of a store of this size in `folder`, which is filled first if it is empty.
pub async fn reads(folder: &Path, size: Size, report: impl Fn(&str)) {
    let full = Grown::open(&folder.join("full"), size, &report).await;
    let small = Grown::open(&folder.join("small"), SMALL, &report).await;
    report("| read | full | small | ratio |");
    report("|---|---|---|---|");
    for (name, path) in paths(&full.samples) {
        let own = paths(&small.samples).into_iter().find(|(other, _)| *other == name).map(|(_, path)| path);
        let (full, small) = (full.median(&path).await, small.median(&own.unwrap_or_default()).await);
        let ms = |micros: u64| format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10);
        let tenths = full * 10 / small.max(1);
        report(&format!("| {name} | {} | {} | {}.{} |", ms(full), ms(small), tenths / 10, tenths % 10));
    }
    beside::measure(&full, &small, &report).await;
    for (name, grown) in [("full", &full), ("small", &small)] {
        let bytes =
            fs::metadata(Path::new(&grown.server.data()).join("trac.db")).map_or(0, |file| file.len());
        report(&format!("{name}: {} MB", bytes / 1_000_000));
    }
}

/// The reads, each with its path. `last` pages are those of the store's own totals.
fn paths(samples: &Value) -> Vec<(&'static str, String)> {
    let of = |pointer: &str| match samples.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(number) => number.to_string(),
        None => String::new(),
    };
    let api = |path: &str| format!("/api/v1{path}");
    let page = |list: &str, share: u64| {
        let total = samples.pointer(&format!("/totals/{list}")).and_then(Value::as_u64).unwrap_or_default();
        api(&format!("/{list}?page={}", (total * share / 100 / 50).max(1)))
    };
    vec![
        ("clicks page 1", api("/clicks")),
        ("clicks, the middle page", page("clicks", 50)),
        ("clicks, the last page", page("clicks", 100)),
        ("clicks of a partner", api(&format!("/clicks?partner_id={}", of("/partner")))),
        ("clicks of a link", api(&format!("/clicks?link_id={}", of("/link")))),
        ("clicks of a program, unique", api(&format!("/clicks?program_id={}&unique=true", of("/program")))),
        ("commissions page 1", api("/commissions")),
        ("commissions, the last page", page("commissions", 100)),
        ("commissions held", api("/commissions?status=held")),
        ("commissions pending", api("/commissions?status=pending")),
        ("commissions approved", api("/commissions?status=approved")),
        ("commissions of a click", api(&format!("/commissions?click_id={}", of("/click")))),
        (
            "commissions of a partner, paid",
            api(&format!("/commissions?partner_id={}&status=paid", of("/partner"))),
        ),
        ("events page 1", api("/events")),
        ("events, the last page", page("events", 100)),
        ("events skipped", api("/events?outcome=skipped")),
        ("events deferred", api("/events?outcome=deferred")),
        ("events of a type", api("/events?type=invoice.paid")),
        ("conversions page 1", api("/conversions")),
        ("conversions, the last page", page("conversions", 100)),
        ("conversions without a click", api("/conversions?reason=no_click")),
        ("conversions not attributed, of a source", api("/conversions?attributed=false&source=sale")),
        ("conversions of a partner", api(&format!("/conversions?partner_id={}", of("/partner")))),
        ("customers page 1", api("/customers")),
        ("customers, the middle page", page("customers", 50)),
        ("customers, the last page", page("customers", 100)),
        ("leads page 1", api("/leads")),
        ("leads, the last page", page("leads", 100)),
        ("attributions page 1", api("/attributions")),
        ("attributions, the last page", page("attributions", 100)),
        ("links page 1", api("/links")),
        ("partners page 1", api("/partners")),
        ("payouts page 1", api("/payouts")),
        ("balances", api("/balances")),
        ("balances of a partner", api(&format!("/balances?partner_id={}", of("/partner")))),
        ("analytics 7d", api("/analytics?interval=7d")),
        ("analytics 30d", api("/analytics?interval=30d")),
        ("analytics 90d", api("/analytics?interval=90d")),
        (
            "analytics 90d of a partner",
            api(&format!("/analytics?interval=90d&partner_id={}", of("/partner"))),
        ),
        ("analytics 90d by partner", api("/analytics?interval=90d&group_by=partner")),
        ("analytics 90d by link", api("/analytics?interval=90d&group_by=link")),
        ("explain a buyer's e-mail", api(&format!("/explain/{}", of("/email")))),
        ("explain an unknown e-mail", api("/explain/unknown@example.org")),
        ("explain a click", api(&format!("/explain/{}", of("/click")))),
        ("explain the merchant's own ID", api(&format!("/explain/{}", of("/own_id")))),
        ("explain a partner's e-mail", api(&format!("/explain/{}", of("/partner_email")))),
        ("explain a slug", api(&format!("/explain/{}", of("/slug")))),
        ("explain a payment", api(&format!("/explain/{}", of("/payment")))),
        ("dashboard", "/dashboard".to_owned()),
        ("dashboard, the live part", "/dashboard/live".to_owned()),
        ("dashboard, changes", "/dashboard/changes".to_owned()),
    ]
}

impl Grown {
    async fn open(folder: &Path, size: Size, report: &impl Fn(&str)) -> Self {
        let (data, key) = (folder.join("data"), folder.join("key"));
        if !key.exists() {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).expect("a folder");
            let grown = grow(&data, size, SEED, report).await;
            fs::write(&key, grown.secret_key).expect("a file");
        }
        let server = Server::start_as(Setup { data: Some(data), ..Setup::default() }).await;
        let key = fs::read_to_string(key).expect("a file");
        let merchant = server.merchant_of(json!({"keys": {"sk_test": key}}));
        let endpoint = merchant.get("/webhook-endpoints").await.text("/data/0/id");
        let known = json!({"keys": {"sk_test": key}, "endpoints": {"test": {"id": endpoint}}});
        let merchant = server.merchant_of(known);
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let login =
            client.post(format!("{}/dashboard/login", merchant.origin)).form(&[("key", key.as_str())]);
        let login = login.send().await.expect("the server answers");
        let cookie =
            login.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let mut grown = Self { server, merchant, cookie, samples: Value::Null };
        grown.samples = grown.sample().await;
        grown
    }

    /// IDs to look up, and the length of each list.
    async fn sample(&self) -> Value {
        let first = async |path: &str, pointer: &str| self.merchant.get(path).await.text(pointer);
        let mut totals = serde_json::Map::new();
        for list in ["clicks", "commissions", "events", "conversions", "customers", "leads", "attributions"] {
            let total = self.merchant.get(&format!("/{list}?limit=1")).await.number("/meta/total");
            totals.insert(list.to_owned(), total.into());
        }
        let partner = first("/commissions?limit=1", "/data/0/partner_id").await;
        json!({
            "totals": totals,
            "partner": partner,
            "partner_email": first(&format!("/partners/{partner}"), "/email").await,
            "program": first("/programs?limit=1", "/data/0/id").await,
            "link": first(&format!("/links?partner_id={partner}"), "/data/0/id").await,
            "slug": first(&format!("/links?partner_id={partner}"), "/data/0/slug").await,
            "click": first("/commissions?limit=1", "/data/0/click_id").await,
            "payment": first("/conversions?source=sale&limit=1", "/data/0/stripe/checkout_session").await,
            "email": format!("{}@mail.example", first("/conversions?source=sale&limit=1", "/data/0/stripe/checkout_session").await.trim_start_matches("cs_")),
            "own_id": first("/leads?limit=1", "/data/0/customer_external_id").await,
        })
    }

    /// What a browser needs to open the dashboard: the address and the cookie.
    pub(super) fn page_of_dashboard(&self) -> (String, String) {
        (self.merchant.origin.clone(), self.cookie.clone())
    }

    /// The median time of a read, in microseconds.
    async fn median(&self, path: &str) -> u64 {
        let client = Client::new();
        let mut taken = Vec::new();
        for _ in 0..TIMES {
            let request = client
                .get(format!("{}{path}", self.merchant.origin))
                .header("authorization", format!("Bearer {}", self.merchant.secret_key()))
                .header("cookie", &self.cookie);
            let asked = Instant::now();
            let answer = request.send().await.expect("the server answers");
            let status = answer.status().as_u16();
            let body = answer.bytes().await.expect("a body");
            taken.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
            assert!(status == 200 || status == 404, "{path}: {status} {}", String::from_utf8_lossy(&body));
        }
        taken.sort_unstable();
        taken.get(TIMES / 2).copied().unwrap_or_default()
    }
}
