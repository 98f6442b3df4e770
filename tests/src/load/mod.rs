//! How much one processor does: redirects with their clicks on disk, beside nginx's empty `return 302` in the same run,
//! and webhooks with all that follows from them.
//!
//! The server has one processor and the load comes from another. Beside the rates stands what each answer took of the
//! processor, which says the same on a busy machine; and beside the disk, a folder in memory, where nothing is waited for.

mod fill;
mod machine;
mod neighbours;
mod redirects;
mod rounds;
mod webhooks;

use std::path::Path;

use tempfile::TempDir;

use crate::server::{Server, Setup};
pub use neighbours::neighbours;

use machine::{Used, fsync_micros, keep_to, peak_kilobytes};
use redirects::Nginx;

/// Connections kept open, each with one request under way.
const CONNECTIONS: usize = 64;
const SERVER_PROCESSOR: usize = 0;
const LOAD_PROCESSOR: usize = 1;

/// What was asked so often, and how it was answered.
#[derive(Clone, Copy, Debug)]
struct Measured {
    answers: u64,
    micros: u64,
    p99_micros: u64,
    /// What the answering process took of the processor.
    used: Used,
}

impl Measured {
    fn rate(&self) -> u64 {
        self.answers * 1_000_000 / self.micros.max(1)
    }

    /// In hundredths of a microsecond.
    fn cost(&self) -> u64 {
        self.used.micros * 100 / self.answers.max(1)
    }

    fn line(&self, what: &str) -> String {
        let (rate, cost) = (self.rate(), self.cost());
        let p99 = self.p99_micros / 10;
        format!(
            "{what:26} {rate:>8}/s   p99 {:>4}.{:02} ms   {:>3}.{:02} µs of the processor each",
            p99 / 100,
            p99 % 100,
            cost / 100,
            cost % 100
        )
    }
}

/// Measures for so many seconds each, and tells every line as it is known.
pub async fn measure(seconds: u64, tell: impl Fn(&str)) {
    keep_to(LOAD_PROCESSOR);
    let disk = tempfile::tempdir().expect("a temporary folder");
    let memory = Path::new("/dev/shm");
    let memory = memory.is_dir().then(|| tempfile::tempdir_in(memory).expect("a folder in memory"));
    let fsync = fsync_micros(disk.path());
    tell(&format!("fsync of 4 KiB on this disk: median {}.{:02} ms", fsync / 1_000, fsync % 1_000 / 10));
    let in_memory = memory.as_ref().map(|folder| ("in memory", folder));
    for (place, folder) in [("on disk", &disk)].into_iter().chain(in_memory) {
        measure_in(place, folder, seconds, &tell).await;
    }
}

async fn measure_in(place: &str, folder: &TempDir, seconds: u64, tell: &impl Fn(&str)) {
    let setup = Setup {
        data: Some(folder.path().join("data")),
        processor: Some(SERVER_PROCESSOR),
        ..Setup::default()
    };
    let server = Server::start_as(setup).await;
    let process = server.process().expect("it runs");
    let merchant = server.merchant("load");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "load", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    match Nginx::start() {
        Ok(nginx) => rounds::measure(&nginx, &terms.url, process, seconds).tell(place, tell),
        Err(why) => tell(&format!("redirects are not measured: {why}")),
    }
    let webhooks = webhooks::measure(&endpoint, &click, process, seconds).await;
    tell(&webhooks.line(&format!("webhook, {place}")));
    tell(&format!("  {} a second, had it the processor to itself", 100_000_000 / webhooks.cost().max(1)));
    tell(&format!("  resident memory at its highest: {} MB", peak_kilobytes(process) / 1_024));
}
