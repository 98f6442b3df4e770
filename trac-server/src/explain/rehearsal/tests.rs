//! Test cases of a few steps in a shop, and the expected response, log and explanation.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use trac_core::conversion::remedy::remedy;
use trac_core::reason::Reason;
use trac_core::webhook::signature::sign;

use crate::testing::app::{Answer, App, START};
use crate::testing::shop::{Shop, with};

/// One step. In every text, `$click`, `$program`, `$partner`, `$enrollment` and `$endpoint` are replaced by the
/// shop's IDs, and `$id` by the ID in the last response.
enum Step {
    Event(&'static str, i64, Value),
    Deliver(Value),
    Forge(&'static str, i64),
    Api(&'static str, &'static str, Value),
    Page(&'static str, Value),
    Call(&'static str, &'static str, &'static str, Value),
    Times(usize, Box<Step>),
    Sql(&'static str),
    Wait(i64),
}

/// A test case: steps and their expected results.
pub(super) struct Row {
    pub(super) name: &'static str,
    terms: Value,
    steps: Vec<Step>,
    answer: &'static str,
    log: Option<(&'static str, &'static str)>,
    id: &'static str,
    hop: Option<&'static str>,
    says: Vec<&'static str>,
    hides: Vec<&'static str>,
}

pub(super) fn row(name: &'static str) -> Row {
    Row {
        name,
        terms: json!({}),
        steps: Vec::new(),
        answer: "",
        log: None,
        id: "",
        hop: None,
        says: Vec::new(),
        hides: Vec::new(),
    }
}

impl Row {
    pub(super) fn terms(self, terms: Value) -> Self {
        Self { terms, ..self }
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Adds an event of Stripe's, `at` seconds after the start; its ID is `evt_{kind}_{at}_{object}`.
    pub(super) fn event(self, kind: &'static str, at: i64, object: Value) -> Self {
        self.step(Step::Event(kind, at, object))
    }

    /// Adds a paid session with this shop's click.
    pub(super) fn session(self, at: i64, change: Value) -> Self {
        let session = json!({ "id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 10_000,
            "currency": "usd", "payment_intent": "pi_1", "metadata": { "tracClickId": "$click" } });
        self.event("checkout.session.completed", at, with(session, change))
    }

    /// Adds a complete event.
    pub(super) fn deliver(self, event: Value) -> Self {
        self.step(Step::Deliver(event))
    }

    /// Adds a delivery signed with this secret, `secs_ago` seconds ago.
    pub(super) fn forge(self, secret: &'static str, secs_ago: i64) -> Self {
        self.step(Step::Forge(secret, secs_ago))
    }

    pub(super) fn post(self, path: &'static str, body: Value) -> Self {
        self.step(Step::Api("POST", path, body))
    }

    pub(super) fn patch(self, path: &'static str, body: Value) -> Self {
        self.step(Step::Api("PATCH", path, body))
    }

    /// Adds a page's call with the publishable key.
    pub(super) fn page(self, path: &'static str, body: Value) -> Self {
        self.step(Step::Page(path, body))
    }

    /// Adds a call with this header.
    pub(super) fn call(
        self,
        path: &'static str,
        header: &'static str,
        value: &'static str,
        body: Value,
    ) -> Self {
        self.step(Step::Call(path, header, value, body))
    }

    /// Repeats the last step.
    pub(super) fn times(mut self, times: usize) -> Self {
        let last = self.steps.pop().unwrap();
        self.step(Step::Times(times, Box::new(last)))
    }

    pub(super) fn sql(self, sql: &'static str) -> Self {
        self.step(Step::Sql(sql))
    }

    pub(super) fn wait(self, secs: i64) -> Self {
        self.step(Step::Wait(secs))
    }

    /// Expects this response to the last step: outcome and reason of a delivery, otherwise the status, and code
    /// or reason.
    pub(super) fn answers(self, answer: &'static str) -> Self {
        Self { answer, ..self }
    }

    /// Expects this text in the first row of a list, or an empty list. By default, the log must have the
    /// response to the last event.
    pub(super) fn logs(self, list: &'static str, says: &'static str) -> Self {
        Self { log: Some((list, says)), ..self }
    }

    /// Expects this first missing hop, if any, and these texts in the story of an ID.
    pub(super) fn explains(self, id: &'static str, hop: Option<&'static str>, says: &[&'static str]) -> Self {
        Self { id, hop, says: says.to_vec(), ..self }
    }

    /// Expects that these texts are not in the story.
    pub(super) fn without(self, words: &[&'static str]) -> Self {
        Self { hides: words.to_vec(), ..self }
    }

    /// Runs the steps and checks the results.
    pub(super) async fn check(&self) {
        let app = App::new();
        let shop = Shop::open(&app, self.terms.clone()).await;
        let mut stage = Stage { shop: &shop, last: String::new(), event: String::new() };
        let mut answer = String::new();
        for step in &self.steps {
            answer = stage.play(step).await;
        }
        assert_eq!(answer, self.answer, "{}: the answer", self.name);
        self.check_log(&stage).await;
        self.check_story(&stage).await;
    }

    async fn check_log(&self, stage: &Stage<'_, '_>) {
        let (path, want) = match self.log {
            None => (format!("/events?stripe_event_id={}", stage.event), self.answer),
            Some((list, want)) => (stage.fill(list), want),
        };
        let log = stage.shop.merchant.get(&path).await;
        let row = &log.body["data"][0];
        let text = |name: &str| row[name].as_str().map(ToOwned::to_owned);
        let logged: Vec<_> = ["outcome", "status", "cause", "reason"].into_iter().filter_map(text).collect();
        assert_eq!(logged.join(" "), want, "{}: {path} says {row:#}", self.name);
        if want.is_empty() {
            return assert_eq!(log.body["data"], json!([]), "{}: {path}", self.name);
        }
        if path.starts_with("/events") || path.starts_with("/refusals") {
            let reason = text("reason").and_then(|code| Reason::from_code(&code));
            let wanted = reason.is_none_or(|reason| remedy(reason).is_some());
            assert_eq!(row["remedy"].is_string(), wanted, "{}: {path} and its remedy {row:#}", self.name);
        }
        let has_words =
            ["message", "reason"].iter().any(|name| text(name).is_some_and(|words| !words.is_empty()));
        assert!(has_words, "{}: {row:#}", self.name);
    }

    async fn check_story(&self, stage: &Stage<'_, '_>) {
        let id = stage.fill(self.id);
        let response = stage.shop.merchant.get(&format!("/explain/{id}")).await;
        assert_eq!(response.status, 200, "{}: {}", self.name, response.body);
        let text = super::as_text(&response.body);
        let broken = response.body["first_missing_hop"].as_str();
        assert_eq!(broken, self.hop, "{}: explain {id}\n{text}", self.name);
        assert_eq!(
            response.body["remedy"].is_string(),
            self.hop.is_some(),
            "{}: a remedy\n{text}",
            self.name
        );
        for words in &self.says {
            let words = stage.fill(words);
            let found = text.contains(&words) || response.body.to_string().contains(&words);
            assert!(found, "{}: explain {id} does not say {words:?}\n{text}", self.name);
        }
        for words in &self.hides {
            let found = text.contains(words) || response.body.to_string().contains(words);
            assert!(!found, "{}: explain {id} says {words:?}\n{text}", self.name);
        }
    }
}

/// A shop during a test case.
struct Stage<'s, 'a> {
    shop: &'s Shop<'a>,
    last: String,
    event: String,
}

impl Stage<'_, '_> {
    fn fill(&self, text: &str) -> String {
        let shop = self.shop;
        let names = [
            ("$click", &shop.click),
            ("$program", &shop.program),
            ("$partner", &shop.partner),
            ("$enrollment", &shop.enrollment),
            ("$endpoint", &shop.endpoint),
            ("$workspace", &shop.merchant.workspace_id),
            ("$secret", &shop.merchant.key),
            ("$id", &self.last),
        ];
        names.into_iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    fn filled(&self, value: &Value) -> Value {
        serde_json::from_str(&self.fill(&value.to_string())).unwrap()
    }

    async fn play(&mut self, step: &Step) -> String {
        match step {
            Step::Event(kind, at, object) => {
                let object = self.filled(object);
                let id = format!("evt_{kind}_{at}_{}", object["id"].as_str().unwrap_or_default());
                let event = json!({ "id": id, "type": kind, "created": START + at, "livemode": false,
                    "api_version": "2026-08-26.dahlia", "data": { "object": object } });
                self.event = id;
                self.deliver(&event).await
            }
            Step::Deliver(event) => {
                event["id"].as_str().unwrap().clone_into(&mut self.event);
                let event = self.filled(event);
                self.deliver(&event).await
            }
            Step::Forge(secret, secs_ago) => {
                let signature = sign(b"{}", secret, self.shop.app.trac.clock.now().plus_secs(-secs_ago));
                let path = format!("/api/webhooks/{}", self.shop.endpoint);
                self.send(&path, "stripe-signature", &signature, &json!({})).await
            }
            Step::Api(method, path, body) => {
                let answer =
                    self.shop.merchant.call(method, &self.fill(path), self.filled(body).to_string()).await;
                self.summary(&answer)
            }
            Step::Page(path, body) => {
                let key = self.shop.merchant.publishable_key.clone();
                self.send(path, "x-publishable-key", &key, body).await
            }
            Step::Call(path, header, value, body) => {
                let value = self.fill(value);
                self.send(path, header, &value, body).await
            }
            Step::Times(times, step) => {
                let mut answer = String::new();
                for _ in 0..*times {
                    answer = Box::pin(self.play(step)).await;
                }
                answer
            }
            Step::Sql(sql) => {
                self.shop.app.rows(self.fill(sql)).await;
                String::new()
            }
            Step::Wait(secs) => {
                self.shop.app.trac.clock.advance(*secs);
                String::new()
            }
        }
    }

    async fn deliver(&mut self, event: &Value) -> String {
        let answer = self.shop.deliver(event).await;
        self.summary(&answer)
    }

    async fn send(&mut self, path: &str, header: &str, value: &str, body: &Value) -> String {
        let body = self.filled(body).to_string();
        let request = Request::post(path).header(header, value).body(Body::from(body));
        let answer = self.shop.app.send(request.unwrap()).await;
        self.summary(&answer)
    }

    fn summary(&mut self, answer: &Answer) -> String {
        let text = |path: &str| answer.body.pointer(path).and_then(Value::as_str);
        if let Some(id) = text("/id") {
            id.clone_into(&mut self.last);
        }
        match (text("/outcome"), text("/reason")) {
            (Some(outcome), Some(reason)) if answer.status == 200 => format!("{outcome} {reason}"),
            (_, reason) => {
                let code = text("/error/code").or(reason).unwrap_or_default();
                format!("{} {code}", answer.status.as_u16()).trim_end().to_owned()
            }
        }
    }
}
