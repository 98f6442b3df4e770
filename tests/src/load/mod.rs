//! The throughput of one processor: redirects with their clicks on disk, compared with nginx's empty
//! `return 302` in the same run, and webhooks with everything that follows from them.
//!
//! The server has one processor and the load another. Next to each rate, the processor time of a response is
//! printed, which is the same on a busy machine. The data is first on disk, then in memory, where no write
//! waits.

mod beside;
mod fill;
mod machine;
mod neighbours;
mod reads;
mod redirects;
mod rounds;
mod webhooks;

use std::path::Path;

use tempfile::TempDir;

use crate::server::{Server, Setup};
pub use neighbours::neighbours;
pub use reads::reads;

use machine::{Used, fsync_micros, peak_kilobytes, pin_to};
use redirects::Nginx;

/// Open connections, each with one request in flight.
const CONNECTIONS: usize = 64;
const SERVER_PROCESSOR: usize = 0;
const LOAD_PROCESSOR: usize = 1;

/// The number of responses of one measurement, and their times.
#[derive(Clone, Copy, Debug)]
struct Measured {
    answers: u64,
    micros: u64,
    p99_micros: u64,
    /// The processor time of the server's process.
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

    fn line(&self, name: &str) -> String {
        let (rate, cost) = (self.rate(), self.cost());
        let p99 = self.p99_micros / 10;
        format!(
            "{name:26} {rate:>8}/s   p99 {:>4}.{:02} ms   {:>3}.{:02} µs of the processor each",
            p99 / 100,
            p99 % 100,
            cost / 100,
            cost % 100
        )
    }
}

/// Measures redirects and webhooks for `seconds` each, and reports every line as soon as it is known.
pub async fn measure(seconds: u64, report: impl Fn(&str)) {
    pin_to(LOAD_PROCESSOR);
    let disk = tempfile::tempdir().expect("a temporary folder");
    let memory = Path::new("/dev/shm");
    let memory = memory.is_dir().then(|| tempfile::tempdir_in(memory).expect("a folder in memory"));
    let fsync = fsync_micros(disk.path());
    report(&format!("fsync of 4 KiB on this disk: median {}.{:02} ms", fsync / 1_000, fsync % 1_000 / 10));
    let in_memory = memory.as_ref().map(|folder| ("in memory", folder));
    for (place, folder) in [("on disk", &disk)].into_iter().chain(in_memory) {
        measure_in(place, folder, seconds, &report).await;
    }
}

async fn measure_in(place: &str, folder: &TempDir, seconds: u64, report: &impl Fn(&str)) {
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
        Ok(nginx) => rounds::measure(&nginx, &terms.url, process, seconds).report(place, report),
        Err(why) => report(&format!("redirects are not measured: {why}")),
    }
    let webhooks = webhooks::measure(&endpoint, &click, process, seconds).await;
    report(&webhooks.line(&format!("webhook, {place}")));
    report(&format!("  {} a second, if it had the processor alone", 100_000_000 / webhooks.cost().max(1)));
    report(&format!("  resident memory at its highest: {} MB", peak_kilobytes(process) / 1_024));
}
