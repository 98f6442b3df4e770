//! A partner's promotion code, from the enrollment that holds it to the commission.

use serde_json::{Value, json};

use crate::testing::app::{App, START};
use crate::testing::shop::{Shop, charge, with};

fn used(number: u32, code: &str) -> Value {
    json!({ "id": format!("cs_{number}"), "payment_intent": format!("pi_{number}"), "metadata": {},
        "discounts": [{ "coupon": null, "promotion_code": code }] })
}

#[tokio::test]
async fn a_sale_with_a_partners_promotion_code_is_credited_to_the_partner() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let enrollment = format!("/enrollments/{}", shop.enrollment);
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, shop.session(used(1, "promo_Ada"))).await,
        "deferred no_attribution_yet"
    );
    let assigned =
        shop.merchant.patch(&enrollment, json!({ "promotion_codes": ["promo_Ada", "ada20", "ADA20"] })).await;
    assert_eq!(
        (assigned.status.as_u16(), &assigned.body["promotion_codes"]),
        (200, &json!(["ADA20", "promo_Ada"]))
    );
    assert_eq!(assigned.number("/version"), 1, "a code does not belong to the terms");

    assert_eq!(
        shop.deliver_object("checkout.session.completed", 1, shop.session(used(2, "promo_Ada"))).await,
        "processed ok"
    );
    assert_eq!(shop.net().await, 2_000);
    let commission = shop.merchant.get("/commissions").await;
    let click = commission.text("/data/0/click_id");
    let click = shop.merchant.get(&format!("/clicks/{click}")).await;
    assert_eq!((click.text("/partner_id"), &click.body["unique"]), (shop.partner.clone(), &json!(false)));
    let attributions = shop.merchant.get("/attributions").await;
    assert_eq!(attributions.text("/data/0/rule"), "promotion_code");
    assert_eq!(attributions.body["data"][0]["candidates"][0]["value"], json!("promo_Ada"));

    let story = shop.merchant.get("/explain/pi_2").await.body.to_string();
    for hop in [
        "the promotion code promo_Ada of cs_2 belongs to the partner",
        "A promotion code of Ada in P",
        "represents a promotion code",
    ] {
        assert!(story.contains(hop), "{hop}: {story}");
    }

    // A refund takes the commission back even if no enrollment holds the code any more.
    app.trac.clock.advance(5);
    let removed = shop.merchant.patch(&enrollment, json!({ "promotion_codes": [] })).await;
    assert_eq!(removed.body["promotion_codes"], json!([]));
    let back = charge(5_000, json!({ "payment_intent": "pi_2" }));
    assert_eq!(shop.deliver_object("charge.refunded", 9, back).await, "processed refund_partial");
    assert_eq!(shop.net().await, 1_000);

    // A replay decides the earlier sale again.
    let waiting = shop.merchant.get("/events?outcome=deferred").await.text("/data/0/id");
    let replayed = shop.merchant.post(&format!("/events/{waiting}/replay"), json!({})).await;
    assert_eq!(replayed.status, 200);
    assert_eq!(shop.net().await, 3_000);
}

#[tokio::test]
async fn a_promotion_code_belongs_to_one_partner_at_a_time() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let ada = format!("/enrollments/{}", shop.enrollment);
    let grace = shop.merchant.make("/partners", json!({ "name": "Grace" })).await;
    let body = json!({ "program_id": shop.program, "partner_id": grace, "promotion_codes": ["promo_1"] });
    let grace = shop.merchant.make("/enrollments", body).await;
    let grace = format!("/enrollments/{grace}");
    let check = async |path: &str, codes: Value, want: u16| {
        let answer = shop.merchant.patch(path, json!({ "promotion_codes": codes })).await;
        assert_eq!(answer.status.as_u16(), want, "{codes}: {}", answer.body);
    };
    check(&ada, json!(["promo_1"]), 409).await;
    check(&ada, json!(["promo_2"]), 200).await;
    check(&grace, json!(["promo_2", "promo_1"]), 409).await;
    assert_eq!(shop.merchant.get(&grace).await.body["promotion_codes"], json!(["promo_1"]));
    app.trac.clock.advance(5);
    check(&grace, json!([]), 200).await;
    app.trac.clock.advance(5);
    check(&ada, json!(["promo_1"]), 200).await;
    for wrong in [json!(["20 % off"]), json!([""]), json!([1]), json!("promo_1"), json!(["a".repeat(101)])] {
        check(&ada, wrong, 422).await;
    }
    // The partner who held the code at the time of the payment earns.
    for (at, sale, partner) in [(-20, 1, "Grace"), (20, 2, "Ada")] {
        let session = shop.session(with(used(sale, "promo_1"), json!({ "created": START + at })));
        assert_eq!(
            shop.deliver_object("checkout.session.completed", at, session).await,
            "processed ok",
            "{partner}"
        );
    }
    let partners = shop.merchant.get("/commissions").await.column("partner_id");
    assert_eq!(partners.iter().filter(|one| **one == json!(shop.partner)).count(), 1);
    assert_eq!(partners.len(), 2);

    // Another workspace has codes of its own.
    let other = Shop::open(&app, json!({})).await;
    let path = format!("/enrollments/{}", other.enrollment);
    assert_eq!(other.merchant.patch(&path, json!({ "promotion_codes": ["promo_1"] })).await.status, 200);
}

#[tokio::test]
async fn the_click_of_a_promotion_code_is_not_accepted_as_a_reference() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let enrollment = format!("/enrollments/{}", shop.enrollment);
    shop.merchant.patch(&enrollment, json!({ "promotion_codes": ["promo_1"] })).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(used(1, "promo_1"))).await;
    let click_id = shop.merchant.get("/commissions").await.text("/data/0/click_id");
    let carried =
        json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {}, "client_reference_id": click_id });
    let outcome = shop.deliver_object("checkout.session.completed", 1, shop.session(carried)).await;
    assert_eq!(outcome, "deferred no_attribution_yet");
}

#[tokio::test]
async fn a_code_assigned_and_removed_in_the_same_second_had_no_partner() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let ada = format!("/enrollments/{}", shop.enrollment);
    let grace = shop.merchant.make("/partners", json!({ "name": "Grace" })).await;
    let grace = json!({ "program_id": shop.program, "partner_id": grace });
    let grace = format!("/enrollments/{}", shop.merchant.make("/enrollments", grace).await);
    // The code is assigned by mistake, several times, so that the order of random IDs does not hide an error.
    for _ in 0..5 {
        for codes in [json!(["promo_1"]), json!([])] {
            assert_eq!(shop.merchant.patch(&grace, json!({ "promotion_codes": codes })).await.status, 200);
        }
    }
    shop.merchant.patch(&ada, json!({ "promotion_codes": ["promo_1"] })).await;
    for (sale, at) in [(1, -20), (2, 20)] {
        let session = shop.session(with(used(sale, "promo_1"), json!({ "created": START + at })));
        assert_eq!(shop.deliver_object("checkout.session.completed", at, session).await, "processed ok");
    }
    let partners = shop.merchant.get("/commissions").await.column("partner_id");
    assert_eq!(partners, [json!(shop.partner), json!(shop.partner)]);
    let report = json!({ "external_transaction_id": "order 1", "event_type": "order", "amount_cents": 1_000,
        "currency": "usd", "promo_code": "promo_1" });
    assert_eq!(shop.merchant.post("/conversions", report).await.text("/reason"), "ok");
}
