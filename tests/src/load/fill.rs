//! A large store, the same each time: clicks inserted directly, events delivered as Stripe delivers them.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use rusqlite::{Connection, params};
use serde_json::json;
use tokio::task::LocalSet;
use trac_core::click::ClickId;
use trac_core::time::DAY_SECS;

use super::webhooks;
use crate::binary;
use crate::chance::Chance;
use crate::merchant::Terms;
use crate::stripe::{Endpoint, envelope, now, session};

const SEED: u64 = 11;
/// The number of days over which the clicks are spread.
const DAYS: i64 = 90;
/// How many clicks one transaction inserts.
const TOGETHER: usize = 50_000;
/// How many of the last clicks are returned.
const LAST: usize = 1_000;
/// How many deliveries run concurrently.
const CONNECTIONS: usize = 32;

/// Inserts `count` clicks on a link of a workspace, in test mode, spread over the last 90 days. Returns the
/// IDs of the last ones, which are still within the attribution window.
pub(super) fn clicks(database: &Path, workspace: &str, terms: &Terms, count: usize) -> Vec<String> {
    let mut store = Connection::open(database).expect("a database");
    // Inserted as the server does, but not synced: no caller waits for them.
    store.pragma_update(None, "synchronous", "OFF").expect("a pragma");
    let (mut chance, begin) = (Chance::of(SEED), now() - DAYS * DAY_SECS);
    let (mut last_ids, mut at) = (Vec::new(), 0);
    while at < count {
        let tx = store.transaction().expect("a transaction");
        let mut insert = tx
            .prepare(
                "INSERT INTO click (workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique, is_visit, \
                 referrer, landing_url) VALUES (?1, 'test', ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, 'https://shop.example/')",
            )
            .expect("the schema of a click");
        for number in at..count.min(at + TOGETHER) {
            let index = i64::try_from(number).expect("a small number");
            let total = i64::try_from(count).expect("a small number");
            let clicked_at = begin + DAYS * DAY_SECS * index / total;
            let bits = chance.int(0..=i64::MAX).unsigned_abs();
            let id = ClickId::new(clicked_at, bits);
            let referrer = format!("https://blog.example/{}", chance.int(0..=999));
            let is_unique = chance.percent(80);
            let row = params![
                workspace,
                id.as_str(),
                terms.program,
                terms.partner,
                terms.link,
                clicked_at,
                is_unique,
                referrer
            ];
            insert.execute(row).expect("a click");
            if number + LAST >= count {
                last_ids.push(id.as_str().to_owned());
            }
        }
        drop(insert);
        tx.commit().expect("a commit");
        at = count.min(at + TOGETHER);
    }
    drop(store);
    // The counts of the inserted clicks are missing: adds them, and exits with 1 because there was something to add.
    let data = database.parent().expect("a data folder").display().to_string();
    let added = binary::trac(&["recount", "--data", &data]);
    assert_eq!(added.code, Some(1), "{}", added.stderr);
    last_ids
}

/// Delivers `count` paid sessions, each with one of these clicks.
pub(super) async fn events(endpoint: &Endpoint, clicks: &[String], count: u64) {
    let (next, tasks) = (Rc::new(Cell::new(0_u64)), LocalSet::new());
    let event = paid(now());
    let mut working = Vec::new();
    for _ in 0..CONNECTIONS {
        let (next, event, endpoint, clicks) =
            (Rc::clone(&next), event.clone(), endpoint.clone(), clicks.to_owned());
        working.push(tasks.spawn_local(async move {
            let (mut connection, path) = webhooks::Connection::to(&endpoint).await;
            loop {
                let number = next.replace(next.get() + 1);
                if number >= count {
                    return;
                }
                let mut chance = Chance::of(SEED + number);
                let event =
                    event.replace("NUMBER", &number.to_string()).replace("CLICK", &chance.pick(&clicks));
                connection.deliver(&path, &endpoint.secret, &event).await;
            }
        }));
    }
    let all = async {
        for work in working {
            work.await.expect("every event is processed");
        }
    };
    tasks.run_until(all).await;
}

/// A paid session as an event, with `NUMBER` in its IDs and `CLICK` for its click.
pub(super) fn paid(at: i64) -> String {
    let mut sample = session("NUMBER", 12_900, "CLICK");
    if let Some(fields) = sample.as_object_mut() {
        fields.insert("padding".to_owned(), json!("x".repeat(1_500)));
    }
    envelope("evt_NUMBER", "checkout.session.completed", at, &sample).to_string()
}
