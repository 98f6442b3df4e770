use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::Frame;
use serde_json::json;

use crate::testing::app::{App, Merchant, START};

mod limits;
mod links;
mod open_redirect;
mod outage;

async fn link(merchant: &Merchant<'_>, slug: &str, destination: &str) -> String {
    let (program, partner) = merchant.program_and_partner().await;
    let body = json!({
        "program_id": program, "partner_id": partner, "slug": slug, "destination": destination,
    });
    merchant.make("/links", body).await
}

#[tokio::test]
async fn a_tracked_link_records_the_click_and_redirects_the_visitor() {
    let app = App::new();
    let merchant = app.merchant().await;
    let link_id = link(&merchant, "ada", "https://shop.example.com/sale?a=1#top").await;
    let answer = app.visit("/s/ada?utm=x", &[("referer", "https://blog.example/post?reader=7#top")]).await;
    assert_eq!(answer.status, 302);
    let (clicks, row) = (merchant.get("/clicks").await, "/data/0");
    assert_eq!(clicks.number("/meta/total"), 1);
    let id = clicks.text(&format!("{row}/click_id"));
    assert!(id.starts_with(&format!("clk_{START}_")), "{id}");
    let location = format!("https://shop.example.com/sale?a=1&utm=x&trac_click_id={id}#top");
    assert_eq!(answer.header("location"), location);
    let cookie = format!("trac_click_id={id}; Path=/; Max-Age=7776000; SameSite=Lax; Secure");
    assert_eq!(answer.header("set-cookie"), cookie);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(clicks.text(&format!("{row}/link_id")), link_id);
    assert_eq!(clicks.text(&format!("{row}/referrer")), "https://blog.example/post");
    assert_eq!(clicks.column("unique"), [true]);
}

#[tokio::test]
async fn a_payment_link_gets_the_click_as_its_reference() {
    let app = App::new();
    let merchant = app.merchant().await;
    link(&merchant, "pay", "https://buy.stripe.com/test_1").await;
    let answer = app.visit("/s/pay", &[]).await;
    let id = merchant.get("/clicks").await.text("/data/0/id");
    assert_eq!(answer.header("location"), format!("https://buy.stripe.com/test_1?client_reference_id={id}"));
}

#[tokio::test]
async fn requests_that_are_not_visits_are_redirected_and_not_recorded() {
    let app = App::new();
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example.com/").await;
    for headers in [
        [("user-agent", "Googlebot/2.1")],
        [("sec-purpose", "prefetch")],
        [("sec-fetch-dest", "image")],
        [("sec-fetch-dest", "iframe")],
    ] {
        let answer = app.visit("/s/ada?x=1", &headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (302, "https://shop.example.com/?x=1")
        );
        assert_eq!(answer.header("set-cookie"), "");
    }
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 0);
}

#[tokio::test]
async fn a_repeat_visit_is_a_new_click_that_is_not_unique() {
    let app = App::new();
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example.com/").await;
    let first = app.visit("/s/ada", &[]).await;
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    app.trac.clock.advance(10);
    app.visit("/s/ada", &[("cookie", &cookie)]).await;
    app.trac.clock.advance(10);
    app.visit("/s/ada", &[("cookie", "trac_click_id=clk_1_0000000000000000")]).await;
    let clicks = merchant.get("/clicks").await;
    assert_eq!(clicks.column("unique"), [true, false, true]);
    assert_eq!(merchant.get("/clicks?unique=false").await.number("/meta/total"), 1);
}

#[tokio::test]
async fn a_slug_is_taken_on_the_whole_server_until_its_unvisited_link_is_deleted() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    let other = app.merchant().await;
    let (program, partner) = other.program_and_partner().await;
    let body = json!({
        "program_id": program, "partner_id": partner, "slug": "ada", "destination": "https://other.example/",
    });
    assert_eq!(other.post("/links", body.clone()).await.code(), (409, "SLUG_TAKEN".to_owned()));
    let path = format!("/links/{id}");
    let changed = merchant.patch(&path, json!({ "destination": "https://shop.example.com/new" })).await;
    assert_eq!(changed.text("/url"), "https://track.example.com/s/ada");
    let deleted = merchant.delete(&path).await;
    assert_eq!(
        (deleted.status.as_u16(), deleted.body),
        (200, json!({ "id": id, "deleted": true, "archived": false }))
    );
    assert_eq!(merchant.get(&path).await.status, 404);
    assert_eq!(merchant.delete(&path).await.status, 404);
    assert_eq!(app.visit("/s/ada", &[]).await.status, 404);
    other.make("/links", body).await;
}

#[tokio::test]
async fn a_link_leads_to_a_plain_web_address_only() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, partner) = merchant.program_and_partner().await;
    for destination in
        ["javascript:alert(1)", "https://user@shop.example.com", "https://a\r\nb", "//evil.example"]
    {
        let body = json!({ "program_id": program, "partner_id": partner, "destination": destination });
        let answer = merchant.post("/links", body).await;
        assert_eq!(answer.code(), (422, "VALIDATION_FAILED".to_owned()), "{destination}");
        assert!(answer.body.pointer("/error/fields/destination").is_some());
    }
}

#[tokio::test]
async fn a_merchant_records_clicks_and_dates_them_in_test_mode_only() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let (program, partner) = test.program_and_partner().await;
    let body = json!({
        "program_id": program, "partner_id": partner, "click_id": "legacy-1",
        "clicked_at": "2026-11-01T00:00:00+01:00",
    });
    let made = test.post("/clicks", body.clone()).await;
    insta::assert_json_snapshot!(made.body, { ".program_id" => "prog", ".partner_id" => "part" }, @r#"
    {
      "click_id": "legacy-1",
      "clicked_at": "2026-10-31T23:00:00Z",
      "created_at": "2026-10-31T23:00:00Z",
      "id": "legacy-1",
      "landing_url": null,
      "link_id": null,
      "partner_id": "part",
      "program_id": "prog",
      "referrer": null,
      "unique": true
    }
    "#);
    assert_eq!(test.post("/clicks", body).await.code(), (409, "CLICK_EXISTS".to_owned()));
    assert_eq!(test.get("/clicks/legacy-1").await.status, 200);

    let (program, partner) = live.program_and_partner().await;
    let dated = json!({ "program_id": program, "partner_id": partner, "clicked_at": "2026-11-01T00:00:00Z" });
    assert_eq!(live.post("/clicks", dated).await.code().0, 422);
    live.make("/clicks", json!({ "program_id": program, "partner_id": partner })).await;
    for body in
        [json!({}), json!({ "program_id": program }), json!({ "link_id": "l", "partner_id": partner })]
    {
        assert_eq!(live.post("/clicks", body.clone()).await.code().0, 422, "{body}");
    }
    let foreign = json!({ "program_id": program, "partner_id": partner });
    assert_eq!(test.post("/clicks", foreign).await.code().0, 404, "live IDs are unknown in test mode");
}

/// Sends the script's request, with a key in the header.
async fn ask(app: &App, key: &str, body: serde_json::Value) -> crate::testing::app::Answer {
    let request = axum::http::Request::post("/v1/clicks").header("x-publishable-key", key);
    app.send(request.body(body.to_string().into()).unwrap()).await
}

/// A body that arrives late.
struct Slow(Instant, Option<Bytes>);

impl hyper::body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if Instant::now() < self.0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.1.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[tokio::test]
async fn a_click_whose_request_body_arrives_slowly_gets_201() {
    let app = App::new();
    let merchant = app.merchant().await;
    link(&merchant, "summer", "https://shop.example.com/").await;
    let json = json!({ "key": merchant.publishable_key, "ref": "summer" }).to_string();
    let body = Slow(Instant::now() + Duration::from_millis(500), Some(json.into()));
    let answer = app.send(axum::http::Request::post("/v1/clicks").body(Body::new(body)).unwrap()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(merchant.get("/clicks").await.column("click_id"), [answer.body["click_id"].clone()]);
}

#[tokio::test]
async fn the_script_gets_a_click_for_a_slug_or_a_partners_code() {
    let app = App::new();
    let merchant = app.merchant().await;
    let link_id = link(&merchant, "summer", "https://shop.example.com/").await;
    let key = &merchant.publishable_key;
    let by_slug =
        ask(&app, key, json!({ "ref": "summer", "url": "https://shop.example.com/?ref=summer" })).await;
    assert_eq!(by_slug.status, 201);
    let click = merchant.get(&format!("/clicks/{}", by_slug.text("/click_id"))).await;
    assert_eq!(
        (click.text("/link_id"), click.text("/landing_url")),
        (link_id, "https://shop.example.com/?ref=summer".into())
    );
    let by_code = ask(&app, key, json!({ "via": "ada", "referrer": "https://blog.example/" })).await;
    let click = merchant.get(&format!("/clicks/{}", by_code.text("/click_id"))).await;
    assert_eq!(
        (&click.body["link_id"], click.text("/referrer")),
        (&json!(null), "https://blog.example/".into())
    );

    let long =
        ask(&app, key, json!({ "ref": "ada", "url": format!("https://a.example/{}", "ä".repeat(9_000)) }))
            .await;
    let click = merchant.get(&format!("/clicks/{}", long.text("/click_id"))).await;
    assert_eq!(click.text("/landing_url").chars().count(), 2_048);

    let body = json!({ "code": "ada", "key": key }).to_string();
    let request = axum::http::Request::post("/api/track/click").header("origin", "https://shop.example.com");
    let in_body = app.send(request.body(body.into()).unwrap()).await;
    assert_eq!((in_body.status.as_u16(), in_body.header("access-control-allow-origin")), (201, "*"));

    let in_body = ask(&app, "", json!({ "code": "ada", "key": key })).await;
    assert_eq!(in_body.status, 201, "an empty header counts as absent");
    assert_eq!(ask(&app, "", json!({ "code": "ada" })).await.code(), (401, "UNAUTHORIZED".to_owned()));
    assert_eq!(merchant.get("/refusals").await.column("cause"), ["key_missing"]);

    let check = async |key: &str, body: serde_json::Value, want: (u16, &str)| {
        let answer = ask(&app, key, body.clone()).await;
        assert_eq!(answer.code(), (want.0, want.1.to_owned()), "{body}");
    };
    check(key, json!({ "ref": "a".repeat(300_000) }), (413, "BODY_TOO_LARGE")).await;
    check(key, json!({ "ref": "nobody" }), (404, "NOT_FOUND")).await;
    check(key, json!({ "ref": "ada", "program": "prog_0" }), (404, "NOT_FOUND")).await;
    check(key, json!({}), (422, "VALIDATION_FAILED")).await;
    check(key, json!({ "ref": "a b" }), (422, "VALIDATION_FAILED")).await;
    check(key, json!({ "ref": "ada", "partner": 1 }), (422, "VALIDATION_FAILED")).await;
    check(&merchant.key, json!({ "ref": "ada" }), (401, "UNAUTHORIZED")).await;
    check("pk_test_0", json!({ "ref": "ada" }), (401, "UNAUTHORIZED")).await;
    check(&app.merchant().await.publishable_key, json!({ "ref": "summer" }), (404, "NOT_FOUND")).await;
}

#[tokio::test]
async fn a_page_of_any_origin_may_send_a_preflight_and_read_an_error() {
    let app = App::new();
    let paths =
        ["/v1/clicks", "/api/track/click", "/api/track/lead", "/api/track/conversion", "/trac.js", "/s/ada"];
    for path in paths {
        let request = axum::http::Request::options(path).header("origin", "https://shop.example");
        let request = request.header("access-control-request-method", "POST");
        let request =
            request.header("access-control-request-headers", "content-type,x-publishable-key,x-trac-mode");
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{path}");
        for name in ["origin", "methods", "headers"] {
            assert_eq!(answer.header(&format!("access-control-allow-{name}")), "*", "{path} {name}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
        let refused = axum::http::Request::put(path).header("origin", "https://shop.example");
        let refused = app.send(refused.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("access-control-allow-origin")),
            (405, "*"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_code_counts_while_its_partner_is_approved_and_the_program_active() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, _) = merchant.program_and_partner().await;
    let status = async || ask(&app, &merchant.publishable_key, json!({ "ref": "ada" })).await.status.as_u16();
    assert_eq!(status().await, 201);
    let path = format!("/programs/{program}");
    merchant.patch(&path, json!({ "status": "paused" })).await;
    assert_eq!(status().await, 404);
    merchant.patch(&path, json!({ "status": "active" })).await;
    let enrollment = format!("/enrollments/{}", merchant.get("/enrollments").await.text("/data/0/id"));
    merchant.patch(&enrollment, json!({ "status": "banned" })).await;
    assert_eq!(status().await, 404);
    merchant.patch(&enrollment, json!({ "status": "approved" })).await;
    assert_eq!(status().await, 201);
}
