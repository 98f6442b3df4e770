//! Visitors, pages, a merchant's server and Stripe, all at once, and the responses they received.

use reqwest::header::LOCATION;
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::{SALE_MINOR, program};
use crate::merchant::{Answer, Merchant};
use crate::stripe::{Endpoint, envelope, now, session};

/// How many tasks of each kind run.
const VISITORS: usize = 3;
const STRIPES: usize = 4;
const SERVERS: usize = 2;

/// What the tasks send, and to which server.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    client: Client,
    merchant: Merchant,
    endpoint: Endpoint,
    slug: String,
    click: String,
}

/// What was sent in one round.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The IDs of acknowledged clicks.
    pub(super) clicks: Vec<String>,
    pub(super) clicks_attempted: usize,
    /// The name of each event, and whether its response was `processed`.
    pub(super) events: Vec<(String, bool)>,
    /// The customer of each lead, and the ID in its response.
    pub(super) leads: Vec<(String, Option<String>)>,
}

impl Sent {
    fn join(&mut self, other: Self) {
        self.clicks.extend(other.clicks);
        self.clicks_attempted += other.clicks_attempted;
        self.events.extend(other.events);
        self.leads.extend(other.leads);
    }

    pub(super) fn acknowledged(&self) -> usize {
        let events = self.events.iter().filter(|(_, acknowledged)| *acknowledged).count();
        self.clicks.len() + events + self.leads.iter().filter(|(_, id)| id.is_some()).count()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.clicks_attempted + self.events.len() + self.leads.len() - self.acknowledged()
    }
}

/// A running round.
pub(super) struct Working {
    /// One message for each 2xx response; ends when all tasks have ended.
    pub(super) acknowledged: UnboundedReceiver<()>,
    tasks: JoinSet<Sent>,
}

impl Working {
    /// Waits until all tasks have noticed that the server is gone.
    pub(super) async fn end(self) -> Sent {
        let mut all = Sent::default();
        for sent in self.tasks.join_all().await {
            all.join(sent);
        }
        all
    }
}

impl Crowd {
    pub(super) async fn set_up(merchant: &Merchant) -> Self {
        let endpoint = merchant.endpoint().await;
        let program = merchant.make("/programs", program()).await;
        let partner = merchant.make("/partners", json!({"name": "Paula", "code": "paula"})).await;
        merchant.make("/enrollments", json!({"program_id": program, "partner_id": partner})).await;
        let link = json!({"program_id": program, "partner_id": partner, "slug": "crowd",
            "destination": "https://shop.example/"});
        let link = merchant.make("/links", link).await;
        let click = merchant.click(&link).await;
        let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
        Self { client, merchant: merchant.clone(), endpoint, slug: "crowd".to_owned(), click }
    }

    /// Starts all tasks; each ends when the server no longer responds.
    pub(super) fn work(&self, round: u64) -> Working {
        let (acks, acknowledged) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for number in 0..VISITORS {
            let (crowd, acks) = (self.clone(), acks.clone());
            tasks.spawn(async move { crowd.visit(number == 0, &acks).await });
        }
        for number in 0..STRIPES {
            let (crowd, acks) = (self.clone(), acks.clone());
            tasks.spawn(async move { crowd.sell(&format!("{round}_{number}"), &acks).await });
        }
        for number in 0..SERVERS {
            let (crowd, acks) = (self.clone(), acks.clone());
            tasks.spawn(async move { crowd.sign_up(&format!("{round}_{number}"), &acks).await });
        }
        Working { acknowledged, tasks }
    }

    /// Follows the link, or calls for clicks as the script does.
    async fn visit(&self, by_script: bool, acks: &UnboundedSender<()>) -> Sent {
        let mut sent = Sent::default();
        loop {
            sent.clicks_attempted += 1;
            let id = if by_script { self.click_by_script().await } else { self.click_by_link().await };
            let Ok(id) = id else { return sent };
            if let Some(id) = id {
                sent.clicks.push(id);
                let _ = acks.send(());
            }
        }
    }

    async fn click_by_link(&self) -> Result<Option<String>, Gone> {
        let request = self.client.get(format!("{}/s/{}", self.merchant.origin, self.slug));
        let answer = request.send().await.map_err(|_| Gone)?;
        assert_eq!(answer.status(), 302, "a visitor is always redirected");
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.expect("a redirect has a location");
        Ok(location.split_once("trac_click_id=").map(|(_, id)| id.to_owned()))
    }

    async fn click_by_script(&self) -> Result<Option<String>, Gone> {
        let request = self.client.post(format!("{}/v1/clicks", self.merchant.origin));
        let request = request.header("x-publishable-key", self.merchant.publishable_key());
        let answer = ask(request, &json!({"ref": "crowd", "url": "https://shop.example/?ref=crowd"})).await?;
        // A thousand calls a minute are accepted.
        assert!(matches!(answer.status, 201 | 429 | 503), "{answer:?}");
        Ok(Some(answer.text("/click_id")).filter(|id| !id.is_empty()))
    }

    async fn sell(&self, name: &str, acks: &UnboundedSender<()>) -> Sent {
        let mut sent = Sent::default();
        for number in 0.. {
            let name = format!("{name}_{number}");
            let answer = self.deliver(&name).await;
            let processed = answer.as_ref().is_some_and(|answer| answer.status == 200);
            sent.events.push((name, processed));
            let Some(answer) = answer else { break };
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            if processed {
                let _ = acks.send(());
            }
        }
        sent
    }

    async fn deliver(&self, name: &str) -> Option<Answer> {
        let paid = session(name, SALE_MINOR, &self.click);
        let event = envelope(&format!("evt_{name}"), "checkout.session.completed", now(), &paid);
        let body = event.to_string().into_bytes();
        let signature = trac_stand_in::sign(&self.endpoint.secret, now(), &body);
        self.endpoint.post(body, &signature).await
    }

    async fn sign_up(&self, name: &str, acks: &UnboundedSender<()>) -> Sent {
        let mut sent = Sent::default();
        for number in 0.. {
            let customer = format!("user_{name}_{number}");
            let answer = self.lead(&customer).await;
            let made = answer.as_ref().ok().filter(|answer| answer.status == 201);
            let id = made.map(|answer| answer.text("/id"));
            if id.is_some() {
                let _ = acks.send(());
            }
            sent.leads.push((customer, id));
            let Ok(answer) = answer else { break };
            assert!(matches!(answer.status, 201 | 503), "{answer:?}");
        }
        sent
    }

    async fn lead(&self, customer: &str) -> Result<Answer, Gone> {
        let request = self.client.post(format!("{}/api/track/lead", self.merchant.origin));
        let request = request.bearer_auth(self.merchant.secret_key());
        let body = json!({"eventName": "sign_up", "customerExternalId": customer, "clickId": self.click});
        ask(request, &body).await
    }

    /// Every acknowledged click is stored.
    pub(super) async fn has_stored(&self, round: u64, sent: &Sent) {
        for id in &sent.clicks {
            let answer = self.merchant.ask(reqwest::Method::GET, &format!("/clicks/{id}"), None).await;
            assert_eq!(answer.status, 200, "round {round}: the click {id} is lost");
        }
    }

    /// Sends every event and lead of a round again. Those that were acknowledged must be duplicates; the
    /// others may be new.
    pub(super) async fn send_again(&self, round: u64, sent: &Sent) {
        for (name, acknowledged) in &sent.events {
            let answer = self.deliver(name).await.expect("the server answers");
            let outcome = answer.text("/outcome");
            assert!(
                outcome == "duplicate" || (outcome == "processed" && !acknowledged),
                "round {round}: evt_{name}, answered before: {acknowledged}, now {answer:?}"
            );
        }
        for (customer, id) in &sent.leads {
            let answer = self.lead(customer).await.expect("the server answers");
            let known = answer.status == 200 && id.as_ref().is_none_or(|id| *id == answer.text("/id"));
            assert!(
                known || (answer.status == 201 && id.is_none()),
                "round {round}: the lead of {customer}, before {id:?}, now {answer:?}"
            );
        }
    }
}

/// The server no longer responds.
#[derive(Debug)]
struct Gone;

async fn ask(request: RequestBuilder, body: &Value) -> Result<Answer, Gone> {
    let answer = request.json(body).send().await.map_err(|_| Gone)?;
    let status = answer.status().as_u16();
    // A response whose body is incomplete does not count.
    Ok(Answer { status, body: answer.json().await.map_err(|_| Gone)? })
}
