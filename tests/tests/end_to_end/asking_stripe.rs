//! A refund that no event links to its sale, and an invoice whose lines no event contains completely: a real
//! server asks the simulator of Stripe, even after a kill.
#![allow(clippy::expect_used, reason = "a test")]

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use trac_core::time::Timestamp;
use trac_stand_in::{Catalogue, Config, StandIn};
use trac_tests::{Answer, Endpoint, Merchant, Server, Setup, Terms, envelope, now};

const DAY: i64 = 86_400;
const LIMIT: Duration = Duration::from_mins(3);

/// A simulator of Stripe without a webhook, with one paid month of a subscription; returns the payment from its list.
async fn stand_in() -> (String, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let config = Config {
        origin: origin.clone(),
        after_payment: None,
        catalogue: Catalogue::tea_shop(),
        webhook: None,
    };
    tokio::spawn(StandIn::new(config).serve(listener));
    let wanted = json!({ "link": "test_teaclub" });
    let paid = reqwest::Client::new().post(format!("{origin}/stand-in/payments")).json(&wanted).send().await;
    (origin, paid.expect("the simulator of Stripe responds").json().await.expect("a payment"))
}

fn days_ago(days: i64) -> String {
    Timestamp::from_unix_secs(now() - days * DAY).to_rfc3339()
}

/// A merchant whose server asks the simulator, with a click from four days ago and the payment at the
/// simulator.
struct Shop {
    server: Server,
    merchant: Merchant,
    endpoint: Endpoint,
    terms: Terms,
    click: String,
    payment: Value,
}

impl Shop {
    async fn open() -> Self {
        let (origin, payment) = stand_in().await;
        let server = Server::start_as(Setup {
            arguments: vec!["--stripe-api-url".into(), origin],
            ..Setup::default()
        })
        .await;
        let merchant = server.merchant("asks Stripe");
        let endpoint = merchant.endpoint().await;
        let terms = merchant.terms(2_000, "asked", "https://shop.example/").await;
        let clicked = json!({ "link_id": terms.link, "clicked_at": days_ago(4) });
        let click = merchant.make("/clicks", clicked).await;
        Self { server, merchant, endpoint, terms, click, payment }
    }

    async fn set_key(&self) {
        let id = self.endpoint.url.rsplit('/').next().expect("an endpoint");
        let key = json!({ "stripe_api_key": "rk_test_0123456789abcdef" });
        let set = self.merchant.ask(Method::PATCH, &format!("/webhook-endpoints/{id}"), Some(key)).await;
        assert_eq!((set.status, set.text("/stripe_api_key").as_str()), (200, "rk_test_…cdef"));
    }

    fn paid(&self, name: &str) -> Value {
        self.payment.get(name).cloned().unwrap_or_default()
    }

    /// The invoice in an event: created three days before its charge, too far apart to be matched by time.
    fn invoice(&self, lines: &Value) -> Value {
        let amount = self.paid("amount_minor");
        let details =
            json!({ "subscription": self.paid("subscription"), "metadata": { "tracClickId": self.click } });
        json!({ "id": self.paid("invoice"), "object": "invoice", "status": "paid", "amount_paid": amount,
            "total": amount, "currency": self.paid("currency"), "customer": self.paid("customer"),
            "created": now() - 3 * DAY, "metadata": {}, "lines": lines,
            "parent": { "type": "subscription_details", "subscription_details": details } })
    }

    async fn reason(&self, id: &str, kind: &str, object: &Value) -> String {
        let answer = self.endpoint.deliver(&envelope(id, kind, now(), object)).await;
        answer.text("/reason")
    }

    /// The settled event, and the request to Stripe that settled it.
    async fn settled(&self, id: &str) -> (Answer, Answer) {
        let begun = Instant::now();
        let event = loop {
            let event = self.merchant.get(&format!("/events/{id}")).await;
            if event.text("/outcome") == "processed" || begun.elapsed() > LIMIT {
                break event;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(event.text("/outcome"), "processed", "{}\n{}", event.body, self.server.log());
        let asked = self.merchant.get(&format!("/events/{}", event.text("/settled_by"))).await;
        assert!(!asked.text("/asked_at").is_empty(), "{}", asked.body);
        assert_eq!(asked.text("/stripe_event_id"), "");
        (event, asked)
    }
}

#[tokio::test]
async fn a_refund_is_linked_to_its_invoice_by_asking_stripe_even_after_a_kill() {
    let mut shop = Shop::open().await;
    shop.set_key().await;
    assert_eq!(shop.reason("evt_asked_1", "invoice.paid", &shop.invoice(&Value::Null)).await, "ok");
    let amount = shop.paid("amount_minor");
    let charge = json!({ "id": shop.paid("charge"), "object": "charge", "amount": amount, "amount_captured": amount,
        "amount_refunded": amount, "captured": true, "status": "succeeded", "currency": shop.paid("currency"),
        "customer": shop.paid("customer"), "created": now(), "payment_intent": shop.paid("id"), "metadata": {} });
    assert_eq!(shop.reason("evt_asked_2", "charge.refunded", &charge).await, "payment_unlinked");
    shop.server.kill();
    shop.server.restart().await;

    let (refund, asked) = shop.settled("evt_asked_2").await;
    assert_eq!(refund.text("/reason"), "refund_full", "{}", refund.body);
    assert_eq!(shop.merchant.net_minor().await, 0);
    assert_eq!(asked.text("/type"), "invoice_payment.paid");
}

#[tokio::test]
async fn the_lines_of_an_invoice_are_fetched_from_stripe_even_after_a_kill() {
    let mut shop = Shop::open().await;
    let path = format!("/programs/{}", shop.terms.program);
    let covers = json!({ "products": ["prod_teaclub"], "valid_from": days_ago(5) });
    let set = shop.merchant.ask(Method::PATCH, &path, Some(covers)).await;
    assert_eq!(set.status, 200, "{}", set.body);
    let some = json!({ "object": "list", "has_more": true, "data": [{ "id": "il_first", "object": "line_item", "amount": 0,
        "pricing": { "price_details": { "price": "price_gift", "product": "prod_gift" } } }] });
    assert_eq!(shop.reason("evt_asked_3", "invoice.paid", &shop.invoice(&some)).await, "products_unknown");
    shop.set_key().await;
    shop.server.kill();
    shop.server.restart().await;

    let (paid, asked) = shop.settled("evt_asked_3").await;
    assert_eq!(paid.text("/reason"), "ok", "{}", paid.body);
    let amount = shop.paid("amount_minor").as_i64().unwrap_or_default();
    assert_eq!(shop.merchant.net_minor().await, amount / 5);
    assert_eq!(asked.text("/type"), "invoice.lines_listed");
}
