//! A full disk: visitors are still redirected, writes are refused, and once there is space again, all works
//! as before, without a restart.
#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::time::{Duration, Instant};

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::json;
use trac_tests::{Endpoint, Merchant, Server, Setup, SmallDisk, envelope, now, session, trac};

const TIMEOUT: Duration = Duration::from_secs(20);

/// The disks here are smaller than the default of `TRAC_KEEP_FREE_MB`.
fn no_space_reserved() -> Vec<(&'static str, String)> {
    vec![("TRAC_KEEP_FREE_MB", "0".to_owned())]
}

/// Follows the link `full`; returns the destination.
async fn visit(client: &Client, server: &Server) -> String {
    let answer = client.get(format!("{}/s/full", server.origin())).send().await.expect("an answer");
    assert_eq!(answer.status(), 302, "a visitor is always redirected");
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    location.expect("a redirect has a location").to_owned()
}

async fn readiness(client: &Client, server: &Server) -> StatusCode {
    client.get(format!("{}/readyz", server.origin())).send().await.expect("an answer").status()
}

/// Delivers one sale.
async fn sell(endpoint: &Endpoint, number: usize, click: &str) -> (u16, String) {
    let paid = session(&format!("full_{number}"), 10_000, click);
    let event = envelope(&format!("evt_full_{number}"), "checkout.session.completed", now(), &paid);
    let answer = endpoint.deliver(&event).await;
    (answer.status, answer.text("/outcome"))
}

/// Fills the disk and delivers sales until one is refused. Returns how many were accepted.
async fn until_refused(disk: &SmallDisk, endpoint: &Endpoint, click: &str) -> usize {
    for number in 0..10_000 {
        // A checkpoint frees space, so fill the disk again.
        disk.fill();
        match sell(endpoint, number, click).await {
            (200, _) => {}
            (status, _) => {
                assert_eq!(status, 503);
                return number;
            }
        }
    }
    panic!("a full disk accepts every sale");
}

async fn writes_are_refused(client: &Client, merchant: &Merchant, server: &Server) {
    for _ in 0..20 {
        assert!(visit(client, server).await.starts_with("https://shop.example/"));
    }
    let made = client.post(format!("{}/api/v1/partners", server.origin()));
    let made = made.bearer_auth(merchant.secret_key()).json(&json!({"name": "Late"})).send().await;
    let made = made.expect("an answer");
    assert_eq!(made.status(), 503);
    assert!(made.headers().contains_key(RETRY_AFTER));
    let lead = client.post(format!("{}/api/track/lead", server.origin()));
    let lead = lead.header("x-publishable-key", merchant.publishable_key());
    let lead = lead.json(&json!({"eventName": "sign_up", "customerExternalId": "late"})).send().await;
    assert_eq!(lead.expect("an answer").status(), 503);
    // The store can still be read.
    assert_eq!(merchant.ask(Method::GET, "/programs", None).await.status, 200);
}

#[tokio::test]
async fn a_full_disk_stops_no_visitor_and_all_recovers_without_a_restart() {
    let Some(disk) = SmallDisk::mount(6) else { return };
    let data = Some(disk.path().join("data"));
    let server = Server::start_as(Setup { data, variables: no_space_reserved(), ..Setup::default() }).await;
    let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
    let merchant = server.merchant("full");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "full", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    assert!(visit(&client, &server).await.contains("trac_click_id="));

    let sold = until_refused(&disk, &endpoint, &click).await;
    // The space of the refused sale is enough for some smaller writes.
    let deadline = Instant::now() + TIMEOUT;
    while readiness(&client, &server).await != 503 {
        disk.fill();
        assert!(Instant::now() < deadline, "nothing can be written, and the server is ready");
    }
    writes_are_refused(&client, &merchant, &server).await;
    assert_eq!(readiness(&client, &server).await, 503);
    assert!(server.log().contains("full"), "the log names the cause");

    disk.clear();
    let deadline = Instant::now() + TIMEOUT;
    while readiness(&client, &server).await != 200 {
        assert!(
            Instant::now() < deadline,
            "space is free again, and the server is not ready\n{}",
            server.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(visit(&client, &server).await.contains("trac_click_id="));
    // No acknowledged sale is lost, and a refused one is accepted when it is delivered again.
    for number in 0..sold {
        assert_eq!(sell(&endpoint, number, &click).await, (200, "duplicate".to_owned()), "{number}");
    }
    assert_eq!(sell(&endpoint, sold, &click).await, (200, "processed".to_owned()));
    let earned = i64::try_from(sold + 1).expect("a small number") * 2_000;
    assert_eq!(merchant.net_minor().await, earned);
}

/// Polls until the server is ready and does or does not record clicks; returns the text of `/readyz`.
async fn until_recording(client: &Client, server: &Server, want: bool) -> String {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let answer = client.get(format!("{}/readyz", server.origin())).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a text");
        let is_recording = !text.contains("No clicks are recorded");
        if status == 200 && is_recording == want {
            return text;
        }
        assert!(
            Instant::now() < deadline,
            "recording never becomes {want}: {status} {text}\n{}",
            server.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn on_a_nearly_full_disk_webhooks_are_stored_and_clicks_are_not() {
    let Some(disk) = SmallDisk::mount(32) else { return };
    let data = Some(disk.path().join("data"));
    let variables = vec![("TRAC_KEEP_FREE_MB", "8".to_owned())];
    let server = Server::start_as(Setup { data, variables, ..Setup::default() }).await;
    let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
    let merchant = server.merchant("low");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "full", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    assert!(visit(&client, &server).await.contains("trac_click_id="));

    disk.occupy(23);
    let text = until_recording(&client, &server, false).await;
    assert!(text.starts_with("ready\n") && text.contains("8 MB"), "{text}");
    assert!(server.log().contains("clicks are no longer recorded"), "{}", server.log());
    let before = merchant.get("/clicks").await.number("/meta/total");
    for _ in 0..20 {
        assert_eq!(
            visit(&client, &server).await,
            "https://shop.example/",
            "a visitor is redirected without an ID"
        );
    }
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), before);
    let asked = client.post(format!("{}/v1/clicks", server.origin()));
    let asked = asked.header("x-publishable-key", merchant.publishable_key()).json(&json!({"ref": "full"}));
    assert_eq!(asked.send().await.expect("an answer").status(), 503);
    let lead = client.post(format!("{}/api/track/lead", server.origin()));
    let lead = lead.json(&json!({"eventName": "sign_up", "customerExternalId": "late"}));
    let by_page = lead.try_clone().expect("a body").header("x-publishable-key", merchant.publishable_key());
    assert_eq!(by_page.send().await.expect("an answer").status(), 503);
    assert_eq!(lead.bearer_auth(merchant.secret_key()).send().await.expect("an answer").status(), 201);
    let figures = client.get(format!("{}/metrics", server.origin())).send().await.expect("an answer");
    let figures = figures.text().await.expect("figures");
    assert!(figures.contains("trac_clicks_unrecorded_total 21"), "{figures}");
    for number in 0..20 {
        assert_eq!(sell(&endpoint, number, &click).await, (200, "processed".to_owned()), "{number}");
    }

    disk.clear();
    until_recording(&client, &server, true).await;
    assert!(visit(&client, &server).await.contains("trac_click_id="));
    assert_eq!(merchant.net_minor().await, 20 * 2_000);
}

#[test]
fn a_damaged_spool_is_set_aside_completely_or_not_at_all() {
    let Some(disk) = SmallDisk::mount(6) else { return };
    let folder = disk.path().join("data");
    let data = folder.to_str().expect("a path that is text");
    assert_eq!(trac(&["workspace", "create", "--name", "full", "--data", data]).code, Some(0));
    let damage = vec![b'x'; 1 << 20];
    fs::write(folder.join("clicks.spool"), &damage).expect("a spool without a valid line");
    let room = folder.join("room");
    fs::write(&room, vec![0; 1 << 18]).expect("a quarter of the needed space");
    disk.fill();
    fs::remove_file(&room).expect("an existing file");
    let set_aside = || {
        assert_eq!(trac(&["workspace", "list", "--data", data]).code, Some(0));
        fs::read(folder.join("clicks.refused")).unwrap_or_default()
    };
    for _ in 0..2 {
        assert_eq!(set_aside().len(), 0);
    }
    disk.clear();
    for _ in 0..2 {
        assert_eq!(set_aside(), [b"\n", damage.as_slice()].concat(), "exactly once");
    }
}
