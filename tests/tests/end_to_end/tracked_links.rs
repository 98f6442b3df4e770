//! `GET /s/{slug}`: the click is recorded before the redirect, for people only, and the route is never an
//! open redirect.
#![expect(clippy::expect_used, reason = "a failed precondition of a test panics")]

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use trac_tests::{Merchant, Server};

const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";

async fn follow(url: &str, headers: &[(&str, &str)]) -> Response {
    let client = Client::builder().redirect(Policy::none()).build().unwrap_or_default();
    let mut request = client.get(url).header("accept", "text/html");
    if !headers.iter().any(|(name, _)| *name == "user-agent") {
        request = request.header("user-agent", BROWSER);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("the server answers")
}

fn location(headers: &HeaderMap) -> String {
    headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The ID in a parameter of the URL.
fn id_after(address: &str, parameter: &str) -> String {
    let after = address.split_once(&format!("{parameter}=")).map_or("", |(_, after)| after);
    after.split(['&', '#']).next().unwrap_or_default().to_owned()
}

async fn clicks(merchant: &Merchant) -> Vec<Value> {
    merchant.all("/clicks").await
}

#[tokio::test]
async fn a_visit_is_on_disk_before_its_id_is_returned() {
    let mut server = Server::start().await;
    let merchant = server.merchant("links");
    let terms = merchant.terms(2_000, "paula", "https://shop.example/tea?kind=green#top").await;
    let answer = follow(&format!("{}?utm_source=blog&x=%20y", terms.url), &[]).await;
    assert_eq!(answer.status(), 302);
    let address = location(answer.headers());
    let id = id_after(&address, "trac_click_id");
    assert!(id.starts_with("clk_") && id.len() == "clk_1700000000_0123456789abcdef".len(), "{address}");
    assert!(address.starts_with("https://shop.example/tea?kind=green&"), "{address}");
    assert!(address.contains("utm_source=blog") && address.ends_with("#top"), "{address}");
    let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok());
    assert!(cookie.is_some_and(|cookie| cookie.starts_with(&format!("trac_click_id={id};"))), "{cookie:?}");

    server.kill();
    server.restart().await;
    let stored = merchant.get(&format!("/clicks/{id}")).await;
    assert_eq!((stored.text("/id"), stored.text("/click_id")), (id.clone(), id));
    assert_eq!(stored.text("/partner_id"), terms.partner);
}

#[tokio::test]
async fn a_repeat_is_a_new_click_that_is_not_unique() {
    let server = Server::start().await;
    let merchant = server.merchant("repeats");
    let terms = merchant.terms(2_000, "paula", "https://shop.example/").await;
    let first = follow(&terms.url, &[]).await;
    let id = id_after(&location(first.headers()), "trac_click_id");
    let second = follow(&terms.url, &[("cookie", &format!("trac_click_id={id}"))]).await;
    let again = id_after(&location(second.headers()), "trac_click_id");
    assert_ne!(id, again);
    let unique = async |id: &str| merchant.get(&format!("/clicks/{id}")).await.body.get("unique").cloned();
    assert_eq!(unique(&id).await, Some(json!(true)));
    assert_eq!(unique(&again).await, Some(json!(false)));
}

#[tokio::test]
async fn robots_and_pages_that_only_embed_the_link_are_redirected_and_not_counted() {
    let server = Server::start().await;
    let merchant = server.merchant("robots");
    let terms = merchant.terms(2_000, "paula", "https://shop.example/").await;
    let cases: [&[(&str, &str)]; 8] = [
        &[("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")],
        &[("user-agent", "facebookexternalhit/1.1")],
        &[("user-agent", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)")],
        &[("sec-fetch-dest", "image")],
        &[("sec-fetch-dest", "iframe")],
        &[("sec-fetch-dest", "script")],
        &[("sec-purpose", "prefetch")],
        &[("purpose", "prefetch")],
    ];
    for headers in cases {
        let answer = follow(&terms.url, headers).await;
        assert_eq!(
            (answer.status().as_u16(), location(answer.headers())),
            (302, "https://shop.example/".to_owned()),
            "{headers:?}"
        );
        assert_eq!(answer.headers().get("set-cookie"), None, "{headers:?}");
    }
    assert!(clicks(&merchant).await.is_empty());
    follow(&terms.url, &[("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")]).await;
    assert_eq!(clicks(&merchant).await.len(), 1);
}

#[tokio::test]
async fn a_payment_link_gets_a_client_reference_id() {
    let server = Server::start().await;
    let merchant = server.merchant("payment links");
    let terms = merchant.terms(2_000, "pay", "https://buy.stripe.com/test_abc?locale=de").await;
    let address = location(follow(&terms.url, &[]).await.headers());
    let id = id_after(&address, "client_reference_id");
    assert!(id.starts_with("clk_"), "{address}");
    assert!(address.starts_with("https://buy.stripe.com/test_abc?locale=de&"), "{address}");
    assert_eq!(merchant.get(&format!("/clicks/{id}")).await.text("/click_id"), id);
}

#[tokio::test]
async fn an_unknown_slug_is_404_and_no_query_leads_elsewhere() {
    let server = Server::start().await;
    let merchant = server.merchant("redirects");
    let terms = merchant.terms(2_000, "paula", "https://shop.example/").await;
    assert_eq!(follow(&format!("{}/s/nobody", server.origin()), &[]).await.status(), 404);
    for query in [
        "url=https://evil.example",
        "https://evil.example",
        "//evil.example",
        "@evil.example",
        "%0d%0aLocation:%20https://evil.example",
        "#@evil.example",
        "\\evil.example",
    ] {
        let answer = follow(&format!("{}?{query}", terms.url), &[]).await;
        let address = location(answer.headers());
        assert!(address.starts_with("https://shop.example/?"), "{query}: {address}");
        assert_eq!(answer.headers().get_all(LOCATION).iter().count(), 1, "{query}");
    }
    let link = json!({"program_id": terms.program, "partner_id": terms.partner, "destination": ""});
    for destination in [
        "javascript:alert(1)",
        "ftp://shop.example/",
        "https://user:pass@shop.example/",
        "https://shop.example\\@evil.example/",
        "https://shop.example/\r\nSet-Cookie: x=1",
        "//evil.example",
        "shop",
    ] {
        let mut link = link.clone();
        link["destination"] = json!(destination);
        let answer = merchant.ask(reqwest::Method::POST, "/links", Some(link)).await;
        assert_eq!(
            (answer.status, answer.text("/error/code").as_str()),
            (422, "VALIDATION_FAILED"),
            "{destination}"
        );
    }
    // The link was visited, so DELETE archives it; a purged one has no destination.
    let path = format!("/links/{}", terms.link);
    let archived = merchant.ask(reqwest::Method::DELETE, &path, None).await;
    assert_eq!(
        (archived.status, archived.body.get("archived")),
        (200, Some(&json!(true))),
        "{}",
        archived.body
    );
    assert_eq!(follow(&terms.url, &[]).await.status(), 302, "visitors are still redirected");
    let purged = merchant.ask(reqwest::Method::DELETE, &format!("{path}?purge=1"), None).await;
    assert!(matches!(purged.status, 200 | 204), "{}", purged.body);
    assert_eq!(follow(&terms.url, &[]).await.status(), 404, "a purged link is not found");
}
