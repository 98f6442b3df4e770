//! Visits while the store is locked, rejects writes, or cannot be read.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ask, link};
use crate::store::{Priority, Store};
use crate::testing::app::{Answer, App, Locked};

/// A trigger that makes every write of a click fail, and the statement that removes it.
const REFUSE: &str =
    "CREATE TRIGGER refuse BEFORE INSERT ON click_record BEGIN SELECT raise(ABORT, 'no'); END";
const ACCEPT: &str = "DROP TRIGGER refuse";

/// A server that cannot create its spool.
fn without_spool() -> App {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("clicks.spool")).unwrap();
    App::on_a_file_in(folder)
}

/// Visits a path, and returns how long the visit took.
async fn timed(app: &App, path: &str) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = app.visit(path, &[("user-agent", "a browser")]).await;
    (answer, begun.elapsed())
}

fn id_in(answer: &Answer) -> String {
    let (_, id) = answer.header("location").split_once("trac_click_id=").unwrap_or_default();
    id.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_store_delays_no_visitor_and_loses_no_click() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example.com/").await;
    let lock = Locked::take(app.folder.path()).await;
    let (mut click_ids, mut waited) = (Vec::new(), Duration::ZERO);
    for _ in 0..20 {
        let (answer, took) = timed(&app, "/s/ada").await;
        assert_eq!(answer.status, 302);
        waited += took;
        assert!(answer.header("set-cookie").contains(&id_in(&answer)));
        click_ids.push(id_in(&answer));
    }
    // Only the first visitor waits for the store: for the salt of the day.
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    // The script gets `201` too, because its click is on disk in the spool.
    let by_code = ask(&app, &merchant.publishable_key, json!({ "via": "ada" })).await;
    assert_eq!(by_code.status, 201);
    click_ids.push(by_code.text("/click_id"));
    let ready = app.visit("/readyz", &[]).await;
    assert_eq!(ready.status, 503);
    assert!(ready.text("/error/message").contains("21 clicks wait on disk"), "{}", ready.body);
    let figures = app.visit("/metrics", &[]).await.body.to_string();
    for line in ["trac_spool_waiting 21", "trac_clicks_unrecorded_total 0"] {
        assert!(figures.contains(line), "{line}");
    }
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 0);

    lock.release().await;
    app.trac.store.drained().await;
    assert_eq!(app.visit("/readyz", &[]).await.status, 200);
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 21);
    for id in click_ids {
        assert_eq!(merchant.get(&format!("/clicks/{id}")).await.status, 200, "{id}");
    }
    app.visit("/s/ada", &[]).await;
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 22);
}

#[tokio::test]
async fn a_click_that_the_store_rejects_stays_in_the_spool() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example.com/").await;
    app.rows(REFUSE.into()).await;
    let id = id_in(&app.visit("/s/ada", &[]).await);
    assert!(id.starts_with("clk_"));
    app.rows(ACCEPT.into()).await;
    app.trac.store.drained().await;
    assert_eq!(merchant.get("/clicks").await.column("click_id"), [json!(id)]);
}

#[tokio::test]
async fn a_change_of_a_link_applies_to_its_next_visitor() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://a.example/").await;
    let other_process = Store::open(app.folder.path()).unwrap();
    let check = async |change: &'static str, want: (u16, &str, bool)| {
        other_process.write(Priority::Api, move |tx| tx.batch(change)).await.unwrap();
        for _ in 0..2 {
            let answer = app.visit("/s/ada", &[("user-agent", "a browser")]).await;
            let leads_there = answer.header("location").starts_with(want.1);
            assert_eq!(
                (answer.status.as_u16(), leads_there, !id_in(&answer).is_empty()),
                (want.0, true, want.2),
                "{change}"
            );
        }
    };
    check("", (302, "https://a.example/", true)).await;
    check("UPDATE link SET destination = 'https://b.example/'", (302, "https://b.example/", true)).await;
    check("UPDATE link SET archived_at = 1", (302, "https://b.example/", false)).await;
    check("UPDATE link SET archived_at = NULL", (302, "https://b.example/", true)).await;
    check("UPDATE link SET deleted_at = 1", (404, "", false)).await;
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 6);
}

#[tokio::test]
async fn a_recorded_click_is_in_the_api_at_once() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    let (program_id, partner_id) = merchant.program_and_partner().await;
    let scope = crate::store::Scope::new(&merchant.workspace_id, trac_core::program::Mode::Test);
    for number in 0..20 {
        let click = crate::store::click::NewClick {
            id: trac_core::click::ClickId::new(1, number),
            program_id: program_id.as_str().into(),
            partner_id: partner_id.as_str().into(),
            link_id: None,
            clicked_at: app.trac.clock.now(),
            is_unique: None,
            visitor: None,
            last_click: None,
            referrer: None,
            landing_url: None,
        };
        assert!(app.trac.store.record_click(&scope, click.clone(), None).await.unwrap());
        assert_eq!(merchant.get(&format!("/clicks/{}", click.id.as_str())).await.status, 200, "{number}");
    }
}

#[tokio::test]
async fn a_visitor_is_redirected_without_an_id_if_even_the_spool_fails() {
    let app = without_spool();
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example.com/").await;
    app.rows(REFUSE.into()).await;
    let answer = app.visit("/s/ada", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, "https://shop.example.com/"));
    assert_eq!(answer.header("set-cookie"), "");
    let asked = ask(&app, &merchant.publishable_key, json!({ "ref": "ada" })).await;
    assert_eq!((asked.code(), asked.header("retry-after")), ((503, "STORE_BUSY".to_owned()), "1"));
    let figures = app.visit("/metrics", &[]).await.body.to_string();
    assert!(figures.contains("trac_clicks_unrecorded_total 2"), "{figures}");
    app.rows(ACCEPT.into()).await;
    assert!(id_in(&app.visit("/s/ada", &[]).await).starts_with("clk_"));
}

#[tokio::test]
async fn a_known_link_redirects_while_the_store_cannot_be_read() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    crate::click::remember_links(&app.trac).await.unwrap();
    app.rows("ALTER TABLE link RENAME TO gone".into()).await;
    let answer = app.visit("/s/ada?a=1", &[]).await;
    assert_eq!(answer.status, 302);
    assert!(answer.header("location").starts_with("https://shop.example.com/?a=1&trac_click_id=clk_"));
    assert_eq!(
        merchant.get("/clicks").await.column("link_id"),
        [json!(id)],
        "its click is recorded like any other"
    );
    assert_eq!(app.visit("/s/other", &[]).await.status, 500);
    app.rows("ALTER TABLE gone RENAME TO link".into()).await;
    merchant.delete(&format!("/links/{id}?purge=1")).await;
    assert_eq!(app.visit("/s/ada", &[]).await.status, 404);
    app.rows("ALTER TABLE link RENAME TO gone".into()).await;
    assert_eq!(app.visit("/s/ada", &[]).await.status, 500, "a deleted link no longer redirects");
}
