//! The merchant of the demo, who uses the API.

use serde_json::{Value, json};

use super::{DemoError, failed, text};

/// The merchant, who sets up the tracker through the API.
pub(super) struct Merchant {
    pub(super) client: reqwest::Client,
    /// The origin of the tracker.
    pub(super) tracker: String,
    pub(super) publishable_key: String,
    key: String,
    endpoint: String,
}

/// A partner's link.
pub(super) struct Campaign {
    pub(super) link: String,
    pub(super) partner: String,
    pub(super) program: String,
    /// The URL that the partner shares.
    pub(super) url: String,
}

impl Merchant {
    pub(super) fn new(tracker: &str, workspace: &Value) -> Result<Self, DemoError> {
        Ok(Self {
            client: reqwest::Client::new(),
            tracker: tracker.to_owned(),
            publishable_key: text(workspace, "/keys/pk_test")?,
            key: text(workspace, "/keys/sk_test")?,
            endpoint: text(workspace, "/endpoints/test/id")?,
        })
    }

    /// Sets a signing secret, and creates a program and, for each partner, an enrollment and a link.
    pub(super) async fn set_up(&self, secret: &str, shops: [&str; 2]) -> Result<Vec<Campaign>, DemoError> {
        let endpoint =
            self.client.patch(format!("{}/api/v1/webhook-endpoints/{}", self.tracker, self.endpoint));
        self.send(endpoint, &json!({ "signing_secrets": [secret] })).await?;
        let percent = |rate_bps: i32| json!({"type": "percentage", "rate_bps": rate_bps});
        let program = json!({"name": "Friends of tea", "commission": percent(2_000)});
        let program = text(&self.make("programs", &program).await?, "/id")?;
        let partners = [
            ("Paula Press", "paula", None, shops[0]),
            ("Pete Podcast", "pete", Some(percent(3_000)), shops[1]),
            ("Nora Newsletter", "nora", Some(percent(1_500)), shops[0]),
        ];
        let mut campaigns = Vec::new();
        for (name, slug, terms, shop) in partners {
            let partner = self.partner(name, slug).await?;
            let mut enrollment = json!({"program_id": program, "partner_id": partner});
            if let (Some(terms), Some(fields)) = (terms, enrollment.as_object_mut()) {
                fields.insert("commission".to_owned(), terms);
            }
            self.make("enrollments", &enrollment).await?;
            let destination = format!("{shop}/");
            let link = json!({"program_id": program, "partner_id": partner, "slug": slug,
                "destination": destination});
            let link = self.make("links", &link).await?;
            let program = program.clone();
            campaigns.push(Campaign {
                link: text(&link, "/id")?,
                partner,
                program,
                url: text(&link, "/url")?,
            });
        }
        Ok(campaigns)
    }

    /// Creates a partner and returns the ID.
    pub(super) async fn partner(&self, name: &str, code: &str) -> Result<String, DemoError> {
        let partner = json!({"name": name, "email": format!("{code}@partners.example"), "code": code});
        text(&self.make("partners", &partner).await?, "/id")
    }

    pub(super) async fn make(&self, resource: &str, body: &Value) -> Result<Value, DemoError> {
        self.send(self.client.post(format!("{}/api/v1/{resource}", self.tracker)), body).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, body: &Value) -> Result<Value, DemoError> {
        let response = request.bearer_auth(&self.key).json(body).send().await;
        let response = response.map_err(|error| failed("the tracker", &error))?;
        let status = response.status();
        let body: Value = response.json().await.map_err(|error| failed("the tracker's response", &error))?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(DemoError(format!("the tracker rejected a call: {body}")))
        }
    }
}
