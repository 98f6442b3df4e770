//! Webhooks on a large store, beside a small one in the same run: alone, with a hundred open pages of the dashboard, and
//! while a backup is made.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use super::reads::Grown;
use super::{Measured, webhooks};
use crate::binary::command;
use crate::stripe::Endpoint;

/// How often each measurement is made, by turns.
const ROUNDS: usize = 5;
const SECONDS: u64 = 3;
/// Open pages of the dashboard.
const TABS: usize = 100;

/// Measures and reports the medians.
pub(super) async fn measure(full: &Grown, small: &Grown, report: &impl Fn(&str)) {
    let (at_full, at_small) = (full.merchant.endpoint().await, small.merchant.endpoint().await);
    let mut measured: [Vec<Measured>; 4] = Default::default();
    for _ in 0..ROUNDS {
        measured[0].push(webhooks_of(small, &at_small).await);
        measured[1].push(webhooks_of(full, &at_full).await);
        let tabs = Tabs::open(full).await;
        measured[2].push(webhooks_of(full, &at_full).await);
        tabs.close().await;
        let mut backup = Backup::begin(full);
        measured[3].push(webhooks_of(full, &at_full).await);
        let is_over = backup.ended();
        drop(backup);
        if is_over {
            report("the backup ended before the measurement: the store is too small to measure it");
        }
    }
    let names = ["small store", "full store", "full, 100 pages open", "full, backup"];
    for (name, mut rounds) in names.iter().zip(measured) {
        let mut p99: Vec<_> = rounds.iter().map(|one| one.p99_micros).collect();
        p99.sort_unstable();
        rounds.sort_by_key(Measured::rate);
        let (Some(middle), Some(p99_micros)) = (rounds.get(ROUNDS / 2), p99.get(ROUNDS / 2)) else {
            continue;
        };
        report(&Measured { p99_micros: *p99_micros, ..*middle }.line(&format!("webhook, {name}")));
    }
}

async fn webhooks_of(grown: &Grown, endpoint: &Endpoint) -> Measured {
    let click = grown.samples.get("click").and_then(Value::as_str).unwrap_or_default();
    let process = grown.server.process().expect("it runs");
    webhooks::measure(endpoint, click, process, SECONDS).await
}

/// Open pages of the dashboard.
struct Tabs {
    stop: Arc<AtomicBool>,
    open: Vec<JoinHandle<()>>,
}

impl Tabs {
    /// Opens the pages, and waits until each was shown once.
    async fn open(grown: &Grown) -> Self {
        let (client, stop, shown) =
            (Client::new(), Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(TABS + 1)));
        let open = (0..TABS).map(|n| {
            let page = grown.page_of_dashboard();
            tokio::spawn(tab(client.clone(), page, n, Arc::clone(&stop), Arc::clone(&shown)))
        });
        let open = open.collect();
        let tabs = Self { stop, open };
        shown.wait().await;
        tabs
    }

    async fn close(self) {
        self.stop.store(true, Ordering::Relaxed);
        for open in self.open {
            open.await.expect("a page is answered");
        }
    }
}

/// One page: asks for the number of changes each second, and for the changing part if the number changed, as
/// `dashboard.js` does.
async fn tab(
    client: Client,
    (origin, cookie): (String, String),
    n: usize,
    stop: Arc<AtomicBool>,
    shown: Arc<Barrier>,
) {
    let get = async |path: &str| {
        let request = client.get(format!("{origin}{path}")).header("cookie", &cookie);
        let answer = request.send().await.expect("the server answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let number =
            answer.headers().get("x-changes").and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        (number, answer.text().await.expect("a body"))
    };
    let mut number = get("/dashboard/live").await.0.unwrap_or_default();
    shown.wait().await;
    // The pages were not opened at the same moment.
    tokio::time::sleep(Duration::from_millis(u64::try_from(n).unwrap_or_default() * 10)).await;
    while !stop.load(Ordering::Relaxed) {
        let (_, newest) = get("/dashboard/changes").await;
        if newest != number {
            number = get("/dashboard/live").await.0.unwrap_or_default();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// `trac backup`, as a process of its own.
struct Backup {
    process: Child,
    file: std::path::PathBuf,
}

impl Backup {
    fn begin(grown: &Grown) -> Self {
        let data = grown.server.data();
        let file = std::path::Path::new(&data).with_extension("backup");
        let _ = fs::remove_file(&file);
        let mut backup = command();
        backup.args(["backup", &file.to_string_lossy(), "--data", &data]);
        let process = backup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("trac runs");
        Self { process, file }
    }

    fn ended(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.file);
    }
}
