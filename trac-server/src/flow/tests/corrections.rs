use serde_json::json;

use crate::testing::app::{App, START};
use crate::testing::shop::{Shop, charge, invoice};

#[tokio::test]
async fn a_correction_names_the_entry_it_corrects() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let by_click = json!({ "tracClickId": shop.click });
    let intent = json!({ "id": "pi_1", "amount_received": 9_000, "currency": "usd", "metadata": by_click });
    shop.deliver_object("payment_intent.succeeded", 0, intent).await;
    // The session's amount, 100.00, wins over the PaymentIntent's.
    shop.deliver_object("checkout.session.completed", 1, shop.session(json!({}))).await;
    shop.deliver_object("charge.refunded", 2, charge(2_500, json!({}))).await;
    shop.deliver_object("charge.refunded", 3, charge(5_000, json!({}))).await;
    let failed = json!({ "id": "re_1", "amount": 2_500, "status": "failed", "charge": "ch_1" });
    shop.deliver_object("refund.failed", 4, failed).await;

    let commission = shop.merchant.get("/commissions").await.text("/data/0/id");
    let entries = shop.merchant.get(&format!("/commissions/{commission}/entries")).await;
    let kinds = ["restore", "reverse", "reverse", "adjust", "earn"];
    assert_eq!(entries.column("kind"), kinds);
    assert_eq!(entries.column("amount_minor"), [500, -500, -500, 200, 1_800]);
    let (ids, corrects) = (entries.column("id"), entries.column("corrects"));
    let [restore, latest, first, adjust, earn] = corrects.as_slice() else { panic!("{}", entries.body) };
    assert_eq!(
        [latest, first, adjust],
        [&ids[4]; 3],
        "reverse and adjust entries name the entry that earned the amount"
    );
    assert_eq!(
        (restore, earn),
        (&ids[1], &json!(null)),
        "a restore entry names the entry that took the amount"
    );
}

#[tokio::test]
async fn a_session_joined_with_its_invoice_keeps_its_commission() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let opened = json!({ "mode": "subscription", "subscription": "sub_1", "customer": "cus_1", "payment_intent": null,
        "amount_total": 5_000, "created": START });
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, shop.session(opened)).await,
        "processed ok"
    );
    let earned = shop.merchant.get("/commissions").await;
    let outcome = shop.deliver_object("invoice.paid", 2, invoice("in_1", json!({}))).await;
    assert_eq!(outcome, "duplicate duplicate_payment");
    let commissions = shop.merchant.get("/commissions").await;
    assert_eq!((commissions.column("id"), shop.net().await), (earned.column("id"), 1_000));
    assert_eq!(commissions.text("/data/0/stripe/invoice"), "in_1");
    let commission = commissions.text("/data/0/id");
    let entries = shop.merchant.get(&format!("/commissions/{commission}/entries")).await;
    assert_eq!(entries.column("kind"), ["earn"]);
    // They are one conversion, and a refund of the invoice's money finds the commission.
    let conversions = shop.merchant.get("/conversions").await;
    assert_eq!(conversions.number("/meta/total"), 1);
    assert_eq!(conversions.text("/data/0/commission_id"), commission);
    let refunded = charge(
        2_500,
        json!({ "payment_intent": null, "customer": "cus_1", "amount": 5_000,
        "amount_captured": 5_000, "created": START + 60 }),
    );
    assert_eq!(shop.deliver_object("charge.refunded", 60, refunded).await, "processed refund_partial");
    assert_eq!(shop.net().await, 500);
}

#[tokio::test]
async fn two_charges_that_fit_one_payment_both_wait_for_review() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let by_click = json!({ "metadata": { "tracClickId": shop.click } });
    let matching_charge = |n: i64| {
        let names = json!({ "id": format!("ch_{n}"), "payment_intent": format!("pi_{n}"), "customer": "cus_1",
            "amount": 5_000, "amount_captured": 5_000, "created": START + n });
        charge(0, names)
    };
    assert_eq!(shop.deliver_object("invoice.paid", 0, invoice("in_1", by_click)).await, "processed ok");
    assert_eq!(
        shop.deliver_object("charge.succeeded", 1, matching_charge(1)).await,
        "duplicate duplicate_payment"
    );
    assert_eq!(
        shop.deliver_object("charge.succeeded", 2, matching_charge(2)).await,
        "deferred payment_unlinked"
    );
    assert_eq!(shop.net().await, 1_000);
    // The link ends the ambiguity: one charge is the invoice's money, the other a sale without a click.
    let link = json!({ "id": "inpay_1", "invoice": "in_1", "payment": { "payment_intent": "pi_2" } });
    shop.deliver_object("invoice_payment.paid", 3, link).await;
    assert_eq!(shop.merchant.get("/events?reason=payment_unlinked").await.number("/meta/total"), 0);
    assert_eq!(shop.net().await, 1_000);
}

#[tokio::test]
async fn an_ambiguous_refund_is_settled_when_only_one_payment_is_left() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let by_click = json!({ "subscription_details": { "subscription": "sub_1", "metadata": { "tracClickId": shop.click } } });
    for (id, at) in [("in_1", 0), ("in_2", 60)] {
        let paid = invoice(id, json!({ "parent": by_click, "customer": "cus_1", "created": START + at }));
        shop.deliver_object("invoice.paid", at, paid).await;
    }
    let refunded = charge(
        2_500,
        json!({ "payment_intent": "pi_1", "customer": "cus_1", "amount": 5_000,
        "amount_captured": 5_000, "created": START + 30 }),
    );
    assert_eq!(shop.deliver_object("charge.refunded", 90, refunded).await, "deferred payment_unlinked");
    assert_eq!(shop.net().await, 2_000);
    let link = json!({ "id": "inpay_2", "invoice": "in_2", "payment": { "payment_intent": "pi_2" } });
    assert_eq!(shop.deliver_object("invoice_payment.paid", 95, link).await, "processed linked");
    assert_eq!(shop.net().await, 1_500);
    let event = shop.merchant.get("/events?type=charge.refunded").await;
    assert_eq!(
        (event.text("/data/0/outcome"), event.text("/data/0/reason")),
        ("processed".into(), "refund_partial".into())
    );
}
