use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::table::{TABLES, Table};
use super::*;
use crate::config::Retention;
use crate::operate::replay::{Rules, replay_all};
use crate::operate::retention;
use crate::store::rows::args;
use crate::store::{Priority, StoreError, StoreErrorKind, derived, schema};
use crate::testing::app::{App, Merchant};
use crate::testing::shop::{DAY, Shop, charge, invoice};
use trac_core::time::Timestamp;

/// A writer whose content can be read afterwards.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn exported(app: &App, workspace: Option<&str>) -> String {
    let buffer = Buffer::default();
    export(&app.trac, workspace, buffer.clone()).await.unwrap();
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

async fn imported(app: &App, text: &str) -> Result<Imported, StoreError> {
    import(&app.trac.store, io::Cursor::new(text.to_owned())).await
}

/// A merchant with rows in every table.
async fn busy(app: &App) -> Shop<'_> {
    let shop = Shop::open(
        app,
        json!({"hold_days": {"sale": 0, "recurring": 0, "lead": 0},
        "lead_amount_minor": 500, "lead_currency": "usd"}),
    )
    .await;
    let m = &shop.merchant;
    let link = json!({"program_id": shop.program, "partner_id": shop.partner, "slug": "ada",
        "destination": "https://shop.example/"});
    m.make("/links", link).await;
    let codes = json!({ "promotion_codes": ["promo_1"] });
    assert_eq!(m.patch(&format!("/enrollments/{}", shop.enrollment), codes).await.status, 200);
    app.visit("/s/ada", &[("user-agent", "Mozilla/5.0"), ("referer", "https://blog.example/=1+1")]).await;
    app.visit("/s/ada", &[("user-agent", "Googlebot/2.1")]).await;
    let lead = json!({"eventName": "sign_up", "customerExternalId": "user_1", "clickId": shop.click});
    let request = Request::post("/api/track/lead").header("x-publishable-key", &m.publishable_key);
    let request = request.header("content-type", "application/json");
    assert_eq!(app.send(request.body(Body::from(lead.to_string())).unwrap()).await.status, 201);
    let sale = json!({"click_id": shop.click, "external_transaction_id": "order_1", "event_type": "purchase",
        "amount_cents": 3_000, "currency": "usd"});
    assert_eq!(m.post("/conversions", sale).await.status, 201);
    shop.deliver_object(
        "checkout.session.completed",
        0,
        shop.session(json!({"customer": "cus_1", "client_reference_id": "order-17",
            "customer_details": {"email": "buyer@example.com"}})),
    )
    .await;
    shop.deliver_object("charge.refunded", 60, charge(2_500, json!({}))).await;
    shop.deliver_object("invoice.paid", 0, invoice("in_1", json!({"metadata": {"tracClickId": shop.click}})))
        .await;
    shop.deliver_object(
        "charge.refunded",
        90,
        charge(100, json!({"id": "ch_stray", "payment_intent": "pi_stray"})),
    )
    .await;
    let ended = json!({"id": "sub_9", "customer": "cus_9", "status": "canceled", "metadata": {}});
    shop.deliver_object("customer.subscription.deleted", 95, ended).await;
    app.trac.clock.advance(DAY);
    let payout = m.post("/payouts", json!({"partner_id": shop.partner, "currency": "usd"})).await;
    assert_eq!(payout.status, 201, "{}", payout.body);
    // The merchant rejects a commission that was paid out, and corrects a mistake.
    let recurring = m.get("/commissions?source=recurring").await.text("/data/0/id");
    let rejected = json!({"status": "rejected", "reason": "fraud"});
    assert_eq!(m.patch(&format!("/commissions/{recurring}"), rejected).await.status, 200);
    let adjustment = json!({"partner_id": shop.partner, "program_id": shop.program, "currency": "usd",
        "amount_minor": -250, "reason": "paid twice"});
    assert_eq!(m.post("/adjustments", adjustment).await.status, 201);
    // A click that is deleted, and whose visit stays.
    let old =
        json!({"program_id": shop.program, "partner_id": shop.partner, "clicked_at": "2025-01-01T00:00:00Z"});
    m.make("/clicks", old).await;
    let keeping = Retention { clicks_days: 1, ..Retention::default() };
    assert_eq!(retention::run(&app.trac.clone().with_retention(keeping)).await.unwrap().clicks, 1);
    // Rows that no API call of this test writes.
    app.rows(format!(
        "INSERT INTO question (workspace_id, mode, stripe_id, tries, asked_at, answer) \
         VALUES ('{0}', 'test', 'pi_stray', 1, 1, 'nobody knows');",
        m.workspace_id
    ))
    .await;
    shop
}

async fn ledger(app: &App, m: &Merchant<'_>) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in
        ["/commissions", "/balances", "/payouts", "/clicks", "/conversions", "/leads", "/events", "/links"]
    {
        seen.push(get(app, m, path).await);
    }
    for commission in seen[0]["data"].as_array().unwrap().clone() {
        let path = format!("/commissions/{}/entries", commission["id"].as_str().unwrap());
        seen.push(get(app, m, &path).await);
    }
    seen
}

/// Sends a request to one server with a key of another.
async fn get(app: &App, m: &Merchant<'_>, path: &str) -> Value {
    let request = Request::get(format!("/api/v1{path}"));
    let request = request.header("authorization", format!("Bearer {}", m.key));
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

#[tokio::test]
async fn an_imported_workspace_has_the_same_ids_and_sums() {
    let (here, there) = (App::new(), App::new());
    let shop = busy(&here).await;
    there.trac.clock.advance(DAY);
    let text = exported(&here, None).await;
    let summary = imported(&there, &text).await.unwrap();
    assert_eq!(summary.new, summary.rows);
    assert_eq!(ledger(&there, &shop.merchant).await, ledger(&here, &shop.merchant).await);
    let rows = |text: &str| {
        text.lines()
            .skip(1)
            .filter(|line| !line.starts_with("{\"end\""))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&exported(&there, None).await), rows(&text), "the import exports the same rows");
    let replayed = replay_all(&there.trac, Timestamp::default(), Rules::Then, true).await.unwrap();
    assert_eq!(replayed["changed"], json!([]), "{replayed}");

    let again = imported(&there, &text).await.unwrap();
    assert_eq!((again.new, again.rows), (0, summary.rows), "a second import changes nothing");
    assert_eq!(imported(&here, &text).await.unwrap().new, 0);
}

#[tokio::test]
async fn secrets_are_not_exported_and_endpoints_without_one_are_listed() {
    let (here, there) = (App::new(), App::new());
    let shop = busy(&here).await;
    let text = exported(&here, None).await;
    assert!(!text.contains("sealed:") && !text.contains("whsec") && !text.contains(&shop.merchant.key));
    let summary = imported(&there, &text).await.unwrap();
    assert!(summary.without_secret.contains(&shop.endpoint), "{summary:?}");
    assert!(summary.to_string().contains(&shop.endpoint));
    // An import does not remove a secret that is set.
    let summary = imported(&here, &text).await.unwrap();
    assert!(!summary.without_secret.contains(&shop.endpoint), "{summary:?}");
    shop.deliver_object("charge.refunded", 120, charge(2_600, json!({}))).await;
}

#[tokio::test]
async fn one_workspace_is_exported_alone() {
    let app = App::new();
    let (one, other) = (app.merchant().await, app.merchant().await);
    let text = exported(&app, Some(&one.workspace_id)).await;
    assert!(text.contains(&one.workspace_id) && !text.contains(&other.workspace_id));
    let refused = export(&app.trac, Some("ws_nobody"), io::sink()).await.unwrap_err();
    assert!(refused.to_string().contains("ws_nobody"), "{refused}");
}

#[tokio::test]
async fn an_incomplete_changed_or_conflicting_export_imports_nothing() {
    let (here, there) = (App::new(), App::new());
    busy(&here).await;
    let text = exported(&here, None).await;
    let count = async |app: &App| {
        let sum =
            TABLES.iter().map(|table| format!("(SELECT count(*) FROM {})", table.name)).collect::<Vec<_>>();
        let sql = format!("SELECT {}", sum.join(" + "));
        app.trac
            .store
            .read(move |tx| Ok(tx.one(&sql, &[], |row| row.get::<i64>(0))?.unwrap_or_default()))
            .await
            .unwrap()
    };
    let lines: Vec<_> = text.lines().collect();
    let all_but_last = lines[..lines.len() - 1].join("\n");
    let check = async |text: &str, kind: StoreErrorKind, says: &str| {
        let error = imported(&there, text).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{says}: {error}");
        assert_eq!(count(&there).await, 0, "{says}");
    };
    check("", StoreErrorKind::Unavailable, "not whole").await;
    check("{\"trac\":\"export\"}", StoreErrorKind::Unavailable, "not an export").await;
    check(&all_but_last, StoreErrorKind::Unavailable, "not whole").await;
    check(&text.replace("\"Ada\"", "\"Eve\""), StoreErrorKind::Unavailable, "were changed").await;
    check(&text.replacen("\"schema\":", "\"schema\":1", 1), StoreErrorKind::Unavailable, "schema").await;
    check(&format!("{text}{{}}\n"), StoreErrorKind::Unavailable, "has ended").await;
    check(&text.replacen("\"name\":", "\"name = name; --\":", 1), StoreErrorKind::Unavailable, "columns")
        .await;
    check(
        &text.replacen("\"name\":\"A shop\"", "\"name\":\"\\u0000", 1),
        StoreErrorKind::Unavailable,
        "JSON",
    )
    .await;

    // A slug belongs to another workspace here.
    let elsewhere = App::new();
    busy(&elsewhere).await;
    let before = count(&elsewhere).await;
    assert_eq!(imported(&elsewhere, &text).await.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert_eq!(count(&elsewhere).await, before);

    // A row was changed after the export.
    here.rows("UPDATE partner SET name = 'Another'".to_owned()).await;
    let error = imported(&here, &text).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert!(error.to_string().contains("partner"), "{error}");
}

#[tokio::test]
async fn an_endless_line_is_refused_and_crlf_is_accepted() {
    let app = App::new();
    let endless = io::BufReader::new(io::repeat(b'x'));
    let error = import(&app.trac.store, endless).await.unwrap_err();
    assert!(error.to_string().contains("line 1 cannot be read: it is too long to be a row"), "{error}");
    let app = App::new();
    let merchant = app.merchant().await;
    let with_crlf = exported(&app, None).await.replace('\n', "\r\n");
    let summary = imported(&App::new(), &with_crlf).await.unwrap();
    assert_eq!(summary.new, summary.rows);
    drop(merchant);
}

/// An export with these lines and a valid last line.
fn forged(lines: &[String]) -> String {
    let text = lines.join("\n") + "\n";
    let digest: [u8; 32] = Sha256::digest(&text).into();
    format!("{text}{}\n", json!({"end": {"rows": lines.len() - 1, "sha256": crate::id::hex(&digest)}}))
}

/// A line of a table with some columns changed.
fn line_of(text: &str, table: &str, changes: &[(&str, Value)]) -> String {
    let named = format!("\"table\":\"{table}\"");
    let mut line: Value =
        serde_json::from_str(text.lines().find(|line| line.contains(&named)).unwrap()).unwrap();
    for (column, value) in changes {
        line["row"][*column] = value.clone();
    }
    line.to_string()
}

/// An export as an older version wrote it: of this schema, without some columns.
fn as_of_schema(text: &str, schema: u32, without: &[(&str, &str)]) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("{\"end\"")).map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if line["trac"] == "export" {
            line["schema"] = json!(schema);
        }
        for (table, column) in without {
            if line["table"] != *table {
                continue;
            }
            assert!(line["row"].as_object_mut().unwrap().remove(*column).is_some(), "{column}");
        }
        line.to_string()
    });
    forged(&lines.collect::<Vec<_>>())
}

#[tokio::test]
async fn an_export_of_an_older_schema_is_converted() {
    let (here, there) = (App::new(), App::new());
    let shop = busy(&here).await;
    there.trac.clock.advance(DAY);
    // No version of schema 31 had the list of changes.
    let text = exported(&here, None).await;
    let lines =
        text.lines().filter(|line| !line.contains("\"table\":\"activity\"") && !line.starts_with("{\"end\""));
    let text = forged(&lines.map(str::to_owned).collect::<Vec<_>>());
    let since =
        ["stripe_destination", "stripe_events", "stripe_set_up_at"].map(|name| ("webhook_endpoint", name));
    let older = as_of_schema(&text, 31, &[&since[..], &[("commission", "state")]].concat());
    let summary = imported(&there, &older).await.unwrap();
    assert_eq!((summary.new, summary.without_secret.contains(&shop.endpoint)), (summary.rows, true));
    assert_eq!(ledger(&there, &shop.merchant).await, ledger(&here, &shop.merchant).await);
    assert_eq!(there.trac.store.read(derived::differences).await.unwrap(), [""; 0]);
    assert_eq!(imported(&there, &text).await.unwrap().new, 0, "the rows are those of the newest schema");
    let check = async |text: &str, says: &str| {
        let error = imported(&App::new(), text).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(says), "{says}: {error}");
    };
    check(&as_of_schema(&text, 30, &[]), "older than 31").await;
    check(&as_of_schema(&text, 3_100, &[]), "newer than this program's").await;
    check(&as_of_schema(&text, 31, &[]), "columns are not those of webhook_endpoint").await;
    check(&as_of_schema(&text, 31, &since), "columns are not those of commission").await;
    check(&older.replace("\"Ada\"", "\"Eve\""), "were changed").await;
    let cut = older.lines().take(20).collect::<Vec<_>>().join("\n");
    check(&cut, "not whole").await;
}

#[tokio::test]
async fn an_import_adds_nothing_to_an_existing_workspace_and_takes_no_slug_of_another() {
    let (here, there) = (App::new(), App::new());
    let shop = busy(&here).await;
    let text = exported(&here, None).await;
    let head = text.lines().next().unwrap().to_owned();
    let check = async |lines: &[String], says: &str| {
        let error = imported(&here, &forged(lines)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains(says), "{says}: {error}");
    };
    // A forged key for a merchant who exists here.
    let key =
        line_of(&text, "api_key", &[("hash", json!({"hex": "00".repeat(32)})), ("id", json!("key_forged"))]);
    check(&[head.clone(), key.clone()], "nothing is added").await;
    check(&[head, line_of(&text, "workspace", &[]), key], "nothing is added").await;
    // Another merchant, whose rows have this merchant's slug in another case, or this merchant's program ID.
    let theirs = busy(&there).await;
    let text = exported(&there, None).await;
    let (head, workspace) = (text.lines().next().unwrap().to_owned(), line_of(&text, "workspace", &[]));
    let link = line_of(&text, "link", &[("slug", json!("ADA"))]);
    check(&[head.clone(), workspace.clone(), link], "ADA").await;
    let program = line_of(&text, "program", &[("id", json!(shop.program))]);
    check(&[head.clone(), workspace.clone(), program], &shop.program).await;
    let other = line_of(&text, "link", &[("slug", json!("adam"))]);
    assert_eq!(imported(&here, &forged(&[head, workspace, other])).await.unwrap().new, 2);
    drop(theirs);
}

/// The tables that stay with the server: sessions and links of the dashboard, stored responses, refused
/// calls, its own settings, marks of visitors.
/// Of one server, or kept from the exported rows. `click` is a view of `click_record`.
const NOT_EXPORTED: [&str; 34] = [
    "attribution_count",
    "balance",
    "call_window",
    "commit_mark",
    "click_day",
    "click_day_position",
    "click_record",
    "click_span",
    "commission_count",
    "commission_partner_count",
    "customer_count",
    "dashboard_token",
    "event_count",
    "invitation",
    "known_address",
    "member",
    "person",
    "recovery_code",
    "script_check",
    "sign_in_failure",
    "idempotency",
    "lead_count",
    "name",
    "payment_count",
    "refusal",
    "late_click",
    "lease",
    "mail",
    "sale_change",
    "sale_day",
    "sale_span",
    "scope",
    "setting",
    "visitor",
];

#[tokio::test]
async fn every_table_is_exported_or_listed_as_server_data_and_its_key_is_unique() {
    let app = App::new();
    let shop = busy(&app).await;
    for table in app.trac.store.read(schema::tables).await.unwrap() {
        let exported = TABLES.iter().any(|known| known.name == table);
        assert_ne!(exported, NOT_EXPORTED.contains(&table.as_str()), "{table} is exported or not");
    }
    let text = exported(&app, None).await;
    for table in TABLES {
        let row = "{\"row\":{";
        let named = format!("\"table\":\"{}\"", table.name);
        assert!(
            text.lines().any(|line| line.contains(&named) && line.contains(row)),
            "no row of {}",
            table.name
        );
        let key = table.key.join(", ");
        let sql = format!("SELECT count(*) FROM {} GROUP BY {key} HAVING count(*) > 1", table.name);
        let doubled = app.trac.store.write(Priority::Api, move |tx| tx.exists(&sql, &[]));
        assert!(!doubled.await.unwrap(), "{key} of {}", table.name);
    }
    drop(shop);
}

#[tokio::test]
async fn no_table_that_grows_is_sorted_in_memory() {
    let app = App::on_a_file();
    let plans = app.trac.store.read(|tx| {
        let grows = TABLES.iter().filter(|table| !["api_key", "webhook_endpoint"].contains(&table.name));
        let plan = |table: &Table| {
            let sql = format!("EXPLAIN QUERY PLAN {}", table.rows_of(&table.columns(tx)?, 2));
            let steps = tx.all(&sql, args!["ws_1", "ws_2"], |row| row.get::<String>("detail"))?;
            Ok(format!("{}: {}", table.name, steps.join("; ")))
        };
        grows.map(plan).collect::<Result<Vec<_>, StoreError>>()
    });
    for plan in plans.await.unwrap() {
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[tokio::test]
async fn csv_files_have_a_line_for_each_row_and_no_formula() {
    let app = App::new();
    let shop = busy(&app).await;
    shop.merchant
        .make("/partners", json!({"name": "=HYPERLINK(\"http://evil.example\")", "code": "evil"}))
        .await;
    let folder = tempfile::tempdir().unwrap();
    export_csv(&app.trac, None, folder.path()).await.unwrap();
    let sheet = |name: &str| std::fs::read_to_string(folder.path().join(format!("{name}.csv"))).unwrap();
    for name in SHEETS {
        assert!(sheet(name).starts_with("workspace_id,mode,"), "{name}: {}", sheet(name));
    }
    let commissions = shop.merchant.get("/commissions").await;
    assert_eq!(sheet("commissions").lines().count() - 1, commissions.column("id").len());
    assert!(
        sheet("partners").contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\""),
        "{}",
        sheet("partners")
    );
    assert!(export_csv(&app.trac, None, folder.path()).await.is_err(), "no file is overwritten");
}
