//! Properties that all pages share, and defects that a new user found.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{form, log_in};
use crate::testing::app::{App, START};
use crate::testing::shop::{DAY, Shop, charge};

async fn live(app: &App, cookie: &str) -> String {
    let page = app.visit("/dashboard/live", &[("cookie", cookie)]).await;
    page.body.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn balances_are_above_the_commissions_and_times_are_in_utc() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "hold_days": { "lead": 0, "sale": 0, "recurring": 0 } })).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let page = live(&app, &log_in(&app, &shop.merchant.key).await).await;
    let place = |id: &str| page.find(&format!("<section id=\"{id}\"")).unwrap();
    assert!(place("balances") < place("commissions"), "{page}");
    assert!(page.contains("<b>20.00 USD</b>"), "{page}");
    let times: Vec<_> = page.split("<time").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert!(times.len() > 3 && times.iter().all(|time| time.ends_with(" UTC")), "{times:?}");
    assert!(page.contains("datetime=\"2026-11-21T08:00:00Z\">2026-11-21 08:00:00 UTC<"), "{page}");
}

#[tokio::test]
async fn a_card_shows_the_base_of_a_sale_and_none_for_a_lead() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "lead_amount_minor": 300, "lead_currency": "usd" })).await;
    let reported =
        json!({ "eventName": "Sign up", "customerExternalId": "user_1", "clickId": shop.click }).to_string();
    let request =
        Request::post("/api/track/lead").header("authorization", format!("Bearer {}", shop.merchant.key));
    assert_eq!(app.send(request.body(Body::from(reported)).unwrap()).await.status, 201);
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let page = live(&app, &log_in(&app, &shop.merchant.key).await).await;
    assert!(
        page.contains("<small>lead</small>") && page.contains("<small>sale · of 100.00 USD</small>"),
        "{page}"
    );
}

#[tokio::test]
async fn the_card_of_a_reversed_commission_shows_its_reason_and_no_due_date() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    let card = async || {
        let page = live(&app, &cookie).await;
        page.split("class=\"card\"").nth(1).and_then(|rest| rest.split("<table").next()).unwrap().to_owned()
    };
    let before = card().await;
    assert!(
        before.contains("Credited to the click. <code>ok</code>") && before.contains("due <time"),
        "{before}"
    );
    shop.deliver_object("charge.refunded", 9, charge(4_000, json!({}))).await;
    let part = card().await;
    assert!(part.contains("Credited") && part.contains("8.00 USD taken back"), "{part}");
    shop.deliver_object("charge.refunded", 10, charge(10_000, json!({}))).await;
    let after = card().await;
    assert!(after.contains("Taken back: ") && after.contains("20.00 USD taken back"), "{after}");
    assert!(!after.contains("Credited") && !after.contains("due "), "{after}");
}

#[tokio::test]
async fn each_commission_has_its_own_entries_in_both_modes_and_workspaces() {
    let app = App::new();
    let (shop, other) = (Shop::open(&app, json!({})).await, Shop::open(&app, json!({})).await);
    for (n, of) in [(1, &shop), (2, &shop), (3, &shop), (9, &other)] {
        let session = json!({ "id": format!("cs_{n}"), "payment_intent": format!("pi_{n}"), "amount_total": n * 1_000 });
        of.deliver_object("checkout.session.completed", n, of.session(session)).await;
    }
    shop.deliver_object(
        "charge.refunded",
        10,
        charge(500, json!({ "payment_intent": "pi_2", "amount": 2_000, "amount_captured": 2_000 })),
    )
    .await;
    // The other mode has a commission with the same ID.
    let (workspace, columns) = (
        &shop.merchant.workspace_id,
        "payment_id, program_id, partner_id, enrollment_id, click_id, program_version, enrollment_version, source, \
         recurring_month, currency, base_minor, amount_minor, reversed_minor, reason, matures_at, payment_time, held, closed, \
         stripe, created_at, state",
    );
    let entry = "commission_id, kind, amount_minor, currency, reason, event_id, corrects, at";
    app.rows(format!(
        "INSERT INTO commission (workspace_id, mode, id, {columns}) SELECT workspace_id, 'live', id, {columns} FROM commission \
         WHERE workspace_id = '{workspace}' AND base_minor = 3000; \
         INSERT INTO ledger_entry (workspace_id, mode, id, {entry}) SELECT workspace_id, 'live', id || 'x', {entry} \
         FROM ledger_entry WHERE workspace_id = '{workspace}' AND amount_minor = 600"
    ))
    .await;
    let page = live(&app, &log_in(&app, &shop.merchant.key).await).await;
    let entries = |card: &str| -> Vec<String> {
        let sums = card.split("<td class=\"sum").skip(1);
        sums.map(|rest| rest.split(['>', '<']).nth(1).unwrap().to_owned()).collect()
    };
    let cards = page.split("<section id=\"commissions\"").nth(1).unwrap();
    let cards: Vec<_> = cards.split("class=\"card\"").skip(1).map(entries).collect();
    assert_eq!(cards, [vec!["+6.00 USD"], vec!["-1.00 USD", "+4.00 USD"], vec!["+2.00 USD"]]);
    let page = live(&app, &log_in(&app, &other.merchant.key).await).await;
    assert!(page.contains("+18.00 USD") && !page.contains("+6.00 USD"), "{page}");
}

#[tokio::test]
async fn an_event_shows_the_message_that_was_recorded() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let dispute = |status: &str| {
        json!({ "id": "du_1", "amount": 10_000, "charge": "ch_1", "payment_intent": "pi_1", "currency": "usd",
            "status": status })
    };
    shop.deliver_object("charge.dispute.funds_withdrawn", 9, dispute("needs_response")).await;
    assert_eq!(shop.deliver_object("charge.dispute.closed", 15, dispute("lost")).await, "processed released");
    let page = live(&app, &log_in(&app, &shop.merchant.key).await).await;
    let message = shop.merchant.get("/events?reason=released").await.text("/data/0/message");
    assert!(
        page.contains(&format!("<p class=\"why\">{message} <code>released</code></p>")),
        "{message}: {page}"
    );
}

#[tokio::test]
async fn an_event_that_waited_72_hours_is_shown_as_in_lists() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let without_click = json!({ "metadata": {}, "created": START });
    shop.deliver_object("checkout.session.completed", 0, shop.session(without_click)).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    assert!(live(&app, &cookie).await.contains("<code>no_attribution_yet</code>"));
    app.trac.clock.advance(3 * DAY);
    let cookie = log_in(&app, &shop.merchant.key).await;
    let page = live(&app, &cookie).await;
    assert!(page.contains("outcome-skipped") && page.contains("<code>no_click</code>"), "{page}");
}

#[tokio::test]
async fn monospace_inputs_show_underscores() {
    let style = include_str!("../../../assets/dashboard.css");
    // Below 15 pixels, Chromium cuts off the underscores of a placeholder at any line height.
    let inputs: Vec<_> =
        style.lines().filter(|line| line.contains(" input {") && line.contains("--mono")).collect();
    assert_eq!(inputs.len(), 2, "{inputs:?}");
    assert!(inputs.iter().all(|line| line.contains("font: 16px/1.5 var(--mono)")), "{inputs:?}");
    // No page loads anything that the Content-Security-Policy blocks.
    assert!(!style.contains("url(") && !style.contains("@import"));
    let app = App::new();
    let page = form(&app, "/dashboard/enter", "token=used", &[]).await;
    assert!(page.body.as_str().unwrap().contains("<code>trac login-link</code> prints another"));
}

#[tokio::test]
async fn the_overview_says_that_an_endpoint_is_silent() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let overview = async || {
        let cookie = log_in(&app, &shop.merchant.key).await;
        let page = app.visit("/dashboard", &[("cookie", &cookie)]).await;
        page.body.as_str().unwrap().to_owned()
    };
    app.trac.clock.advance(30 * DAY);
    assert!(
        !overview().await.contains("Stripe has sent nothing"),
        "nothing was sent yet: that is for the set-up"
    );
    shop.deliver_object("checkout.session.completed", 30 * DAY, shop.session(json!({}))).await;
    app.trac.clock.advance(7 * DAY - 60);
    assert!(!overview().await.contains("Stripe has sent nothing"));
    app.trac.clock.advance(60);
    let page = overview().await;
    assert!(page.contains("Stripe has sent nothing for 7 days."), "{page}");
}
