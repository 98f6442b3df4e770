//! The guarantees of `docs/operations.md` to operators, each with the real program.
#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Client, Method, redirect};
use serde_json::{Value, json};
use trac_tests::{Endpoint, Server, Setup, envelope, now, session, trac, trac_with};

async fn sell(endpoint: &Endpoint, name: &str, click: &str) -> (u16, String) {
    let paid = session(name, 10_000, click);
    let answer =
        endpoint.deliver(&envelope(&format!("evt_{name}"), "checkout.session.completed", now(), &paid)).await;
    (answer.status, answer.text("/outcome"))
}

fn processed() -> (u16, String) {
    (200, "processed".to_owned())
}

/// The program ended with an error and one line that contains `text`.
fn refused(finished: &trac_tests::Finished, text: &str) {
    assert!(finished.code.is_some_and(|code| code != 0), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "one line: {}", finished.stderr);
    assert!(finished.stderr.contains(text), "it contains {text}: {}", finished.stderr);
}

#[tokio::test]
async fn a_second_server_on_a_folder_is_refused_and_the_first_keeps_its_address() {
    let server = Server::start().await;
    let second =
        ["serve", "--data", &server.data(), "--listen", "127.0.0.1:0", "--public-url", "https://x.example"];
    refused(&trac(&second), &server.data());
    let merchant = server.merchant("added");
    let url = merchant.workspace.pointer("/endpoints/test/url").and_then(Value::as_str).unwrap_or_default();
    assert!(url.starts_with(&server.origin()), "{url}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing() {
    for format in ["text", "json"] {
        let variables =
            vec![("TRAC_LOG", "debug".to_owned()), ("TRAC_LOG_JSON", (format == "json").to_string())];
        let log = Some("/dev/full".into());
        let mut server = Server::start_as(Setup { log, variables, ..Setup::default() }).await;
        let merchant = server.merchant("unheard");
        let endpoint = merchant.endpoint().await;
        let terms = merchant.terms(2_000, "unheard", "https://shop.example/").await;
        let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
        let answer =
            client.get(&terms.url).header("user-agent", "a browser").send().await.expect("an answer");
        assert_eq!(answer.status(), 302);
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let (_, click) =
            location.and_then(|location| location.split_once("trac_click_id=")).expect("a click");
        assert_eq!(sell(&endpoint, "unheard", click).await, processed());
        assert_eq!(merchant.net_minor().await, 2_000);
        assert_eq!(server.stop(), Some(0));
    }
}

#[tokio::test]
async fn a_database_removed_while_the_server_runs_is_noticed_and_no_event_is_acknowledged() {
    let server = Server::start().await;
    let merchant = server.merchant("removed");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "removed", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
    let ask = async |path: &str| {
        let answer = client.get(format!("{}{path}", server.origin())).send().await.expect("an answer");
        answer.status().as_u16()
    };
    for name in ["trac.db", "trac.db-wal"] {
        let (file, aside) = (Path::new(&server.data()).join(name), Path::new(&server.data()).join("aside"));
        fs::rename(&file, &aside).expect("a file");
        assert_eq!((ask("/readyz").await, ask("/s/removed").await), (503, 302), "{name}");
        assert_eq!(sell(&endpoint, name, &click).await.0, 503, "{name}");
        assert!(server.log().contains(&format!("{name} was removed")), "the log names {name}");
        fs::rename(&aside, &file).expect("a file");
        assert_eq!(ask("/readyz").await, 200, "{name}");
        assert_eq!(sell(&endpoint, name, &click).await, processed(), "{name}");
    }
}

#[tokio::test]
async fn a_master_key_of_the_environment_is_rotated_by_setting_both_keys() {
    let [old, new] = ["11".repeat(32), "22".repeat(32)];
    let both = format!("{new},{old}");
    let with = |key: &str| Setup { variables: vec![("TRAC_MASTER_KEY", key.to_owned())], ..Setup::default() };
    let mut server = Server::start_as(with(&old)).await;
    let data = server.data();
    // Commands next to a running server use the same master key.
    let made = trac_with(
        &[("TRAC_MASTER_KEY", &old)],
        &["workspace", "create", "--data", &data, "--name", "rotated", "--json"],
    );
    let merchant = server.merchant_of(serde_json::from_str(&made.stdout).expect("JSON"));
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "rotated", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    assert_eq!(sell(&endpoint, "before", &click).await, processed());
    assert!(
        !Path::new(&data).join("master.key").exists(),
        "a key from the environment is not written to disk"
    );

    server.restart_as(with(&both)).await;
    assert_eq!(sell(&endpoint, "both", &click).await, processed());
    let rotated = trac_with(&[("TRAC_MASTER_KEY", &both)], &["secrets", "rotate", "--data", &data]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);
    assert_eq!(sell(&endpoint, "rotated", &click).await, processed());

    server.restart_as(with(&new)).await;
    assert_eq!(sell(&endpoint, "after", &click).await, processed());
    server.kill();
    let serve = ["serve", "--data", &data, "--listen", "127.0.0.1:0"];
    refused(&trac_with(&[("TRAC_MASTER_KEY", &old)], &serve), "master key");
    refused(&trac(&serve), "master key");
}

#[tokio::test]
async fn a_backup_under_load_is_complete_and_can_be_restored() {
    let server = Server::start().await;
    let merchant = server.merchant("backup");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "backup", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    for number in 0..20 {
        assert_eq!(sell(&endpoint, &format!("early_{number}"), &click).await, processed());
    }
    let done = Arc::new(AtomicBool::new(false));
    let load = {
        let (endpoint, click, done) = (endpoint.clone(), click.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut sold = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(sell(&endpoint, &format!("late_{sold}"), &click).await, processed());
                sold += 1;
            }
            sold
        })
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [file, data] = ["backup.db", "data"].map(|name| folder.path().join(name).display().to_string());
    let of = server.data();
    let (to, copied) =
        (file.clone(), tokio::task::spawn_blocking(move || trac(&["backup", &file, "--data", &of])));
    let copied = copied.await.expect("it ran");
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    done.store(true, Ordering::Relaxed);
    let late: usize = load.await.expect("every sale is processed");

    let restored = trac(&["restore", &to, "--data", &data]);
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    refused(&trac(&["restore", &to, "--data", &data]), "trac.db");
    let serve = ["serve", "--data", &data, "--listen", "127.0.0.1:0"];
    refused(&trac(&serve), "master key");
    fs::copy(Path::new(&server.data()).join("master.key"), Path::new(&data).join("master.key"))
        .expect("a key");
    let again = Server::start_as(Setup { data: Some(data.into()), ..Setup::default() }).await;
    let merchant = again.merchant_of(merchant.workspace.clone());
    let events = merchant.all("/events").await.len();
    assert!((20..=20 + late).contains(&events), "{events} of 20 and {late}");
    let earned = i64::try_from(events).expect("a count") * 2_000;
    assert_eq!((merchant.all("/commissions").await.len(), merchant.net_minor().await), (events, earned));
    let endpoint = merchant.endpoint_as_it_is(&endpoint);
    assert_eq!(sell(&endpoint, "early_0", &click).await, (200, "duplicate".to_owned()));
    assert_eq!(sell(&endpoint, "new", &click).await, processed());
}

#[tokio::test]
async fn an_export_of_one_running_server_is_imported_into_another() {
    let (here, there) = (Server::start().await, Server::start().await);
    let merchant = here.merchant("moved");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "moved", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    for number in 0..5 {
        assert_eq!(sell(&endpoint, &format!("moved_{number}"), &click).await, processed());
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [file, cut, sheets] =
        ["all.jsonl", "cut", "sheets"].map(|name| folder.path().join(name).display().to_string());
    let written = trac(&["export", &file, "--data", &here.data()]);
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    refused(&trac(&["export", &file, "--data", &here.data()]), "all.jsonl");
    let printed = trac(&["export", "--data", &here.data()]).stdout;
    let rows = |text: &str| {
        text.lines().skip(1).map(str::to_owned).filter(|line| line.contains("\"row\"")).collect::<Vec<_>>()
    };
    let text = fs::read_to_string(&file).expect("an export");
    assert_eq!(rows(&printed), rows(&text), "standard output is exactly the lines");

    // A truncated export is refused, and none of it is imported.
    fs::write(&cut, text.get(..text.len() / 2).unwrap_or_default()).expect("a file");
    refused(&trac(&["import", &cut, "--data", &there.data()]), "line");
    let moved = there.merchant_of(merchant.workspace.clone());
    assert_eq!(moved.ask(Method::GET, "/events", None).await.status, 401);

    let imported = trac(&["import", &file, "--data", &there.data()]);
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    let id = merchant.workspace.pointer("/endpoints/test/id").and_then(Value::as_str).unwrap_or_default();
    assert!(imported.stdout.contains(id), "the endpoint without a secret is named: {}", imported.stdout);
    assert_eq!(moved.all("/commissions").await, merchant.all("/commissions").await);
    assert_eq!(moved.all("/events").await, merchant.all("/events").await);
    let at = moved.endpoint_as_it_is(&endpoint);
    assert_eq!(sell(&at, "moved_0", &click).await.0, 401, "a signing secret is not exported");
    let at = moved.endpoint().await;
    assert_eq!(sell(&at, "moved_0", &click).await, (200, "duplicate".to_owned()));
    assert_eq!(sell(&at, "moved_5", &click).await, processed());

    let tables = trac(&["export", "--csv", &sheets, "--data", &here.data()]);
    assert_eq!(tables.code, Some(0), "{}", tables.stderr);
    let commissions = fs::read_to_string(Path::new(&sheets).join("commissions.csv")).expect("a table");
    assert_eq!(commissions.lines().count(), 6, "{commissions}");
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("trac.toml");
    let data = folder.path().join("data").display().to_string();
    fs::write(&file, format!("data = {data:?}\npublic_url = \"https://file.example\"\n")).expect("a file");
    let config = file.display().to_string();
    let create = ["workspace", "create", "--name", "x", "--json"];
    let check = |variables: &[(&str, &str)], flags: &[&str], want: &str| {
        let made = trac_with(variables, &[&create, flags].concat());
        let made: Value = serde_json::from_str(&made.stdout).unwrap_or_else(|_| panic!("{}", made.stderr));
        let url = made.pointer("/endpoints/live/url").and_then(Value::as_str).unwrap_or_default();
        assert!(url.starts_with(&format!("{want}/api/webhooks/")), "{variables:?} {flags:?}: {url}");
    };
    let (file, variable) =
        (("TRAC_CONFIG", config.as_str()), ("TRAC_PUBLIC_URL", "https://variable.example"));
    check(&[], &["--config", &config], "https://file.example");
    check(&[file], &[], "https://file.example");
    check(&[file, variable], &[], "https://variable.example");
    check(&[file, variable], &["--public-url", "https://flag.example/"], "https://flag.example");
    check(&[("TRAC_DATA", &data)], &[], "http://127.0.0.1:8787");
    assert!(Path::new(&data).join("trac.db").exists(), "the variable's folder is the one that is used");
}

#[test]
fn the_help_of_serve_explains_every_option_and_names_its_variable() {
    let help = trac(&["serve", "--help"]).stdout;
    let options: Vec<_> = help.split("\n      --").skip(1).collect();
    assert!(options.len() >= 8, "{help}");
    for option in options {
        let name = option.split([' ', '\n']).next().unwrap_or_default();
        let variable = format!("[env: TRAC_{}", name.to_uppercase().replace('-', "_"));
        assert!(option.contains(&variable), "{name} has no variable: {option}");
        let text = option
            .split("[env:")
            .next()
            .and_then(|text| text.split_once('>'))
            .map_or("", |(_, text)| text.trim());
        assert!(text.len() > 15, "{name} is not explained: {option}");
    }
}

#[tokio::test]
async fn a_stopping_server_finishes_accepted_requests_and_ends_with_exit_code_0() {
    let mut server = Server::start().await;
    let merchant = server.merchant("stopped");
    let endpoint = merchant.endpoint().await;
    let terms = merchant.terms(2_000, "stopped", "https://shop.example/").await;
    let click = merchant.click(&terms.link).await;
    let mut sales = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (endpoint, click) = (endpoint.clone(), click.clone());
        sales.spawn(async move {
            let name = format!("stop_{number}");
            let event = envelope(
                &format!("evt_{name}"),
                "checkout.session.completed",
                now(),
                &session(&name, 10_000, &click),
            );
            let body = event.to_string().into_bytes();
            let signature = trac_stand_in::sign(&endpoint.secret, now(), &body);
            endpoint.post(body, &signature).await.is_some_and(|answer| answer.status == 200)
        });
    }
    let mut sold =
        i64::from(sales.join_next().await.is_some_and(|first| first.is_ok_and(|accepted| accepted)));
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    sold += sales.join_all().await.into_iter().map(i64::from).sum::<i64>();
    server.restart().await;
    let stored = i64::try_from(merchant.all("/events").await.len()).expect("a count");
    assert!(stored >= sold, "{sold} acknowledged, {stored} stored");
    assert_eq!(merchant.net_minor().await, stored * 2_000);
    let partner = merchant.ask(Method::POST, "/partners", Some(json!({"name": "After"}))).await;
    assert_eq!(partner.status, 201);
}
