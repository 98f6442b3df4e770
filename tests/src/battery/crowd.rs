//! Visitors, pages, a merchant's server and Stripe, all at once, and what each was answered.

use reqwest::header::LOCATION;
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::{SALE_MINOR, program};
use crate::merchant::{Answer, Merchant};
use crate::stripe::{Endpoint, envelope, now, session};

/// How many of each kind are at work.
const VISITORS: usize = 3;
const STRIPES: usize = 4;
const SERVERS: usize = 2;

/// Who tells things, and where.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    client: Client,
    merchant: Merchant,
    endpoint: Endpoint,
    slug: String,
    click: String,
}

/// What was told in one round.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The IDs of clicks that were answered.
    pub(super) clicks: Vec<String>,
    pub(super) clicks_attempted: usize,
    /// Whether the event of each number was answered `processed`.
    pub(super) events: Vec<(String, bool)>,
    /// The customer of each lead, and the ID it was answered with.
    pub(super) leads: Vec<(String, Option<String>)>,
}

impl Told {
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

/// A round under way.
pub(super) struct Working {
    /// One for each answer of 2xx; ends when nobody is left at work.
    pub(super) acknowledged: UnboundedReceiver<()>,
    tasks: JoinSet<Told>,
}

impl Working {
    /// Waits until all have noticed that nobody answers any more.
    pub(super) async fn end(self) -> Told {
        let mut all = Told::default();
        for told in self.tasks.join_all().await {
            all.join(told);
        }
        all
    }
}

impl Crowd {
    pub(super) async fn gather(merchant: &Merchant) -> Self {
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

    /// Sets everybody to work until the server answers nobody any more.
    pub(super) fn work(&self, round: u64) -> Working {
        let (tell, acknowledged) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for number in 0..VISITORS {
            let (crowd, tell) = (self.clone(), tell.clone());
            tasks.spawn(async move { crowd.visit(number == 0, &tell).await });
        }
        for number in 0..STRIPES {
            let (crowd, tell) = (self.clone(), tell.clone());
            tasks.spawn(async move { crowd.sell(&format!("{round}_{number}"), &tell).await });
        }
        for number in 0..SERVERS {
            let (crowd, tell) = (self.clone(), tell.clone());
            tasks.spawn(async move { crowd.sign_up(&format!("{round}_{number}"), &tell).await });
        }
        Working { acknowledged, tasks }
    }

    /// Follows the link, or asks for clicks as the script does.
    async fn visit(&self, by_script: bool, tell: &UnboundedSender<()>) -> Told {
        let mut told = Told::default();
        loop {
            told.clicks_attempted += 1;
            let id = if by_script { self.click_by_script().await } else { self.click_by_link().await };
            let Ok(id) = id else { return told };
            if let Some(id) = id {
                told.clicks.push(id);
                let _ = tell.send(());
            }
        }
    }

    async fn click_by_link(&self) -> Result<Option<String>, Gone> {
        let request = self.client.get(format!("{}/s/{}", self.merchant.origin, self.slug));
        let answer = request.send().await.map_err(|_| Gone)?;
        assert_eq!(answer.status(), 302, "a visitor is never stranded");
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.expect("a redirect leads somewhere");
        Ok(location.split_once("trac_click_id=").map(|(_, id)| id.to_owned()))
    }

    async fn click_by_script(&self) -> Result<Option<String>, Gone> {
        let request = self.client.post(format!("{}/v1/clicks", self.merchant.origin));
        let request = request.header("x-publishable-key", self.merchant.publishable_key());
        let answer = ask(request, &json!({"ref": "crowd", "url": "https://shop.example/?ref=crowd"})).await?;
        // A thousand a minute are let in.
        assert!(matches!(answer.status, 201 | 429 | 503), "{answer:?}");
        Ok(Some(answer.text("/click_id")).filter(|id| !id.is_empty()))
    }

    async fn sell(&self, name: &str, tell: &UnboundedSender<()>) -> Told {
        let mut told = Told::default();
        for number in 0.. {
            let name = format!("{name}_{number}");
            let answer = self.deliver(&name).await;
            let processed = answer.as_ref().is_some_and(|answer| answer.status == 200);
            told.events.push((name, processed));
            let Some(answer) = answer else { break };
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            if processed {
                let _ = tell.send(());
            }
        }
        told
    }

    async fn deliver(&self, name: &str) -> Option<Answer> {
        let paid = session(name, SALE_MINOR, &self.click);
        let event = envelope(&format!("evt_{name}"), "checkout.session.completed", now(), &paid);
        let body = event.to_string().into_bytes();
        let signature = trac_stand_in::sign(&self.endpoint.secret, now(), &body);
        self.endpoint.post(body, &signature).await
    }

    async fn sign_up(&self, name: &str, tell: &UnboundedSender<()>) -> Told {
        let mut told = Told::default();
        for number in 0.. {
            let customer = format!("user_{name}_{number}");
            let answer = self.lead(&customer).await;
            let made = answer.as_ref().ok().filter(|answer| answer.status == 201);
            let id = made.map(|answer| answer.text("/id"));
            if id.is_some() {
                let _ = tell.send(());
            }
            told.leads.push((customer, id));
            let Ok(answer) = answer else { break };
            assert!(matches!(answer.status, 201 | 503), "{answer:?}");
        }
        told
    }

    async fn lead(&self, customer: &str) -> Result<Answer, Gone> {
        let request = self.client.post(format!("{}/api/track/lead", self.merchant.origin));
        let request = request.bearer_auth(self.merchant.secret_key());
        let body = json!({"eventName": "sign_up", "customerExternalId": customer, "clickId": self.click});
        ask(request, &body).await
    }

    /// Every click that was answered is there.
    pub(super) async fn has_kept(&self, round: u64, told: &Told) {
        for id in &told.clicks {
            let answer = self.merchant.ask(reqwest::Method::GET, &format!("/clicks/{id}"), None).await;
            assert_eq!(answer.status, 200, "round {round}: the click {id} is lost");
        }
    }

    /// Tells every event and lead of a round once more: those that were answered are known, the others may be.
    pub(super) async fn tell_again(&self, round: u64, told: &Told) {
        for (name, acknowledged) in &told.events {
            let answer = self.deliver(name).await.expect("the server answers");
            let outcome = answer.text("/outcome");
            assert!(
                outcome == "duplicate" || (outcome == "processed" && !acknowledged),
                "round {round}: evt_{name}, answered before: {acknowledged}, now {answer:?}"
            );
        }
        for (customer, id) in &told.leads {
            let answer = self.lead(customer).await.expect("the server answers");
            let known = answer.status == 200 && id.as_ref().is_none_or(|id| *id == answer.text("/id"));
            assert!(
                known || (answer.status == 201 && id.is_none()),
                "round {round}: the lead of {customer}, before {id:?}, now {answer:?}"
            );
        }
    }
}

/// The server does not answer any more.
#[derive(Debug)]
struct Gone;

async fn ask(request: RequestBuilder, body: &Value) -> Result<Answer, Gone> {
    let answer = request.json(body).send().await.map_err(|_| Gone)?;
    let status = answer.status().as_u16();
    // An answer that broke off is none.
    Ok(Answer { status, body: answer.json().await.map_err(|_| Gone)? })
}
