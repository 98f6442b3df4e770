//! Two servers on one database of PostgreSQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use trac_tests::nodes::{Nodes, Races, race};
use trac_tests::postgres::{Postgres, new_database};
use trac_tests::{Proxy, envelope, now, session};

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The URL of a database through a proxy.
fn through(proxy: &Proxy, postgres: &Postgres, database: &str) -> String {
    database.replace(&format!(":{}/", postgres.port()), &format!(":{}/", proxy.port()))
}

#[tokio::test(flavor = "multi_thread")]
async fn races_at_two_nodes_with_kills_end_in_the_same_ledger() {
    let Some(postgres) = Postgres::start(true) else { return };
    let database = new_database(&postgres.url());
    let nodes = Arc::new(Nodes::start([database.clone(), database]).await);
    let races = Races { customers: 120, together: 12, kills: 2, restarts: 2, seed: 1 };
    let report = race(&postgres, &nodes, races).await;
    assert_eq!(report.wrong, [""; 0], "{report:?}");
    assert_eq!(report.acknowledged, 8 * 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_in_the_spool_of_one_node_is_credited_once_it_arrives() {
    let Some(postgres) = Postgres::start(false) else { return };
    let database = new_database(&postgres.url());
    let proxy = Proxy::start(postgres.port());
    let nodes = Nodes::start([through(&proxy, &postgres, &database), database]).await;
    // The link is in this node's memory.
    assert!(nodes.visit(0, "first").await.is_some());
    proxy.cut();
    until("the node knows that the database is away", async || nodes.readiness(0).await == 503).await;
    assert_eq!(nodes.readiness(1).await, 200);
    let click = nodes.visit(0, "second").await.expect("the click is on the node's disk");
    let paid = session("late", 10_000, &click);
    let answer =
        nodes.endpoints[1].deliver(&envelope("evt_late", "checkout.session.completed", now(), &paid)).await;
    assert_eq!(
        (answer.status, answer.text("/reason").as_str()),
        (200, "no_attribution_yet"),
        "{}",
        answer.body
    );
    assert_eq!(nodes.merchants[1].net_minor().await, 0);
    proxy.mend();
    until("the sale is credited", async || nodes.merchants[1].net_minor().await == 2_000).await;
    assert_eq!(nodes.readiness(0).await, 200);
    let clicks = nodes.merchants[0].all("/clicks").await;
    assert_eq!(clicks.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_looked_up() {
    let Some(postgres) = Postgres::start(false) else { return };
    let database = new_database(&postgres.url());
    let proxy = Proxy::start(postgres.port());
    let nodes = Nodes::start([through(&proxy, &postgres, &database), database]).await;
    let click = nodes.visit(0, "buyer").await.expect("a click");
    proxy.swallow_commits(1);
    let paid = session("unknown", 10_000, &click);
    let event = envelope("evt_unknown", "checkout.session.completed", now(), &paid);
    let answer = nodes.endpoints[0].deliver(&event).await;
    let log = nodes.log(0).await;
    assert_eq!(
        (answer.status, answer.text("/outcome").as_str()),
        (200, "processed"),
        "{}: {log}",
        answer.body
    );
    assert_eq!(nodes.endpoints[1].deliver(&event).await.text("/outcome"), "duplicate");
    // A call without an idempotency key is not made twice either.
    proxy.swallow_commits(1);
    nodes.merchants[0].post("/partners", json!({ "name": "Once" })).await;
    let partners = nodes.merchants[1].all("/partners").await;
    assert_eq!(partners.iter().filter(|partner| partner["name"] == "Once").count(), 1);
    assert_eq!(nodes.merchants[1].net_minor().await, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_or_its_database_a_node_says_so_in_one_line() {
    let Some(postgres) = Postgres::start(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let finished = trac_tests::trac_with(variables, &[arguments, &["--data", &data]].concat());
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
        assert!(!finished.stderr.contains("s3cret"), "{}", finished.stderr);
        (finished.code, finished.stderr)
    };
    let url = format!("{}/is_not_there?password=s3cret", postgres.url());
    let (code, line) = run(&[("TRAC_DATABASE_URL", &url)], &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(2));
    assert!(line.contains("TRAC_MASTER_KEY"), "{line}");
    let with_key =
        [("TRAC_DATABASE_URL", url.as_str()), ("TRAC_MASTER_KEY", trac_tests::postgres::MASTER_KEY)];
    let (code, line) = run(&with_key, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(1));
    assert!(line.contains("is_not_there"), "{line}");
    let empty = new_database(&postgres.url());
    let empty = [("TRAC_DATABASE_URL", empty.as_str()), with_key[1]];
    let (code, line) = run(&empty, &["workspace", "list"]);
    assert_eq!(code, Some(1));
    assert!(line.contains("there is no store in this database"), "{line}");
    let copy = folder.path().join("copy").display().to_string();
    let (code, line) = run(&empty, &["backup", &copy]);
    assert_eq!(code, Some(1));
    assert!(line.contains("pg_dump"), "{line}");
}
