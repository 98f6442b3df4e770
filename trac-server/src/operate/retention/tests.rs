use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::*;
use crate::config::Retention;
use crate::operate::export;
use crate::store::derived;
use crate::testing::app::App;
use crate::testing::shop::Shop;
use crate::trac::refusal::Cause;

const DAY: i64 = 86_400;

fn keeping(app: &App, retention: Retention) -> Trac {
    app.trac.clone().with_retention(retention)
}

#[tokio::test]
async fn clicks_that_anything_names_are_kept_and_visits_stay_counted() {
    let app = App::new();
    let shop = Shop::open(&app, json!({"lead_amount_minor": 100, "lead_currency": "usd"})).await;
    let merchant = &shop.merchant;
    let link = json!({"program_id": shop.program, "partner_id": shop.partner, "slug": "old", "destination": "https://shop.example/"});
    let link = merchant.make("/links", link).await;
    for click in
        ["clk_unused", "clk_sold", "clk_passed_over", "clk_of_customer", "clk_claimed", "clk_of_lead"]
    {
        merchant.make("/clicks", json!({"link_id": link, "click_id": click})).await;
    }
    let sold = json!({"id": "cs_1", "client_reference_id": "clk_passed_over", "metadata": {"tracClickId": "clk_sold"}});
    shop.deliver_object("checkout.session.completed", 1, shop.session(sold)).await;
    let customer =
        json!({"id": "cus_7", "object": "customer", "metadata": {"tracClickId": "clk_of_customer"}});
    shop.deliver_object("customer.created", 2, customer).await;
    let report = async |path: &str, body: serde_json::Value| {
        let request = Request::post(path).header("x-publishable-key", &merchant.publishable_key);
        let request = request.header("content-type", "application/json");
        let answer = app.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    };
    let lead = json!({"eventName": "sign_up", "customerExternalId": "user_1", "clickId": "clk_of_lead"});
    report("/api/track/lead", lead).await;
    let claim = json!({"externalTransactionId": "order 1", "amount": 500, "currency": "usd", "clickId": "clk_claimed"});
    report("/api/track/conversion", claim).await;

    let trac = keeping(&app, Retention { clicks_days: 10, ..Retention::default() });
    app.trac.clock.advance(60 * DAY);
    merchant.make("/clicks", json!({"link_id": link, "click_id": "clk_young"})).await;
    assert_eq!(run(&trac).await.unwrap().clicks, 0, "the window is 30 days, and events may be 31 days late");
    app.trac.clock.advance(2 * DAY);
    assert_eq!(run(&trac).await.unwrap().clicks, 2, "this one and the shop's own");
    assert_eq!(run(&trac).await.unwrap().clicks, 0, "a second run");

    let kept = merchant.get("/clicks").await;
    let mut kept: Vec<_> = kept.column("id").iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    kept.sort_unstable();
    let want = ["clk_claimed", "clk_of_customer", "clk_of_lead", "clk_passed_over", "clk_sold", "clk_young"];
    assert_eq!(kept, want);
    assert_eq!(merchant.get(&format!("/clicks?link_id={link}")).await.number("/meta/total"), 6);
    assert_eq!(merchant.get("/analytics?interval=90d").await.number("/clicks"), 8);
    assert_eq!(app.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
    // A click that is made now is counted, although rows were deleted.
    merchant.make("/clicks", json!({"link_id": link})).await;
    assert_eq!(merchant.get("/analytics?interval=7d").await.number("/clicks"), 2);
    assert_eq!(app.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
}

/// The address of a link whose clicks were all deleted is not given to another partner.
#[tokio::test]
async fn a_link_that_was_ever_visited_is_archived_not_deleted() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let link = json!({"program_id": shop.program, "partner_id": shop.partner, "slug": "old", "destination": "https://shop.example/"});
    let link = shop.merchant.make("/links", link).await;
    shop.merchant.make("/clicks", json!({"link_id": link})).await;
    app.trac.clock.advance(100 * DAY);
    let trac = keeping(&app, Retention { clicks_days: 1, ..Retention::default() });
    assert!(run(&trac).await.unwrap().clicks > 0);
    let removed = shop.merchant.delete(&format!("/links/{link}")).await;
    assert_eq!((&removed.body["archived"], &removed.body["deleted"]), (&json!(true), &json!(false)));
    // Neither is the code of its partner, and explain counts the visits.
    let removed = shop.merchant.delete(&format!("/enrollments/{}", shop.enrollment)).await;
    assert_eq!(removed.code(), (409, "ENROLLMENT_IN_USE".to_owned()));
    let story = shop.merchant.get(&format!("/explain/{link}")).await.body.to_string();
    assert!(story.contains("1 click, the last at"), "{story}");
    // An export has the visits of deleted clicks.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export");
    export::export_to_file(&app.trac, None, &file).await.unwrap();
    let there = App::new();
    let stream = std::io::BufReader::new(std::fs::File::open(&file).unwrap());
    export::import(&there.trac.store, stream).await.unwrap();
    let days = "SELECT sum(visits), sum(unique_visits), sum(clicks) FROM click_day";
    let sums = async |app: &App| {
        let read = app.trac.store.read(move |tx| {
            tx.one(days, &[], |row| Ok([row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?]))
        });
        read.await.unwrap().unwrap()
    };
    assert_eq!(sums(&there).await, sums(&app).await);
    assert_eq!(there.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn bodies_of_decided_events_and_events_without_effect_are_deleted_after_their_days() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 1, shop.session(json!({"id": "cs_1"}))).await;
    let waiting = json!({"id": "cs_2", "payment_intent": "pi_2", "customer": "cus_2", "client_reference_id": null, "metadata": {}});
    shop.deliver_object("checkout.session.completed", 2, shop.session(waiting)).await;
    shop.deliver_object("product.created", 3, json!({"id": "prod_1", "object": "product"})).await;
    shop.merchant.get("/links?nothing=1").await;
    let log = async || {
        let events = shop.merchant.get("/events").await;
        let mut rows = Vec::new();
        for id in events.column("id") {
            let event = shop.merchant.get(&format!("/events/{}", id.as_str().unwrap())).await;
            let has_body = if event.body["payload"].is_null() { "" } else { " with body" };
            rows.push(format!("{}{has_body}", event.text("/reason")));
        }
        assert_eq!(events.number("/meta/total"), i64::try_from(rows.len()).unwrap());
        rows
    };
    let before = ["unsupported_event with body", "no_attribution_yet with body", "ok with body"];
    assert_eq!(log().await, before);
    let trac = keeping(&app, Retention { bodies_days: 5, log_days: 9, ..Retention::default() });
    assert_eq!(run(&trac).await.unwrap(), Deleted::default());
    app.trac.clock.advance(6 * DAY);
    assert_eq!(run(&trac).await.unwrap().bodies, 2);
    assert_eq!(log().await, ["unsupported_event", "no_click with body", "ok"]);
    app.trac.clock.advance(4 * DAY);
    assert_eq!(run(&trac).await.unwrap().events, 1);
    assert_eq!(log().await, ["no_click with body", "ok"]);
    assert_eq!(app.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
    // The sale stays as it was, and an event without its body is not replayed.
    assert_eq!(shop.merchant.get("/commissions").await.number("/meta/total"), 1);
    let events = shop.merchant.get("/events?reason=ok").await;
    let id = events.column("id")[0].as_str().unwrap().to_owned();
    let replayed = shop.merchant.post(&format!("/events/{id}/replay"), json!({})).await;
    assert_eq!(replayed.code(), (404, "NOT_FOUND".to_owned()), "{}", replayed.body);
}

#[tokio::test]
async fn refused_calls_are_deleted_after_their_days() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let scope = Scope::new(&shop.merchant.workspace_id, Mode::Test);
    app.trac.record_refusal(&scope, "/s/{slug}", Cause::RateLimited, "").await;
    let total = async || shop.merchant.get("/refusals").await.number("/meta/total");
    assert_eq!(total().await, 1);
    app.trac.clock.advance(29 * DAY);
    assert_eq!(run(&app.trac).await.unwrap().refusals, 0);
    app.trac.clock.advance(2 * DAY);
    assert_eq!(
        run(&keeping(&app, Retention { refusals_days: 0, ..Retention::default() })).await.unwrap().refusals,
        0
    );
    assert_eq!(run(&app.trac).await.unwrap().refusals, 1);
    assert_eq!(total().await, 0);
}
