//! Searches logs, files, backups and exports for a merchant's secrets and for visitors' personal data.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;
use trac_tests::{Server, trac};

const SECRETS: [&str; 2] = ["whsec_planted0123456789abcdef", "whsec_planted_before_the_rotation"];
const STRIPE_KEY: &str = "rk_test_planted0123456789abcdef";
const VISITOR: &str = "203.0.113.77";
const EMAIL: &str = "planted.reader@example.com";

/// How often a text occurs in a file.
fn hits(file: &Path, planted: &str) -> usize {
    let bytes = fs::read(file).unwrap_or_default();
    bytes.windows(planted.len()).filter(|window| *window == planted.as_bytes()).count()
}

/// Visits a link while the database is locked; checks that the spool contains the click and not the visitor's
/// address, and returns the click ID.
async fn visit_while_locked(data: &str, url: &str, spools: &[PathBuf]) -> String {
    let lock = Connection::open(Path::new(data).join("trac.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let visitor = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let visit = visitor.get(url).header("x-forwarded-for", VISITOR).header("user-agent", "a browser");
    let location = visit.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let click = location.split_once("trac_click_id=").unwrap().1.to_owned();
    assert_eq!(spools.iter().map(|spool| hits(spool, &click)).sum::<usize>(), 1);
    assert_eq!(spools.iter().map(|spool| hits(spool, VISITOR)).sum::<usize>(), 0);
    click
}

#[tokio::test]
async fn planted_secrets_are_in_no_log_database_backup_or_export() {
    // The most detailed log level.
    let server = Server::start_with(&["--log", "trac_server=trace", "--trusted-proxy", "127.0.0.1"]).await;
    let merchant = server.merchant("A shop");
    let client = reqwest::Client::new();
    let data = server.data();
    let secret_key = merchant.workspace["keys"]["sk_test"].as_str().unwrap().to_owned();
    let made = client
        .post(format!("{}/api/v1/webhook-endpoints", server.origin()))
        .bearer_auth(&secret_key)
        .json(&json!({ "signing_secrets": SECRETS, "stripe_api_key": STRIPE_KEY }))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let endpoint: serde_json::Value = serde_json::from_str(&made.text().await.unwrap()).unwrap();
    // A forged delivery, a call with a wrong key and a visit: each contains something that must not be
    // stored.
    let forged = client
        .post(endpoint["url"].as_str().unwrap())
        .header("stripe-signature", format!("t=1,v1={}", SECRETS[0]))
        .header("x-forwarded-for", VISITOR)
        .body(format!("{{\"id\":\"evt_1\",\"email\":\"{EMAIL}\"}}"));
    assert_eq!(forged.send().await.unwrap().status(), 401);
    let stray = "sk_test_planted0123456789abcdef0123456789abcdef";
    let wrong = client.get(format!("{}/api/v1/programs", server.origin())).bearer_auth(stray).send().await;
    assert_eq!(wrong.unwrap().status(), 401);
    let missed = client.get(format!("{}/s/nothing", server.origin())).header("x-forwarded-for", VISITOR);
    assert_eq!(missed.send().await.unwrap().status(), 404);
    for (path, key, want) in [
        (format!("/api/v1/explain/{EMAIL}"), secret_key.as_str(), 200),
        (format!("/api/v1/explain/{EMAIL}?about={EMAIL}"), stray, 401),
        (format!("/api/v1/partners?email={EMAIL}"), &secret_key, 200),
        (format!("/s/{EMAIL}"), stray, 404),
        (format!("/nowhere/{EMAIL}"), stray, 404),
    ] {
        let asked = client.get(format!("{}{path}", server.origin())).bearer_auth(key).send().await;
        assert_eq!(asked.unwrap().status(), want, "{path}");
    }
    let terms = merchant.terms(2_000, "paula", "https://shop.example/").await;
    let spools = ["clicks.spool", "clicks.spool-2"].map(|name| Path::new(&data).join(name));
    let click = visit_while_locked(&data, &terms.url, &spools).await;
    assert_eq!(merchant.get(&format!("/clicks/{click}")).await.text("/click_id"), click);
    assert!(server.log().contains("/api/v1/explain/{id}"), "the log names the route: {}", server.log());

    let rotated = trac(&["secrets", "rotate", "--data", &data]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.db");
    let copied = trac(&["backup", &backup.display().to_string(), "--data", &data]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    assert!(fs::metadata(&backup).unwrap().len() > 4_096);

    let (export, tables) = (folder.path().join("export"), folder.path().join("tables"));
    let exported = trac(&["export", "--data", &data, &export.display().to_string()]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let exported = trac(&["export", "--data", &data, "--csv", &tables.display().to_string()]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let tables: Vec<_> = fs::read_dir(tables).unwrap().map(|table| table.unwrap().path()).collect();
    assert!(hits(&export, &click) == 1 && tables.len() > 3, "{tables:?}");

    let log = folder.path().join("log");
    fs::write(&log, server.log() + &rotated.stdout + &rotated.stderr + &copied.stdout).unwrap();
    let places = ["trac.db", "trac.db-wal"].map(|name| Path::new(&data).join(name));
    for place in places.iter().chain(&spools).chain(&tables).chain([&backup, &log, &export]) {
        for planted in [SECRETS[0], SECRETS[1], STRIPE_KEY, stray, &secret_key, VISITOR, EMAIL] {
            assert_eq!(hits(place, planted), 0, "{planted} in {}", place.display());
        }
    }
    let master_key = fs::read_to_string(Path::new(&data).join("master.key")).unwrap();
    assert_eq!(master_key.lines().count(), 1, "the old master key is deleted");
}
