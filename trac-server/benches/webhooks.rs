//! Webhooks through the router of one process: signature, parse, facts, settle, ledger and log, committed
//! before the response. Each event is a new paid session with a click. [`AT_ONCE`] are in flight at a time,
//! like a burst from Stripe.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tower::ServiceExt as _;
use trac_core::time::Timestamp;
use trac_core::webhook::signature::sign;
use trac_server::clock::Clock;
use trac_server::store::Store;
use trac_server::{Trac, router, workspace};

const NOW: Timestamp = Timestamp::from_unix_secs(1_795_248_000);
const SECRET: &str = "whsec_0123456789abcdef";
/// The number of deliveries in flight.
const AT_ONCE: u64 = 64;

struct Server {
    /// The database.
    file: PathBuf,
    router: Router,
    endpoint: String,
    key: String,
}

impl Server {
    async fn open(folder: &Path) -> Self {
        let store = Store::open(folder).unwrap();
        let trac = Trac::new(store, Clock::settable(NOW), "https://track.example.com");
        let created = workspace::create(&trac, "bench").await.unwrap();
        let text = |path: &str| created.pointer(path).unwrap().as_str().unwrap().to_owned();
        let (endpoint, key) = (text("/endpoints/test/id"), text("/keys/sk_test"));
        let server = Self { file: folder.join("trac.db"), router: router(trac), endpoint, key };
        let secrets = json!({ "signing_secrets": [SECRET] });
        server.call("PATCH", &format!("/webhook-endpoints/{}", server.endpoint), secrets).await;
        let commission = json!({"type": "percentage", "rate_bps": 2_000});
        let program = server.call("POST", "/programs", json!({"name": "P", "commission": commission})).await;
        let partner = server.call("POST", "/partners", json!({"name": "A"})).await;
        let enrolled = json!({"program_id": program["id"], "partner_id": partner["id"]});
        server.call("POST", "/enrollments", enrolled.clone()).await;
        let mut click = enrolled;
        click["click_id"] = json!("clk_bench");
        server.call("POST", "/clicks", click).await;
        server
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await;
        let response = response.unwrap();
        assert!(response.status().is_success(), "{method} {path}: {}", response.status());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Copies payment number 0 and all its rows `count` times, through a second connection, whose commits the
    /// server sees.
    fn copy_payments(&self, count: u64) {
        let mut database = Connection::open(&self.file).unwrap();
        let tx = database.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let each = |sql: &str| {
            let from = format!(
                "WITH RECURSIVE copy (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM copy WHERE n < {count})"
            );
            tx.execute_batch(&sql.replace("EACH", &from)).unwrap();
        };
        each(
            "CREATE TEMP TABLE old AS SELECT * FROM payment; CREATE TEMP TABLE com AS SELECT * FROM commission; \
             CREATE TEMP TABLE ent AS SELECT * FROM ledger_entry;",
        );
        let copied = |table: &str, old: &str, own: &[(&str, &str)]| {
            let columns = tx.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
            let columns: Vec<String> = names(columns, table);
            let values = columns.iter().map(|column| {
                own.iter().find(|(name, _)| name == column).map_or(column.as_str(), |(_, value)| *value)
            });
            let values: Vec<_> = values.collect();
            let (columns, values) = (columns.join(", "), values.join(", "));
            each(&format!("EACH INSERT INTO {table} ({columns}) SELECT {values} FROM {old}, copy"));
        };
        let renamed =
            |column: &str| format!("replace(replace({column}, 'cs_0', 'cs_x' || n), 'pi_0', 'pi_x' || n)");
        let (facts, decision) = (renamed("facts"), renamed("decision"));
        let payment = [("id", "id || n"), ("facts", facts.as_str()), ("decision", decision.as_str())];
        copied("payment", "old", &payment);
        each(
            "EACH INSERT INTO payment_object SELECT workspace_id, mode, 'cs_x' || n, id || n FROM old, copy",
        );
        each(
            "EACH INSERT INTO payment_object SELECT workspace_id, mode, 'pi_x' || n, id || n FROM old, copy",
        );
        copied("commission", "com", &[("id", "id || n"), ("payment_id", "payment_id || n")]);
        copied("ledger_entry", "ent", &[("id", "id || n"), ("commission_id", "commission_id || n")]);
        tx.commit().unwrap();
    }

    fn delivery(&self, number: u64, customer: Option<&str>) -> Request<Body> {
        let session = json!({
            "id": format!("cs_{number}"), "mode": "payment", "payment_status": "paid", "amount_total": 12_900,
            "currency": "eur", "created": NOW.unix_secs(), "payment_intent": format!("pi_{number}"), "customer": customer,
            "customer_details": {"email": "buyer@example.com"}, "metadata": {"tracClickId": "clk_bench"},
            "total_details": {"amount_discount": 0, "amount_shipping": 700, "amount_tax": 500},
            "padding": "x".repeat(1_800),
        });
        let event = json!({"id": format!("evt_{number}"), "type": "checkout.session.completed", "livemode": false,
            "created": NOW.unix_secs(), "api_version": "2026-08-26.dahlia", "data": {"object": session}});
        let body = event.to_string();
        let header = sign(body.as_bytes(), SECRET, NOW);
        let request = Request::post(format!("/api/webhooks/{}", self.endpoint));
        request.header("stripe-signature", header).body(Body::from(body)).unwrap()
    }
}

fn deliveries(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("webhooks");
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(10));
    let folders = [("on_disk", tempfile::tempdir()), ("in_memory", tempfile::tempdir_in("/dev/shm"))];
    for (name, folder) in folders {
        let Ok(folder) = folder else { continue };
        let server = runtime.block_on(Server::open(folder.path()));
        let mut number = 0;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                let requests: Vec<_> = (0..count)
                    .map(|_| {
                        number += 1;
                        server.delivery(number, None)
                    })
                    .collect();
                let begun = Instant::now();
                runtime.block_on(all(&server.router, requests));
                begun.elapsed()
            });
        });
    }
    one_customer(&runtime, &mut group);
    group.finish();
}

/// One more payment of a customer who has many. The earlier payments are copied as rows, because delivering
/// them would take a day.
fn one_customer(runtime: &Runtime, group: &mut BenchmarkGroup<'_, WallTime>) {
    for many in [10_u64, 100, 1_000, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        let server = runtime.block_on(Server::open(folder.path()));
        runtime.block_on(all(&server.router, vec![server.delivery(0, Some("cus_1"))]));
        server.copy_payments(many - 1);
        let mut number = many;
        group.bench_function(format!("customer_of_{many}"), |bencher| {
            bencher.iter(|| {
                number += 1;
                runtime.block_on(all(&server.router, vec![server.delivery(number, Some("cus_1"))]));
            });
        });
    }
}

async fn all(router: &Router, requests: Vec<Request<Body>>) {
    let mut waiting = requests.into_iter();
    let mut under_way = JoinSet::new();
    loop {
        while u64::try_from(under_way.len()).unwrap() < AT_ONCE {
            let Some(request) = waiting.next() else { break };
            under_way.spawn(router.clone().oneshot(request));
        }
        let Some(response) = under_way.join_next().await else { return };
        assert_eq!(response.unwrap().unwrap().status(), 200);
    }
}

/// The columns of a table that can be written.
fn names(mut statement: rusqlite::Statement<'_>, table: &str) -> Vec<String> {
    statement.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

criterion_group!(benches, deliveries);
criterion_main!(benches);
