use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::Request;
use hyper::body::Frame;
use serde_json::json;
use trac_core::webhook::signature::sign;

use crate::store::rows::args;
use crate::testing::app::App;
use crate::testing::body::watched;

#[tokio::test]
async fn only_a_secret_key_opens_the_api() {
    let app = App::new();
    let created = crate::workspace::create(&app.trac, "A shop").await.unwrap();
    let check = async |header: Option<String>, want: u16| {
        let mut request = Request::get("/api/v1/programs");
        if let Some(header) = &header {
            request = request.header("authorization", header);
        }
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, want, "{header:?}");
    };
    let key = |name: &str| created["keys"][name].as_str().unwrap();
    check(Some(format!("Bearer {}", key("sk_test"))), 200).await;
    check(Some(format!("bearer {}", key("sk_live"))), 200).await;
    check(None, 401).await;
    check(Some(format!("Bearer {}", key("pk_test"))), 401).await;
    check(Some("Bearer sk_test_0000000000000000000000000000000000000000".to_owned()), 401).await;
    check(Some(key("sk_test").to_owned()), 401).await;
    app.rows("UPDATE api_key SET revoked_at = 1".into()).await;
    check(Some(format!("Bearer {}", key("sk_test"))), 401).await;
}

#[tokio::test]
async fn a_key_itself_is_not_stored() {
    let app = App::new();
    let merchant = app.merchant().await;
    let secret = merchant.key.rsplit_once('_').unwrap().1.to_owned();
    let keys_with_it = app.trac.store.read(move |tx| {
        let sql = "SELECT count(*) FROM api_key WHERE hash || prefix || last_four LIKE '%' || ?1 || '%'";
        tx.one(sql, args![secret], |row| row.get::<i64>(0))
    });
    assert_eq!(keys_with_it.await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_filter_value_that_no_row_can_have_is_422_with_the_accepted_values() {
    let app = App::new();
    let merchant = app.merchant().await;
    let check = async |path: &str, want: Option<(&str, &str)>| {
        let answer = merchant.get(path).await;
        let Some((field, part)) = want else { return assert_eq!(answer.status, 200, "{path}") };
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{path}");
        assert!(answer.text(&format!("/error/fields/{field}")).contains(part), "{}", answer.body);
    };
    check("/events?outcome=deferred", None).await;
    check("/events?outcome=waiting", Some(("outcome", "deferred"))).await;
    check("/events?reason=because", Some(("reason", "no_click"))).await;
    check("/commissions?status=due", Some(("status", "approved"))).await;
    check("/commissions?currency=USD", None).await;
    check("/commissions?currency=dollar", Some(("currency", "usd"))).await;
    check("/conversions?source=purchase", Some(("source", "recurring"))).await;
    check("/enrollments?status=active", Some(("status", "approved"))).await;
    check("/programs?status=", Some(("status", "must not be empty; leave it out to list all"))).await;
    check("/balances?partner_id=", Some(("partner_id", "must not be empty"))).await;
    check("/leads?status=held", Some(("status", "approved"))).await;
    check("/conversions?attributed=yes", Some(("attributed", "false"))).await;
    check("/leads?deferred=no", Some(("deferred", "false"))).await;
    check("/leads?deferred=true&deferred=true", Some(("deferred", "once"))).await;
    check("/leads?page=1&page=2", Some(("page", "once"))).await;
    check(&format!("/events?{}", "type=a&".repeat(2_000)), Some(("type", "once"))).await;
    check("/analytics?interval=7d&interval=7d", Some(("interval", "once"))).await;
    check("/analytics?colour=red", Some(("colour", "start"))).await;
    check("/analytics?partner_id=", Some(("partner_id", "empty"))).await;
}

#[tokio::test]
async fn lists_are_paged_newest_first_with_an_exact_total() {
    let app = App::new();
    let merchant = app.merchant().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.insert(0, merchant.make("/partners", json!({ "name": format!("P{number}") })).await);
    }
    let page = merchant.get("/partners?limit=2&page=2").await;
    assert_eq!(page.column("id"), &ids[2..4]);
    assert_eq!(page.body["meta"], json!({ "total": 5, "page": 2, "limit": 2, "has_more": true }));
    let after = merchant.get(&format!("/partners?limit=3&starting_after={}", ids[1])).await;
    assert_eq!(after.column("id"), &ids[2..5]);
    assert_eq!(after.body["meta"], json!({ "total": null, "page": null, "limit": 3, "has_more": false }));
    let beyond = merchant.get("/partners?page=9").await;
    assert_eq!((beyond.column("id").len(), beyond.number("/meta/total")), (0, 5));
    for query in ["limit=0", "limit=101", "limit=x", "page=0", "starting_after=part_0", "colour=red"] {
        let answer = merchant.get(&format!("/partners?{query}")).await;
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{query}");
        let name = query.split('=').next().unwrap();
        assert!(answer.body["error"]["fields"].get(name).is_some(), "{query}");
    }
}

#[tokio::test]
async fn new_rows_do_not_shift_pages_read_with_starting_after() {
    let app = App::new();
    let merchant = app.merchant().await;
    let make = async |number: i32| merchant.make("/partners", json!({ "name": format!("P{number}") })).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.insert(0, make(number).await);
    }
    let mut seen = merchant.get("/partners?limit=2").await.column("id");
    while let Some(last) = seen.last().cloned() {
        make(9).await;
        let next = format!("/partners?limit=2&starting_after={}", last.as_str().unwrap());
        let page = merchant.get(&next).await;
        seen.extend(page.column("id"));
        if page.body["meta"]["has_more"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, ids, "each row once, and none that was added meanwhile");
    let lists = [
        "programs",
        "partners",
        "enrollments",
        "links",
        "clicks",
        "conversions",
        "customers",
        "leads",
        "commissions",
        "balances",
        "payouts",
        "events",
        "attributions",
        "webhook-endpoints",
        "api-keys",
        "refusals",
    ];
    for list in lists {
        let unknown = merchant.get(&format!("/{list}?starting_after=nothing_1")).await;
        assert_eq!(unknown.code(), (422, "VALIDATION_FAILED".to_owned()), "{list}");
        assert!(unknown.body["error"]["fields"].get("starting_after").is_some(), "{list}");
    }
}

#[tokio::test]
async fn every_error_has_the_same_form_and_names_the_request() {
    let app = App::new();
    let merchant = app.merchant().await;
    let malformed = merchant.call("POST", "/partners", "{").await;
    assert_eq!(malformed.header("x-request-id"), "req_test");
    insta::assert_json_snapshot!(malformed.body, @r#"
    {
      "error": {
        "code": "VALIDATION_FAILED",
        "message": "The body is not JSON: EOF while parsing an object at line 1 column 1.",
        "request_id": "req_test"
      }
    }
    "#);
    let invalid = merchant.post("/partners", json!({ "nam": "x" })).await;
    insta::assert_json_snapshot!(invalid.body, @r#"
    {
      "error": {
        "code": "VALIDATION_FAILED",
        "fields": {
          "nam": "is not a field of this resource",
          "name": "is required"
        },
        "message": "These fields are invalid: nam, name.",
        "request_id": "req_test"
      }
    }
    "#);
    let unknown = app.visit("/nowhere", &[("x-request-id", "not sane")]).await;
    assert_eq!(unknown.code(), (404, "NOT_FOUND".to_owned()));
    assert!(unknown.header("x-request-id").starts_with("req_"));
    assert_eq!(unknown.text("/error/request_id"), unknown.header("x-request-id"));
    for path in ["/s/%ff", "/api/v1/programs/%C0%AF", "/api/webhooks/%ff"] {
        assert_eq!(app.visit(path, &[]).await.code(), (404, "NOT_FOUND".to_owned()), "{path}");
    }
    assert_eq!(merchant.delete("/partners").await.code(), (405, "METHOD_NOT_ALLOWED".to_owned()));
    let large = merchant.call("POST", "/partners", "x".repeat(300_000)).await;
    assert_eq!(large.code(), (413, "BODY_TOO_LARGE".to_owned()));
}

#[tokio::test]
async fn rows_of_another_workspace_or_mode_are_not_found() {
    let app = App::new();
    let (own, own_live) = app.both_modes().await;
    let other = app.merchant().await;
    let (program, partner) = own.program_and_partner().await;
    let enrollment = own.get("/enrollments").await.text("/data/0/id");
    let link =
        json!({ "program_id": program, "partner_id": partner, "destination": "https://shop.example.com" });
    let link_id = own.make("/links", link.clone()).await;
    let click = own.make("/clicks", json!({ "link_id": link_id })).await;
    let endpoint = own.get("/webhook-endpoints").await.text("/data/0/id");
    let paths = [
        format!("/programs/{program}"),
        format!("/partners/{partner}"),
        format!("/enrollments/{enrollment}"),
        format!("/links/{link_id}"),
        format!("/clicks/{click}"),
        format!("/webhook-endpoints/{endpoint}"),
    ];
    for stranger in [&own_live, &other] {
        for path in &paths {
            assert_eq!(own.get(path).await.status, 200, "{path}");
            for method in ["GET", "PATCH", "DELETE"] {
                let answer = stranger.call(method, path, "{}").await;
                assert!(matches!(answer.status.as_u16(), 404 | 405), "{method} {path}: {}", answer.body);
            }
            let list = path.rsplit_once('/').unwrap().0;
            let seen = stranger.get(list).await.body.to_string();
            assert!(!seen.contains(path.rsplit_once('/').unwrap().1), "{list}");
        }
        assert_eq!(stranger.post("/links", link.clone()).await.status, 404);
        assert_eq!(stranger.post("/clicks", json!({ "link_id": link_id })).await.status, 404);
        let enrollment = json!({ "program_id": program, "partner_id": partner });
        assert_eq!(stranger.post("/enrollments", enrollment).await.status, 404);
    }
}

#[tokio::test]
async fn health_checks_are_answered_without_any_workspace() {
    let app = App::new();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.visit(path, &[]).await.status, 200, "{path}");
    }
    app.trac.store.close();
    assert_eq!(app.visit("/readyz", &[]).await.code(), (503, "STORE_BUSY".to_owned()));
    assert_eq!(app.visit("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn a_store_that_rejects_inserts_is_not_ready() {
    let app = App::on_a_file();
    assert_eq!(app.visit("/readyz", &[]).await.status, 200);
    // On a full disk, transactions begin and end; only inserting a row fails.
    let full = "CREATE TRIGGER full BEFORE INSERT ON setting BEGIN SELECT raise(ABORT, 'full'); END";
    app.rows(full.to_owned()).await;
    assert_eq!(app.visit("/readyz", &[]).await.code(), (503, "STORE_BUSY".to_owned()));
}

#[tokio::test]
async fn every_response_has_nosniff_hsts_and_no_store() {
    let (app, plain) = (App::new(), App::reached_under("http://track.example.com"));
    let merchant = app.merchant().await;
    let (program, partner) = merchant.program_and_partner().await;
    let link = json!({ "program_id": program, "partner_id": partner, "slug": "ada", "destination": "https://shop.example/" });
    let qr = format!("/links/{}/qr.svg", merchant.make("/links", link).await);
    let mut answers = Vec::new();
    for path in
        ["/balances", "/commissions", "/api-keys", "/analytics", "/programs?status=none", "/nowhere", &qr]
    {
        answers.push((path, merchant.get(path).await));
    }
    let made = merchant.post("/api-keys", json!({ "kind": "secret" })).await;
    answers.push(("a new key", made));
    for path in [
        "/s/ada",
        "/s/nobody",
        "/s/%ff",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/api/v1/balances",
        "/dashboard/login",
    ] {
        answers.push((path, app.visit(path, &[]).await));
    }
    for (at, answer) in answers {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{at}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{at}");
        assert!(
            answer.header("cache-control").starts_with("no-store"),
            "{at}: {}",
            answer.header("cache-control")
        );
    }
    for path in ["/s/nobody", "/healthz", "/dashboard/login"] {
        assert_eq!(plain.visit(path, &[]).await.header("strict-transport-security"), "", "{path}");
    }
}

#[tokio::test]
async fn a_request_with_two_hosts_is_refused() {
    let app = App::new();
    for path in ["/s/ada", "/healthz", "/api/v1/programs"] {
        let answer = app.visit(path, &[("host", "track.example.com"), ("host", "evil.example")]).await;
        assert_eq!(answer.code(), (400, "VALIDATION_FAILED".to_owned()), "{path}");
        assert_eq!(answer.text("/error/request_id"), answer.header("x-request-id"));
    }
}

#[tokio::test]
async fn metrics_can_be_served_on_another_address() {
    use tower::ServiceExt as _;
    let app = App::with(crate::Trac::with_metrics_apart);
    assert_eq!(app.visit("/metrics", &[]).await.code(), (404, "NOT_FOUND".to_owned()));
    let apart = crate::metrics_service(app.trac.clone());
    for (path, want) in [("/metrics", 200), ("/healthz", 200), ("/api/v1/programs", 404)] {
        let answer = apart.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), want, "{path}");
    }
}

#[tokio::test]
async fn tracking_routes_answer_any_origin_without_credentials() {
    let app = App::new();
    let answer = app.visit("/trac.js", &[("origin", "https://shop.example.com")]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let preflight = Request::options("/v1/clicks").header("origin", "https://shop.example.com");
    let preflight = preflight.header("access-control-request-method", "POST");
    let preflight = preflight.header("access-control-request-headers", "x-publishable-key");
    let answer = app.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-headers")), (200, "*"));
    assert_eq!(answer.header("access-control-allow-methods"), "*");
    let api = app.visit("/api/v1/programs", &[("origin", "https://shop.example.com")]).await;
    assert_eq!(api.header("access-control-allow-origin"), "");
}

/// A body that never arrives.
struct Stalled;

impl hyper::body::Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_times_out() {
    let app = App::on_a_file();
    let merchant = app.merchant().await;
    let endpoints = merchant.get("/webhook-endpoints").await;
    let endpoint = endpoints.text("/data/0/id");
    // Without a secret and a current signature no body is read.
    let secrets = json!({ "signing_secrets": ["whsec_x"] });
    assert_eq!(merchant.patch(&format!("/webhook-endpoints/{endpoint}"), secrets).await.status, 200);
    let signature = sign(b"{}", "whsec_x", app.trac.clock.now());
    tokio::time::pause();
    let check = async |path: String| {
        let request = Request::post(path.clone()).header("stripe-signature", &signature);
        let answer = app.send(request.body(Body::new(Stalled)).unwrap()).await;
        assert_eq!(answer.code(), (408, "TIMEOUT".to_owned()), "{path}");
    };
    check(format!("/api/webhooks/{endpoint}")).await;
    check("/v1/clicks".to_owned()).await;
}

#[tokio::test]
async fn no_body_is_read_without_a_valid_key_or_a_current_signature() {
    let app = App::new();
    let merchant = app.merchant().await;
    let endpoint = merchant.get("/webhook-endpoints").await.text("/data/0/id");
    let path = format!("/webhook-endpoints/{endpoint}");
    let webhook = format!("/api/webhooks/{endpoint}");
    let now = app.trac.clock.now();
    let fresh = sign(b"{}", "whsec_x", now);
    let stale = sign(b"{}", "whsec_x", now.plus_secs(-301));
    let check = async |path: &str, headers: &[(&str, &str)], want: (u16, bool)| {
        let (body, is_read) = watched("{}");
        let request =
            headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        let answer = app.send(request.body(body).unwrap()).await;
        assert_eq!((answer.status.as_u16(), is_read.load(Ordering::SeqCst)), want, "{path} {headers:?}");
    };
    check("/api/webhooks/we_unknown", &[("stripe-signature", &fresh)], (404, false)).await;
    check(&webhook, &[], (401, false)).await;
    check(&webhook, &[("stripe-signature", "t=1,v1=0")], (401, false)).await;
    check(&webhook, &[("stripe-signature", &stale)], (401, false)).await;
    check(&webhook, &[("stripe-signature", &fresh)], (401, false)).await; // The endpoint has no secret.
    merchant.patch(&path, json!({ "signing_secrets": ["whsec_right"] })).await;
    check(&webhook, &[("stripe-signature", &stale)], (401, false)).await;
    check(&webhook, &[("stripe-signature", &fresh)], (401, true)).await;
    let (wrong, right) = ("Bearer sk_test_x", format!("Bearer {}", merchant.key));
    for path in ["/partners", "/links", "/clicks", "/conversions", "/payouts", "/api-keys"] {
        let path = format!("/api/v1{path}");
        check(&path, &[], (401, false)).await;
        check(&path, &[("authorization", wrong)], (401, false)).await;
        check(&path, &[("authorization", wrong), ("idempotency-key", "1")], (401, false)).await;
        check(&path, &[("authorization", &right)], (422, true)).await;
    }
    for path in ["/api/track/lead", "/api/track/conversion", "/v1/clicks", "/api/track/click"] {
        check(path, &[("x-publishable-key", "pk_test_x")], (401, false)).await;
        check(path, &[("x-publishable-key", &merchant.publishable_key)], (422, true)).await;
    }
    check("/dashboard/why", &[], (303, false)).await;
}

#[tokio::test]
async fn a_long_form_of_the_dashboard_is_refused() {
    let app = App::new();
    let merchant = app.merchant().await;
    let check = async |more: usize, want: u16| {
        let form = format!("key={}&x={}", merchant.key, "x".repeat(more));
        let request =
            Request::post("/dashboard/login").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(app.send(request.body(form.into()).unwrap()).await.status, want, "{more}");
    };
    check(3_000, 303).await;
    check(17_000, 401).await;
}

#[tokio::test]
async fn a_body_over_the_memory_budget_gets_503() {
    let app = App::new();
    let merchant = app.merchant().await;
    let held = app.trac.bodies.fill();
    let refused = merchant.post("/partners", json!({ "name": "Ada" })).await;
    assert_eq!(refused.code(), (503, "SERVER_BUSY".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(merchant.get("/partners").await.number("/meta/total"), 0);
    drop(held);
    assert_eq!(merchant.post("/partners", json!({ "name": "Ada" })).await.status, 201);
}
