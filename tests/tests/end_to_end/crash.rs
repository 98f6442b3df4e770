//! Repeated deliveries, races and kills change nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trac_tests::{Server, envelope, now, say, session};

#[tokio::test]
async fn the_same_event_twenty_times_at_once_earns_one_commission() {
    let server = Server::start().await;
    let merchant = server.merchant("twenty at once");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "twenty", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    let event =
        envelope("evt_twenty", "checkout.session.completed", now(), &session("twenty", 10_000, &click));

    let mut posts = JoinSet::new();
    for _ in 0..20 {
        let (endpoint, event) = (endpoint.clone(), event.clone());
        posts.spawn(async move { endpoint.deliver(&event).await });
    }
    let answers = posts.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let count = |outcome: &str| answers.iter().filter(|answer| answer.text("/outcome") == outcome).count();
    assert_eq!((count("processed"), count("duplicate")), (1, 19));

    let commissions = merchant.all("/commissions").await;
    assert_eq!(commissions.len(), 1);
    assert_eq!(merchant.net_minor().await, 2_000);
    let log = merchant.get("/events/evt_twenty").await;
    assert_eq!(log.number("/deliveries"), Some(20));
    assert_eq!(log.text("/outcome"), "processed", "a repeat does not change the outcome");
}

#[tokio::test]
async fn kill_9_amid_a_thousand_events_loses_no_acknowledged_one() {
    const EVENTS: usize = 1_000;
    const KILL_AFTER: usize = 400;
    let mut server = Server::start().await;
    let merchant = server.merchant("kill -9");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "kill", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;

    let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
    let next = Arc::new(AtomicUsize::new(0));
    let mut posters = JoinSet::new();
    for _ in 0..16 {
        let (endpoint, click) = (endpoint.clone(), click.clone());
        let (acknowledge, next) = (acknowledge.clone(), Arc::clone(&next));
        posters.spawn(async move {
            let mut posted = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= EVENTS {
                    return posted;
                }
                let id = format!("evt_kill_{number}");
                let paid = session(&format!("kill_{number}"), 10_000, &click);
                let body = envelope(&id, "checkout.session.completed", now(), &paid).to_string().into_bytes();
                let signature = trac_stand_in::sign(&endpoint.secret, now(), &body);
                match endpoint.post(body, &signature).await {
                    Some(answer) if answer.status == 200 => {
                        posted.push(id);
                        acknowledge.send(()).expect("the test counts");
                    }
                    // 503 means "try again", and a broken connection means that the server is dead.
                    Some(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
                    None => return posted,
                }
            }
        });
    }
    drop(acknowledge);
    for count in 0..KILL_AFTER {
        acknowledged.recv().await.unwrap_or_else(|| panic!("only {count} were acknowledged"));
    }
    server.kill();
    let posted: BTreeSet<String> = posters.join_all().await.into_iter().flatten().collect();
    assert!((KILL_AFTER..EVENTS).contains(&posted.len()), "{} acknowledged before the end", posted.len());

    server.restart().await;
    let rows = merchant.all("/events").await;
    let id = |row: &Value| row.get("stripe_event_id").and_then(Value::as_str).map(str::to_owned);
    let logged: BTreeSet<String> = rows.iter().filter_map(id).collect();
    let lost: Vec<_> = posted.difference(&logged).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    // An event and its effects are written in one transaction: one complete commission each.
    assert_eq!(merchant.all("/commissions").await.len(), logged.len());
    let earned = 2_000 * i64::try_from(logged.len()).expect("a small number");
    assert_eq!(merchant.net_minor().await, earned);
    say(&format!("{} acknowledged, {} in the log", posted.len(), logged.len()));
}
