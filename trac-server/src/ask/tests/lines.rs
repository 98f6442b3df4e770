use std::ops::RangeInclusive;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Api, Asker, KEY, error};
use crate::operate::replay::{Rules, replay_all};
use crate::testing::app::App;
use crate::testing::shop::{DAY, Shop, charge, invoice, with};

const LINES: &str = "/v1/invoices/in_1/lines?limit=100";

/// A line of 5.00; every third is of the product that the program covers.
fn line(number: usize) -> Value {
    let product = if number.is_multiple_of(3) { "prod_1" } else { "prod_2" };
    json!({ "id": format!("il_{number}"), "object": "line_item", "amount": 500, "invoice": "in_1", "livemode": false,
        "pricing": { "type": "price_details", "price_details": { "price": "price_1", "product": product } } })
}

fn lines(numbers: RangeInclusive<usize>) -> Value {
    numbers.map(line).collect()
}

/// A page of a list in Stripe's format.
fn page(lines: &Value, has_more: bool) -> Response {
    let list =
        json!({ "object": "list", "data": lines, "has_more": has_more, "url": "/v1/invoices/in_1/lines" });
    axum::Json(list).into_response()
}

/// The paid invoice of twelve lines, with the ten of them that an event contains.
fn long(change: Value) -> Value {
    let some = json!({ "object": "list", "data": lines(1..=10), "has_more": true });
    with(invoice("in_1", json!({ "amount_paid": 6_000, "total": 6_000, "lines": some })), change)
}

fn by(click: &str) -> Value {
    json!({ "metadata": { "tracClickId": click } })
}

/// A shop whose program covers only `prod_1`, a third of an invoice of 60.00 that was paid a minute ago.
async fn waiting(app: &App) -> Shop<'_> {
    let shop = Shop::open(app, json!({ "products": ["prod_1"] })).await;
    assert_eq!(
        shop.deliver_object("invoice.paid", 0, long(by(&shop.click))).await,
        "deferred products_unknown"
    );
    app.trac.clock.advance(60);
    shop
}

impl Shop<'_> {
    async fn row(&self, kind: &str) -> Value {
        self.merchant.get(&format!("/events?type={kind}")).await.body["data"][0].clone()
    }

    async fn story(&self) -> Value {
        self.merchant.get("/explain/in_1").await.body
    }
}

impl Api {
    /// Prepares the same response for more requests than the tests make.
    fn always(&self, answer: fn() -> Response) {
        (0..50).for_each(|_| self.will_send(answer()));
    }

    /// Waits until it has received this many requests.
    async fn receives(&self, count: usize) {
        while self.request_count() < count {
            self.requested.notified().await;
        }
    }
}

#[tokio::test]
async fn lines_on_two_pages_settle_the_payment_and_are_logged_and_explained() {
    let app = App::new();
    let shop = waiting(&app).await;
    let (api, asker) = Api::open(&app).await;
    assert_eq!((asker.round().await.unwrap(), api.request_count()), (0, 0), "no request without a key");
    let story = shop.story().await;
    assert_eq!(
        (&story["first_missing_hop"], &story["reason"]),
        (&json!("decision"), &json!("products_unknown"))
    );
    let (summary, remedy) = (story["summary"].as_str().unwrap(), story["remedy"].as_str().unwrap());
    assert!(summary.contains("P covers prod_1 only, and no event carries every line of in_1."), "{summary}");
    assert!(remedy.starts_with(
        "Give the endpoint a restricted key that may read Invoices: PATCH /webhook-endpoints/we_"
    ));

    shop.set_key(json!(KEY)).await;
    let remedy = shop.story().await["remedy"].clone();
    assert_eq!(remedy, "There is nothing to do: Stripe will be asked for the lines in a moment.");
    api.will_send(page(&lines(1..=7), true));
    api.will_send(page(&lines(8..=12), false));
    assert_eq!((asker.round().await.unwrap(), shop.net().await), (1, 400), "a fifth of 20.00");
    assert_eq!(api.request_uris(), [LINES.to_owned(), format!("{LINES}&starting_after=il_7")]);
    for (_, headers) in &*api.requests.lock().unwrap() {
        assert_eq!(headers["authorization"], format!("Bearer {KEY}").as_str());
        assert_eq!(headers["stripe-version"], crate::ask::stripe::VERSION);
        assert!(!headers.contains_key("stripe-account"));
    }

    let listed = shop.row("invoice.lines_listed").await;
    assert_eq!((&listed["stripe_event_id"], &listed["outcome"]), (&Value::Null, &json!("processed")));
    assert_eq!((&listed["reason"], &listed["asked_at"]), (&json!("noted"), &json!("2026-11-21T08:01:00Z")));
    assert_eq!(listed["message"], "Stripe was asked, and listed all 12 lines of the invoice in_1.");
    let paid = shop.row("invoice.paid").await;
    assert_eq!((&paid["outcome"], &paid["reason"]), (&json!("processed"), &json!("ok")));
    assert_eq!((&paid["settled_by"], &paid["asked_at"]), (&listed["id"], &Value::Null));
    let sale = shop.merchant.get("/conversions").await.body["data"][0].clone();
    assert_eq!((&sale["amount_minor"], &sale["base_minor"]), (&json!(6_000), &json!(2_000)), "{sale}");
    assert_eq!(sale["occurred_at"], "2026-11-21T08:00:00Z", "a list does not change the time: {sale}");
    let metrics = app.visit("/metrics", &[]).await.body.to_string();
    assert!(metrics.contains(r#"trac_stripe_questions_total{answer=\"lines\"} 1"#), "{metrics}");

    assert_eq!(asker.round().await.unwrap(), 0, "no question is open any more");
    let partly = shop.deliver_object("invoice.paid", 9, long(by(&shop.click))).await;
    assert_eq!(
        (partly.as_str(), shop.net().await),
        ("duplicate duplicate_object", 400),
        "a partial list does not replace a complete one"
    );
    let replayed = replay_all(&app.trac, trac_core::time::Timestamp::default(), Rules::Then, false).await;
    assert_eq!(replayed.unwrap()["changed"], json!([]));
    assert_eq!((shop.net().await, api.request_count()), (400, 2), "a replay sends no request");
}

/// A name; Stripe's responses; the number of requests in ten days, all pages counted; the text in explain.
type Row = (&'static str, fn(&Api), usize, &'static str);

/// Lists that Stripe does not return.
fn not_given() -> Vec<Row> {
    vec![
        (
            "a wrong key",
            |api| api.will_send(error(401, "Invalid Key")),
            1,
            "Stripe answered 401: Invalid Key",
        ),
        (
            "a missing permission",
            |api| api.will_send(error(403, "No")),
            1,
            "The key needs the permission Invoices: read.",
        ),
        ("no such invoice", |api| api.always(|| error(404, "No such invoice")), 3, "404: No such invoice"),
        ("too many questions", |api| api.always(|| error(429, "Later")), 12, "Stripe answered 429: Later"),
        ("no list", |api| api.always(|| "<html>".into_response()), 12, "Stripe's answer is not a list."),
        (
            "a second page that fails",
            |api| {
                for _ in 0..12 {
                    api.will_send(page(&lines(1..=10), true));
                    api.will_send(StatusCode::INTERNAL_SERVER_ERROR);
                }
            },
            24,
            "Stripe answered 500",
        ),
    ]
}

/// Lists without an end, and lists that are too long.
fn endless() -> Vec<Row> {
    fn heavy(number: usize, mebibytes: usize) -> Response {
        page(&json!([{ "id": format!("il_{number}"), "description": "x".repeat(mebibytes << 20) }]), true)
    }
    vec![
        (
            "more and more lines",
            |api| (0..20).for_each(|n| api.will_send(page(&lines(n * 100 + 1..=n * 100 + 100), true))),
            20,
            "The invoice has more than 2000 lines: they are not read.",
        ),
        (
            "the same page every time",
            |api| api.always(|| page(&lines(1..=10), true)),
            6,
            "Stripe listed the same line twice.",
        ),
        (
            "more lines announced, none listed",
            |api| api.always(|| page(&json!([]), true)),
            3,
            "Stripe reports more lines, but lists none.",
        ),
        (
            "a page too large",
            |api| (0..3).for_each(|_| api.will_send(heavy(1, 4))),
            3,
            "Stripe's answer is larger than 4 MiB.",
        ),
        (
            "a list too large",
            |api| (0..3).for_each(|n| api.will_send(heavy(n, 3))),
            3,
            "The invoice's lines take more than 8 MiB: they are not read.",
        ),
    ]
}

/// Lists that are empty, or of another invoice or mode.
fn foreign() -> Vec<Row> {
    vec![
        (
            "no line",
            |api| api.always(|| page(&json!([]), false)),
            3,
            "Stripe lists no lines of this invoice.",
        ),
        (
            "lines of another invoice",
            |api| {
                api.always(|| {
                    let product = json!({ "product": "prod_1" });
                    let line = json!({ "id": "il_1", "amount": 6_000, "invoice": "in_2", "price": product });
                    page(&json!([line]), false)
                });
            },
            3,
            "Stripe listed a line of another invoice.",
        ),
        (
            "lines of the other mode",
            |api| api.always(|| page(&json!([{ "id": "il_1", "livemode": true }]), false)),
            3,
            "Stripe listed a line of another invoice.",
        ),
    ]
}

#[tokio::test]
async fn without_a_complete_list_of_lines_the_payment_stays_deferred() {
    for (name, prepare, requests, want) in [not_given(), endless(), foreign()].concat() {
        let app = App::new();
        let shop = waiting(&app).await;
        let (api, asker) = Api::open(&app).await;
        shop.set_key(json!(KEY)).await;
        prepare(&api);
        for _ in 0..40 {
            asker.round().await.unwrap();
            app.trac.clock.advance(DAY / 4);
        }
        assert_eq!((api.request_count(), shop.net().await), (requests, 0), "{name}");
        let paid = shop.row("invoice.paid").await;
        let waits = (&json!("deferred"), &json!("products_unknown"));
        assert_eq!((&paid["outcome"], &paid["reason"]), waits, "{name}");
        assert_eq!(
            shop.row("invoice.lines_listed").await,
            Value::Null,
            "{name}: a partial list is not stored"
        );
        let story = shop.story().await.to_string();
        assert!(story.contains(want), "{name}: {story}");

        // With another key the question is asked again.
        shop.set_key(json!("rk_test_another0123456789abcd")).await;
        api.answers.lock().unwrap().clear();
        api.will_send(page(&lines(1..=12), false));
        assert_eq!((asker.round().await.unwrap(), shop.net().await), (1, 400), "{name}");
    }
}

#[tokio::test]
async fn after_a_crash_between_two_pages_the_first_is_requested_again() {
    let app = App::new();
    let shop = waiting(&app).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    api.will_send(page(&lines(1..=7), true));
    api.will_hang();
    tokio::select! {
        done = asker.round() => panic!("{done:?} without the second page"),
        () = api.receives(2) => {}
    }
    drop(asker);
    assert_eq!(shop.row("invoice.lines_listed").await, Value::Null);

    let restarted = Asker::new(app.trac.clone().with_stripe_api_url(&api.url));
    assert_eq!(restarted.round().await.unwrap(), 0, "another server may be asking");
    app.trac.clock.advance(30);
    api.will_send(page(&lines(1..=11), true));
    api.will_send(page(&lines(12..=12), false));
    assert_eq!((restarted.round().await.unwrap(), shop.net().await), (1, 400));
    assert_eq!(api.request_uris()[2..], [LINES.to_owned(), format!("{LINES}&starting_after=il_11")]);
}

#[tokio::test]
async fn lines_are_requested_once_the_click_of_the_payment_is_known() {
    let app = App::new();
    let shop = Shop::open(&app, json!({ "products": ["prod_1"] })).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    assert_eq!(shop.deliver_object("invoice.paid", 0, long(json!({}))).await, "deferred no_attribution_yet");
    app.trac.clock.advance(60);
    assert_eq!(asker.round().await.unwrap(), 0, "without an attribution, the covered products are not known");
    let subscribed = json!({ "mode": "subscription", "subscription": "sub_1", "invoice": "in_1", "payment_intent": null,
        "amount_total": 6_000 });
    let outcome = shop.deliver_object("checkout.session.completed", 0, shop.session(subscribed)).await;
    assert_eq!(outcome, "deferred products_unknown");
    app.trac.clock.advance(60);
    api.will_send(page(&lines(1..=12), false));
    assert_eq!((asker.round().await.unwrap(), shop.net().await), (1, 400));
    for kind in ["invoice.paid", "checkout.session.completed"] {
        assert_eq!(shop.row(kind).await["outcome"], "processed", "{kind}");
    }
}

#[tokio::test]
async fn lines_are_not_requested_if_known_or_not_needed_or_the_id_is_unsafe_in_a_url() {
    let of = |id: &str, lines: Value| json!({ "id": id, "lines": lines });
    let few =
        || json!({ "data": [{ "amount": 6_000, "price": { "product": "prod_2" } }], "has_more": false });
    let some = || json!({ "data": lines(1..=10), "has_more": true });
    let covers = || json!({ "products": ["prod_1"] });
    let rows = [
        ("known", covers(), of("in_1", few()), "skipped product_not_covered"),
        ("no limit", json!({}), of("in_1", some()), "processed ok"),
        (
            "links alone",
            json!({ "products": ["plink_1"] }),
            of("in_1", some()),
            "skipped product_not_covered",
        ),
        ("a path", covers(), of("in_1/../../charges", some()), "deferred products_unknown"),
        ("a query", covers(), of("in_1?expand[]=data", some()), "deferred products_unknown"),
        ("too long", covers(), of(&format!("in_{}", "1".repeat(300)), some()), "deferred products_unknown"),
    ];
    for (name, terms, change, want) in rows {
        let app = App::new();
        let shop = Shop::open(&app, terms).await;
        let (api, asker) = Api::open(&app).await;
        shop.set_key(json!(KEY)).await;
        let paid = with(long(by(&shop.click)), change);
        assert_eq!(shop.deliver_object("invoice.paid", 0, paid).await, want, "{name}");
        app.trac.clock.advance(DAY);
        assert_eq!((asker.round().await.unwrap(), api.request_count()), (0, 0), "{name}");
    }
    // A session without an invoice has no lines to request.
    let app = App::new();
    let shop = Shop::open(&app, covers()).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    app.trac.clock.advance(DAY);
    assert_eq!((asker.round().await.unwrap(), api.request_count()), (0, 0));
}

#[tokio::test]
async fn of_both_kinds_of_questions_the_longest_open_is_asked_first() {
    let app = App::new();
    let shop = waiting(&app).await;
    let (api, asker) = Api::open(&app).await;
    shop.set_key(json!(KEY)).await;
    let refunded = charge(2_000, json!({ "amount": 2_000, "amount_captured": 2_000, "customer": "cus_1" }));
    assert_eq!(shop.deliver_object("charge.refunded", 9, refunded).await, "deferred payment_unlinked");
    app.trac.clock.advance(60);
    api.will_send(page(&lines(1..=12), false));
    api.will_name("in_1", "pi_1");
    assert_eq!(asker.round().await.unwrap(), 2);
    let addresses = api.request_uris();
    assert_eq!(addresses[0], LINES);
    assert!(addresses[1].starts_with("/v1/invoice_payments?"), "{addresses:?}");
    assert_eq!(shop.net().await, 267, "a third of the payment, and so of the commission, went back");
    let details = shop.merchant.get("/explain/in_1").await.body.to_string();
    assert!(details.contains("listed all 12 lines") || details.contains("named the invoice"), "{details}");
}

#[tokio::test]
async fn lines_of_a_connected_account_are_requested_with_its_header_and_its_own_key_only() {
    let app = App::new();
    let shop = waiting(&app).await;
    let (api, asker) = Api::open(&app).await;
    let other = json!({ "stripe_api_key": KEY, "stripe_account": "acct_2" });
    shop.merchant.make("/webhook-endpoints", other).await;
    let (stranger, _) = app.both_modes().await;
    stranger.make("/webhook-endpoints", json!({ "stripe_api_key": KEY })).await;
    assert_eq!((asker.round().await.unwrap(), api.request_count()), (0, 0));

    let path = format!("/webhook-endpoints/{}", shop.endpoint);
    let change = json!({ "stripe_account": "acct_1", "stripe_api_key": KEY });
    assert_eq!(shop.merchant.patch(&path, change).await.status, 200);
    api.will_send(page(&lines(1..=12), false));
    assert_eq!((asker.round().await.unwrap(), shop.net().await), (1, 400));
    assert_eq!(api.requests.lock().unwrap()[0].1["stripe-account"], "acct_1");
}
