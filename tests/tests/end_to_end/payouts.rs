//! Balances and payouts: to the minor unit, per currency, never twice.

use serde_json::{Value, json};
use trac_tests::{Answer, Endpoint, Merchant, Server, envelope, now, session};

/// A merchant whose sales are approved at once.
async fn merchant(server: &Server) -> (Merchant, Endpoint, String, String) {
    let merchant = server.merchant("payouts");
    let endpoint = merchant.endpoint().await;
    let terms = json!({"name": "Now", "commission": {"type": "percentage", "rate_bps": 1_000},
        "hold_days": {"lead": 0, "sale": 0, "recurring": 0}});
    let program = merchant.make("/programs", terms).await;
    let partner = merchant.make("/partners", json!({"name": "P", "email": "p@partner.example"})).await;
    merchant.make("/enrollments", json!({"program_id": program, "partner_id": partner})).await;
    let click = merchant.make("/clicks", json!({"program_id": program, "partner_id": partner})).await;
    (merchant, endpoint, partner, click)
}

async fn sell(endpoint: &Endpoint, name: &str, amount_minor: i64, currency: &str, click: &str) {
    let mut sale = session(name, amount_minor, click);
    if let Some(fields) = sale.as_object_mut() {
        fields.insert("currency".to_owned(), json!(currency));
    }
    let answer =
        endpoint.deliver(&envelope(&format!("evt_{name}"), "checkout.session.completed", now(), &sale)).await;
    assert_eq!(answer.text("/outcome"), "processed", "{}", answer.body);
}

async fn refund(endpoint: &Endpoint, name: &str, amount: i64, refunded: i64, currency: &str) {
    let charge = json!({"id": format!("ch_{name}"), "object": "charge", "amount": amount, "amount_captured": amount,
        "amount_refunded": refunded, "captured": true, "created": now(), "currency": currency,
        "payment_intent": format!("pi_{name}"), "refunded": refunded >= amount, "status": "succeeded"});
    let event = envelope(&format!("evt_{name}_{refunded}"), "charge.refunded", now(), &charge);
    assert_eq!(endpoint.deliver(&event).await.status, 200);
}

/// The pending, approved, paid and owed amounts in one currency.
async fn balance(merchant: &Merchant, partner: &str, currency: &str) -> [i64; 4] {
    let rows = merchant.all(&format!("/balances?partner_id={partner}")).await;
    let row = rows.iter().find(|row| row.get("currency").is_some_and(|found| found == currency));
    let number = |key: &str| row.and_then(|row| row.get(key)).and_then(Value::as_i64).unwrap_or_default();
    ["pending_minor", "approved_minor", "paid_minor", "owed_minor"].map(number)
}

async fn pay(merchant: &Merchant, partner: &str, currency: &str) -> Answer {
    let wanted = json!({"partner_id": partner, "currency": currency});
    merchant.ask(reqwest::Method::POST, "/payouts", Some(wanted)).await
}

#[tokio::test]
async fn a_payout_pays_what_is_owed_once_and_in_one_currency() {
    let server = Server::start().await;
    let (merchant, endpoint, partner, click) = merchant(&server).await;
    sell(&endpoint, "a", 10_000, "usd", &click).await;
    sell(&endpoint, "b", 5_005, "usd", &click).await;
    sell(&endpoint, "c", 7_000, "eur", &click).await;
    assert_eq!(balance(&merchant, &partner, "usd").await, [0, 1_501, 0, 1_501], "500.5 is rounded half up");
    assert_eq!(balance(&merchant, &partner, "eur").await, [0, 700, 0, 700]);

    let paid = pay(&merchant, &partner, "USD").await;
    assert_eq!((paid.status, paid.number("/amount_minor")), (201, Some(1_501)), "{}", paid.body);
    assert_eq!(paid.text("/currency"), "usd");
    let ids = paid.body.pointer("/commission_ids").and_then(Value::as_array).map(Vec::len);
    assert_eq!(ids, Some(2));
    assert_eq!(balance(&merchant, &partner, "usd").await, [0, 0, 1_501, 0]);
    assert_eq!(
        balance(&merchant, &partner, "eur").await,
        [0, 700, 0, 700],
        "other currencies are unaffected"
    );

    let again = pay(&merchant, &partner, "usd").await;
    assert_eq!((again.status, again.text("/error/code").as_str()), (422, "NOTHING_TO_PAY"));
    assert_eq!(merchant.all("/payouts").await.len(), 1);
}

#[tokio::test]
async fn a_refund_after_the_payout_is_owed_back_and_netted_from_the_next() {
    let server = Server::start().await;
    let (merchant, endpoint, partner, click) = merchant(&server).await;
    sell(&endpoint, "a", 10_000, "usd", &click).await;
    pay(&merchant, &partner, "usd").await;
    refund(&endpoint, "a", 10_000, 4_000, "usd").await;
    assert_eq!(balance(&merchant, &partner, "usd").await[3], -400);
    let commissions = merchant.all("/commissions").await;
    let row = commissions.first().cloned().unwrap_or_default();
    assert_eq!((row.get("status"), row.get("net_minor")), (Some(&json!("paid")), Some(&json!(600))));
    assert_eq!(pay(&merchant, &partner, "usd").await.text("/error/code"), "NOTHING_TO_PAY");

    sell(&endpoint, "b", 6_000, "usd", &click).await;
    assert_eq!(balance(&merchant, &partner, "usd").await[3], 200);
    let next = pay(&merchant, &partner, "usd").await;
    assert_eq!((next.status, next.number("/amount_minor")), (201, Some(200)), "{}", next.body);
    assert_eq!(balance(&merchant, &partner, "usd").await[3], 0);
}

#[tokio::test]
async fn two_payouts_at_once_pay_once() {
    let server = Server::start().await;
    let (merchant, endpoint, partner, click) = merchant(&server).await;
    sell(&endpoint, "a", 10_000, "usd", &click).await;
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (merchant, partner) = (merchant.clone(), partner.clone());
        racing.spawn(async move { pay(&merchant, &partner, "usd").await.status });
    }
    let mut statuses = racing.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422, 422, 422, 422, 422, 422, 422]);
}
