//! Invalid input is refused with a message and has no effect.

use std::fs;
use std::net::TcpListener;

use reqwest::Method;
use serde_json::{Value, json};
use trac_stand_in::sign;
use trac_tests::{Answer, Merchant, Server, envelope, now, session, trac};

fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.text("/error/code"), code, "{}", answer.body);
    assert!(!answer.text("/error/message").is_empty(), "an error has a message: {}", answer.body);
    assert!(!answer.text("/error/request_id").is_empty(), "an error has a request ID: {}", answer.body);
}

async fn rejections(merchant: &Merchant) -> Vec<(String, Value)> {
    let rows = merchant.all("/events").await;
    let reason = |row: &Value| row.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
    rows.iter()
        .filter(|row| row.get("outcome").is_some_and(|outcome| outcome == "rejected"))
        .map(|row| (reason(row), row.clone()))
        .collect()
}

#[tokio::test]
async fn a_delivery_that_is_not_stripes_is_refused_and_logged_without_its_body() {
    let server = Server::start().await;
    let merchant = server.merchant("forged");
    let endpoint = merchant.endpoint().await;
    let event = envelope("evt_forged", "checkout.session.completed", now(), &session("forged", 100, "clk_1"));
    let body = event.to_string().into_bytes();
    let secret = endpoint.secret.as_str();
    let valid = sign(secret, now(), &body);
    let cases = [
        ("another secret", sign("whsec_other", now(), &body), 401),
        ("another body", sign(secret, now(), b"{}"), 401),
        ("no signature", String::new(), 401),
        ("garbage", "hello".to_owned(), 401),
        ("only v0", valid.replace("v1=", "v0="), 401),
        ("302 s old", sign(secret, now() - 302, &body), 401),
        ("302 s ahead", sign(secret, now() + 305, &body), 401),
        ("298 s old", sign(secret, now() - 298, &body), 200),
        ("valid", valid, 200),
    ];
    for (name, signature, want) in cases {
        let answer = endpoint.post(body.clone(), &signature).await.expect("the server answers");
        assert_eq!(answer.status, want, "{name}: {}", answer.body);
    }
    let rejected = rejections(&merchant).await;
    let reasons: Vec<_> = rejected.iter().map(|(reason, _)| reason.as_str()).collect();
    assert!(reasons.contains(&"signature_invalid"), "{reasons:?}");
    assert!(reasons.contains(&"timestamp_outside_tolerance"), "{reasons:?}");
    for (_, row) in rejected {
        assert_eq!(row.get("stripe_event_id"), Some(&Value::Null), "an unverified ID is not stored: {row}");
        assert!(!row.to_string().contains("evt_forged"), "an unverified body is not stored: {row}");
    }
}

#[tokio::test]
async fn an_endpoint_without_a_secret_rejects_every_delivery() {
    let server = Server::start().await;
    let merchant = server.merchant("no secret");
    let id = merchant.workspace.pointer("/endpoints/test/id").and_then(Value::as_str).expect("an endpoint");
    let answer = post_raw(&server, id, b"{}".to_vec(), &sign("", now(), b"{}")).await;
    assert_eq!(answer, 401);
}

#[tokio::test]
async fn a_body_that_is_not_an_event_is_400_an_unknown_endpoint_404_and_a_large_body_413() {
    let server = Server::start().await;
    let merchant = server.merchant("unreadable");
    let endpoint = merchant.endpoint().await;
    let mut with_bom = b"\xEF\xBB\xBF".to_vec();
    with_bom.extend(envelope("evt_bom", "customer.created", now(), &json!({})).to_string().into_bytes());
    let deep = format!(
        r#"{{"id":"evt_deep","type":"invoice.paid","data":{{"object":{{"id":"in_deep","x":{}{}}}}}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let cases: [(&str, Vec<u8>, u16); 11] = [
        ("not JSON", b"hello".to_vec(), 400),
        ("not an object", b"[1]".to_vec(), 400),
        ("no id", b"{}".to_vec(), 400),
        ("an id that is not a string", b"{\"id\":1}".to_vec(), 400),
        ("not UTF-8", b"{\"id\":\"\xFF\"}".to_vec(), 400),
        ("an empty body", Vec::new(), 400),
        ("one BOM", with_bom, 200),
        ("nested 200,000 deep", deep.into_bytes(), 200),
        (
            "a number out of range",
            br#"{"id":"evt_huge","type":"invoice.paid","data":{"object":{"id":"in_huge","total":1e999}}}"#.to_vec(),
            200,
        ),
        (
            "half a surrogate pair",
            br#"{"id":"evt_half","type":"invoice.paid","data":{"object":{"id":"in_half","number":"\ud800"}}}"#.to_vec(),
            200,
        ),
        (
            "a known type without its object",
            br#"{"id":"evt_odd","type":"invoice.paid","data":{}}"#.to_vec(),
            200,
        ),
    ];
    for (name, body, want) in cases {
        let answer = endpoint.deliver_bytes(body).await;
        assert_eq!(answer.status, want, "{name}: {}", answer.body);
    }
    for id in ["evt_odd", "evt_deep", "evt_huge", "evt_half"] {
        let stored = merchant.get(&format!("/events/{id}")).await;
        assert_eq!(
            (stored.text("/outcome").as_str(), stored.text("/reason").as_str()),
            ("failed", "unreadable"),
            "{id}"
        );
        assert!(
            stored.body.pointer("/payload").is_some_and(|payload| !payload.is_null()),
            "{id} is stored for replay"
        );
    }

    assert_eq!(post_raw(&server, "we_unknown", b"{}".to_vec(), "t=1,v1=00").await, 404);
    let limit = 2 * 1024 * 1024;
    for (length, want) in [(limit, 200), (limit + 1, 413), (4 * limit, 413)] {
        let head = r#"{"id":"evt_large","type":"customer.created","padding":""#;
        let padding = "x".repeat(length - head.len() - 2);
        let answer = endpoint.deliver_bytes(format!("{head}{padding}\"}}").into_bytes()).await;
        assert_eq!(answer.status, want, "{length} bytes: {}", answer.body);
    }
}

async fn post_raw(server: &Server, endpoint: &str, body: Vec<u8>, signature: &str) -> u16 {
    let url = format!("{}/api/webhooks/{endpoint}", server.origin());
    let request = reqwest::Client::new().post(url).header("stripe-signature", signature).body(body);
    request.send().await.map_or(0, |answer| answer.status().as_u16())
}

#[tokio::test]
async fn the_api_names_every_field_that_is_wrong() {
    let server = Server::start().await;
    let merchant = server.merchant("bad bodies");
    let check = async |path: &str, body: Value, fields: &[&str]| {
        let answer = merchant.ask(Method::POST, path, Some(body.clone())).await;
        assert_error(&answer, 422, "VALIDATION_FAILED");
        let named = answer.body.pointer("/error/fields").expect("the fields are named").to_string();
        for field in fields {
            assert!(named.contains(field), "POST {path} {body}: {field} is not in {named}");
        }
    };
    let rate = json!({"type": "percentage", "rate_bps": 2_000});
    check("/programs", json!({}), &["name", "commission"]).await;
    check("/programs", json!({"name": "x", "commission": rate, "colour": "red"}), &["colour"]).await;
    check(
        "/programs",
        json!({"name": "x", "commission": {"type": "percentage", "rate_bps": -1}}),
        &["rate_bps"],
    )
    .await;
    check("/programs", json!({"name": 7, "commission": rate, "status": "happy"}), &["name", "status"]).await;
    check("/partners", json!({"name": "x", "email": "nobody"}), &["email"]).await;
    check("/links", json!({}), &["program_id", "partner_id", "destination"]).await;
    check("/payouts", json!({}), &["partner_id", "currency"]).await;
    let id = merchant.workspace.pointer("/endpoints/test/id").and_then(Value::as_str).expect("an endpoint");
    let path = format!("/webhook-endpoints/{id}");
    for secret in ["", "has blanks", "ümlaut", &"x".repeat(256)] {
        let answer = merchant.ask(Method::PATCH, &path, Some(json!({"signing_secrets": [secret]}))).await;
        assert_error(&answer, 422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_400_an_unknown_key_401_and_a_foreign_object_404() {
    let server = Server::start().await;
    let merchant = server.merchant("bad keys");
    let other = server.merchant("the neighbour");
    let client = reqwest::Client::new();
    let url = format!("{}/api/v1/programs", server.origin());
    let answer = client.post(&url).bearer_auth(merchant.secret_key()).body("{not json").send().await;
    let answer = answer.expect("the server answers");
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.expect("an error is JSON");
    assert_eq!(body.pointer("/error/code"), Some(&json!("VALIDATION_FAILED")));

    for key in ["", "sk_test_unknown", &merchant.publishable_key(), "Bearer"] {
        let answer = client.get(&url).bearer_auth(key).send().await.expect("the server answers");
        assert_eq!(answer.status(), 401, "{key:?}");
        let body: Value = answer.json().await.expect("an error is JSON");
        assert_eq!(body.pointer("/error/code"), Some(&json!("UNAUTHORIZED")));
    }
    let program = json!({"name": "mine", "commission": {"type": "percentage", "rate_bps": 100}});
    let program = merchant.make("/programs", program).await;
    let foreign =
        other.ask(Method::PATCH, &format!("/programs/{program}"), Some(json!({"name": "yours"}))).await;
    assert_error(&foreign, 404, "NOT_FOUND");
    let nowhere = merchant.ask(Method::GET, "/nothing-here", None).await;
    assert_error(&nowhere, 404, "NOT_FOUND");
}

#[tokio::test]
async fn a_port_in_use_and_an_unwritable_folder_each_end_with_one_clear_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data").display().to_string();
    let finished = trac(&["serve", "--data", &data, "--listen", &address]);
    one_clear_line(&finished.stderr, finished.code, &address);

    // Even root cannot create files below a path that is a file.
    let blocked = folder.path().join("a-file");
    fs::write(&blocked, "").expect("a writable folder");
    let data = blocked.join("data").display().to_string();
    let finished = trac(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    one_clear_line(&finished.stderr, finished.code, "a-file");
    let finished = trac(&["workspace", "create", "--data", &data, "--name", "x", "--json"]);
    one_clear_line(&finished.stderr, finished.code, "a-file");
    assert_eq!(finished.stdout, "", "standard output is JSON or empty");
}

/// The program ended with one line that names the error, without a chain of causes.
fn one_clear_line(stderr: &str, code: Option<i32>, names: &str) {
    assert!(code.is_some_and(|code| code != 0), "exit code {code:?}: {stderr}");
    let lines: Vec<_> = stderr.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 1, "one line: {stderr}");
    assert!(stderr.contains(names), "it names {names}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}
