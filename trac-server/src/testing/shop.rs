//! A merchant's shop in a test: a program, a partner, a click, and a webhook endpoint with a signing secret.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use trac_core::webhook::signature::sign;

use crate::testing::app::{Answer, App, Merchant, START};

const SECRET: &str = "whsec_flow";
pub(crate) const DAY: i64 = 86_400;

/// A merchant with a program, an approved partner, a click that is an hour old, and an endpoint with the
/// signing secret `SECRET`.
pub(crate) struct Shop<'a> {
    pub(crate) app: &'a App,
    pub(crate) merchant: Merchant<'a>,
    pub(crate) program: String,
    pub(crate) partner: String,
    pub(crate) enrollment: String,
    pub(crate) endpoint: String,
    pub(crate) click: String,
}

impl<'a> Shop<'a> {
    pub(crate) async fn open(app: &'a App, terms: Value) -> Self {
        let merchant = app.merchant().await;
        let mut program = json!({ "name": "P", "commission": { "type": "percentage", "rate_bps": 2_000 } });
        program.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        let program = merchant.make("/programs", program).await;
        let partner = merchant
            .make("/partners", json!({ "name": "Ada", "code": "ada", "email": "ada@example.com" }))
            .await;
        let enrolled = json!({ "program_id": program, "partner_id": partner });
        let enrollment = merchant.make("/enrollments", enrolled.clone()).await;
        let endpoint = merchant.make("/webhook-endpoints", json!({ "signing_secrets": [SECRET] })).await;
        let mut clicked = enrolled;
        clicked["clicked_at"] = json!("2026-11-21T07:00:00Z");
        let click = merchant.make("/clicks", clicked).await;
        Self { app, merchant, program, partner, enrollment, endpoint, click }
    }

    pub(crate) async fn deliver(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let header = sign(body.as_bytes(), SECRET, self.app.trac.clock.now());
        let request =
            Request::post(format!("/api/webhooks/{}", self.endpoint)).header("stripe-signature", header);
        self.app.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Delivers an event about an object and returns `outcome reason`.
    pub(crate) async fn deliver_object(&self, kind: &str, at: i64, object: Value) -> String {
        let id = format!("evt_{kind}_{at}_{}", object["id"].as_str().unwrap_or_default());
        let event = json!({ "id": id, "type": kind, "created": START + at, "livemode": false,
            "api_version": "2026-08-26.dahlia", "data": { "object": object } });
        let answer = self.deliver(&event).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        format!("{} {}", answer.text("/outcome"), answer.text("/reason"))
    }

    pub(crate) async fn net(&self) -> i64 {
        let commissions = self.merchant.get("/commissions").await;
        commissions.column("net_minor").iter().map(|net| net.as_i64().unwrap()).sum()
    }

    /// A paid session of 100.00 with this shop's click, with some fields changed.
    pub(crate) fn session(&self, change: Value) -> Value {
        let session = json!({ "id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 10_000,
            "currency": "usd", "payment_intent": "pi_1", "metadata": { "tracClickId": self.click } });
        with(session, change)
    }
}

pub(crate) fn with(mut object: Value, change: Value) -> Value {
    let Value::Object(change) = change else { panic!("a change is an object: {change}") };
    object.as_object_mut().unwrap().extend(change);
    object
}

pub(crate) fn invoice(id: &str, change: Value) -> Value {
    with(
        json!({ "id": id, "status": "paid", "amount_paid": 5_000, "total": 5_000, "currency": "usd",
            "customer": "cus_1", "parent": { "subscription_details": { "subscription": "sub_1", "metadata": {} } } }),
        change,
    )
}

pub(crate) fn charge(refunded: i64, change: Value) -> Value {
    with(
        json!({ "id": "ch_1", "amount": 10_000, "amount_captured": 10_000, "captured": true, "status": "succeeded",
            "amount_refunded": refunded, "currency": "usd", "payment_intent": "pi_1", "metadata": {} }),
        change,
    )
}
