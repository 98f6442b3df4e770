//! conversion ─▶ commission: the amounts that a partner earns, and those that are clawed back.

use serde_json::{Value, json};
use trac_tests::Demo;

/// Every entry of the only commission, oldest first, as kind, amount and reason.
async fn entries(demo: &Demo, commission: &str) -> Vec<(String, i64, String)> {
    let mut rows = demo.merchant.all(&format!("/commissions/{commission}/entries")).await;
    rows.reverse();
    let text = |row: &Value, key| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let amount = |row: &Value| row.get("amount_minor").and_then(Value::as_i64).unwrap_or_default();
    rows.iter().map(|row| (text(row, "kind"), amount(row), text(row, "reason"))).collect()
}

fn entry(kind: &str, amount_minor: i64, reason: &str) -> (String, i64, String) {
    (kind.to_owned(), amount_minor, reason.to_owned())
}

async fn only_commission(demo: &Demo) -> String {
    let rows = demo.merchant.all("/commissions").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.first().and_then(|row| row.get("id")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_sale_earns_and_refunds_take_back_in_proportion() {
    let demo = Demo::start();
    let click = demo.click().await;
    let paid = demo.stripe("payments", json!({"link": "test_teachest", "client_reference_id": click})).await;
    let payment = paid.text("/id");
    let commission = only_commission(&demo).await;
    let earned = entry("earn", 960, "ok");
    assert_eq!(entries(&demo, &commission).await, std::slice::from_ref(&earned));

    demo.stripe(&format!("refund/{payment}"), json!({"amount": 1_200})).await;
    let part = entry("reverse", -240, "refund_partial");
    assert_eq!(entries(&demo, &commission).await, [earned.clone(), part.clone()]);

    demo.stripe(&format!("refund/{payment}"), json!({})).await;
    let rest = entry("reverse", -720, "refund_full");
    assert_eq!(entries(&demo, &commission).await, [earned, part, rest]);
    let row = demo.merchant.get(&format!("/commissions/{commission}")).await;
    assert_eq!((row.number("/net_minor"), row.text("/status").as_str()), (Some(0), "reversed"));
}

#[tokio::test]
async fn a_repeated_event_changes_nothing() {
    let demo = Demo::start();
    let click = demo.click().await;
    let paid = demo.stripe("payments", json!({"link": "test_teachest", "client_reference_id": click})).await;
    demo.stripe(&format!("refund/{}", paid.text("/id")), json!({"amount": 1_200})).await;
    let commission = only_commission(&demo).await;
    let before = entries(&demo, &commission).await;
    for sent in demo.stripe_list("events").await {
        let id = sent.get("event_id").and_then(Value::as_str).expect("an event has an ID");
        demo.stripe(&format!("deliver/{id}"), json!({})).await;
    }
    assert_eq!(entries(&demo, &commission).await, before);
}

#[tokio::test]
async fn every_month_earns_until_the_subscription_is_cancelled() {
    let demo = Demo::start();
    let click = demo.click().await;
    let paid = demo.stripe("payments", json!({"link": "test_teaclub", "client_reference_id": click})).await;
    let subscription = paid.text("/subscription");
    demo.stripe(&format!("renew/{subscription}"), json!({})).await;
    demo.stripe(&format!("renew/{subscription}"), json!({})).await;
    let rows = demo.merchant.all("/commissions").await;
    let mut months: Vec<_> =
        rows.iter().filter_map(|row| row.get("recurring_month").and_then(Value::as_i64)).collect();
    months.sort_unstable();
    assert_eq!(months, [1, 2, 3]);
    assert_eq!(demo.merchant.net_minor().await, 3 * 360);

    // All commissions are pending. The default policy voids those for service after the end, which is the last
    // month.
    demo.stripe(&format!("cancel/{subscription}"), json!({})).await;
    assert_eq!(demo.merchant.net_minor().await, 2 * 360);
}

#[tokio::test]
async fn a_refund_of_a_renewal_takes_back_that_month_only() {
    let demo = Demo::start();
    let click = demo.click().await;
    let paid = demo.stripe("payments", json!({"link": "test_teaclub", "client_reference_id": click})).await;
    demo.stripe(&format!("renew/{}", paid.text("/subscription")), json!({})).await;
    let payments = demo.stripe_list("payments").await;
    let renewal = payments.first().and_then(|row| row.get("id")).and_then(Value::as_str).expect("a renewal");
    demo.stripe(&format!("refund/{renewal}"), json!({})).await;
    let mut nets: Vec<_> = demo
        .merchant
        .all("/commissions")
        .await
        .iter()
        .map(|row| ["recurring_month", "net_minor"].map(|key| row.get(key).and_then(Value::as_i64)))
        .collect();
    nets.sort_unstable();
    assert_eq!(nets, [[Some(1), Some(360)], [Some(2), Some(0)]]);
}

#[tokio::test]
async fn a_won_dispute_restores_the_commission() {
    let demo = Demo::start();
    let click = demo.click().await;
    let paid = demo.stripe("payments", json!({"link": "test_teachest", "client_reference_id": click})).await;
    let payment = paid.text("/id");
    demo.stripe(&format!("dispute/{payment}"), json!({})).await;
    assert_eq!(demo.merchant.net_minor().await, 0);
    demo.stripe(&format!("win/{payment}"), json!({})).await;
    assert_eq!(demo.merchant.net_minor().await, 960);
}
