//! Several servers on one database: customers whose click is at one node and whose events are posted to all nodes at
//! once, while nodes and the database are killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::merchant::{Merchant, Terms};
use crate::postgres::{Postgres, run_sql};
use crate::server::{Server, Setup};
use crate::stripe::{Endpoint, envelope, now, session};

/// What each customer pays, and what is refunded, in cents.
const PAID: i64 = 10_000;
const REFUNDED: i64 = 5_000;
/// What each customer's commission is in the end: a fifth of what is left.
const NET: i64 = 1_000;
/// How long a request may be repeated.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Races {
    /// Customers; the events of each are a race.
    pub customers: usize,
    /// How many customers are served at the same time.
    pub together: usize,
    /// How often a node is killed and started again.
    pub kills: usize,
    /// How often PostgreSQL is ended without finishing anything.
    pub restarts: usize,
    /// The seed of all choices.
    pub seed: u64,
}

/// What was wrong, in words, and how much was done.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One line for each thing that is wrong.
    pub wrong: Vec<String>,
    /// Responses of 200 to webhooks.
    pub acknowledged: usize,
    /// Requests that were repeated because a node or the database was away.
    pub repeated: usize,
    /// Kills of nodes and of the database.
    pub killed: (usize, usize),
}

/// Two nodes on a database, with a merchant.
pub struct Nodes {
    servers: [Mutex<Server>; 2],
    /// The merchant as a caller of each node.
    pub merchants: [Merchant; 2],
    /// The webhook endpoint at each node.
    pub endpoints: [Endpoint; 2],
    /// The program with its link.
    pub terms: Terms,
    visits: reqwest::Client,
}

impl Nodes {
    /// Starts two nodes. They reach the database under these URLs.
    pub async fn start(databases: [String; 2]) -> Self {
        let [first, second] = databases;
        let of = |database| Setup { database: Some(database), ..Setup::default() };
        let (first, second) = (Server::start_as(of(first)).await, Server::start_as(of(second)).await);
        let merchant = first.merchant("several nodes");
        let endpoint = merchant.endpoint().await;
        let terms = merchant.terms(2_000, "nodes", "https://shop.example/").await;
        let other = second.merchant_of(merchant.workspace.clone());
        let endpoints = [endpoint.clone(), other.endpoint_as_it_is(&endpoint)];
        let visits = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
        let (servers, merchants) = ([Mutex::new(first), Mutex::new(second)], [merchant, other]);
        Self { servers, merchants, endpoints, terms, visits }
    }

    /// Follows the link at a node; the click's ID, if the visitor got one.
    pub async fn visit(&self, node: usize, visitor: &str) -> Option<String> {
        let origin = &self.merchants.get(node)?.origin;
        let request = self
            .visits
            .get(format!("{origin}/t/nodes"))
            .header("user-agent", format!("Mozilla/5.0 {visitor}"));
        let answer = request.send().await.ok()?;
        let target = answer.headers().get("location")?.to_str().ok()?.to_owned();
        let (_, id) = target.split_once("trac_click_id=")?;
        Some(id.split('&').next().unwrap_or_default().to_owned())
    }

    /// The status of `/readyz` at a node; 0 without an answer.
    pub async fn readiness(&self, node: usize) -> u16 {
        let Some(merchant) = self.merchants.get(node) else { return 0 };
        let answer = self.visits.get(format!("{}/readyz", merchant.origin)).send().await;
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    /// Ends a node at once, and starts it again.
    pub async fn kill(&self, node: usize) {
        if let Some(server) = self.servers.get(node) {
            server.lock().await.restart().await;
        }
    }

    /// Waits until a node answers.
    async fn ready(&self, node: usize) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.readiness(node).await != 200 {
            assert!(tokio::time::Instant::now() < deadline, "node {node} does not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a node has written to its log.
    pub async fn log(&self, node: usize) -> String {
        match self.servers.get(node) {
            Some(server) => server.lock().await.log(),
            None => String::new(),
        }
    }

    /// The environment variables by which a command reaches the database.
    pub async fn variables(&self) -> Vec<(&'static str, String)> {
        match self.servers.first() {
            Some(server) => server.lock().await.variables(),
            None => Vec::new(),
        }
    }
}

/// Makes the rows that jobs lock invisible to the statement that locks them, for users without special rights. The
/// programs are unchanged, and lock nothing.
///
/// Source: <https://www.postgresql.org/docs/current/ddl-rowsecurity.html>: a `SELECT … FOR UPDATE` needs the policies of
/// both `SELECT` and `UPDATE`.
pub fn take_out_the_lock(database: &str) {
    let sql = "ALTER TABLE scope ENABLE ROW LEVEL SECURITY; ALTER TABLE scope FORCE ROW LEVEL SECURITY; CREATE POLICY read ON scope FOR SELECT USING (TRUE); \
               CREATE POLICY write ON scope FOR INSERT WITH CHECK (TRUE)";
    run_sql(database, sql);
}

/// The events of a customer: the session, the charge, and a refund as a change of the charge and as an object.
fn events(name: &str, click: &str) -> Vec<Value> {
    let (charge, intent) = (format!("ch_{name}"), format!("pi_{name}"));
    let refund = json!({
        "id": format!("re_{name}"), "object": "refund", "amount": REFUNDED, "charge": charge, "created": now(),
        "currency": "usd", "payment_intent": intent, "status": "succeeded", "metadata": {},
    });
    let charged = |refunded: i64| {
        json!({
            "id": charge, "object": "charge", "amount": PAID, "amount_captured": PAID, "amount_refunded": refunded,
            "captured": true, "created": now(), "currency": "usd", "customer": null, "invoice": null, "livemode": false,
            "metadata": {}, "paid": true, "payment_intent": intent, "refunded": false, "status": "succeeded",
        })
    };
    vec![
        envelope(&format!("evt_{name}_1"), "checkout.session.completed", now(), &session(name, PAID, click)),
        envelope(&format!("evt_{name}_2"), "charge.succeeded", now(), &charged(0)),
        envelope(&format!("evt_{name}_3"), "charge.refunded", now(), &charged(REFUNDED)),
        envelope(&format!("evt_{name}_4"), "refund.created", now(), &refund),
    ]
}

/// What the workers of a race count.
#[derive(Debug, Default)]
struct Counts {
    /// The next customer.
    next: AtomicUsize,
    acknowledged: AtomicUsize,
    repeated: AtomicUsize,
    /// Responses that no webhook may get.
    wrong: Mutex<Vec<String>>,
}

/// Runs the races and compares the ledger with what was paid.
pub async fn race(postgres: &Postgres, nodes: &Arc<Nodes>, races: Races) -> Report {
    let counts = Arc::new(Counts::default());
    let mut workers = JoinSet::new();
    for worker in 0..races.together {
        let (nodes, counts) = (Arc::clone(nodes), Arc::clone(&counts));
        let chance = Chance::of(races.seed.wrapping_add(u64::try_from(worker).unwrap_or_default() * 7_919));
        workers.spawn(serve_customers(nodes, counts, races, chance));
    }
    let done = AtomicBool::new(false);
    let working = async {
        let mut clicks = BTreeMap::new();
        while let Some(worked) = workers.join_next().await {
            clicks.extend(worked.expect("a worker ends"));
        }
        done.store(true, Ordering::SeqCst);
        clicks
    };
    let (clicks, killed) = tokio::join!(working, harm(postgres, nodes, races, &counts.next, &done));
    for node in 0..2 {
        nodes.ready(node).await;
    }
    let mut report = Report {
        acknowledged: counts.acknowledged.load(Ordering::SeqCst),
        repeated: counts.repeated.load(Ordering::SeqCst),
        killed,
        wrong: counts.wrong.lock().await.clone(),
    };
    compare(nodes, races, &clicks, &mut report).await;
    report
}

/// Serves one customer after another; returns the click of each.
async fn serve_customers(
    nodes: Arc<Nodes>,
    counts: Arc<Counts>,
    races: Races,
    mut chance: Chance,
) -> Vec<(String, String)> {
    let mut clicks = Vec::new();
    loop {
        let number = counts.next.fetch_add(1, Ordering::SeqCst);
        if number >= races.customers {
            return clicks;
        }
        let name = format!("{}_{number}", races.seed);
        let click = loop {
            let node = usize::try_from(chance.int(0..=1)).unwrap_or_default();
            if let Some(click) = nodes.visit(node, &name).await {
                break click;
            }
            counts.repeated.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        // Each event twice, in any order, at any node, all at once.
        let mut posts: Vec<Value> = events(&name, &click);
        posts.extend(posts.clone());
        chance.shuffle(&mut posts);
        let mut posting = JoinSet::new();
        for event in posts {
            posting.spawn(deliver(chance.pick(&nodes.endpoints), event, Arc::clone(&counts)));
        }
        while let Some(posted) = posting.join_next().await {
            posted.expect("a webhook is answered with 200 or 503");
        }
        clicks.push((name, click));
    }
}

/// Posts an event until it is acknowledged, as Stripe does.
async fn deliver(endpoint: Endpoint, event: Value, counts: Arc<Counts>) {
    loop {
        let body = event.to_string().into_bytes();
        let signature = trac_stand_in::sign(&endpoint.secret, now(), &body);
        match endpoint.post(body, &signature).await {
            Some(answer) if answer.status == 200 => {
                counts.acknowledged.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Some(answer) if answer.status != 503 => {
                counts.wrong.lock().await.push(format!("a webhook got {}: {}", answer.status, answer.body));
            }
            _ => {}
        }
        counts.repeated.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills nodes and the database, evenly over the customers.
async fn harm(
    postgres: &Postgres,
    nodes: &Arc<Nodes>,
    races: Races,
    next: &AtomicUsize,
    done: &AtomicBool,
) -> (usize, usize) {
    let total = races.kills + races.restarts;
    let mut chance = Chance::of(races.seed);
    let mut plan: Vec<bool> = (0..total).map(|number| number < races.kills).collect();
    chance.shuffle(&mut plan);
    let mut killed = (0, 0);
    for (number, is_node) in plan.into_iter().enumerate() {
        let due = races.customers * (number + 1) / (total + 1);
        while next.load(Ordering::SeqCst) < due && !done.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if is_node {
            nodes.kill(usize::try_from(chance.int(0..=1)).unwrap_or_default()).await;
            killed.0 += 1;
        } else {
            tokio::task::block_in_place(|| postgres.restart_immediately());
            killed.1 += 1;
        }
    }
    killed
}

/// Compares the ledger and the clicks with what happened.
async fn compare(nodes: &Nodes, races: Races, clicks: &BTreeMap<String, String>, report: &mut Report) {
    let [merchant, _] = &nodes.merchants;
    // Clicks that waited in a spool are brought in, and what named them is settled.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let commissions = loop {
        let commissions = merchant.all("/commissions").await;
        if commissions.len() >= races.customers || tokio::time::Instant::now() > deadline {
            break commissions;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    if commissions.len() != races.customers {
        report.wrong.push(format!("{} commissions, not {}", commissions.len(), races.customers));
    }
    let field =
        |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let by_click: BTreeMap<_, Vec<_>> = commissions.iter().fold(BTreeMap::new(), |mut by_click, row| {
        by_click.entry(field(row, "click_id")).or_insert_with(Vec::new).push(row);
        by_click
    });
    for (name, click) in clicks {
        let nets: Vec<_> =
            by_click.get(click).into_iter().flatten().map(|row| row["net_minor"].as_i64()).collect();
        if nets != [Some(NET)] {
            report.wrong.push(format!("customer {name}: {nets:?}, not {NET}"));
        }
    }
    let known: std::collections::BTreeSet<_> =
        merchant.all("/clicks").await.iter().map(|row| field(row, "id")).collect();
    for (name, click) in clicks {
        if !known.contains(click) {
            report.wrong.push(format!("customer {name}: the click {click} is lost"));
        }
    }
    let variables = nodes.variables().await;
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let recounted = crate::binary::trac_with(&variables, &["recount", "--dry-run", "--data", &data]);
    if recounted.code != Some(0) {
        report.wrong.push(format!("trac recount: {}{}", recounted.stdout, recounted.stderr));
    }
}
