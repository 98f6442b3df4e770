//! `trac workspace create` and `trac serve`, as a merchant runs them.

use serde_json::Value;
use trac_tests::{Server, envelope, now, trac};

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn a_workspace_is_printed_as_json_and_nothing_else_with_no_server_running() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("new/folder").display().to_string();
    let create = || {
        let made = trac(&["workspace", "create", "--data", &data, "--name", "Twice", "--json"]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        serde_json::from_str::<Value>(&made.stdout).expect("standard output is exactly the JSON")
    };
    // Names need not be unique.
    let (first, second) = (create(), create());
    assert_ne!(text(&first, "/workspace_id"), text(&second, "/workspace_id"));
    for key in ["pk_test", "sk_test", "pk_live", "sk_live"] {
        let (mine, other) = (text(&first, &format!("/keys/{key}")), text(&second, &format!("/keys/{key}")));
        assert!(mine.starts_with(&format!("{key}_")) && mine != other, "{mine} {other}");
    }
    for mode in ["test", "live"] {
        let id = text(&first, &format!("/endpoints/{mode}/id"));
        let url = text(&first, &format!("/endpoints/{mode}/url"));
        assert!(!id.is_empty() && url.ends_with(&format!("/api/webhooks/{id}")), "{url}");
    }
    let events = first.pointer("/events").and_then(Value::as_array).cloned().unwrap_or_default();
    for kind in [
        "checkout.session.completed",
        "invoice.paid",
        "charge.refunded",
        "customer.subscription.deleted",
        "invoice_payment.paid",
    ] {
        assert!(events.contains(&Value::from(kind)), "{kind} is to be selected in Stripe: {events:?}");
    }
    let known = ["workspace_id", "keys", "endpoints", "dashboard_url"];
    assert!(known.iter().all(|key| first.get(key).is_some()), "{first}");
}

#[test]
fn what_only_looks_makes_no_store_where_there_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("mistyped");
    let named = data.display().to_string();
    for command in [&["explain", "cs_1"][..], &["replay", "--dry-run"], &["secrets", "rotate"]] {
        let arguments: Vec<_> = command.iter().chain(&["--data", &named]).copied().collect();
        let ended = trac(&arguments);
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.stdout);
        assert!(
            ended.stderr.contains("there is no store in") && ended.stderr.contains(&named),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(!data.exists(), "{command:?}");
    }
}

#[tokio::test]
async fn a_running_server_is_ready_without_a_workspace_and_honours_a_new_one_at_once() {
    let server = Server::start().await;
    let client = reqwest::Client::new();
    for path in ["/healthz", "/readyz"] {
        let answer = client.get(format!("{}{path}", server.origin())).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let merchant = server.merchant("beside");
    assert!(merchant.all("/programs").await.is_empty());
    let endpoint = merchant.endpoint().await;
    assert!(endpoint.url.starts_with(&server.origin()));
    let printed = text(&merchant.workspace, "/endpoints/test/url");
    assert_eq!(printed, endpoint.url, "the printed address is the one that answers");
    let event = envelope("evt_first", "balance.available", now(), &serde_json::json!({}));
    let answer = endpoint.deliver(&event).await;
    assert_eq!((answer.status, answer.text("/outcome").as_str()), (200, "ignored"));
    assert_eq!(answer.text("/reason"), "unsupported_event");
}

#[tokio::test]
async fn every_answer_carries_a_request_id_the_callers_if_it_is_sane() {
    let server = Server::start().await;
    let client = reqwest::Client::new();
    let ask = async |path: &str, id: &str| {
        let request = client.get(format!("{}{path}", server.origin())).header("x-request-id", id);
        let answer = request.send().await.expect("an answer");
        let found = answer.headers().get("x-request-id").and_then(|value| value.to_str().ok());
        found.unwrap_or_default().to_owned()
    };
    for path in ["/healthz", "/api/v1/programs", "/s/nobody", "/trac.js", "/nothing"] {
        assert_eq!(ask(path, "caller-17").await, "caller-17", "{path}");
        let other = ask(path, &"x".repeat(5_000)).await;
        assert!(!other.is_empty() && other.len() < 200, "{path}: {other}");
    }
}

#[tokio::test]
async fn secrets_and_keys_never_reach_the_log_or_the_database() {
    let server = Server::start().await;
    let merchant = server.merchant("secrets");
    let endpoint = merchant.endpoint().await;
    endpoint.deliver(&envelope("evt_log", "customer.created", now(), &serde_json::json!({}))).await;
    let log = server.log();
    for planted in [endpoint.secret.as_str(), &merchant.secret_key()] {
        assert!(!log.contains(planted), "the log shows {planted}");
    }
    let key = merchant.secret_key();
    for entry in std::fs::read_dir(server.data()).expect("a data folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!found, "{} holds a key in the open", path.display());
    }
}
