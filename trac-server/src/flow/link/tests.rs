use serde_json::json;

use crate::testing::app::App;
use crate::testing::shop::{Shop, charge, invoice};

/// Two invoices of one customer, with the same amount and minute, and a refund of a charge that is tied to
/// neither.
async fn unlinked(app: &App) -> Shop<'_> {
    let shop = Shop::open(app, json!({})).await;
    let metadata = json!({ "tracClickId": shop.click });
    for id in ["in_1", "in_2"] {
        let outcome =
            shop.deliver_object("invoice.paid", 0, invoice(id, json!({ "metadata": metadata }))).await;
        assert_eq!(outcome.split(' ').next(), Some("processed"), "{outcome}");
    }
    let refunded = charge(
        2_500,
        json!({ "amount": 5_000, "amount_captured": 5_000, "customer": "cus_1", "payment_intent": "pi_9" }),
    );
    assert_eq!(shop.deliver_object("charge.refunded", 9, refunded).await, "deferred payment_unlinked");
    assert_eq!(shop.net().await, 2_000);
    shop
}

const EVENT: &str = "/events/evt_charge.refunded_9_ch_1";

#[tokio::test]
async fn a_refund_linked_by_the_merchant_reverses_its_share_once() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let linked = shop.merchant.post(&format!("{EVENT}/link"), json!({ "payment": "in_2" })).await;
    assert_eq!(linked.status, 200, "{}", linked.body);
    assert_eq!(
        (linked.text("/outcome"), linked.text("/reason")),
        ("processed".into(), "refund_partial".into())
    );
    assert_eq!(shop.net().await, 1_500);
    let commissions = shop.merchant.get("/commissions").await;
    let is_reversed =
        |row: &serde_json::Value| row["stripe"]["invoice"] == "in_2" && row["reversed_minor"] == 500;
    assert!(commissions.body["data"].as_array().unwrap().iter().any(is_reversed), "{}", commissions.body);

    // Later events follow the link, and a replay does not change it.
    let rest = charge(
        5_000,
        json!({ "amount": 5_000, "amount_captured": 5_000, "customer": "cus_1", "payment_intent": "pi_9" }),
    );
    assert_eq!(shop.deliver_object("charge.refunded", 99, rest).await, "processed refund_full");
    assert_eq!(shop.net().await, 1_000);
    let replayed = shop.merchant.post(&format!("{EVENT}/replay"), json!({})).await;
    assert_eq!(replayed.body["changes"], json!([]), "{}", replayed.body);
    assert_eq!(shop.net().await, 1_000);
}

#[tokio::test]
async fn only_a_waiting_event_can_be_linked_and_only_to_a_known_payment() {
    let app = App::new();
    let shop = unlinked(&app).await;
    let check = async |event: &str, payment: &str, status: u16| {
        let answer = shop.merchant.post(&format!("{event}/link"), json!({ "payment": payment })).await;
        assert_eq!(answer.status, status, "{event} {payment}: {}", answer.body);
    };
    check("/events/evt_nobody_knows", "in_1", 404).await;
    check("/events/evt_invoice.paid_0_in_1", "in_2", 409).await;
    check(EVENT, "in_of_somebody_else", 422).await;
    check(EVENT, "ch_1", 422).await;
    let yen = invoice("in_3", json!({ "currency": "jpy", "customer": "cus_2", "parent": null }));
    shop.deliver_object("invoice.paid", 5, yen).await;
    check(EVENT, "in_3", 422).await;
    let foreign = app.merchant().await;
    let answer = foreign.post(&format!("{EVENT}/link"), json!({ "payment": "in_1" })).await;
    assert_eq!(answer.status, 404, "another workspace's event");
    assert_eq!(shop.net().await, 2_000);
    check(EVENT, "in_1", 200).await;
    check(EVENT, "in_2", 409).await;
}
