use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use trac_core::program::Mode;
use trac_core::time::Timestamp;

use super::{Rules, Which, as_text, replay_all, replay_some};
use crate::testing::app::{Answer, App, START};
use crate::testing::database::bytes;
use crate::testing::shop::{DAY, Shop, charge, invoice};

const SALE: &str = "/events/evt_checkout.session.completed_0_cs_1/replay";

fn percent(rate: i64) -> Value {
    json!({ "commission": { "type": "percentage", "rate_bps": rate * 100 } })
}

impl Shop<'_> {
    async fn sells(&self) {
        let session = self.session(json!({ "created": START, "customer": "cus_1" }));
        assert_eq!(self.deliver_object("checkout.session.completed", 0, session).await, "processed ok");
    }

    async fn changes_program(&self, change: Value) -> Answer {
        let changed = self.merchant.patch(&format!("/programs/{}", self.program), change).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        changed
    }

    async fn changes_enrollment(&self, change: Value) {
        let changed = self.merchant.patch(&format!("/enrollments/{}", self.enrollment), change).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
    }

    async fn replays(&self, query: &str) -> Answer {
        let replayed = self.merchant.post(&format!("{SALE}{query}"), json!({})).await;
        assert_eq!(replayed.status, 200, "{}", replayed.body);
        replayed
    }

    async fn all(&self, rules: Rules, dry_run: bool) -> Value {
        replay_all(&self.app.trac, Timestamp::default(), rules, dry_run).await.unwrap()
    }

    async fn entries(&self) -> i64 {
        let commission = self.merchant.get("/commissions").await.text("/data/0/id");
        self.merchant.get(&format!("/commissions/{commission}/entries")).await.number("/meta/total")
    }
}

#[tokio::test]
async fn todays_terms_apply_to_a_past_sale_and_stay_for_its_later_events() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.sells().await;
    app.trac.clock.advance(DAY);
    shop.changes_program(percent(10)).await;
    assert_eq!(shop.replays("").await.body["changes"], json!([]), "by the terms of its time nothing changes");

    let dry = shop.replays("?rules=now&dry_run=1").await;
    assert_eq!((dry.text("/rules"), dry.number("/changes/0/after/net_minor")), ("now".into(), 1_000));
    assert_eq!(dry.number("/changes/0/before/net_minor"), 2_000);
    assert_eq!((shop.net().await, shop.entries().await), (2_000, 1), "a dry run writes nothing");

    let real = shop.replays("?rules=now").await;
    assert_eq!(real.body["changes"][0]["entries"], dry.body["changes"][0]["entries"]);
    assert_eq!((shop.net().await, shop.entries().await), (1_000, 2));
    assert_eq!(shop.replays("?rules=now").await.body["changes"], json!([]), "a repeat changes nothing");

    // Neither a refund nor another change of the program makes the terms be looked up again.
    shop.changes_program(percent(50)).await;
    let refunded = charge(5_000, json!({ "created": START }));
    assert_eq!(shop.deliver_object("charge.refunded", 2 * DAY, refunded).await, "processed refund_partial");
    assert_eq!(shop.net().await, 500);
    assert_eq!(shop.all(Rules::Now, true).await["commissions"][0]["after"]["net_minor"], json!(2_500));

    // With `then`, the payment has its original terms again.
    let back = shop.replays("?rules=then").await;
    assert_eq!((back.number("/changes/0/after/net_minor"), shop.net().await), (1_000, 1_000));
    assert_eq!(shop.replays("").await.body["changes"], json!([]));
    for query in ["?rules=tomorrow", "?rules=now&dry_run=perhaps"] {
        assert_eq!(shop.merchant.post(&format!("{SALE}{query}"), json!({})).await.status, 422, "{query}");
    }
}

#[tokio::test]
async fn a_sale_that_todays_rules_refuse_or_accept_stays_so() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.sells().await;
    app.trac.clock.advance(60);
    shop.changes_enrollment(json!({ "status": "suspended" })).await;
    let refused = shop.replays("?rules=now").await;
    assert_eq!(refused.text("/changes/0/reason"), "partner_not_approved");
    assert_eq!(shop.net().await, 0);
    // Later events do not restore the commission.
    shop.deliver_object("charge.succeeded", 9, charge(0, json!({ "created": START }))).await;
    assert_eq!(shop.net().await, 0);
    assert_eq!(shop.merchant.get("/conversions").await.text("/data/0/reason"), "partner_not_approved");
    assert_eq!(shop.replays("?rules=now").await.body["changes"], json!([]));

    shop.changes_enrollment(json!({ "status": "approved" })).await;
    shop.deliver_object("charge.captured", 10, charge(0, json!({ "created": START }))).await;
    assert_eq!(shop.net().await, 0, "an edit alone decides nothing again");
    shop.replays("?rules=now").await;
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn a_longer_window_credits_a_sale_and_its_later_renewals() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "attribution_window_days": 0 })).await;
    let by_click = json!({ "metadata": { "tracClickId": shop.click }, "created": START });
    assert_eq!(
        shop.deliver_object("invoice.paid", 0, invoice("in_1", by_click)).await,
        "skipped click_expired"
    );
    app.trac.clock.advance(DAY);
    shop.changes_program(json!({ "attribution_window_days": 30 })).await;
    let path = "/events/evt_invoice.paid_0_in_1/replay?rules=now";
    let replayed = shop.merchant.post(path, json!({})).await;
    assert_eq!(
        (replayed.text("/before/reason"), replayed.text("/after/reason")),
        ("click_expired".into(), "ok".into())
    );
    assert_eq!(shop.net().await, 1_000);
    let event = shop.merchant.get("/events/evt_invoice.paid_0_in_1").await;
    assert_eq!((event.text("/outcome"), event.text("/reason")), ("processed".into(), "ok".into()));

    // The window is checked at the first payment, by the versions pinned for it.
    let renewal = invoice("in_2", json!({ "created": START + 30 * DAY }));
    assert_eq!(shop.deliver_object("invoice.paid", 30 * DAY, renewal).await, "processed ok_recurring");
    assert_eq!(shop.net().await, 2_000);
    assert_eq!(shop.all(Rules::Now, false).await["changed"], json!([]));
}

#[tokio::test]
async fn a_replay_of_one_event_leaves_the_customers_other_payments_as_they_are() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let by_click = json!({ "metadata": { "tracClickId": shop.click }, "created": START });
    shop.deliver_object("invoice.paid", 0, invoice("in_1", by_click)).await;
    shop.deliver_object("invoice.paid", 1, invoice("in_2", json!({ "created": START + 40 * DAY }))).await;
    app.trac.clock.advance(60 * DAY);
    shop.changes_program(percent(10)).await;
    shop.merchant.post("/events/evt_invoice.paid_0_in_1/replay?rules=now", json!({})).await;
    assert_eq!(shop.merchant.get("/commissions").await.column("net_minor"), [1_000, 500]);

    // A replay of everything changes each commission as its dry run showed.
    let dry = shop.all(Rules::Now, true).await;
    let moves = |replayed: &Value| {
        let moved = replayed["commissions"].as_array().unwrap().iter();
        moved.map(|one| (one["commission_id"].clone(), one["after"].clone())).collect::<Vec<_>>()
    };
    assert_eq!((moves(&dry).len(), shop.net().await), (1, 1_500));
    let real = shop.all(Rules::Now, false).await;
    assert_eq!((moves(&real), shop.net().await), (moves(&dry), 1_000));
    for rules in [Rules::Now, Rules::Then] {
        // A replay of a cancellation affects all payments of its subscription.
        let again = shop.all(rules, false).await;
        assert_eq!(again["commissions"].as_array().unwrap().len(), if rules == Rules::Now { 0 } else { 2 });
    }
    assert_eq!(shop.net().await, 2_000);
    let ended = json!({ "id": "sub_1", "customer": "cus_1", "ended_at": START + 59 * DAY, "metadata": {} });
    shop.deliver_object("customer.subscription.deleted", 59 * DAY, ended).await;
    shop.changes_program(json!({ "cancel_policy": "keep" })).await;
    let before = shop.net().await;
    let path = "/events/evt_customer.subscription.deleted_5097600_sub_1/replay?rules=now";
    let replayed = shop.merchant.post(path, json!({})).await;
    assert_eq!(replayed.status, 200, "{}", replayed.body);
    assert!(before < 2_000, "{before}");
    assert_eq!(shop.net().await, 1_000, "both by today's 10 %, and neither voided");
}

#[tokio::test]
async fn paid_out_commissions_do_not_change_under_todays_rules() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "hold_days": { "sale": 0 } })).await;
    shop.sells().await;
    let payout = json!({ "partner_id": shop.partner, "currency": "usd" });
    assert_eq!(shop.merchant.post("/payouts", payout).await.number("/amount_minor"), 2_000);
    app.trac.clock.advance(DAY);
    shop.changes_program(json!({ "status": "archived", "attribution_window_days": 0 })).await;
    shop.changes_enrollment(json!({ "status": "banned" })).await;
    let commission = shop.merchant.get("/commissions").await.text("/data/0/id");
    for rules in ["?rules=now", "?rules=now&dry_run=1"] {
        let replayed = shop.replays(rules).await;
        assert_eq!(replayed.body["changes"], json!([]));
        assert_eq!(replayed.text("/frozen/0/commission_id"), commission);
        assert_eq!(replayed.text("/frozen/0/reason"), "attribution_frozen");
    }
    let all = shop.all(Rules::Now, false).await;
    assert_eq!((&all["commissions"], all["frozen"].as_array().unwrap().len()), (&json!([]), 1));
    assert_eq!(shop.replays("").await.body["changes"], json!([]));
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn an_event_with_a_damaged_body_is_listed_and_the_others_are_decided_again() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.sells().await;
    let damaged = json!({ "id": "cus_2", "metadata": {} });
    shop.deliver_object("customer.created", 1, damaged).await;
    shop.changes_program(percent(10)).await;
    let events = shop.all(Rules::Now, true).await["events"].as_u64().unwrap();
    // No body, no event, and the first bytes of a compressed body with nothing that follows from them.
    for body in ["", "7b7d", "28b52ffdffff"] {
        app.rows(format!(
            "UPDATE event_body SET body = {} WHERE event_id IN (SELECT id FROM event WHERE type = 'customer.created')",
            bytes(body)
        ))
        .await;
        let all = shop.all(Rules::Now, true).await;
        assert_eq!(all["unreadable"].as_array().unwrap().len(), 1, "{body}: {all}");
        assert_eq!(all["events"].as_u64(), Some(events - 1), "{body}: {all}");
    }
    let event = shop.merchant.get("/events/evt_customer.created_1_cus_2").await;
    assert_eq!((event.status.as_u16(), &event.body["payload"]), (200, &json!(null)));
    assert!(event.text("/payload_error").starts_with("The stored body is damaged"), "{}", event.body);
    let all = shop.all(Rules::Now, false).await;
    assert!(all["unreadable"][0]["event_id"].as_str().unwrap().starts_with("evl_"), "{all}");
    assert_eq!((all["commissions"].as_array().unwrap().len(), shop.net().await), (1, 1_000));
    assert!(as_text(&all).contains("stored bodies are damaged"), "{}", as_text(&all));
}

#[tokio::test]
async fn only_paid_out_commissions_that_would_change_are_listed() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "hold_days": { "sale": 0 } })).await;
    shop.sells().await;
    let payout = json!({ "partner_id": shop.partner, "currency": "usd" });
    assert_eq!(shop.merchant.post("/payouts", payout).await.number("/amount_minor"), 2_000);
    app.trac.clock.advance(DAY);
    // A new version of the terms with the same result.
    shop.changes_program(
        json!({ "hold_days": { "sale": 14 }, "lead_amount_minor": 500, "lead_currency": "usd" }),
    )
    .await;
    for dry_run in [true, false] {
        assert_eq!(shop.all(Rules::Now, dry_run).await["frozen"], json!([]));
    }
    assert_eq!(shop.replays("?rules=now").await.body["frozen"], json!([]));
    shop.changes_program(percent(10)).await;
    let all = shop.all(Rules::Now, false).await;
    assert_eq!((all["frozen"].as_array().unwrap().len(), &all["commissions"]), (1, &json!([])));
    let text = as_text(&all);
    let line = format!(
        "  {} test {}",
        shop.merchant.workspace_id,
        shop.merchant.get("/commissions").await.text("/data/0/id")
    );
    assert!(
        text.starts_with("Changed by today's rules: nothing\nAlready paid out") && text.contains(&line),
        "{text}"
    );
    shop.changes_program(percent(20)).await;
    assert_eq!(shop.all(Rules::Now, false).await["frozen"], json!([]), "back to what was paid");
    assert_eq!(shop.net().await, 2_000);
}

#[tokio::test]
async fn a_replay_is_limited_to_a_workspace_and_mode_and_prints_a_line_for_each_commission() {
    let app = App::new();
    let (ours, theirs) = (Shop::open(&app, json!({})).await, Shop::open(&app, json!({})).await);
    for shop in [&ours, &theirs] {
        shop.sells().await;
    }
    app.trac.clock.advance(DAY);
    for shop in [&ours, &theirs] {
        shop.changes_program(percent(10)).await;
    }
    let workspace_id = Some(ours.merchant.workspace_id.clone());
    let replay = async |which: Which, dry_run| replay_some(&app.trac, which, Rules::Now, dry_run).await;
    let live = Which { mode: Some(Mode::Live), ..Which::default() };
    let nothing = replay(live, true).await.unwrap();
    assert_eq!((&nothing["events"], &nothing["commissions"]), (&json!(0), &json!([])));
    let both = replay(Which { mode: Some(Mode::Test), ..Which::default() }, true).await.unwrap();
    assert_eq!((&both["events"], both["commissions"].as_array().unwrap().len()), (&json!(2), 2));

    let own = Which { workspace_id: workspace_id.clone(), mode: Some(Mode::Test), ..Which::default() };
    let dry = replay(own.clone(), true).await.unwrap();
    let commission = ours.merchant.get("/commissions").await.text("/data/0/id");
    let want = format!(
        "Would change by today's rules:\n  {} test {commission} ({}): 20.00 USD → 10.00 USD (ok)\n\
         Decided again: events 1, leads and reported conversions 0.\n",
        ours.merchant.workspace_id, ours.partner
    );
    assert_eq!(as_text(&dry), want);
    let real = replay(own.clone(), false).await.unwrap();
    assert_eq!(as_text(&real), want.replacen("Would change", "Changed", 1));
    assert_eq!((ours.net().await, theirs.net().await), (1_000, 2_000));
    assert!(
        as_text(&replay(own, false).await.unwrap()).starts_with("Changed by today's rules: nothing\nDecided")
    );
    let unknown = replay(Which { workspace_id: Some("ws_0".into()), ..Which::default() }, true).await;
    assert!(unknown.unwrap_err().to_string().contains("there is no workspace ws_0"));
}

#[tokio::test]
async fn backdated_terms_apply_once_their_payments_are_replayed() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.sells().await;
    app.trac.clock.advance(DAY);
    let changed = shop.changes_program(percent(10)).await;
    assert_eq!(
        (changed.number("/version"), changed.text("/valid_from").as_str()),
        (2, "2026-11-22T08:00:00Z")
    );
    assert_eq!(shop.replays("").await.body["changes"], json!([]));

    // The same terms from an earlier time on: sent twice, they add one version.
    for _ in 0..2 {
        let dated = shop.changes_program(json!({ "valid_from": "2026-11-20T00:00:00Z" })).await;
        assert_eq!(
            (dated.number("/version"), dated.text("/valid_from").as_str()),
            (3, "2026-11-20T00:00:00Z")
        );
    }
    shop.deliver_object("charge.refunded", 9, charge(1_000, json!({ "created": START }))).await;
    assert_eq!(shop.net().await, 1_800, "a settled payment keeps its terms");
    let replayed = shop.replays("?rules=then").await;
    assert_eq!((replayed.number("/changes/0/after/net_minor"), shop.net().await), (900, 900));
    assert_eq!(shop.replays("").await.body["changes"], json!([]));

    let enrollment = json!({ "status": "suspended", "valid_from": "2026-11-21T07:59:59Z" });
    shop.changes_enrollment(enrollment).await;
    shop.replays("").await;
    assert_eq!(shop.net().await, 0);
    // A later event does not change that.
    shop.deliver_object("charge.refunded", 10, charge(2_000, json!({ "created": START }))).await;
    assert_eq!(shop.net().await, 0);

    let ahead = json!({ "valid_from": "2026-11-22T08:00:01Z" });
    for path in [format!("/programs/{}", shop.program), format!("/enrollments/{}", shop.enrollment)] {
        let refused = shop.merchant.patch(&path, ahead.clone()).await;
        assert_eq!(refused.code(), (422, "VALIDATION_FAILED".to_owned()));
        assert!(refused.body["error"]["fields"].get("valid_from").is_some());
        let unread = shop.merchant.patch(&path, json!({ "valid_from": "yesterday" })).await;
        assert_eq!(unread.status, 422);
    }
}

#[tokio::test]
async fn leads_and_reported_conversions_are_replayed_too() {
    let app = App::new();
    let terms = json!({ "lead_amount_minor": 300, "lead_currency": "usd" });
    let shop = Shop::open(&app, terms).await;
    let reported = json!({ "click_id": shop.click, "external_transaction_id": "order 1", "event_type": "Sale",
        "amount_cents": 5_000, "currency": "usd" });
    assert_eq!(shop.merchant.post("/conversions", reported).await.status, 201);
    let lead = json!({ "eventName": "Sign up", "customerExternalId": "user_1", "clickId": shop.click });
    let lead = Request::post("/api/track/lead")
        .header("authorization", format!("Bearer {}", shop.merchant.key))
        .body(Body::from(lead.to_string()));
    assert_eq!(app.send(lead.unwrap()).await.status, 201);
    assert_eq!(shop.net().await, 1_300);
    app.trac.clock.advance(DAY);
    let mut halved = percent(10);
    halved["lead_amount_minor"] = json!(150);
    shop.changes_program(halved).await;
    assert_eq!(shop.all(Rules::Then, false).await["changed"], json!([]));
    let dry = shop.all(Rules::Now, true).await;
    assert_eq!((&dry["conversions"], shop.net().await), (&json!(2), 1_300));
    shop.all(Rules::Now, false).await;
    assert_eq!(shop.net().await, 650);
    assert_eq!(shop.all(Rules::Now, false).await["changed"], json!([]));
}
