//! Every recorded Stripe event in `../shared/stripe-events`, signed again: accepted, with outcome and reason,
//! and stored.

use std::collections::BTreeSet;

use serde_json::Value;
use trac_tests::{Merchant, Server, say, stripe_events};

#[tokio::test]
async fn every_genuine_event_gets_an_outcome_and_a_reason_and_survives_a_restart() {
    let Some(events) = stripe_events() else {
        say("skipped: no ../shared");
        return;
    };
    let mut server = Server::start().await;
    let merchant = server.merchant("genuine events");
    let (test, live) = (merchant.endpoint().await, merchant.endpoint_of("live", "sk_live").await);
    let mut posted = BTreeSet::new();
    for (name, event) in &events {
        // Both endpoints receive every event. The endpoint of the other mode must report the mismatch and
        // store the event, too.
        for endpoint in [&test, &live] {
            let answer = endpoint.deliver(event).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.body);
            assert_eq!(answer.body.get("received"), Some(&Value::Bool(true)), "{name}");
            for key in ["outcome", "reason"] {
                assert!(!answer.text(&format!("/{key}")).is_empty(), "{name}: no {key} in {}", answer.body);
            }
            let failed = answer.text("/outcome") == "failed";
            assert!(!failed, "{name}: {}", answer.body);
        }
        posted.insert(event.get("id").and_then(Value::as_str).expect("an event has an id").to_owned());
    }
    let before = logged(&merchant).await;
    assert_eq!(before, posted, "every event is in the log");
    server.restart().await;
    assert_eq!(logged(&merchant).await, posted, "and still is after a restart");
    say(&format!("{} events of {} files", posted.len(), events.len()));
}

async fn logged(merchant: &Merchant) -> BTreeSet<String> {
    let rows = merchant.all("/events").await;
    let id = |row: &Value| row.get("stripe_event_id").and_then(Value::as_str).map(str::to_owned);
    rows.iter().filter_map(id).collect()
}
