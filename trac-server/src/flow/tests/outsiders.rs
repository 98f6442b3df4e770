//! A partner with the publishable key makes every public call with every combination of known and guessed
//! IDs. The results of the other partners and of the unattributed payments are the same as in a shop without
//! an attack.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::app::{App, START};
use crate::testing::shop::{DAY, Shop, charge, invoice, with};

/// A shop with a second partner, Bob, who is the outsider.
struct Market<'a> {
    shop: Shop<'a>,
    bob: String,
    bobs_click: String,
}

impl<'a> Market<'a> {
    async fn open(app: &'a App, model: &str) -> Self {
        let terms = json!({ "attribution_model": model, "lead_amount_minor": 300, "lead_currency": "usd",
            "hold_days": { "lead": 0, "sale": 0, "recurring": 0 } });
        let shop = Shop::open(app, terms).await;
        let bob = json!({ "name": "Bob", "code": "bob", "email": "bob@example.com" });
        let bob = shop.merchant.make("/partners", bob).await;
        let enrolled = json!({ "program_id": shop.program, "partner_id": bob });
        shop.merchant.make("/enrollments", enrolled.clone()).await;
        let clicked = with(enrolled, json!({ "clicked_at": "2026-11-21T07:30:00Z" }));
        let bobs_click = shop.merchant.make("/clicks", clicked).await;
        Self { shop, bob, bobs_click }
    }

    /// The sales and reports before the attack.
    async fn before(&self) {
        let shop = &self.shop;
        let of = |customer: &str, user: &str| {
            json!({ "customer": customer, "customer_details": { "email": "buyer@example.com" },
            "metadata": { "tracClickId": shop.click, "tracCustomerExternalId": user } })
        };
        let sold = shop.session(of("cus_1", "user_1"));
        shop.deliver_object("checkout.session.completed", 0, sold).await;
        shop.deliver_object("charge.refunded", 1, charge(2_500, json!({}))).await;
        let by_click = json!({ "parent": { "subscription_details": { "subscription": "sub_1",
            "metadata": { "tracClickId": shop.click, "tracCustomerExternalId": "user_2" } } }, "customer": "cus_2" });
        shop.deliver_object("invoice.paid", 2, invoice("in_1", by_click)).await;
        // Payments without a click; the first names its customer by the merchant's own ID.
        let bare = json!({ "id": "cs_3", "payment_intent": "pi_3", "customer": "cus_3", "metadata": { "tracCustomerExternalId": "user_3" } });
        shop.deliver_object("checkout.session.completed", 3, shop.session(bare)).await;
        let guest = json!({ "id": "cs_4", "payment_intent": "pi_4", "metadata": {} });
        shop.deliver_object("checkout.session.completed", 4, shop.session(guest)).await;
        self.lead(
            json!({ "customerExternalId": "user_5", "clickId": shop.click, "eventName": "Sign up" }),
            true,
        )
        .await;
        let report = json!({ "external_transaction_id": "order 6", "event_type": "Purchase", "amount_cents": 5_000,
            "currency": "usd", "click_id": shop.click, "customer_external_id": "user_6" });
        shop.merchant.make("/conversions", report).await;
        let silent = json!({ "external_transaction_id": "order 7", "event_type": "Purchase", "customer_external_id": "user_7" });
        shop.merchant.make("/conversions", silent).await;
        // A lead that a page reported for the other partner, of a customer who then pays.
        self.lead(
            json!({ "customerExternalId": "user_8", "clickId": shop.click, "eventName": "Sign up" }),
            false,
        )
        .await;
        shop.app.trac.clock.advance(60);
        let paid = json!({ "id": "cs_8", "payment_intent": "pi_8", "customer": "cus_8", "metadata": { "tracCustomerExternalId": "user_8" },
            "created": START + 60 });
        shop.deliver_object("checkout.session.completed", 60, shop.session(paid)).await;
    }

    /// The sales after the attack: all customers buy again, without a click.
    async fn after(&self) {
        let at = self.shop.app.trac.clock.now().unix_secs() - START;
        for number in [1, 2, 3, 5, 6, 7, 8] {
            let bought = json!({ "id": format!("cs_9{number}"), "payment_intent": format!("pi_9{number}"), "created": START + at,
                "customer": format!("cus_{number}"), "metadata": { "tracCustomerExternalId": format!("user_{number}") } });
            self.shop.deliver_object("checkout.session.completed", at, self.shop.session(bought)).await;
        }
        let renewed = json!({ "customer": "cus_2", "created": START + at });
        self.shop.deliver_object("invoice.paid", at, invoice("in_2", renewed)).await;
        let amount = json!({ "external_transaction_id": "order 7", "event_type": "Purchase", "amount_cents": 700, "currency": "usd" });
        self.shop.merchant.post("/conversions", amount).await;
        self.shop.app.trac.clock.advance(90 * DAY);
    }

    async fn lead(&self, body: Value, by_merchant: bool) {
        let request = Request::post("/api/track/lead").header("content-type", "application/json");
        let merchant = &self.shop.merchant;
        let request = if by_merchant {
            request.header("authorization", format!("Bearer {}", merchant.key))
        } else {
            request.header("x-publishable-key", &merchant.publishable_key)
        };
        let answer = self.shop.app.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    /// Every commission of the first partner that does not wait for the merchant, the partner's balance, and
    /// the outsider's commissions that do not wait for the merchant.
    async fn sums(&self) -> Value {
        let merchant = &self.shop.merchant;
        let names = [
            "source",
            "status",
            "reason",
            "amount_minor",
            "net_minor",
            "recurring_month",
            "matures_at",
            "stripe",
        ];
        let rows = async |partner: &str| {
            let list = merchant.get(&format!("/commissions?partner_id={partner}&limit=100")).await;
            assert!(!list.body["meta"]["has_more"].as_bool().unwrap(), "{}", list.body["meta"]);
            let list = list.body["data"].as_array().unwrap().clone();
            let counted = list.iter().filter(|row| row["status"] != "held" && row["net_minor"] != 0);
            let mut rows: Vec<Value> =
                counted.map(|row| names.iter().map(|name| row[name].clone()).collect()).collect();
            rows.sort_by_key(ToString::to_string);
            rows
        };
        let balance = merchant.get(&format!("/balances?partner_id={}", self.shop.partner)).await;
        let balance = ["pending_minor", "approved_minor", "paid_minor", "owed_minor"]
            .map(|sum| balance.number(&format!("/data/0/{sum}")));
        json!({ "rows": rows(&self.shop.partner).await, "balance": balance, "outsider": rows(&self.bob).await })
    }

    /// All public calls with all combinations.
    fn calls(&self) -> Vec<(&'static str, Value)> {
        let customers = [
            "user_1", "user_2", "user_3", "user_5", "user_6", "user_7", "user_8", "user_9", "cus_1", "cus_3",
        ];
        let clicks = [
            Some(self.bobs_click.as_str()),
            Some(&self.shop.click),
            Some("clk_1763712000_00000000000000ff"),
            None,
        ];
        let emails = [Some("ada@example.com"), Some("bob@example.com"), Some("buyer@example.com"), None];
        let transactions = [
            "cs_1", "pi_1", "ch_1", "in_1", "cs_3", "pi_3", "cs_4", "pi_4", "order 6", "order 7", "cs_8",
            "order 9", "cs_91", "pi_93", "in_2", "sub_1", "cus_3",
        ];
        let optional = |body: &mut Value, name: &str, value: Option<&str>| {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        };
        let mut calls = Vec::new();
        for click in clicks {
            for email in emails {
                for customer in customers {
                    for event in ["Sign up", "Purchase", "Trial"] {
                        for mode in [None, Some("deferred")] {
                            let mut body = json!({ "eventName": event, "customerExternalId": customer });
                            optional(&mut body, "clickId", click);
                            optional(&mut body, "customerEmail", email);
                            optional(&mut body, "mode", mode);
                            calls.push(("/api/track/lead", body));
                        }
                    }
                    for transaction in transactions {
                        for amount in [1, 5_000, 900_000_000] {
                            let mut body = json!({ "eventName": "Purchase", "externalTransactionId": transaction, "amount": amount,
                                "currency": "usd", "customerExternalId": customer });
                            optional(&mut body, "clickId", click);
                            optional(&mut body, "customerEmail", email);
                            calls.push(("/api/track/conversion", body));
                        }
                    }
                }
            }
        }
        for code in ["ada", "bob", "ADA", "none"] {
            calls.push(("/v1/clicks", json!({ "ref": code, "url": "https://shop.example/?ref=x" })));
        }
        calls
    }
}

#[tokio::test]
async fn page_reports_about_known_customers_move_no_money() {
    attack("last_click").await;
}

#[tokio::test]
async fn page_reports_about_known_customers_move_no_money_under_first_click() {
    attack("first_click").await;
}

async fn attack(model: &str) {
    let (quiet, loud) = (App::new(), App::new());
    let control = Market::open(&quiet, model).await;
    control.before().await;
    let market = Market::open(&loud, model).await;
    market.before().await;
    let calls = market.calls();
    assert!(calls.len() >= 5_000, "{}", calls.len());
    let merchant = &market.shop.merchant;
    let (mut accepted, mut index) = (0, 0);
    for number in 0..calls.len() {
        // A prime step visits all calls in another order than they were generated in.
        index = (index + 7_919) % calls.len();
        if number % 250 == 0 {
            loud.trac.clock.advance(60);
            quiet.trac.clock.advance(60);
        }
        let (path, body) = &calls[index];
        let request = Request::post(*path).header("x-publishable-key", &merchant.publishable_key);
        let answer = loud.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert!(answer.status.as_u16() < 500 && answer.status != 429, "{path} {body}: {}", answer.body);
        accepted += i32::from(answer.status.is_success());
    }
    assert!(accepted > 9_000, "{accepted} of {} calls were accepted", calls.len());
    for market in [&control, &market] {
        market.after().await;
    }
    let (want, got) = (control.sums().await, market.sums().await);
    assert_eq!(got["outsider"], json!([]), "{model}");
    assert!(want["rows"].as_array().unwrap().len() >= 9, "{want:#}");
    assert_eq!(got, want, "{model}");
}
