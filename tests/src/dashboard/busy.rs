//! The demo's merchant with two months of sales, and with a row for every page.

use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::demo::Demo;
use crate::merchant::Merchant;

/// The first person of the workspace.
const PERSON: [&str; 3] = ["Mara Merchant", "mara@kettle.example", "correct horse battery"];

/// A workspace in which every page of the dashboard has something to show.
#[derive(Debug)]
pub struct Busy {
    /// The demo that it is in.
    pub demo: Demo,
    /// The link of an open invitation.
    pub invitation: String,
}

impl Busy {
    /// Starts the demo with its history, and adds what the history does not have.
    pub async fn start() -> Self {
        let demo = Demo::with_history();
        let merchant = &demo.merchant;
        // A claim of a page, a sale of another system, a lead, a link that was archived.
        let claim = json!({ "eventName": "order", "customerExternalId": "reader_7", "amount": 4_200,
            "currency": "usd", "externalTransactionId": "order_7", "clickId": demo.click().await });
        let key = merchant.publishable_key();
        let request = reqwest::Client::new().post(format!("{}/api/track/conversion", merchant.origin));
        let claimed = request.header("x-publishable-key", key).json(&claim).send().await;
        assert!(claimed.is_ok_and(|answer| answer.status().is_success()), "a page may claim a sale");
        let click = demo.click().await;
        let sale = json!({ "click_id": click, "external_transaction_id": "till_1", "event_type": "sale",
            "amount_cents": 2_600, "currency": "usd" });
        merchant.post("/conversions", sale).await;
        let links = merchant.all("/links").await;
        let pete = links.iter().find(|link| link.get("slug").is_some_and(|slug| slug == "pete"));
        let terms = pete.expect("Pete has a link");
        let old = json!({ "program_id": terms.get("program_id"), "partner_id": terms.get("partner_id"),
            "slug": "pete-spring", "destination": demo.address("/shop") });
        let old = merchant.make("/links", old).await;
        let archived = Some(json!({ "archived": true }));
        assert_eq!(merchant.ask(Method::PATCH, &format!("/links/{old}"), archived).await.status, 200);
        let invited = json!({ "email": "finn@kettle.example", "role": "finance" });
        let invited = merchant.post("/invitations", invited).await;
        Self { invitation: invited.text("/url"), demo }
    }

    /// The address of a page under `/dashboard`.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        format!("{}/dashboard{path}", self.demo.address("/tracker"))
    }

    /// Makes the first person's account by the link that the demo prints, and stays signed in.
    pub async fn create_account(&self, browser: &Browser) {
        sign_up(browser, &self.demo.merchant, PERSON).await;
    }

    /// Signs in to that account in another browser, in test mode.
    pub async fn sign_in(&self, browser: &Browser) {
        let [_, email, password] = PERSON;
        browser.visit(&self.page("/login")).await;
        browser.fill("#email", email).await;
        browser.fill("#password", password).await;
        browser.click("main button[type=submit]").await;
        browser.until("document.querySelector('.mode') !== null").await;
        if browser.js("document.querySelector('.mode-live') !== null").await == true {
            browser.click(".switch button").await;
            browser.until("document.querySelector('.mode-test') !== null").await;
        }
    }
}

/// Makes the first account of a workspace by its link to the dashboard, and stays signed in.
pub async fn sign_up(browser: &Browser, merchant: &Merchant, [name, email, password]: [&str; 3]) {
    let link = merchant.workspace.pointer("/dashboard_url").and_then(Value::as_str).unwrap_or_default();
    browser.visit(link).await;
    browser.click("#enter").await;
    browser.until("document.querySelector('.frame') !== null").await;
    browser.visit(&format!("{}/dashboard/welcome", merchant.origin)).await;
    browser.fill("#name", name).await;
    browser.fill("#email", email).await;
    browser.fill("#password", password).await;
    browser.click("main button[type=submit]").await;
    browser.until("location.pathname !== '/dashboard/welcome' && document.querySelector('.frame')").await;
}
