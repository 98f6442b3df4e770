//! Every route with every kind of wrong key, and the description compared with actual responses.

mod trackers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};

use super::document::document;
use super::operations::{Caller, OPERATIONS, Operation, SCHEMAS};
use super::words;
use crate::store::rows::args;
use crate::testing::app::{Answer, App, Merchant};
use crate::testing::person::add_person;
use crate::testing::shop::{Shop, charge};

/// Sends an operation with a key and a body.
async fn send(app: &App, operation: &Operation, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let request = Request::builder().method(operation.method).uri(path);
    let request = key
        .into_iter()
        .fold(request, |request, key| request.header("authorization", format!("Bearer {key}")));
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn of_merchants() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().filter(|operation| operation.caller == Caller::Merchant)
}

/// The ID of one object of each kind, by its name in paths.
struct Objects {
    ids: BTreeMap<&'static str, String>,
}

impl Objects {
    async fn make(shop: &Shop<'_>) -> Self {
        let app = shop.app;
        let merchant = &shop.merchant;
        let both = json!({ "program_id": shop.program, "partner_id": shop.partner, "destination": "https://shop.example.com" });
        let link = merchant.make("/links", both).await;
        let session = shop.session(json!({ "customer": "cus_1" }));
        assert_eq!(shop.deliver_object("checkout.session.completed", 0, session).await, "processed ok");
        shop.deliver_object("charge.refunded", 9, charge(100, json!({}))).await;
        let lead = json!({ "eventName": "Sign up", "customerExternalId": "user_1", "clickId": shop.click });
        let lead = Request::post("/api/track/lead")
            .header("x-publishable-key", &merchant.publishable_key)
            .body(Body::from(lead.to_string()));
        let lead = app.send(lead.unwrap()).await.text("/id");
        let unknown_code = Request::post("/v1/clicks").header("x-publishable-key", &merchant.publishable_key);
        app.send(unknown_code.body(Body::from(r#"{"ref":"nobody"}"#)).unwrap()).await;
        app.trac.clock.advance(100 * 86_400);
        let payout =
            merchant.make("/payouts", json!({ "partner_id": shop.partner, "currency": "usd" })).await;
        let newest = async |path: &str| merchant.get(path).await.text("/data/0/id");
        let ids = BTreeMap::from([
            ("programs", shop.program.clone()),
            ("partners", shop.partner.clone()),
            ("enrollments", shop.enrollment.clone()),
            ("links", link),
            ("clicks", shop.click.clone()),
            ("conversions", newest("/conversions?source=sale").await),
            ("customers", "cus_1".to_owned()),
            ("leads", lead),
            ("commissions", newest("/commissions").await),
            ("payouts", payout),
            ("events", newest("/events").await),
            ("attributions", newest("/attributions").await),
            ("webhook-endpoints", shop.endpoint.clone()),
            ("api-keys", newest("/api-keys?kind=publishable").await),
            ("refusals", newest("/refusals").await),
            ("activity", newest("/activity").await),
            ("people", add_person(shop.app, &merchant.workspace_id, "owner").await.id),
            (
                "invitations",
                merchant.make("/invitations", json!({ "email": "new@example.com", "role": "viewer" })).await,
            ),
            ("mails", newest("/mails").await),
            ("explain", newest("/commissions").await),
        ]);
        Self { ids }
    }

    /// The path of an operation with this workspace's object.
    fn path(&self, operation: &Operation) -> String {
        let kind = operation.path.split('/').nth(3).unwrap();
        operation.path.replace("{id}", self.ids.get(kind).map_or("", String::as_str))
    }
}

/// A body that names this workspace's objects in each field that takes one.
fn naming(operation: &Operation, objects: &Objects) -> Value {
    let fields = operation.body.split(';').filter_map(|field| field.trim().split_once(':'));
    let object = fields.filter_map(|(name, _)| {
        let name = name.trim_end_matches('*');
        let value = match name {
            "program_id" => json!(objects.ids["programs"]),
            "partner_id" => json!(objects.ids["partners"]),
            "destination" => json!("https://shop.example.com"),
            "currency" => json!("usd"),
            "amount_minor" => json!(100),
            "reason" => json!("a reason"),
            _ => return None,
        };
        Some((name.to_owned(), value))
    });
    Value::Object(object.collect())
}

#[tokio::test]
async fn every_merchant_route_rejects_a_wrong_or_missing_key() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let objects = Objects::make(&shop).await;
    let revoked = shop.merchant.post("/api-keys", json!({ "kind": "secret" })).await;
    shop.merchant.delete(&format!("/api-keys/{}", revoked.text("/id"))).await;
    let unknown = format!("sk_test_{}", "0".repeat(40));
    let revoked = revoked.text("/key");
    let keys = [None, Some(revoked.as_str()), Some(&shop.merchant.publishable_key), Some(&unknown), Some("")];
    let mut tried = 0;
    for operation in of_merchants() {
        for key in keys {
            let answer = send(&app, operation, &objects.path(operation), key, &json!({})).await;
            let at = format!("{} {} with {key:?}", operation.method, operation.path);
            assert_eq!(answer.code(), (401, "UNAUTHORIZED".to_owned()), "{at}");
            let fields =
                answer.body["error"].as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
            assert_eq!(fields, ["code", "message", "request_id"], "{at}");
            tried += 1;
        }
    }
    assert!(tried > 250, "{tried}");
}

#[tokio::test]
async fn no_workspace_or_mode_reads_or_changes_the_objects_of_another() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let objects = Objects::make(&shop).await;
    let (stranger, stranger_live) = app.both_modes().await;
    // The same workspace in live mode.
    let live_key = live_key_of(&app, &shop.merchant).await;
    let before = dump(&app, &shop.merchant).await;
    for key in [&stranger.key, &stranger_live.key, &live_key] {
        for operation in of_merchants() {
            let path = objects.path(operation);
            // The people of a workspace are the same in both modes, and a live key copies what is in test mode.
            let is_of_both = ["people", "invitations", "go-live"].iter().any(|kind| path.contains(kind));
            if is_of_both && *key == live_key {
                continue;
            }
            let answer = send(&app, operation, &path, Some(key), &naming(operation, &objects)).await;
            let at = format!("{} {path}: {}", operation.method, answer.body);
            let text = answer.body.to_string();
            let has_id = operation.path.contains("{id}");
            for (kind, id) in &objects.ids {
                let is_in_request = has_id && path.contains(id.as_str());
                assert!(is_in_request || !text.contains(id.as_str()), "{kind} leaked by {at}");
            }
            if has_id {
                assert_eq!(answer.code(), (404, "NOT_FOUND".to_owned()), "{at}");
            } else if operation.method == "GET" && operation.answer.1.ends_with("[]") {
                let own = ["api-keys", "webhook-endpoints"].iter().any(|kind| path.contains(kind));
                assert!(own || answer.number("/meta/total") == 0, "{at}");
            } else if operation.body.contains("program_id") || operation.body.contains("partner_id") {
                assert_eq!(answer.code(), (404, "NOT_FOUND".to_owned()), "{at}");
            }
        }
    }
    assert_eq!(dump(&app, &shop.merchant).await, before, "no row of the merchant was changed");
}

/// A live secret key for the merchant's own workspace.
async fn live_key_of(app: &App, merchant: &Merchant<'_>) -> String {
    use trac_core::program::Mode;
    let (trac, scope) = (app.trac.clone(), crate::store::Scope::new(&merchant.workspace_id, Mode::Live));
    let made = app.trac.store.write_in(&scope, crate::store::Priority::Api, move |rows| {
        let made = crate::keys::NewKey::insert(rows, &trac, crate::keys::KeyKind::Secret, None)?;
        Ok(made.key)
    });
    made.await.unwrap()
}

/// The merchant's rows that determine money and attribution, as text.
async fn dump(app: &App, merchant: &Merchant<'_>) -> String {
    let workspace_id = merchant.workspace_id.clone();
    let read = app.trac.store.read(move |tx| {
        let mut text = String::new();
        for (table, column) in [
            ("program_version", "terms"),
            ("partner", "name || code"),
            ("enrollment_version", "terms"),
            ("link", "slug || destination || coalesce(CAST(deleted_at AS TEXT), '')"),
            ("click", "id"),
            ("payment", "facts || decision"),
            ("commission", "id || net"),
            ("ledger_entry", "id"),
            ("payout", "id"),
            ("lead", "id"),
            ("event", "id || outcome || deliveries"),
            ("webhook_endpoint", "id || secrets"),
        ] {
            let column = column.replace("net", "amount_minor || reversed_minor");
            let sql = format!(
                "SELECT string_agg(CAST({column} AS TEXT), ',') FROM {table} WHERE workspace_id = ?1 AND mode = 'test'"
            );
            let rows = tx.one(&sql, args![workspace_id], |row| row.get::<Option<String>>(0))?.flatten();
            assert!(rows.is_some(), "{table} has no row");
            text = format!("{text}{table}: {}\n", rows.unwrap_or_default());
        }
        Ok(text)
    });
    read.await.unwrap()
}

/// The paths of `.route(` calls in the sources.
fn mounted() -> BTreeSet<String> {
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if path.ends_with("tests.rs")
                || path.starts_with(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo.rs"))
            {
                continue;
            }
            let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for part in code.split(".route(").skip(1) {
                let address = part.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                // A trailing slash does not matter.
                let bare = |address: &str| address.strip_suffix("/").unwrap_or(address).to_owned();
                found.extend(address.map(bare));
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.retain(|address| !address.starts_with("/dashboard") && !address.is_empty());
    found
}

#[tokio::test]
async fn the_table_names_every_route_and_no_other() {
    let known: BTreeSet<String> =
        OPERATIONS.iter().map(|one| one.path.trim_start_matches("/api/v1").to_owned()).collect();
    assert_eq!(known, mounted());
    let app = App::new();
    let mut methods: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in OPERATIONS {
        methods.entry(operation.path).or_default().insert(operation.method);
    }
    for (path, methods) in methods {
        for method in ["GET", "POST", "PATCH", "DELETE", "PUT"] {
            let request =
                Request::builder().method(method).uri(path.replace(['{', '}'], "")).body(Body::empty());
            let status = app.send(request.unwrap()).await.status;
            assert_eq!(status != 405, methods.contains(method), "{method} {path}: {status}");
        }
    }
}

/// The rows of the tables under a heading of docs/api.md, each as its cells; `None` in a published package,
/// which does not contain the page.
fn tables_under(title: &str) -> Option<Vec<Vec<String>>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let page = std::fs::read_to_string(page).ok()?;
    let (_, part) = page.split_once(&format!("\n## {title}\n")).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| ")).skip(1);
    Some(rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect())
}

/// The names in backticks in a cell.
fn named(cell: &str) -> BTreeSet<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_reference_page_lists_every_route_with_its_fields_and_no_other() {
    let Some(rows) = tables_under("Routes") else { return };
    let listed: Vec<_> = rows.iter().map(|row| row[1].trim_matches('`').to_owned()).collect();
    let known: Vec<_> = OPERATIONS.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    assert_eq!(listed, known);
    for (row, operation) in rows.iter().zip(OPERATIONS) {
        let fields = operation.body.split(';').filter_map(|field| field.trim().split_once(':'));
        let fields: BTreeSet<_> = fields.map(|(name, _)| name.trim_end_matches('*')).collect();
        assert_eq!(named(&row[4]), fields, "{} {}", operation.method, operation.path);
    }
}

#[test]
fn the_reference_page_lists_every_filter_and_no_other() {
    let Some(rows) = tables_under("Filters") else { return };
    let listed = rows.iter().map(|row| (row[1].clone(), named(&row[2])));
    let listed: BTreeMap<_, _> = listed.collect();
    let lists = of_merchants().filter_map(|operation| {
        let resource = words::resource(operation.answer.1.strip_suffix("[]")?)?;
        let filters = resource.filters.iter().map(|(name, _)| *name).collect();
        Some((operation.path.trim_start_matches("/api/v1").to_owned(), filters))
    });
    assert_eq!(listed, lists.collect());
}

#[tokio::test]
async fn answers_have_the_fields_that_are_described() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let objects = Objects::make(&shop).await;
    let live_key = live_key_of(&app, &shop.merchant).await;
    for operation in of_merchants().filter(|operation| operation.method == "GET") {
        let name = operation.answer.1.trim_end_matches("[]");
        let Some((_, fields)) = SCHEMAS.iter().find(|(schema, _)| *schema == name) else { continue };
        let key = if operation.path == "/api/v1/go-live" { &live_key } else { &shop.merchant.key };
        let answer = send(&app, operation, &objects.path(operation), Some(key), &json!({})).await;
        assert_eq!(answer.status, 200, "{}: {}", operation.path, answer.body);
        let row = if operation.answer.1.ends_with("[]") { &answer.body["data"][0] } else { &answer.body };
        let has: BTreeSet<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let described = fields.split(';').filter_map(|field| field.trim().split(':').next());
        assert_eq!(has, described.collect::<BTreeSet<_>>(), "{}", operation.path);
    }
}

#[tokio::test]
async fn the_description_is_served_and_its_references_resolve() {
    let app = App::new();
    let served = app.visit("/openapi.json", &[]).await;
    assert_eq!(served.body, document("https://track.example.com"));
    let text = served.body.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(served.body["components"]["schemas"].get(name).is_some(), "{name}");
    }
    let operations = OPERATIONS.iter().map(|one| (one.method, one.path)).collect::<BTreeSet<_>>();
    assert_eq!(operations.len(), OPERATIONS.len());
    insta::assert_snapshot!("openapi", format!("{:#}", document("https://track.example.com")));
}

#[tokio::test]
async fn a_link_has_a_qr_code_and_metrics_count_events_and_requests() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let objects = Objects::make(&shop).await;
    let drawn = shop.merchant.get(&format!("/links/{}/qr.svg", objects.ids["links"])).await;
    assert_eq!(drawn.header("content-type"), "image/svg+xml");
    assert!(drawn.body.as_str().unwrap().contains("<svg"));
    let metrics = app.visit("/metrics", &[]).await;
    let text = metrics.body.as_str().unwrap();
    assert!(text.contains("trac_events_total{outcome=\"processed\",reason=\"ok\"} 1"), "{text}");
    assert!(text.contains("route=\"/api/v1/links/{id}/qr.svg\",status=\"200\"} 1"), "{text}");
}

#[tokio::test]
async fn analytics_count_repeated_visits_and_no_clicks_of_promo_codes() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let codes = json!({ "promotion_codes": ["promo_1"] });
    let path = format!("/enrollments/{}", shop.enrollment);
    assert_eq!(shop.merchant.patch(&path, codes).await.status, 200);
    let sale = json!({ "promo_code": "ada", "external_transaction_id": "order_1", "event_type": "purchase",
        "amount_cents": 3_000, "currency": "usd" });
    assert_eq!(shop.merchant.post("/conversions", sale).await.status, 201);
    let link = json!({ "program_id": shop.program, "partner_id": shop.partner, "slug": "by-link",
        "destination": "https://shop.example/" });
    shop.merchant.make("/links", link).await;
    let mut want = (1, 1);
    for code in ["ada", "by-link"] {
        for is_first in [true, false] {
            let body = json!({ "ref": code, "key": shop.merchant.publishable_key });
            let peer = ConnectInfo(std::net::SocketAddr::from(([198, 51, 100, 1], 4_711)));
            let request = Request::post("/v1/clicks").header("user-agent", "b").extension(peer);
            assert_eq!(app.send(request.body(Body::from(body.to_string())).unwrap()).await.status, 201);
            want = (want.0 + 1, want.1 + i64::from(is_first));
            let day = shop.merchant.get("/analytics?start=2026-11-21&end=2026-11-21").await;
            assert_eq!((day.number("/clicks"), day.number("/unique_clicks")), want, "{code} {is_first}");
        }
    }
    let listed = shop.merchant.get("/clicks").await.column("unique");
    assert_eq!(listed.len(), 7, "the click of a promo code is listed too");
}

#[tokio::test]
async fn analytics_count_clicks_leads_sales_and_revenue() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    Objects::make(&shop).await;
    // A payment that was never paid is not a sale, though the conversion is listed with its reason.
    for (mode, status, kind) in [
        ("setup", "no_payment_required", "checkout.session.completed"),
        ("payment", "unpaid", "checkout.session.completed"),
        ("payment", "unpaid", "checkout.session.async_payment_failed"),
    ] {
        let id = format!("cs_{mode}");
        let unpaid = json!({ "id": id, "mode": mode, "payment_status": status, "payment_intent": null });
        shop.deliver_object(kind, 9, shop.session(unpaid)).await;
    }
    let analytics = async |query: &str| shop.merchant.get(&format!("/analytics?{query}")).await.body;
    let november = analytics("start=2026-11-20&end=2026-11-22").await;
    assert_eq!(november["timeseries"].as_array().unwrap().len(), 3);
    let day = &november["timeseries"][1];
    let want = json!({ "date": "2026-11-21", "clicks": 1, "unique_clicks": 1, "leads": 1, "sales": 1,
        "revenue": [{ "currency": "usd", "amount_minor": 9_900 }],
        "commission": [{ "currency": "usd", "amount_minor": 1_980 }] });
    assert_eq!(*day, want);
    assert_eq!(november["sales"], 1);
    assert_eq!(november["rates"]["click_to_sale_bps"], 10_000);
    assert_eq!(analytics("interval=7d").await["sales"], 0);
    assert_eq!(analytics("interval=7d").await["rates"]["click_to_sale_bps"], Value::Null);
    assert_eq!(analytics("start=2026-11-21&end=2026-11-21&partner_id=part_other").await["clicks"], 0);
    for wrong in ["interval=1y", "start=yesterday", "start=2026-11-22&end=2026-11-21", "colour=red"] {
        let status = shop.merchant.get(&format!("/analytics?{wrong}")).await.status.as_u16();
        assert!([400, 422].contains(&status), "{wrong}: {status}");
    }
}
