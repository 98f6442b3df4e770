//! A locked database or a full disk under a real server: visitors are still redirected, acknowledged data
//! stays, and everything recovers without a restart.
#![expect(clippy::expect_used, reason = "a failed precondition of a test panics")]

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use rusqlite::Connection;
use serde_json::json;
use trac_tests::{Merchant, Server, Setup, SmallDisk, envelope, now, say, session};

struct Visitor(Client);

impl Visitor {
    fn new() -> Self {
        Self(Client::builder().redirect(Policy::none()).build().expect("a client"))
    }

    /// Follows a link; returns the click ID in the destination, empty without one, and how long that took.
    async fn follow(&self, url: &str) -> (String, Duration) {
        let begun = Instant::now();
        let answer = self.0.get(url).header("user-agent", "a browser").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::FOUND);
        let location =
            answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(location.starts_with("https://shop.example/"), "{location}");
        let id = location.split_once("trac_click_id=").map_or("", |(_, id)| id);
        (id.to_owned(), begun.elapsed())
    }
}

/// The disks here are smaller than the default of `TRAC_KEEP_FREE_MB`.
fn no_space_reserved() -> Vec<(&'static str, String)> {
    vec![("TRAC_KEEP_FREE_MB", "0".to_owned())]
}

/// A server with its data on a small disk.
async fn on(disk: &SmallDisk) -> Server {
    let data = Some(disk.path().join("data"));
    Server::start_as(Setup { data, variables: no_space_reserved(), ..Setup::default() }).await
}

async fn status(server: &Server, path: &str) -> u16 {
    reqwest::get(format!("{}{path}", server.origin())).await.expect("an answer").status().as_u16()
}

/// Polls until the server is ready.
async fn recovered(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while status(server, "/readyz").await != 200 {
        assert!(Instant::now() < deadline, "not ready again: {}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every returned ID is stored as a click, once. A visitor who received no ID, because the disk took too long,
/// may have a click too.
async fn all_are_stored(merchant: &Merchant, ids: &[String], visits: usize) {
    for id in ids {
        assert_eq!(merchant.get(&format!("/clicks/{id}")).await.text("/click_id"), *id);
    }
    let stored = merchant.all("/clicks").await.len();
    assert!(
        (ids.len()..=visits).contains(&stored),
        "{stored} stored, {} returned, {visits} visits",
        ids.len()
    );
}

#[tokio::test]
async fn a_locked_store_and_a_kill_lose_no_click_that_a_visitor_carries() {
    let mut server = Server::start().await;
    let merchant = server.merchant("locked");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "paula", "https://shop.example/").await;
    let (visitor, mut ids, mut visits, mut longest) = (Visitor::new(), Vec::new(), 0, Duration::ZERO);
    for round in 0..3 {
        let lock = Connection::open(Path::new(&server.data()).join("trac.db")).expect("the database");
        lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        let before = ids.len();
        for _ in 0..30 {
            let (id, took) = visitor.follow(&terms.url).await;
            longest = longest.max(took);
            visits += 1;
            if !id.is_empty() {
                ids.push(id);
            }
        }
        assert!(ids.len() > before, "visitors get IDs while the store is locked");
        assert_eq!(status(&server, "/readyz").await, 503);
        match round {
            // The database is unlocked.
            0 => drop(lock),
            // The server is killed while the clicks wait in the spool.
            1 => {
                server.kill();
                drop(lock);
                server.restart().await;
            }
            // The server is killed while the clicks are written to the database.
            _ => {
                drop(lock);
                server.kill();
                server.restart().await;
            }
        }
        recovered(&server).await;
        all_are_stored(&merchant, &ids, visits).await;
    }
    say(&format!("the longest wait for a locked store: {} ms", longest.as_millis()));

    // A payment with one of the clicks is credited.
    let click = ids.last().expect("clicks").clone();
    let paid = envelope("evt_1", "checkout.session.completed", now(), &session("1", 10_000, &click));
    endpoint.deliver(&paid).await;
    assert_eq!(merchant.net_minor().await, 2_000);
}

#[tokio::test]
async fn a_full_disk_stops_no_visitor_and_recovers_without_a_restart() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let mut server = on(&disk).await;
    let merchant = server.merchant("full");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "paula", "https://shop.example/").await;
    let (visitor, mut ids) = (Visitor::new(), Vec::new());
    let (id, _) = visitor.follow(&terms.url).await;
    ids.push(id.clone());

    disk.fill();

    // Space is reserved for some thousand clicks: visitors still receive IDs.
    for _ in 0..50 {
        let (id, _) = visitor.follow(&terms.url).await;
        assert!(id.starts_with("clk_"), "{}", server.log());
        ids.push(id);
    }
    let partner = merchant.ask(reqwest::Method::POST, "/partners", Some(json!({"name": "Late"}))).await;
    assert_eq!((partner.status, partner.text("/error/code").as_str()), (503, "STORE_BUSY"));
    let paid = envelope("evt_full", "checkout.session.completed", now(), &session("full", 10_000, &id));
    let body = paid.to_string().into_bytes();
    let signature = trac_stand_in::sign(&endpoint.secret, now(), &body);
    let refused = endpoint.post(body, &signature).await.expect("an answer");
    assert_eq!(refused.status, 503, "Stripe sends it again: {}", refused.body);
    assert_eq!(status(&server, "/readyz").await, 503);

    disk.clear();
    recovered(&server).await;
    all_are_stored(&merchant, &ids, ids.len()).await;
    endpoint.deliver(&paid).await;
    assert_eq!(merchant.net_minor().await, 2_000);

    // All of that survives a restart.
    server.restart().await;
    all_are_stored(&merchant, &ids, ids.len()).await;
}

#[tokio::test]
async fn without_space_for_a_spool_visitors_are_redirected_without_an_id() {
    let Some(disk) = SmallDisk::mount(10) else { return };
    let server = on(&disk).await;
    let merchant = server.merchant("tiny");
    // Landing pages of two kilobytes use up the space for clicks; then visitors are redirected without an ID.
    let terms = merchant.terms(2_000, "paula", &format!("https://shop.example/{}", "z".repeat(2_000))).await;
    disk.fill();
    let (visitor, mut ids) = (Visitor::new(), Vec::new());
    let long = format!("{}?x={}", terms.url, "y".repeat(10));
    let mut without_id = 0;
    for _ in 0..1_200 {
        let request = visitor.0.get(&long).header("user-agent", "a browser");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::FOUND);
        let location =
            answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match location.split_once("trac_click_id=") {
            Some((_, id)) => ids.push(id.to_owned()),
            None => without_id += 1,
        }
    }
    assert!(without_id > 50 && ids.len() > 100, "{without_id} without, {} with", ids.len());
    disk.clear();
    recovered(&server).await;
    all_are_stored(&merchant, &ids, ids.len()).await;
    assert!(visitor.follow(&terms.url).await.0.starts_with("clk_"));
}
