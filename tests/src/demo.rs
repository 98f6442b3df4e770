//! The demo as a process: the tracker, the shop and the simulator of Stripe that a person clicks through.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary;
use crate::merchant::{Answer, Merchant};

/// A running `trac demo`; killed when dropped.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    // The demo is killed, so it cannot delete a temporary folder of its own.
    _data: TempDir,
    addresses: Value,
    /// The demo's merchant, Kettle & Leaf.
    pub merchant: Merchant,
    client: reqwest::Client,
}

impl Demo {
    /// Starts it on free ports.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with two months of sales.
    #[must_use]
    pub fn with_history() -> Self {
        Self::run(&[])
    }

    /// Starts it with further arguments.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::run(&[&["--empty"], arguments].concat())
    }

    fn run(arguments: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut child = binary::command()
            .args(["demo", "--json", "--listen", any, "--shop", any, "--stripe", any, "--data"])
            .arg(data.path().join("trac-demo"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary runs");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the demo prints its addresses");
        let addresses: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("trac demo printed {line:?}: {error}"));
        let client = reqwest::Client::new();
        let workspace = addresses.pointer("/workspace").cloned().unwrap_or_default();
        let tracker = addresses.pointer("/tracker").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            child,
            _data: data,
            merchant: Merchant::new(tracker, workspace, client.clone()),
            addresses,
            client,
        }
    }

    /// An address by its JSON pointer: `/tracker`, `/shop`, `/stripe`, `/links/0`, `/dashboard_url`.
    #[must_use]
    pub fn address(&self, pointer: &str) -> String {
        let found = self.addresses.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {pointer} in {}", self.addresses)).to_owned()
    }

    pub(crate) async fn serves_script(&self) -> bool {
        let answer = self.client.get(format!("{}/trac.js", self.address("/tracker"))).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// Calls the simulator of Stripe: `payments` with a new payment, or `refund/pi_…` and the like.
    pub async fn stripe(&self, verb: &str, body: Value) -> Answer {
        let url = format!("{}/stand-in/{verb}", self.address("/stripe"));
        let answer = self.client.post(url).json(&body).send().await.expect("the simulator answers");
        let status = answer.status().as_u16();
        let body = answer.json().await.unwrap_or_default();
        assert_eq!(status, 200, "{verb}: {body}");
        Answer { status, body }
    }

    /// A list of the simulator of Stripe, newest first: `payments` or `events`.
    pub async fn stripe_list(&self, name: &str) -> Vec<Value> {
        let url = format!("{}/stand-in/{name}", self.address("/stripe"));
        let answer = self.client.get(url).send().await.expect("the simulator answers");
        answer.json().await.expect("a list")
    }

    /// The ID of a new click on the first partner's link, recorded through the API.
    pub async fn click(&self) -> String {
        let links = self.merchant.all("/links").await;
        let paula = links.iter().find(|link| link.get("slug").is_some_and(|slug| slug == "paula"));
        let id = paula.and_then(|link| link.get("id")).and_then(Value::as_str).expect("Paula has a link");
        self.merchant.click(id).await
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `axum-shop` that pays at a demo's simulator of Stripe; killed on drop.
#[derive(Debug)]
pub struct AxumShop {
    child: Child,
    /// Its URL, such as `http://localhost:40124`.
    pub url: String,
}

impl AxumShop {
    /// Starts it on a free port.
    #[must_use]
    pub fn start(demo: &Demo) -> Self {
        let mut child = binary::example("trac-axum-shop")
            .env("SHOP_LISTEN", "127.0.0.1:0")
            .env("STRIPE_API_URL", demo.address("/stripe"))
            .env("STRIPE_SECRET_KEY", "sk_test_kettleandleaf")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the shop prints its URL");
        Self { child, url: line.trim().to_owned() }
    }
}

impl Drop for AxumShop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
