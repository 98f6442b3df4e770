mod claims;
mod corrections;
mod outsiders;
mod promotion;

use serde_json::{Value, json};

use crate::testing::app::{App, START};
use crate::testing::shop::{DAY, Shop, charge, invoice, with};

/// Checks the outcome of the first event of a shop with these terms.
async fn first(terms: Value, change: Value, want: &str) {
    let app = App::new();
    let shop = Shop::open(&app, terms).await;
    let outcome = shop.deliver_object("checkout.session.completed", 0, shop.session(change)).await;
    assert_eq!(outcome, want);
}

#[tokio::test]
async fn each_reason_of_a_single_sale_is_reached() {
    let none = || json!({});
    first(none(), none(), "processed ok").await;
    let fixed = json!({ "commission": { "type": "fixed", "amount_minor": 50_000, "currency": "usd", "cap_at_sale": true } });
    first(fixed, none(), "processed ok_capped").await;
    first(none(), json!({ "amount_total": 0 }), "skipped zero_amount").await;
    let zero = json!({ "commission": { "type": "percentage", "rate_bps": 0 } });
    first(zero, none(), "skipped zero_commission").await;
    first(none(), json!({ "metadata": {} }), "deferred no_attribution_yet").await;
    first(
        none(),
        json!({ "metadata": { "tracClickId": "clk_1760000000_0123456789abcdef" } }),
        "deferred no_attribution_yet",
    )
    .await;
    first(json!({ "attribution_window_days": 0 }), none(), "skipped click_expired").await;
    first(json!({ "status": "paused" }), none(), "skipped program_inactive").await;
    first(json!({ "status": "draft" }), none(), "skipped program_inactive").await;
    first(json!({ "status": "archived" }), none(), "skipped program_inactive").await;
    first(json!({ "products": ["plink_1"] }), none(), "skipped product_not_covered").await;
    first(json!({ "products": ["prod_1"] }), none(), "deferred products_unknown").await;
    first(json!({ "products": ["plink_1"] }), json!({ "payment_link": "plink_1" }), "processed ok").await;
    first(none(), json!({ "customer_details": { "email": "ADA@example.com" } }), "skipped self_referral")
        .await;
    first(none(), json!({ "mode": "setup", "amount_total": null }), "skipped setup_mode").await;
    first(none(), json!({ "payment_status": "unpaid" }), "deferred unpaid_session").await;
    for amount in [json!("10000"), json!(1e3), json!(u64::MAX), json!(null)] {
        first(none(), json!({ "amount_total": amount }), "failed unreadable").await;
    }
}

#[tokio::test]
async fn the_products_and_payment_method_of_an_invoice_are_checked() {
    let check = async |terms: Value, change: Value, want: &str| {
        let app = App::new();
        let shop = Shop::open(&app, terms).await;
        let invoice = with(invoice("in_1", json!({ "metadata": { "tracClickId": shop.click } })), change);
        assert_eq!(shop.deliver_object("invoice.paid", 0, invoice).await, want);
    };
    let bought = |product: &str| json!({ "lines": { "data": [{ "amount": 5_000, "price": { "product": product } }] } });
    check(json!({ "products": ["prod_1"] }), bought("prod_1"), "processed ok").await;
    check(json!({ "products": ["prod_1"] }), bought("prod_2"), "skipped product_not_covered").await;
    check(json!({ "products": ["prod_1"] }), json!({}), "deferred products_unknown").await;
    check(json!({}), json!({ "amount_paid_off_stripe": 5_000 }), "processed ok").await;
    let strict = json!({ "count_out_of_band": false });
    check(strict.clone(), json!({ "amount_paid_off_stripe": 5_000 }), "skipped paid_out_of_band").await;
    check(strict, json!({ "paid_out_of_band": true }), "skipped paid_out_of_band").await;
}

#[tokio::test]
async fn amounts_are_exact_in_every_currency_and_size() {
    let check = async |currency: &str, amount: i64, rate_bps: u32, want: i64| {
        let app = App::new();
        let terms = json!({ "commission": { "type": "percentage", "rate_bps": rate_bps } });
        let shop = Shop::open(&app, terms).await;
        let sale = json!({ "currency": currency, "amount_total": amount });
        shop.deliver_object("checkout.session.completed", 0, shop.session(sale)).await;
        assert_eq!(shop.net().await, want, "{rate_bps} bps of {amount} {currency}");
    };
    check("jpy", 999, 1_500, 150).await;
    check("kwd", 12_340, 1_000, 1_234).await;
    check("isk", 150_000, 1_000, 15_000).await;
    check("ugx", 150_000, 1_000, 15_000).await;
    check("huf", 123_400, 750, 9_255).await;
    check("usd", 25, 1_000, 3).await;
    check("usd", 24, 1_000, 2).await;
    check("usd", 1_999, 725, 145).await;
    check("usd", 1, 5_000, 1).await;
    check("usd", 1, 4_999, 0).await;
    check("usd", 999_999_999_999, 3_333, 333_300_000_000).await;
}

#[tokio::test]
async fn an_enrollment_that_is_not_approved_earns_nothing() {
    for status in ["pending", "rejected", "suspended", "banned"] {
        let app = App::new();
        let shop = Shop::open(&app, json!({})).await;
        shop.merchant.patch(&format!("/enrollments/{}", shop.enrollment), json!({ "status": status })).await;
        app.trac.clock.advance(60);
        let session = shop.session(json!({ "created": START + 30 }));
        assert_eq!(
            shop.deliver_object("checkout.session.completed", 30, session).await,
            "skipped partner_not_approved"
        );
    }
}

#[tokio::test]
async fn a_payment_keeps_the_terms_of_its_time() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    app.trac.clock.advance(100);
    let program = format!("/programs/{}", shop.program);
    let halved = json!({ "commission": { "type": "percentage", "rate_bps": 1_000 } });
    shop.merchant.patch(&program, halved).await;
    app.trac.clock.advance(100);
    // Paid before the change and received after it: the old terms. Paid after it: the new ones.
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 50, shop.session(json!({}))).await,
        "processed ok"
    );
    assert_eq!(shop.net().await, 2_000);
    let later = shop.session(json!({ "id": "cs_2", "payment_intent": "pi_2" }));
    assert_eq!(shop.deliver_object("checkout.session.completed", 150, later).await, "processed ok");
    assert_eq!(shop.net().await, 3_000);
    assert_eq!(
        shop.deliver_object("charge.refunded", 160, charge(5_000, json!({}))).await,
        "processed refund_partial"
    );
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn a_subscription_earns_month_by_month() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "recurring": { "months": 2 } })).await;
    let session = json!({ "mode": "subscription", "subscription": "sub_1", "invoice": "in_1", "payment_intent": null,
        "amount_total": 5_000, "customer": "cus_1" });
    let outcome =
        async |at: i64, id: &str| shop.deliver_object("invoice.paid", at, invoice(id, json!({}))).await;
    assert_eq!(outcome(0, "in_1").await, "deferred no_attribution_yet");
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, shop.session(session)).await,
        "processed ok"
    );
    let waited = shop.merchant.get("/events?type=invoice.paid").await;
    assert_eq!(waited.text("/data/0/outcome"), "processed");
    assert!(waited.text("/data/0/settled_by").starts_with("evl_"));
    assert_eq!(outcome(30 * DAY, "in_2").await, "processed ok_recurring");
    assert_eq!(outcome(61 * DAY, "in_3").await, "skipped recurring_window_ended");
    let months = shop.merchant.get("/commissions").await.column("recurring_month");
    assert_eq!(months, [json!(2), json!(1)]);
    let proration = json!({ "lines": { "data": [{ "amount": 900, "proration": true }] } });
    assert_eq!(
        shop.deliver_object("invoice.paid", 5 * DAY, invoice("in_4", proration)).await,
        "processed ok_proration"
    );
    let outside = json!({ "customer": "cus_1", "parent": null });
    assert_eq!(
        shop.deliver_object("invoice.paid", DAY, invoice("in_9", outside)).await,
        "processed ok_customer_lookup"
    );
}

#[tokio::test]
async fn self_referral_also_covers_invoices_without_an_email_address() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let own = json!({ "customer_email": "Ada@Example.com", "metadata": { "tracClickId": shop.click } });
    assert_eq!(
        shop.deliver_object("invoice.paid", 30 * DAY, invoice("in_2", json!({}))).await,
        "deferred no_attribution_yet"
    );
    assert_eq!(shop.deliver_object("invoice.paid", 0, invoice("in_1", own)).await, "skipped self_referral");
    assert_eq!(shop.merchant.get("/events?reason=self_referral").await.number("/meta/total"), 2);
}

#[tokio::test]
async fn a_click_that_is_recorded_after_its_payment_settles_it() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let early = shop.session(json!({ "metadata": {}, "client_reference_id": "partner-7" }));
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, early).await,
        "deferred no_attribution_yet"
    );
    let clicked = json!({ "program_id": shop.program, "partner_id": shop.partner, "click_id": "partner-7",
        "clicked_at": "2026-11-21T07:30:00Z" });
    shop.merchant.make("/clicks", clicked).await;
    assert_eq!(shop.net().await, 2_000);
    let event = shop.merchant.get("/events").await;
    assert_eq!(
        (event.text("/data/0/outcome"), event.text("/data/0/reason")),
        ("processed".into(), "ok".into())
    );
}

#[tokio::test]
async fn the_end_of_a_subscription_reverses_commissions_not_yet_due() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "recurring": "first_payment" })).await;
    let by_click = json!({ "metadata": { "tracClickId": shop.click } });
    assert_eq!(shop.deliver_object("invoice.paid", 0, invoice("in_1", by_click)).await, "processed ok");
    assert_eq!(
        shop.deliver_object("invoice.paid", 30 * DAY, invoice("in_2", json!({}))).await,
        "skipped recurring_not_covered"
    );
    let end = async |at: i64, id: &str| {
        shop.deliver_object("customer.subscription.deleted", at, json!({ "id": id })).await
    };
    assert_eq!(end(DAY, "sub_other").await, "deferred payment_unknown");
    assert_eq!(end(29 * DAY, "sub_1").await, "processed subscription_canceled");
    assert_eq!(shop.net().await, 0);
    assert_eq!(end(40 * DAY, "sub_1").await, "processed noted");
}

#[tokio::test]
async fn refunds_and_disputes_take_the_commission_back() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    assert_eq!(
        shop.deliver_object("charge.refunded", 9, charge(2_500, json!({}))).await,
        "deferred payment_unknown"
    );
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await,
        "processed ok"
    );
    assert_eq!(shop.net().await, 1_500);
    assert_eq!(shop.deliver_object("charge.refunded", 10, charge(2_500, json!({}))).await, "skipped stale");
    assert_eq!(
        shop.deliver_object("charge.refunded", 11, charge(10_000, json!({}))).await,
        "processed refund_full"
    );
    let failed = json!({ "id": "re_1", "amount": 7_500, "status": "failed", "charge": "ch_1" });
    assert_eq!(shop.deliver_object("refund.failed", 12, failed).await, "processed refund_failed");
    assert_eq!(shop.net().await, 1_500);
    let dispute = |status: &str| {
        json!({ "id": "du_1", "amount": 7_500, "charge": "ch_1", "payment_intent": "pi_1",
        "currency": "usd", "status": status })
    };
    assert_eq!(
        shop.deliver_object("charge.dispute.created", 13, dispute("needs_response")).await,
        "processed held"
    );
    assert_eq!(shop.merchant.get("/commissions").await.text("/data/0/status"), "held");
    let withdrawn = dispute("needs_response");
    assert_eq!(
        shop.deliver_object("charge.dispute.funds_withdrawn", 14, withdrawn).await,
        "processed dispute"
    );
    assert_eq!(shop.net().await, 0);
    assert_eq!(
        shop.deliver_object("charge.dispute.closed", 15, dispute("won")).await,
        "processed dispute_won"
    );
    assert_eq!(shop.net().await, 1_500);
    let inquiry = json!({ "id": "du_2", "amount": 100, "charge": "ch_1", "status": "warning_closed" });
    assert_eq!(shop.deliver_object("charge.dispute.closed", 16, inquiry).await, "processed released");
}

#[tokio::test]
async fn repeated_and_irrelevant_events_get_their_own_reasons() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let session = shop.session(json!({}));
    assert_eq!(shop.deliver_object("checkout.session.completed", 0, session.clone()).await, "processed ok");
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 0, session.clone()).await,
        "duplicate duplicate_event"
    );
    assert_eq!(
        shop.deliver_object("checkout.session.completed", 1, session).await,
        "duplicate duplicate_object"
    );
    assert_eq!(
        shop.deliver_object("charge.succeeded", 2, charge(0, json!({}))).await,
        "duplicate duplicate_payment"
    );
    assert_eq!(
        shop.deliver_object("invoice.payment_succeeded", 3, json!({ "id": "in_1" })).await,
        "ignored use_invoice_paid"
    );
    assert_eq!(
        shop.deliver_object("payout.paid", 4, json!({ "id": "po_1" })).await,
        "ignored unsupported_event"
    );
    assert_eq!(shop.deliver_object("invoice.paid", 5, json!({})).await, "failed unreadable");
    assert_eq!(
        shop.deliver_object("invoice.payment_failed", 6, json!({ "id": "in_1" })).await,
        "skipped payment_failed"
    );
    assert_eq!(shop.deliver_object("customer.updated", 7, json!({ "id": "cus_1" })).await, "processed noted");
    let uncaptured = charge(0, json!({ "id": "ch_2", "payment_intent": "pi_2", "captured": false }));
    assert_eq!(shop.deliver_object("charge.succeeded", 8, uncaptured).await, "deferred uncaptured");
    let link = json!({ "id": "inpay_1", "invoice": "in_7", "payment": { "payment_intent": "pi_7" } });
    assert_eq!(shop.deliver_object("invoice_payment.paid", 9, link).await, "processed linked");
    let check = async |event: Value, want: &str| {
        assert_eq!(shop.deliver(&event).await.text("/reason"), want);
    };
    check(json!({ "id": "evt_live", "type": "invoice.paid", "livemode": true }), "mode_mismatch").await;
    check(json!({ "id": "evt_acct", "type": "invoice.paid", "account": "acct_1" }), "account_mismatch").await;
    check(json!({ "id": "evt_thin", "object": "v2.core.event" }), "unsupported_thin_event").await;
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn a_charge_is_linked_by_amount_and_time_only_if_nothing_else_fits() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let by_click = |id: &str| invoice(id, json!({ "metadata": { "tracClickId": shop.click } }));
    let refund = json!({ "id": "ch_9", "payment_intent": "pi_9", "customer": "cus_1", "amount": 5_000,
        "amount_captured": 5_000, "created": START + 60 });
    assert_eq!(shop.deliver_object("invoice.paid", 0, by_click("in_1")).await, "processed ok");
    let outcome = shop.deliver_object("charge.refunded", 60, charge(5_000, refund.clone())).await;
    assert_eq!((outcome.as_str(), shop.net().await), ("processed refund_full", 0));
    // With a second payment of the same amount, the match is ambiguous, and nothing is taken back.
    assert_eq!(shop.deliver_object("invoice.paid", 30, by_click("in_2")).await, "processed ok_recurring");
    assert_eq!(shop.net().await, 2_000);
    let outcome = shop.deliver_object("charge.refunded", 61, charge(5_000, refund)).await;
    assert_eq!(outcome, "deferred payment_unlinked");
    // The exact link ends the ambiguity.
    let link = json!({ "id": "inpay_1", "invoice": "in_2", "payment": { "payment_intent": "pi_9" } });
    assert_eq!(shop.deliver_object("invoice_payment.paid", 62, link).await, "processed linked");
    assert_eq!(shop.net().await, 1_000);
    assert_eq!(shop.merchant.get("/events?reason=payment_unlinked").await.number("/meta/total"), 0);
}

#[tokio::test]
async fn a_redelivery_in_another_api_version_adds_its_link() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let by_click = json!({ "metadata": { "tracClickId": shop.click } });
    shop.deliver_object("invoice.paid", 0, invoice("in_1", by_click)).await;
    let refunded = |change: Value| {
        let object = charge(5_000, with(json!({ "amount": 5_000, "amount_captured": 5_000 }), change));
        json!({ "id": "evt_two", "type": "charge.refunded", "created": START + 9, "data": { "object": object },
            "api_version": "2026-08-26.dahlia" })
    };
    assert_eq!(shop.deliver(&refunded(json!({}))).await.text("/reason"), "payment_unknown");
    let mut old_version = refunded(json!({ "invoice": "in_1" }));
    // Any other delivery with a known event ID is a repeat without an effect.
    assert_eq!(shop.deliver(&old_version).await.text("/reason"), "duplicate_event");
    assert_eq!(shop.net().await, 1_000);
    old_version["api_version"] = json!("2024-06-20");
    let mut other = old_version.clone();
    other["data"]["object"]["id"] = json!("ch_other");
    assert_eq!(shop.deliver(&other).await.text("/reason"), "duplicate_event");
    assert_eq!(shop.net().await, 1_000);
    assert_eq!(shop.deliver(&old_version).await.text("/reason"), "duplicate_event");
    assert_eq!(shop.net().await, 0);
    let log = shop.merchant.get("/events/evt_two").await;
    assert_eq!((log.text("/outcome"), log.number("/deliveries")), ("processed".into(), 4));
}

#[tokio::test]
async fn an_attribution_that_changes_moves_the_commission_unless_it_was_paid() {
    for paid in [false, true] {
        let app = App::new();
        let shop = Shop::open(&app, json!({ "hold_days": { "sale": 0, "recurring": 0 } })).await;
        let bea = shop.merchant.make("/partners", json!({ "name": "Bea", "code": "bea" })).await;
        let enrolled = json!({ "program_id": shop.program, "partner_id": bea });
        shop.merchant.make("/enrollments", enrolled.clone()).await;
        let other = shop.merchant.make("/clicks", enrolled).await;
        let by_intent = json!({ "id": "pi_1", "amount_received": 10_000, "currency": "usd",
            "metadata": { "tracClickId": shop.click } });
        assert_eq!(shop.deliver_object("payment_intent.succeeded", 0, by_intent).await, "processed ok");
        if paid {
            let payout = json!({ "partner_id": shop.partner, "currency": "usd" });
            shop.merchant.make("/payouts", payout).await;
        }
        // The session's metadata wins over the PaymentIntent's.
        let session = shop.session(json!({ "metadata": { "tracClickId": other } }));
        let outcome = shop.deliver_object("checkout.session.completed", 1, session).await;
        assert_eq!(outcome, if paid { "duplicate duplicate_payment" } else { "processed ok" });
        let commissions = shop.merchant.get("/commissions").await;
        let nets = commissions.column("net_minor");
        assert_eq!(nets, if paid { vec![json!(2_000)] } else { vec![json!(2_000), json!(0)] });
        let latest = shop.merchant.get("/attributions").await;
        let reason = latest.text("/data/0/reason");
        assert_eq!(reason, if paid { "attribution_frozen" } else { "ok" });
    }
}

#[tokio::test]
async fn a_replay_changes_nothing_unless_the_rules_changed() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    shop.deliver_object("charge.refunded", 1, charge(2_500, json!({}))).await;
    let events = shop.merchant.get("/events").await.column("id");
    for id in &events {
        for dry_run in ["?dry_run=1", ""] {
            let path = format!("/events/{}/replay{dry_run}", id.as_str().unwrap());
            let replayed = shop.merchant.post(&path, json!({})).await;
            assert_eq!(replayed.body["changes"], json!([]), "{}", replayed.body);
            assert_eq!(replayed.body["before"], replayed.body["after"]);
        }
    }
    assert_eq!(shop.merchant.get("/events").await.column("outcome").len(), events.len());

    // A replay accepts an event of another account once the endpoint names that account.
    let connected = json!({ "id": "evt_acct", "type": "checkout.session.completed", "account": "acct_1",
        "created": START, "data": { "object": shop.session(json!({ "id": "cs_2", "payment_intent": "pi_2" })) } });
    assert_eq!(shop.deliver(&connected).await.text("/reason"), "account_mismatch");
    let endpoint = format!("/webhook-endpoints/{}", shop.endpoint);
    shop.merchant.patch(&endpoint, json!({ "stripe_account": "acct_1" })).await;
    let dry = shop.merchant.post("/events/evt_acct/replay?dry_run=1", json!({})).await;
    assert_eq!((dry.number("/changes/0/after/net_minor"), shop.net().await), (2_000, 1_500));
    let real = shop.merchant.post("/events/evt_acct/replay", json!({})).await;
    assert_eq!((real.text("/after/reason"), shop.net().await), ("ok".into(), 3_500));
    assert_eq!(shop.merchant.get("/events/evt_acct").await.text("/outcome"), "processed");
    assert_eq!(shop.merchant.post("/events/evt_none/replay", json!({})).await.status, 404);
}

#[tokio::test]
async fn an_event_ignored_at_one_endpoint_has_its_effect_at_the_one_it_is_for() {
    let app = App::new();
    let mut shop = Shop::open(&app, json!({})).await;
    let connected = json!({ "id": "evt_1", "type": "checkout.session.completed", "account": "acct_1",
        "created": START, "livemode": false, "data": { "object": shop.session(json!({})) } });
    let outcome = |answer: crate::testing::app::Answer| {
        format!("{} {}", answer.text("/outcome"), answer.text("/reason"))
    };
    assert_eq!(outcome(shop.deliver(&connected).await), "ignored account_mismatch");
    assert_eq!(outcome(shop.deliver(&connected).await), "duplicate duplicate_event");
    assert_eq!(shop.net().await, 0);
    let own = json!({ "signing_secrets": ["whsec_flow"], "stripe_account": "acct_1" });
    shop.endpoint = shop.merchant.make("/webhook-endpoints", own).await;
    assert_eq!(outcome(shop.deliver(&connected).await), "processed ok");
    assert_eq!(outcome(shop.deliver(&connected).await), "duplicate duplicate_event");
    assert_eq!(shop.net().await, 2_000);
    let row = shop.merchant.get("/events/evt_1").await;
    assert_eq!((row.text("/outcome"), row.text("/endpoint_id")), ("processed".into(), shop.endpoint.clone()));
    assert_eq!(row.number("/deliveries"), 4);
}

#[tokio::test]
async fn an_invoice_paid_by_a_payment_record_is_linked() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let payment = json!({ "type": "payment_record", "payment_record": "prec_1" });
    let object = json!({ "id": "inpay_1", "invoice": "in_1", "payment": payment });
    assert_eq!(shop.deliver_object("invoice_payment.paid", 0, object).await, "processed linked");
}

#[tokio::test]
async fn a_webhook_takes_few_round_trips_to_a_shared_database() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    for number in 0..3 {
        let [writes, reads] = app.trac.store.round_trips();
        let session = shop.session(json!({ "id": format!("cs_{number}") }));
        shop.deliver_object("checkout.session.completed", number, session).await;
        let [writes_after, reads_after] = app.trac.store.round_trips();
        // The first sale of a partner writes the numbers by which it is counted.
        assert!(writes_after - writes <= 40, "{}", writes_after - writes);
        assert!(reads_after - reads <= 1, "the endpoint is read once");
    }
}

#[tokio::test]
async fn zero_characters_in_any_field_fail_nothing() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let zero = "a\u{0}b";
    for (number, change) in [
        json!({ "id": zero }),
        json!({ "client_reference_id": zero }),
        json!({ "metadata": { "tracClickId": zero, "tracCustomerExternalId": zero } }),
        json!({ "customer": zero, "subscription": zero, "invoice": zero }),
        json!({ "payment_intent": zero, "customer_email": zero, "customer_details": { "email": zero } }),
    ]
    .into_iter()
    .enumerate()
    {
        let number = i64::try_from(number).unwrap();
        let session = with(
            shop.session(json!({ "id": format!("cs_{number}"), "payment_intent": format!("pi_{number}") })),
            change,
        );
        shop.deliver_object("checkout.session.completed", number, session).await;
    }
    for path in ["/conversions", "/customers", "/events", "/explain/a%00b", "/partners?name=a%00b"] {
        let status = shop.merchant.get(path).await.status.as_u16();
        assert!(status < 500, "{path}: {status}");
    }
    for path in ["/t/%00", "/s/a%00b"] {
        assert_eq!(app.visit(path, &[]).await.status, 404, "{path}");
    }
}
