use serde_json::json;

use super::*;
use crate::store::rows::Cell;
use crate::store::schema;
use crate::testing::app::{App, Merchant};

fn names(result: &Value, list: &str) -> Vec<String> {
    let rows = result[list].as_array().unwrap().iter();
    rows.map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["name"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn the_setup_of_test_mode_is_copied_once() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (program, partner) = test.program_and_partner().await;
    test.patch(&format!("/programs/{program}"), json!({ "slug": "friends", "products": ["prod_1"] })).await;
    let to = |slug: &str, page: &str| json!({ "program_id": program, "partner_id": partner, "slug": slug, "destination": page });
    test.make("/links", to("ada", "https://shop.example/")).await;
    test.make("/links", to("pay", "https://buy.stripe.com/test_1")).await;
    let gone = test.make("/links", to("gone", "https://shop.example/")).await;
    test.patch(&format!("/links/{gone}"), json!({ "archived": true })).await;
    let old =
        json!({ "name": "Old", "status": "archived", "commission": { "type": "percentage", "rate_bps": 1 } });
    test.make("/programs", old).await;
    let dry = go_live(&app.trac, &test.workspace_id, true).await.unwrap();
    assert_eq!(live.get("/programs").await.number("/meta/total"), 0, "a dry run writes nothing");
    let shown = dry["copied"].as_array().unwrap().iter().chain(dry["look_at"].as_array().unwrap());
    assert!(shown.clone().all(|row| row.get("id").is_none()), "no row has an ID yet: {dry:#}");
    assert!(as_text(&dry).contains("  link ada\n"), "{}", as_text(&dry));
    let result = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
    let want = ["program Friends", "partner Ada", "enrollment Ada", "link ada", "link pay"];
    assert_eq!(
        (names(&dry, "copied"), names(&result, "copied")),
        (want.map(str::to_owned).to_vec(), want.map(str::to_owned).to_vec())
    );
    assert_eq!(names(&result, "left_out"), ["program Old"]);
    assert_eq!(names(&result, "look_at"), ["program Friends", "link pay"]);
    assert!(as_text(&result).contains("  link pay ("), "{}", as_text(&result));

    let made = live.get("/programs").await;
    assert_eq!((made.text("/data/0/slug"), made.number("/data/0/version")), ("friends".to_owned(), 1));
    assert_ne!(made.text("/data/0/id"), program);
    assert_eq!(live.get("/enrollments?status=approved").await.number("/meta/total"), 1);
    // A visit to the same address is now a live click.
    assert_eq!(app.visit("/s/ada", &[]).await.status, 302);
    assert_eq!(app.visit("/s/friends/ada", &[]).await.status, 302);
    assert_eq!(app.visit("/t/friends/ada", &[]).await.status, 302);
    assert_eq!(
        (live.get("/clicks").await.number("/meta/total"), test.get("/clicks").await.number("/meta/total")),
        (2, 1)
    );

    // A second run copies no row twice, even if it was changed in live mode; new rows are copied.
    let partner_path = format!("/partners/{}", live.get("/partners").await.text("/data/0/id"));
    live.patch(&partner_path, json!({ "name": "Ada L.", "code": "lovelace" })).await;
    test.make("/links", to("new", "https://shop.example/")).await;
    let again = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
    assert_eq!(names(&again, "copied"), ["link new"]);
    assert_eq!(live.get(&partner_path).await.text("/name"), "Ada L.");
    let idle = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
    assert_eq!(as_text(&idle).lines().next(), Some("Copied to live mode: nothing"));
}

#[tokio::test]
async fn a_live_program_without_a_hold_is_listed_under_look_at() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let made = json!({ "commission": { "type": "percentage", "rate_bps": 1 } });
    for (name, hold_days) in [
        ("Neither", json!({ "lead": 0, "sale": 1, "recurring": 1 })),
        ("Sale", json!({ "sale": 0, "recurring": 1 })),
        ("Both", json!({ "sale": 0, "recurring": 0 })),
    ] {
        let mut program = made.clone();
        program["name"] = name.into();
        program["hold_days"] = hold_days;
        test.make("/programs", program).await;
    }
    let result = go_live(&app.trac, &test.workspace_id, true).await.unwrap();
    assert_eq!(names(&result, "look_at"), ["program Sale", "program Both"]);
    let printed = as_text(&result);
    assert!(
        printed.contains("are 0 for sale,") && printed.contains("are 0 for sale and recurring,"),
        "{printed}"
    );
    // Every run lists them, including programs that were created in live mode.
    let mut own = made.clone();
    own["name"] = "Own".into();
    own["hold_days"] = json!({ "sale": 0 });
    let own = live.make("/programs", own).await;
    for (dry_run, is_made) in [(true, false), (false, true), (false, true), (true, true)] {
        let result = go_live(&app.trac, &test.workspace_id, dry_run).await.unwrap();
        let mut found = names(&result, "look_at");
        found.sort_unstable();
        assert_eq!(found, ["program Both", "program Own", "program Sale"]);
        let ids: Vec<_> = result["look_at"].as_array().unwrap().iter().map(|row| row.get("id")).collect();
        assert!(ids.contains(&Some(&json!(own))), "the live program is listed: {result:#}");
        assert_eq!(ids.iter().all(Option::is_some), is_made, "{result:#}");
    }
    for program in live.get("/programs").await.column("id") {
        let path = format!("/programs/{}", program.as_str().unwrap());
        let hold = json!({ "hold_days": { "lead": 0, "sale": 30, "recurring": 30 } });
        assert_eq!(live.patch(&path, hold).await.status, 200);
    }
    let result = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
    assert_eq!(result["look_at"], json!([]));
}

#[tokio::test]
async fn a_live_partner_with_the_same_address_is_used_and_rows_with_a_taken_code_or_slug_are_left_out() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let partner = |name: &str, email: &str, code: &str| json!({ "name": name, "email": email, "code": code });
    let (program, _) = test.program_and_partner().await;
    let own = test.make("/partners", partner("Bea", "bea@example.com", "bea")).await;
    test.make("/enrollments", json!({ "program_id": program, "partner_id": own })).await;
    test.make("/partners", partner("Cora", "cora@example.com", "cora")).await;
    let link = |slug: &str| json!({ "program_id": program, "partner_id": own, "slug": slug, "destination": "https://shop.example/" });
    test.make("/links", link("bea")).await;
    let known = live.make("/partners", partner("Beatrice", "BEA@example.com", "b")).await;
    live.make("/partners", partner("Another", "another@example.com", "cora")).await;
    let (other, other_live) = app.both_modes().await;
    drop(other);
    let (their_program, their_partner) = other_live.program_and_partner().await;
    let theirs = json!({ "program_id": their_program, "partner_id": their_partner, "slug": "BEA",
        "destination": "https://other.example/" });
    other_live.make("/links", theirs).await;
    let result = go_live(&app.trac, &test.workspace_id, false).await.unwrap();
    assert_eq!(
        names(&result, "copied"),
        ["program Friends", "partner Ada", "enrollment Ada", "enrollment Beatrice"]
    );
    assert_eq!(names(&result, "left_out"), ["partner Cora", "link bea"]);
    assert_eq!(live.get(&format!("/enrollments?partner_id={known}")).await.number("/meta/total"), 1);
    let missing = go_live(&app.trac, "ws_0", false).await.unwrap_err();
    assert!(missing.to_string().contains("ws_0"), "{missing}");
}

#[tokio::test]
async fn the_api_shows_what_would_be_copied_and_copies_it_once() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (program, partner) = test.program_and_partner().await;
    let link = json!({ "program_id": program, "partner_id": partner, "slug": "ada", "destination": "https://shop.example/" });
    test.make("/links", link).await;
    let (other_test, other_live) = app.both_modes().await;
    let want = ["program Friends", "partner Ada", "enrollment Ada", "link ada"];
    let shown = live.get("/go-live").await;
    assert_eq!((shown.status.as_u16(), &shown.body["dry_run"]), (200, &json!(true)), "{}", shown.body);
    assert_eq!(names(&shown.body, "copied"), want);
    for refused in [test.get("/go-live").await, test.post("/go-live", json!({})).await] {
        assert_eq!(refused.code(), (403, "FORBIDDEN".to_owned()), "{}", refused.body);
        assert!(refused.text("/error/message").contains("sk_live_"), "{}", refused.body);
    }
    for path in ["/programs", "/partners", "/enrollments", "/links", "/activity"] {
        assert_eq!(live.get(path).await.number("/meta/total"), 0, "{path}: nothing is written");
    }
    // An option that is not known is no reason to copy.
    for answer in
        [live.post("/go-live?dry_run=1", json!({})).await, live.get("/go-live?workspace_id=ws_0").await]
    {
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{}", answer.body);
    }
    assert_eq!(live.get("/programs").await.number("/meta/total"), 0);

    let copied = live.post("/go-live", json!({})).await;
    assert_eq!((copied.status.as_u16(), &copied.body["dry_run"]), (200, &json!(false)), "{}", copied.body);
    assert_eq!(names(&copied.body, "copied"), want);
    assert_eq!(copied.text("/workspace_id"), test.workspace_id);
    let rows = live.get("/activity").await;
    assert_eq!(
        rows.column("action"),
        ["link.created", "enrollment.created", "partner.created", "program.created"]
    );
    assert!(
        rows.column("actor").iter().all(|actor| actor["kind"] == "key" && actor["id"] != ""),
        "{}",
        rows.body
    );
    assert_eq!(rows.text("/data/3/after/copied_from"), program);
    let again = live.post("/go-live", json!({})).await;
    assert_eq!(again.body["copied"], json!([]));
    assert_eq!(live.get("/activity").await.number("/meta/total"), 4);
    assert_eq!(other_live.post("/go-live", json!({})).await.body["copied"], json!([]));
    for stranger in [&other_test, &other_live] {
        assert_eq!(stranger.get("/programs").await.number("/meta/total"), 0);
    }
}

/// The columns that a copy has values of its own for. All others are copied.
const OWN: [(&str, &[&str]); 6] = [
    ("program", &["mode", "id", "created_at", "copied_from"]),
    ("partner", &["mode", "id", "created_at", "copied_from"]),
    ("enrollment", &["mode", "id", "program_id", "partner_id", "created_at", "copied_from"]),
    // Links that are archived, deleted or purged are not copied.
    (
        "link",
        &[
            "mode",
            "id",
            "program_id",
            "partner_id",
            "created_at",
            "copied_from",
            "deleted_at",
            "archived_at",
            "purged_at",
        ],
    ),
    // A copy has one version, in force from the copy on.
    ("program_version", &["mode", "program_id", "number", "valid_from"]),
    ("enrollment_version", &["mode", "enrollment_id", "number", "valid_from"]),
];

#[tokio::test]
async fn a_copy_has_every_column_of_its_row() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (program, partner) = test.program_and_partner().await;
    let named = json!({ "slug": "friends", "hold_days": { "sale": 14 } });
    assert_eq!(test.patch(&format!("/programs/{program}"), named).await.status, 200);
    assert_eq!(
        test.patch(&format!("/partners/{partner}"), json!({ "email": "ada@example.com" })).await.status,
        200
    );
    app.rows("UPDATE program SET tracking_domain = 'go.example.com'".to_owned()).await;
    let enrollment = test.get("/enrollments").await.text("/data/0/id");
    let note = json!({ "note": "Welcome" });
    assert_eq!(test.patch(&format!("/enrollments/{enrollment}"), note).await.status, 200);
    let link = json!({ "program_id": program, "partner_id": partner, "slug": "ada", "destination": "https://shop.example/" });
    test.make("/links", link).await;
    assert_eq!(live.post("/go-live", json!({})).await.status, 200);
    for (table, own) in OWN {
        let columns = app.trac.store.read(move |tx| schema::columns(tx, table)).await.unwrap();
        let copied: Vec<_> = columns.into_iter().filter(|column| !own.contains(&column.as_str())).collect();
        assert!(copied.contains(&"workspace_id".to_owned()), "{table}: {copied:?}");
        let newest = if table.ends_with("_version") { " ORDER BY number DESC LIMIT 1" } else { "" };
        let sql = format!(
            "SELECT {} FROM {table} WHERE workspace_id = ?1 AND mode = ?2{newest}",
            copied.join(", ")
        );
        let row = async |of: &Merchant<'_>, mode: Mode| {
            let (scope, sql, count) = (Scope::new(&of.workspace_id, mode), sql.clone(), copied.len());
            let read = app.trac.store.read(move |tx| {
                tx.within(&scope)
                    .one(&sql, &[], |row| (0..count).map(|at| row.get(at)).collect::<Result<Vec<Cell>, _>>())
            });
            read.await.unwrap().unwrap()
        };
        let (from, to) = (row(&test, Mode::Test).await, row(&live, Mode::Live).await);
        for ((column, from), to) in copied.iter().zip(from).zip(to) {
            // A new column of the table is copied here too, or added to OWN; for the former, give the row a value.
            assert_ne!(from, Cell::Null, "{table}.{column} has no value to compare");
            assert_eq!(from, to, "{table}.{column} is not copied");
        }
    }
}
