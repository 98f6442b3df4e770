//! Two workspaces on one server with a large store: while one sends requests of all kinds at once, the
//! webhooks of the other are answered as if it were alone, and the server stays ready.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::task::JoinSet;

use super::{fill, webhooks};
use crate::merchant::Merchant;
use crate::server::Server;
use crate::stripe::{Endpoint, now};

/// The size of the store, in thousands.
const CLICKS: usize = 2_000;
const EVENTS: u64 = 200;
/// The limit for the webhooks' p99 while the other workspace sends requests.
const P99_LIMIT: Duration = Duration::from_millis(100);
/// The pause between the quiet workspace's webhooks, on each of its connections.
const PAUSE: Duration = Duration::from_millis(20);
const CONNECTIONS: u64 = 4;
const READY_PAUSE: Duration = Duration::from_millis(50);

/// The loud workspace's requests, all at once and repeated, in addition to eight tabs of the dashboard.
const ASKED: [&str; 12] = [
    "/analytics?interval=90d",
    "/analytics?interval=90d",
    "/analytics?interval=90d",
    "/analytics?interval=90d",
    "/clicks?page=15000&limit=100",
    "/clicks?limit=100",
    "/events?page=1500&limit=100",
    "/events?reason=ok",
    "/conversions?page=1500&limit=100",
    "/commissions?page=1500&limit=100",
    "/balances",
    "/links",
];
const TABS: usize = 8;

/// The response times.
#[derive(Debug, Default)]
struct Times(Vec<Duration>);

impl Times {
    fn at(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or_default()
    }

    fn line(&mut self, name: &str) -> String {
        let [half, p99, longest] = [50, 99, 100].map(|percent| self.at(percent).as_micros());
        let ms = |micros: u128| format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10);
        format!(
            "{name:34} {:>6} answers, half in {} ms, p99 {} ms, longest {} ms",
            self.0.len(),
            ms(half),
            ms(p99),
            ms(longest)
        )
    }
}

/// Fills a store, then measures the webhooks for `seconds`, alone and next to the other workspace. Reports
/// every line as soon as it is known.
///
/// # Errors
/// The limit that was exceeded, in words.
pub async fn neighbours(seconds: u64, share: usize, report: impl Fn(&str)) -> Result<(), String> {
    let mut server = Server::start_with(&["--connections-per-address", "0"]).await;
    let (loud, quiet) = (server.merchant("loud"), server.merchant("quiet"));
    let (their_endpoint, endpoint) = (loud.endpoint().await, quiet.endpoint().await);
    let their_terms = loud.terms(2_000, "loud", "https://shop.example/").await;
    let terms = quiet.terms(2_000, "quiet", "https://shop.example/").await;
    let click = quiet.click(&terms.link).await;
    server.stop();
    let workspace =
        loud.workspace.pointer("/workspace_id").and_then(serde_json::Value::as_str).unwrap_or_default();
    let begun = Instant::now();
    let clicks =
        fill::clicks(&Path::new(&server.data()).join("trac.db"), workspace, &their_terms, CLICKS * share);
    server.restart().await;
    let events = EVENTS * u64::try_from(share).unwrap_or(u64::MAX);
    fill::events(&their_endpoint, &clicks, events).await;
    report(&format!(
        "{} clicks and {events} events, made in {} s",
        CLICKS * share,
        begun.elapsed().as_secs()
    ));

    let alone = measure(&endpoint, &click, &server, seconds, 0);
    let (mut webhooks, mut ready, _) = alone.await;
    report(&webhooks.line("webhooks, alone"));
    report(&ready.line("/readyz, alone"));

    let stop = Arc::new(AtomicBool::new(false));
    let mut asking = JoinSet::new();
    for path in ASKED {
        asking.spawn(ask(loud.clone(), path, Arc::clone(&stop)));
    }
    for _ in 0..TABS {
        asking.spawn(load_dashboard(loud.clone(), Arc::clone(&stop)));
    }
    let together = measure(&endpoint, &click, &server, seconds, 1);
    let (mut webhooks, mut ready, unready) = together.await;
    stop.store(true, Ordering::SeqCst);
    let mut answers = [0_u64; 3];
    for (sum, one) in asking.join_all().await.iter().flat_map(|each| each.iter().enumerate()) {
        if let Some(all) = answers.get_mut(sum) {
            *all += one;
        }
    }
    report(&webhooks.line("webhooks, next to the other"));
    report(&ready.line("/readyz, next to the other"));
    let [ok, slow, other] = answers;
    report(&format!("the other: {ok} answers were 200, {slow} were 503, {other} anything else"));
    if unready > 0 {
        return Err(format!("/readyz was not 200 {unready} times"));
    }
    if webhooks.at(99) >= P99_LIMIT {
        return Err(format!("the p99 of webhooks is {} ms", webhooks.at(99).as_millis()));
    }
    if other > 0 {
        return Err(format!("{other} queries were answered neither 200 nor 503"));
    }
    Ok(())
}

/// Delivers webhooks, and calls `/readyz`. Returns the times of both, and how often the server was not ready.
async fn measure(
    endpoint: &Endpoint,
    click: &str,
    server: &Server,
    seconds: u64,
    round: u64,
) -> (Times, Times, u64) {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut delivering = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (endpoint, click) = (endpoint.clone(), click.to_owned());
        delivering.spawn(async move {
            let event = fill::paid(now()).replace("CLICK", &click);
            let (mut socket, path) = webhooks::Connection::to(&endpoint).await;
            let (mut times, mut number) = (Vec::new(), 0_u64);
            while Instant::now() < until {
                let event = event.replace("NUMBER", &format!("{round}_{connection}_{number}"));
                number += 1;
                times.push(socket.deliver(&path, &endpoint.secret, &event).await);
                tokio::time::sleep(PAUSE).await;
            }
            times
        });
    }
    let (client, url) = (Client::new(), format!("{}/readyz", server.origin()));
    let (mut ready, mut unready) = (Times::default(), 0);
    while Instant::now() < until {
        let asked = Instant::now();
        let answer = client.get(&url).send().await.expect("the server answers");
        ready.0.push(asked.elapsed());
        if answer.status() != 200 {
            unready += 1;
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    (Times(delivering.join_all().await.concat()), ready, unready)
}

/// Requests a list repeatedly; counts the responses with `200`, `503` and any other status.
async fn ask(merchant: Merchant, path: &'static str, stop: Arc<AtomicBool>) -> [u64; 3] {
    let mut answers = [0; 3];
    while !stop.load(Ordering::SeqCst) {
        count(&mut answers, merchant.ask(reqwest::Method::GET, path, None).await.status);
    }
    answers
}

/// Requests the dashboard repeatedly.
async fn load_dashboard(merchant: Merchant, stop: Arc<AtomicBool>) -> [u64; 3] {
    let client = Client::builder().redirect(Policy::none()).build().expect("a client");
    let login = client.post(format!("{}/dashboard/login", merchant.origin));
    let login = login.form(&[("key", merchant.secret_key())]).send().await.expect("the server answers");
    let cookie = login.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let mut answers = [0; 3];
    while !stop.load(Ordering::SeqCst) {
        let page = client.get(format!("{}/dashboard", merchant.origin)).header("cookie", &cookie);
        count(&mut answers, page.send().await.expect("the server answers").status().as_u16());
    }
    answers
}

fn count(answers: &mut [u64; 3], status: u16) {
    let [ok, slow, other] = answers;
    match status {
        200 => *ok += 1,
        503 => *slow += 1,
        _ => *other += 1,
    }
}
