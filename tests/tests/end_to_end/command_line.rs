//! `trac workspace`, `trac key`, `trac login-link`, `trac explain` and `trac serve`, as merchants run them.

use serde_json::Value;
use trac_tests::{Server, envelope, now, trac, trac_unread};

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
        let (own, other) = (text(&first, &format!("/keys/{key}")), text(&second, &format!("/keys/{key}")));
        assert!(own.starts_with(&format!("{key}_")) && own != other, "{own} {other}");
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
fn commands_that_need_a_store_do_not_create_one() {
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
async fn a_running_server_is_ready_without_a_workspace_and_serves_a_new_one_at_once() {
    let server = Server::start().await;
    let client = reqwest::Client::new();
    for path in ["/healthz", "/readyz"] {
        let answer = client.get(format!("{}{path}", server.origin())).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let merchant = server.merchant("added");
    assert!(merchant.all("/programs").await.is_empty());
    let endpoint = merchant.endpoint().await;
    assert!(endpoint.url.starts_with(&server.origin()));
    let printed = text(&merchant.workspace, "/endpoints/test/url");
    assert_eq!(printed, endpoint.url, "the printed URL is the one in use");
    let event = envelope("evt_first", "balance.available", now(), &serde_json::json!({}));
    let answer = endpoint.deliver(&event).await;
    assert_eq!((answer.status, answer.text("/outcome").as_str()), (200, "ignored"));
    assert_eq!(answer.text("/reason"), "unsupported_event");
}

#[tokio::test]
async fn every_response_has_a_request_id_the_callers_if_it_is_valid() {
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
        assert!(!log.contains(planted), "the log contains {planted}");
    }
    let key = merchant.secret_key();
    for entry in std::fs::read_dir(server.data()).expect("a data folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!found, "{} contains a key in plain text", path.display());
    }
}

#[tokio::test]
async fn keys_and_login_links_can_be_created_while_the_server_runs() {
    let server = Server::start().await;
    let merchant = server.merchant("Locked out");
    let (data, id) = (server.data(), text(&merchant.workspace, "/workspace_id").to_owned());
    let run = |arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().chain(&["--data", &data, "--json"]).copied().collect();
        let ended = trac(&arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).expect("standard output is exactly the JSON")
    };
    let list = run(&["workspace", "list"]);
    assert_eq!((text(&list, "/0/id"), text(&list, "/0/name")), (id.as_str(), "Locked out"));
    let client = reqwest::Client::new();
    for mode in ["test", "live"] {
        let made = run(&[
            "key",
            "create",
            "--workspace",
            &id,
            "--kind",
            "secret",
            "--mode",
            mode,
            "--name",
            "Found",
        ]);
        assert!(text(&made, "/key").starts_with(&format!("sk_{mode}_")), "{made}");
        let asked =
            client.get(format!("{}/api/v1/workspace", server.origin())).bearer_auth(text(&made, "/key"));
        assert_eq!(asked.send().await.expect("an answer").status(), 200);
    }
    let page = run(&["key", "create", "--workspace", &id, "--kind", "publishable", "--mode", "test"]);
    assert!(text(&page, "/key").starts_with("pk_test_"), "{page}");

    let link = run(&["login-link", "--workspace", &id, "--mode", "live"]);
    let url = text(&link, "/url");
    assert!(url.starts_with(&format!("{}/dashboard/enter?token=", server.origin())), "{url}");
    let token = url.rsplit('=').next().expect("a token");
    let no_redirects =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    for want in [303, 401] {
        let form = no_redirects.post(format!("{}/dashboard/enter", server.origin()));
        let form =
            form.header("content-type", "application/x-www-form-urlencoded").body(format!("token={token}"));
        assert_eq!(form.send().await.expect("an answer").status(), want, "a login link works once");
    }
    for entry in std::fs::read_dir(&data).expect("a data folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).unwrap_or_default();
        assert!(
            !bytes.windows(token.len()).any(|window| window == token.as_bytes()),
            "a token is stored in plain text"
        );
    }
    for (arguments, want) in [
        (
            vec!["login-link", "--workspace", &id, "--email", "ada@example.com"],
            "it has no people yet, leave out --email",
        ),
        (vec!["login-link", "--workspace", "ws_0"], "there is no workspace ws_0"),
        (
            vec!["key", "create", "--workspace", "ws_0", "--kind", "secret", "--mode", "test"],
            "trac workspace list",
        ),
    ] {
        let arguments: Vec<_> = arguments.into_iter().chain(["--data", data.as_str()]).collect();
        let ended = trac(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(ended.stderr.contains(want) && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    }
}

#[test]
fn a_key_of_an_unknown_kind_is_refused_with_the_known_ones() {
    let wrong = trac(&["key", "create", "--workspace", "ws_1", "--kind", "admin", "--mode", "test"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("publishable") && wrong.stderr.contains("secret"), "{}", wrong.stderr);
}

#[tokio::test]
async fn test_mode_is_copied_to_live_mode_while_the_server_runs() {
    let server = Server::start().await;
    let merchant = server.merchant("Ready");
    merchant.terms(2_000, "paula", "https://shop.example.com/").await;
    let (data, id) = (server.data(), text(&merchant.workspace, "/workspace_id").to_owned());
    let go_live = |more: &[&str]| {
        let arguments: Vec<_> = ["workspace", "go-live", "--workspace", &id, "--data", &data]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let ended = trac(&arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    assert!(go_live(&["--dry-run"]).starts_with("Would be copied to live mode:\n  program Partners\n"));
    assert_eq!(go_live(&[]).lines().count(), 6, "a title, a line for each, and an empty line");
    assert!(go_live(&[]).starts_with("Copied to live mode: nothing\n"));
    let json: Value = serde_json::from_str(&go_live(&["--json"])).expect("JSON and nothing else");
    assert_eq!(json.pointer("/copied").and_then(Value::as_array).map(Vec::len), Some(0));
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    for path in ["/s/paula", "/t/paula"] {
        let answer = client.get(format!("{}{path}", server.origin())).send().await.expect("an answer");
        assert_eq!(answer.status(), 302, "{path}");
    }
    assert_eq!(merchant.all("/clicks").await.len(), 1, "the other click is the live link's");
}

#[tokio::test]
async fn an_unknown_workspace_is_refused() {
    let server = Server::start().await;
    let data = server.data();
    for command in [&["go-live"][..], &["sessions"], &["sessions", "--end"]] {
        let ended = trac(&[&["workspace"], command, &["--workspace", "ws_0", "--data", &data]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{command:?}");
        assert!(ended.stderr.contains("there is no workspace ws_0"), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn explain_of_an_unknown_id_ends_with_exit_code_1() {
    let server = Server::start().await;
    let merchant = server.merchant("unknown");
    let terms = merchant.terms(1_000, "known", "https://shop.example.com/").await;
    let data = server.data();
    for (id, code, lines) in [(terms.link.as_str(), 0, 0), ("clk_0", 1, 1), ("cs_test_0", 1, 1)] {
        for more in [&[][..], &["--json"]] {
            let arguments: Vec<_> = ["explain", id, "--data", &data].iter().chain(more).copied().collect();
            let ended = trac(&arguments);
            assert_eq!(
                (ended.code, ended.stderr.lines().count()),
                (Some(code), lines),
                "{id}: {}",
                ended.stderr
            );
        }
    }
    let output = trac(&["explain", "cs_test_0", "--data", &data]).stdout;
    assert!(output.contains("test") && !output.contains("live mode"), "{output}");
}

#[tokio::test]
async fn a_closed_standard_output_is_not_a_failure() {
    let server = Server::start().await;
    let merchant = server.merchant("piped");
    let terms = merchant.terms(1_000, "piped", "https://shop.example.com/").await;
    let (data, id) = (server.data(), text(&merchant.workspace, "/workspace_id").to_owned());
    for command in [
        &["explain", &terms.link][..],
        &["explain", &terms.link, "--json"],
        &["export"],
        &["replay", "--dry-run"],
        &["workspace", "list"],
        &["workspace", "sessions"],
        &["workspace", "go-live", "--workspace", &id, "--dry-run"],
        &["login-link", "--workspace", &id],
    ] {
        let arguments: Vec<_> = command.iter().chain(&["--data", &data]).copied().collect();
        let ended = trac_unread(&arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{command:?}");
    }
}
