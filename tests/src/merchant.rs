//! A merchant who calls the API with the test keys of one workspace.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stripe::Endpoint;

/// A response of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, null if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The text at a JSON pointer, empty if there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> String {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The integer at a JSON pointer.
    #[must_use]
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.body.pointer(pointer).and_then(Value::as_i64)
    }
}

/// One workspace, with its test keys.
#[derive(Clone, Debug)]
pub struct Merchant {
    /// The origin of the server.
    pub origin: String,
    /// The output of `trac workspace create --json`.
    pub workspace: Value,
    client: reqwest::Client,
}

/// A program with one approved partner and a tracked link.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `prog_…`
    pub program: String,
    /// `part_…`
    pub partner: String,
    /// The link's ID.
    pub link: String,
    /// The URL that partners share, on the tracker.
    pub url: String,
}

impl Merchant {
    pub(crate) fn new(origin: String, workspace: Value, client: reqwest::Client) -> Self {
        Self { origin, workspace, client }
    }

    fn field(&self, pointer: &str) -> String {
        let found = self.workspace.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("workspace create printed no {pointer}: {}", self.workspace))
            .to_owned()
    }

    /// `sk_test_…`
    #[must_use]
    pub fn secret_key(&self) -> String {
        self.field("/keys/sk_test")
    }

    /// `pk_test_…`
    #[must_use]
    pub fn publishable_key(&self) -> String {
        self.field("/keys/pk_test")
    }

    /// Calls `path` under `/api/v1` with the secret test key.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}/api/v1{path}", self.origin);
        let request = self.client.request(method, url).bearer_auth(self.secret_key());
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.expect("the server answers");
        Answer { status: answer.status().as_u16(), body: answer.json().await.unwrap_or(Value::Null) }
    }

    /// `GET`, which must return 200.
    pub async fn get(&self, path: &str) -> Answer {
        let answer = self.ask(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer
    }

    /// `POST`, which must return 201 or 200.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let answer = self.ask(Method::POST, path, Some(body.clone())).await;
        assert!(matches!(answer.status, 200 | 201), "POST {path} {body}: {} {}", answer.status, answer.body);
        answer
    }

    /// Creates an object and returns its ID.
    pub async fn make(&self, path: &str, body: Value) -> String {
        let id = self.post(path, body.clone()).await.text("/id");
        assert!(!id.is_empty(), "POST {path} {body} returned no ID");
        id
    }

    /// Every row of a list, over all pages.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let separator = if path.contains('?') { '&' } else { '?' };
        for page in 1.. {
            let answer = self.get(&format!("{path}{separator}page={page}&limit=100")).await;
            let data = answer.body.pointer("/data").and_then(Value::as_array).expect("a list has data");
            rows.extend(data.iter().cloned());
            let total = answer.number("/meta/total").expect("a list has meta.total");
            if data.is_empty() || i64::try_from(rows.len()).is_ok_and(|seen| seen >= total) {
                assert_eq!(i64::try_from(rows.len()), Ok(total), "{path}: total is exact");
                return rows;
            }
        }
        rows
    }

    /// The endpoint of test mode, after a signing secret of its own was set.
    pub async fn endpoint(&self) -> Endpoint {
        self.endpoint_of("test", "sk_test").await
    }

    /// The endpoint of a mode, after a signing secret was set with that mode's key.
    pub async fn endpoint_of(&self, mode: &str, key: &str) -> Endpoint {
        let id = self.field(&format!("/endpoints/{mode}/id"));
        let secret = format!("whsec_of_{id}");
        let answer = self
            .client
            .patch(format!("{}/api/v1/webhook-endpoints/{id}", self.origin))
            .bearer_auth(self.field(&format!("/keys/{key}")))
            .json(&json!({ "signing_secrets": [secret] }))
            .send()
            .await
            .expect("the server answers");
        assert_eq!(answer.status(), 200, "the endpoint accepts a signing secret");
        let url = format!("{}/api/webhooks/{id}", self.origin);
        Endpoint::new(url, secret, self.client.clone())
    }

    /// Another server's endpoint at this server, with the same secret.
    #[must_use]
    pub fn endpoint_as_it_is(&self, other: &Endpoint) -> Endpoint {
        let path = other.url.splitn(4, '/').nth(3).unwrap_or_default();
        Endpoint::new(format!("{}/{path}", self.origin), other.secret.clone(), self.client.clone())
    }

    /// A program that pays `rate_bps`, a partner, their enrollment and a link to `destination`.
    pub async fn terms(&self, rate_bps: i64, slug: &str, destination: &str) -> Terms {
        let rate = json!({"type": "percentage", "rate_bps": rate_bps});
        let program = self.make("/programs", json!({"name": "Partners", "commission": rate})).await;
        let email = format!("{slug}@partner.example");
        let partner = self.make("/partners", json!({"name": "Paula Partner", "email": email})).await;
        self.make("/enrollments", json!({"program_id": program, "partner_id": partner})).await;
        let link = json!({"program_id": program, "partner_id": partner, "slug": slug,
            "destination": destination});
        let link = self.make("/links", link).await;
        Terms { program, partner, link, url: format!("{}/s/{slug}", self.origin) }
    }

    /// The ID of a new click on that link.
    pub async fn click(&self, link: &str) -> String {
        self.make("/clicks", json!({ "link_id": link })).await
    }

    /// Σ `net_minor` over all commissions.
    pub async fn net_minor(&self) -> i64 {
        let commissions = self.all("/commissions").await;
        commissions.iter().filter_map(|row| row.pointer("/net_minor").and_then(Value::as_i64)).sum()
    }
}
