//! The number by which an open page learns that it has new rows to show.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::super::changes::{self, REFRESH_SECS};
use super::super::queries::{ROWS, entries_sql};
use super::log_in;
use crate::store::Scope;
use crate::store::rows::{Arg, Row};
use crate::testing::app::{App, Merchant};
use crate::testing::shop::{DAY, Shop};

/// A page that is left open.
struct Open<'a> {
    app: &'a App,
    cookie: String,
    number: String,
}

impl<'a> Open<'a> {
    async fn new(app: &'a App, merchant: &Merchant<'_>) -> Self {
        let mut open = Self { app, cookie: log_in(app, &merchant.key).await, number: String::new() };
        let page = app.visit("/dashboard", &[("cookie", &open.cookie)]).await;
        let page = page.body.as_str().unwrap();
        let number = page.split("data-number=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        number.clone_into(&mut open.number);
        open
    }

    /// Signs in again, after the session has expired.
    async fn sign_in_again(&mut self, merchant: &Merchant<'_>) {
        self.cookie = log_in(self.app, &merchant.key).await;
    }

    /// Requests the number as the script does; returns whether it changed.
    async fn has_changed(&mut self) -> bool {
        let answer = self.app.visit("/dashboard/changes", &[("cookie", &self.cookie)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
        // The body is a number, which the test's client reads as JSON.
        let number = answer.body.to_string();
        number.parse::<u64>().unwrap();
        let before = std::mem::replace(&mut self.number, number);
        before != self.number
    }
}

async fn lead(app: &App, shop: &Shop<'_>, customer: &str) -> String {
    let body =
        json!({ "eventName": "Sign up", "customerExternalId": customer, "clickId": shop.click }).to_string();
    let request =
        Request::post("/api/track/lead").header("x-publishable-key", &shop.merchant.publishable_key);
    app.send(request.body(Body::from(body)).unwrap()).await.text("/id")
}

#[tokio::test]
async fn the_number_changes_with_everything_that_a_page_shows_and_not_otherwise() {
    let app = App::new();
    let hold_days = json!({ "lead": 0, "sale": 1, "recurring": 0 });
    let terms = json!({ "lead_amount_minor": 300, "lead_currency": "usd", "hold_days": hold_days });
    let shop = Shop::open(&app, terms).await;
    let other = app.merchant().await;
    let (mut page, mut others) = (Open::new(&app, &shop.merchant).await, Open::new(&app, &other).await);
    assert!(!page.has_changed().await, "it is the number of the page");

    let enrolled = json!({ "program_id": shop.program, "partner_id": shop.partner });
    // The IDs of clicks of one second have no order, and the clock of this test is fixed.
    for _ in 0..40 {
        shop.merchant.make("/clicks", enrolled.clone()).await;
        assert!(page.has_changed().await, "a click");
        assert!(!page.has_changed().await);
    }
    let session = shop.session(json!({}));
    shop.deliver_object("checkout.session.completed", 100, session.clone()).await;
    assert!(page.has_changed().await, "an event, and a commission");
    assert!(!page.has_changed().await);
    shop.deliver_object("checkout.session.completed", 100, session).await;
    assert!(page.has_changed().await, "a repeated delivery");

    let waiting = lead(&app, &shop, "user_1").await;
    assert!(page.has_changed().await, "a lead that is held");
    for status in ["approved", "rejected"] {
        shop.merchant.patch(&format!("/leads/{waiting}"), json!({ "status": status })).await;
        assert!(page.has_changed().await, "a lead {status}");
        assert!(!page.has_changed().await);
    }
    // An event without an effect adds a row to the log, too.
    shop.deliver_object("customer.created", 2, json!({ "id": "cus_9" })).await;
    assert!(page.has_changed().await, "an event that changes nothing");

    app.trac.clock.advance(DAY + 99);
    page.sign_in_again(&shop.merchant).await;
    others.sign_in_again(&other).await;
    assert!(page.has_changed().await && !page.has_changed().await, "a day is over");
    app.trac.clock.advance(1);
    assert!(page.has_changed().await, "a commission that became due");
    assert!(!page.has_changed().await);
    let payout = json!({ "partner_id": shop.partner, "currency": "usd" });
    shop.merchant.make("/payouts", payout).await;
    assert!(page.has_changed().await, "a payout");
    assert!(!page.has_changed().await);
    // The other page's number changed because of the time only.
    assert!(others.has_changed().await && !others.has_changed().await);
}

#[tokio::test]
async fn the_number_changes_after_refresh_secs_and_not_earlier() {
    let app = App::new();
    let merchant = app.merchant().await;
    let mut page = Open::new(&app, &merchant).await;
    let left = REFRESH_SECS - app.trac.clock.now().unix_secs().rem_euclid(REFRESH_SECS);
    app.trac.clock.advance(left - 1);
    assert!(!page.has_changed().await);
    app.trac.clock.advance(1);
    assert!(page.has_changed().await);
}

#[tokio::test]
async fn each_mode_and_workspace_has_its_own_number() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let live = app.merchant().await;
    let mut others = Open::new(&app, &live).await;
    let number = async |mode| {
        let (scope, now) = (Scope::new(&shop.merchant.workspace_id, mode), app.trac.clock.now());
        app.trac.store.read(move |tx| changes::number(tx.within(&scope), now)).await.unwrap()
    };
    let modes = [trac_core::program::Mode::Test, trac_core::program::Mode::Live];
    let before = (number(modes[0]).await, number(modes[1]).await);
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let after = (number(modes[0]).await, number(modes[1]).await);
    assert!(before.0 != after.0 && before.1 == after.1, "{before:?} {after:?}");
    assert!(!others.has_changed().await);
}

#[tokio::test]
async fn a_visitor_without_a_session_is_redirected_to_the_login_page() {
    let app = App::new();
    let answer = app.visit("/dashboard/changes", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "login"));
}

/// The query plan of a statement with this many arguments.
async fn plan(app: &App, sql: String, args: usize) -> Vec<String> {
    let scope = Scope::new("ws_1", trac_core::program::Mode::Test);
    let steps = app.trac.store.read(move |tx| {
        let args = vec![Arg::Integer(0); args];
        let read = |row: &Row<'_>| row.get::<String>(3);
        tx.within(&scope).all(&format!("EXPLAIN QUERY PLAN {sql}"), &args, read)
    });
    let steps = steps.await.unwrap();
    assert!(steps.iter().any(|step| step.starts_with("SEARCH")), "{steps:#?}");
    steps
}

#[tokio::test]
async fn the_number_and_the_entries_of_all_commissions_are_read_by_indexes() {
    let app = App::on_a_file();
    let of_number = plan(&app, changes::sql(), 1).await;
    let of_entries = plan(&app, entries_sql(ROWS), ROWS).await;
    for step in of_number.iter().chain(&of_entries).filter(|step| step.starts_with("SCAN")) {
        // A scan of few rows that an index has found.
        let is_found =
            ["CONSTANT ROW", "listed_", "subquery", "ranked"].iter().any(|name| step.contains(name));
        assert!(is_found, "{of_number:#?} {of_entries:#?}");
    }
    // Only the clicks of one second are sorted, not all clicks.
    assert!(!of_number.iter().any(|step| step == "USE TEMP B-TREE FOR ORDER BY"), "{of_number:#?}");
    assert!(of_entries.iter().any(|step| step.contains("ledger_entry_commission")), "{of_entries:#?}");
}

#[tokio::test]
async fn the_script_requests_the_changing_part_only_after_the_number_changed() {
    let script = include_str!("../../../assets/dashboard.js");
    let requested: Vec<_> =
        script.split("await get(").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert_eq!(requested, ["location.href", "live.dataset.changes", "live.dataset.source"]);
    assert!(
        script.find("if (current.text !== number)").unwrap() < script.find("live.dataset.source").unwrap()
    );
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    let page = app.visit("/dashboard", &[("cookie", &cookie)]).await;
    let page = page.body.as_str().unwrap();
    assert!(page.contains("data-source=\"dashboard/live\" data-changes=\"dashboard/changes\""), "{page}");
}
