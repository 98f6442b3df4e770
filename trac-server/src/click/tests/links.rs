//! How links are found, archived and shown, and which visits count.

use serde_json::json;

use super::{ask, link};
use crate::testing::app::App;

#[tokio::test]
async fn a_partners_code_leads_to_its_newest_link_in_a_program() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, partner) = merchant.program_and_partner().await;
    let path = format!("/s/{program}/ada");
    assert_eq!(app.visit(&path, &[]).await.status, 404, "there is no link yet");
    let to = |page: &str| json!({ "program_id": program, "partner_id": partner, "destination": page });
    merchant.make("/links", to("https://shop.example.com/old")).await;
    let newest = merchant.make("/links", to("https://shop.example.com/new?a=1")).await;
    assert_eq!(
        merchant
            .patch(&format!("/programs/{program}"), json!({ "slug": "friends" }))
            .await
            .number("/version"),
        1
    );

    let check = async |path: &str, want: Option<&str>| {
        let answer = app.visit(path, &[]).await;
        let location = answer.header("location").split("trac_click_id").next().unwrap_or_default().to_owned();
        let found = (answer.status == 302).then_some(location);
        assert_eq!(found.as_deref(), want, "{path}: {}", answer.status);
    };
    check(&path, Some("https://shop.example.com/new?a=1&")).await;
    check("/s/friends/ada?b=2", Some("https://shop.example.com/new?a=1&b=2&")).await;
    check("/s/Friends/ADA", Some("https://shop.example.com/new?a=1&")).await;
    check("/s/friends/grace", None).await;
    check("/s/enemies/ada", None).await;
    check("/s/friends/", None).await;
    check("/s/friends/ada/more", None).await;
    check("/s/friends/ada/more/", None).await;
    let clicks = merchant.get("/clicks").await;
    assert_eq!(clicks.column("link_id"), vec![json!(newest); 3]);
    assert_eq!(clicks.column("partner_id"), vec![json!(partner); 3]);

    // An archived link gives way to one that is not.
    merchant.patch(&format!("/links/{newest}"), json!({ "archived": true })).await;
    check("/s/friends/ada", Some("https://shop.example.com/old?")).await;

    // A program whose slug is this program's ID receives none of its visitors.
    let thief = app.merchant().await;
    let (own, by) = thief.program_and_partner().await;
    thief
        .make(
            "/links",
            json!({ "program_id": own, "partner_id": by, "destination": "https://evil.example/" }),
        )
        .await;
    thief.patch(&format!("/programs/{own}"), json!({ "slug": program })).await;
    check(&path, Some("https://shop.example.com/old?")).await;

    // A program's slug is unique on the server, and a code finds only links of the program in the path.
    let other = app.merchant().await;
    let theirs = other.program_and_partner().await;
    let taken = other.patch(&format!("/programs/{}", theirs.0), json!({ "slug": "FRIENDS" })).await;
    assert_eq!(taken.code(), (409, "SLUG_TAKEN".to_owned()));
    check(&format!("/s/{}/ada", theirs.0), None).await;
    merchant.patch(&format!("/programs/{program}"), json!({ "slug": null })).await;
    check("/s/friends/ada", None).await;
}

#[tokio::test]
async fn an_archived_link_redirects_its_visitors_and_counts_none() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    let path = format!("/links/{id}");
    let archived = merchant.patch(&path, json!({ "archived": true })).await;
    assert_eq!((archived.status.as_u16(), &archived.body["archived"]), (200, &json!(true)));
    let answer = app.visit("/s/ada?x=1", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, "https://shop.example.com/?x=1"));
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 0);
    app.written().await;
    assert_eq!(merchant.get(&path).await.body["not_counted"], json!({ "archived": 1 }));
    assert_eq!(merchant.get("/links?archived=true").await.number("/meta/total"), 1);
    assert_eq!(merchant.get("/links?archived=false").await.number("/meta/total"), 0);

    // Its slug stays taken, in upper and lower case.
    let (program, partner) = (archived.text("/program_id"), archived.text("/partner_id"));
    for slug in ["ada", "Ada"] {
        let body = json!({
            "program_id": program, "partner_id": partner, "slug": slug, "destination": "https://a.example/",
        });
        assert_eq!(merchant.post("/links", body).await.code(), (409, "SLUG_TAKEN".to_owned()), "{slug}");
    }
    merchant.patch(&path, json!({ "archived": false, "slug": "Ada" })).await;
    assert_eq!(app.visit("/s/aDA", &[]).await.status, 302, "a slug is found in any case");
    assert_eq!(merchant.get("/clicks").await.number("/meta/total"), 1);
    assert_eq!(merchant.patch(&path, json!({ "archived": "yes" })).await.code().0, 422);
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_link_is_ignored() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    let program = merchant.get(&format!("/links/{id}")).await.text("/program_id");
    for path in ["/s/ada/?a=1".to_owned(), format!("/s/{program}/ada/?a=1")] {
        let answer = app.visit(&path, &[]).await;
        let location = answer.header("location");
        assert!(
            location.starts_with("https://shop.example.com/?a=1&trac_click_id=clk_"),
            "{path}: {location}"
        );
    }
    assert_eq!(merchant.get("/clicks").await.column("link_id"), [json!(id), json!(id)]);
    assert_eq!(app.visit("/s/nobody/", &[]).await.status, 404);
}

#[tokio::test]
async fn a_person_who_follows_an_unknown_link_sees_a_page_and_a_program_reads_json() {
    let app = App::new();
    let merchant = app.merchant().await;
    let known = link(&merchant, "ada", "https://shop.example.com/").await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (accept, is_page) in [
        (browser, true),
        ("Text/HTML", true),
        ("application/json;q=0.5, text/html", true),
        ("", false),
        ("*/*", false),
        ("application/json", false),
        ("application/json, text/plain, */*", false),
        ("application/json, text/html;q=0.9", false),
        ("text/html;q=0, */*", false),
    ] {
        for path in ["/s/nobody", "/s/nobody/", "/t/nobody", "/s/nobody/ada", "/s/no%3Cbody"] {
            let answer = app.visit(path, &[("accept", accept)]).await;
            let at = format!("{path} {accept}");
            assert_eq!(answer.status, 404, "{at}");
            assert_eq!(answer.header("cache-control"), "no-store", "{at}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{at}");
            if is_page {
                assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{at}");
                assert_eq!(answer.header("content-security-policy"), "default-src 'none'", "{at}");
                let page = answer.body.as_str().unwrap();
                assert!(page.contains("This link is unknown") && !page.contains("body"), "{at}: {page}");
            } else {
                assert_eq!(answer.code(), (404, "NOT_FOUND".to_owned()), "{at}");
            }
        }
        let visit = app.visit("/s/ada", &[("accept", accept)]).await;
        assert_eq!(visit.status, 302, "{accept}");
    }
    // A purged link.
    merchant.delete(&format!("/links/{known}?purge=1")).await;
    let gone = app.visit("/s/ada", &[("accept", browser)]).await;
    assert_eq!((gone.status.as_u16(), gone.header("content-type")), (404, "text/html; charset=utf-8"));
}

#[tokio::test]
async fn a_page_sends_slugs_and_codes_in_any_case_and_an_archived_link_counts_no_click() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = link(&merchant, "Summer", "https://shop.example.com/").await;
    let track = async |code: &str| {
        let answer = ask(&app, &merchant.publishable_key, json!({ "ref": code })).await;
        let click = format!("/clicks/{}", answer.body["click_id"].as_str().unwrap_or("none"));
        (answer.status.as_u16(), merchant.get(&click).await.body["link_id"].clone())
    };
    for (code, want) in [("Summer", json!(id)), ("sUMMER", json!(id)), ("ADA", json!(null))] {
        assert_eq!(track(code).await, (201, want), "{code}");
    }
    merchant.patch(&format!("/links/{id}"), json!({ "archived": true })).await;
    assert_eq!(track("Summer").await.0, 404);
    // A partner's code stays valid, even if a link with the same name is archived or purged.
    merchant.patch(&format!("/links/{id}"), json!({ "slug": "ada" })).await;
    assert_eq!(track("ada").await, (201, json!(null)));
}

#[tokio::test]
async fn requests_that_are_not_visits_are_counted_by_reason() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    for (name, value) in [
        ("user-agent", "Googlebot/2.1"),
        ("user-agent", "WhatsApp/2.23.20.0"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-fetch-dest", "image"),
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-dest", "script"),
    ] {
        assert_eq!(app.visit("/s/ada", &[(name, value)]).await.status, 302, "{name}: {value}");
    }
    let head = axum::http::Request::head("/s/ada").body(axum::body::Body::empty()).unwrap();
    assert_eq!(app.send(head).await.header("location"), "https://shop.example.com/");
    app.written().await;
    let shown = merchant.get(&format!("/links/{id}")).await;
    assert_eq!(shown.body["not_counted"], json!({ "bot": 2, "embedded": 3, "head": 1, "prefetch": 1 }));
    let figures = app.visit("/metrics", &[]).await.body.to_string();
    assert!(figures.contains("trac_visits_not_counted_total{why=\\\"bot\\\"} 2"), "{figures}");
}

#[tokio::test]
async fn links_are_shown_under_a_host_the_server_is_configured_for() {
    let hosts = ["go.tea.example".to_owned()];
    let app = App::with(|trac| trac.with_tracking_domains(&hosts));
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    let program = format!("/programs/{}", merchant.get("/programs").await.text("/data/0/id"));
    let url = async || merchant.get(&format!("/links/{id}")).await.text("/url");
    assert_eq!(url().await, "https://track.example.com/s/ada");
    let changed = merchant.patch(&program, json!({ "tracking_domain": "Go.tea.example" })).await;
    assert_eq!((changed.text("/tracking_domain"), changed.number("/version")), ("go.tea.example".into(), 1));
    assert_eq!(url().await, "https://go.tea.example/s/ada");
    for wrong in ["evil.example", "https://go.tea.example", "go.tea.example/x", ""] {
        let refused = merchant.patch(&program, json!({ "tracking_domain": wrong })).await;
        assert_eq!(refused.code(), (422, "VALIDATION_FAILED".to_owned()), "{wrong}");
    }
    // The host name of a request is never part of a response.
    let forged =
        [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")];
    let answer = app.visit("/s/ada", &forged).await;
    assert!(!format!("{:?}", answer.headers).contains("evil"), "{:?}", answer.headers);
    merchant.patch(&program, json!({ "tracking_domain": null })).await;
    assert_eq!(url().await, "https://track.example.com/s/ada");
}

#[tokio::test]
async fn the_cookie_is_set_for_the_configured_domain_that_contains_the_host() {
    let domains = ["shop.example".to_owned(), "tea.example".to_owned()];
    let app = App::with(|trac| trac.with_cookie_domains(&domains));
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example/").await;
    for (host, want) in [
        ("go.tea.example", "tea.example"),
        ("track.shop.example:443", "shop.example"),
        ("evil.example", "shop.example"),
    ] {
        let answer = app.visit("/s/ada", &[("host", host)]).await;
        let cookie = answer.header("set-cookie");
        assert!(cookie.contains(&format!("; Domain={want};")), "{host}: {cookie}");
    }
}

#[tokio::test]
async fn visitors_behind_one_proxy_are_distinguished() {
    let networks = ["10.0.0.0/8".parse().unwrap()];
    let app = App::with(|trac| trac.with_trusted_proxies(&networks));
    let merchant = app.merchant().await;
    link(&merchant, "ada", "https://shop.example.com/").await;
    let visit = async |peer: &str, forwarded: &str| {
        let peer: std::net::SocketAddr = format!("{peer}:4711").parse().unwrap();
        let request =
            axum::http::Request::get("/s/ada").header("x-forwarded-for", forwarded).header("user-agent", "b");
        let request = request.extension(axum::extract::ConnectInfo(peer)).body(axum::body::Body::empty());
        assert_eq!(app.send(request.unwrap()).await.status, 302);
        app.trac.clock.advance(1);
        merchant.get("/clicks?limit=1").await.body["data"][0]["unique"] == json!(true)
    };
    assert!(visit("10.0.0.1", "198.51.100.1").await);
    assert!(visit("10.0.0.1", "198.51.100.2").await);
    assert!(
        !visit("10.0.0.1", "6.6.6.6, 198.51.100.1").await,
        "an address that the visitor wrote is not used"
    );
    assert!(visit("203.0.113.9", "198.51.100.3").await);
    assert!(!visit("203.0.113.9", "198.51.100.4").await, "a header of an untrusted peer is ignored");
    app.trac.clock.advance(86_400);
    assert!(visit("10.0.0.1", "198.51.100.1").await, "the next day, yesterday's visitors are not recognized");
    if let Ok(wal) = std::fs::read(app.folder.path().join("trac.db-wal")) {
        for address in ["198.51.100.1", "198.51.100.2", "203.0.113.9"] {
            assert!(
                !wal.windows(address.len()).any(|bytes| bytes == address.as_bytes()),
                "{address} is on disk"
            );
        }
    }
    assert_eq!(ask(&app, &merchant.publishable_key, json!({ "ref": "ada" })).await.status, 201);
}

#[tokio::test]
async fn names_that_differ_in_case_alone_are_two_partners() {
    let app = App::new();
    let merchant = app.merchant().await;
    let (program, _) = merchant.program_and_partner().await;
    let mut wanted = Vec::new();
    for code in ["Twin", "tWIN"] {
        let partner = merchant.make("/partners", json!({ "name": code, "code": code })).await;
        merchant.make("/enrollments", json!({ "program_id": program, "partner_id": partner })).await;
        let link = json!({ "program_id": program, "partner_id": partner, "slug": format!("{code}-old"),
            "destination": "https://shop.example.com/" });
        merchant.make("/links", link).await;
        // An older server accepted slugs that differ only in case.
        app.rows(format!("UPDATE link SET slug = 'same-{code}' WHERE slug = '{code}-old'")).await;
        wanted.push((code, partner));
    }
    for path in [format!("/s/{program}/"), "/s/same-".to_owned()] {
        for (code, partner) in wanted.iter().chain(&wanted).chain(wanted.iter().rev()) {
            let answer = app.visit(&format!("{path}{code}"), &[]).await;
            let (_, id) = answer.header("location").split_once("trac_click_id=").unwrap();
            let click = merchant.get(&format!("/clicks/{id}")).await;
            assert_eq!(click.text("/partner_id"), *partner, "{path}{code}");
        }
    }
}

#[tokio::test]
async fn a_link_that_was_ever_visited_is_archived_and_its_slug_stays_taken() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    let path = format!("/links/{id}");
    let shown = merchant.get(&path).await;
    let again = json!({ "program_id": shown.text("/program_id"), "partner_id": shown.text("/partner_id"),
        "slug": "ADA", "destination": "https://a.example/" });
    let other = app.merchant().await;
    let (program, partner) = other.program_and_partner().await;
    let theirs = json!({ "program_id": program, "partner_id": partner, "slug": "ada", "destination": "https://b.example/" });
    // A visit by a person or a bot shows that the link's address is published.
    let check = async |name: &str| {
        let removed = merchant.delete(&path).await;
        assert_eq!(
            (removed.status.as_u16(), removed.body),
            (200, json!({ "id": id, "deleted": false, "archived": true })),
            "{name}"
        );
        let answer = app.visit("/s/ada", &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (302, "https://shop.example.com/"),
            "{name}"
        );
        assert_eq!(merchant.get(&path).await.body["archived"], json!(true), "{name}");
        for (of, body) in [(&merchant, &again), (&other, &theirs)] {
            assert_eq!(
                of.post("/links", body.clone()).await.code(),
                (409, "SLUG_TAKEN".to_owned()),
                "{name}"
            );
        }
    };
    app.visit("/s/ada", &[("user-agent", "Googlebot/2.1")]).await;
    app.written().await;
    check("a bot").await;
    merchant.patch(&path, json!({ "archived": false })).await;
    assert!(app.visit("/s/ada", &[]).await.header("location").contains("trac_click_id=clk_"));
    app.rows("DELETE FROM visit_not_counted".to_owned()).await;
    check("a person").await;
    assert_eq!(
        merchant.get("/clicks").await.number("/meta/total"),
        1,
        "visits after the archiving are not counted"
    );
}

#[tokio::test]
async fn a_purged_link_leads_nowhere_or_to_the_fallback_url_and_keeps_its_slug() {
    let app = App::new();
    let merchant = app.merchant().await;
    let id = link(&merchant, "ada", "https://shop.example.com/").await;
    let path = format!("/links/{id}");
    let shown = merchant.get(&path).await;
    app.visit("/s/ada", &[]).await;
    assert_eq!(merchant.delete(&format!("{path}?purge=maybe")).await.code().0, 422);
    assert_eq!(merchant.delete(&format!("{path}?purgatory=1")).await.code().0, 422);
    let removed = merchant.delete(&format!("{path}?purge=1")).await;
    assert_eq!(removed.body, json!({ "id": id, "deleted": true, "archived": false }));
    assert_eq!(
        (merchant.get(&path).await.status.as_u16(), merchant.get("/links").await.number("/meta/total")),
        (404, 0)
    );
    let code = format!("/s/{}/ada", shown.text("/program_id"));
    for address in ["/s/ada", "/t/ada", &code] {
        assert_eq!(app.visit(address, &[]).await.status, 404, "{address}");
    }
    let by_code = ask(&app, &merchant.publishable_key, json!({ "ref": "ada" })).await;
    assert_eq!(by_code.status, 201, "the partner's code stays valid");
    let body = json!({ "program_id": shown.text("/program_id"), "partner_id": shown.text("/partner_id"),
        "slug": "Ada", "destination": "https://a.example/" });
    assert_eq!(merchant.post("/links", body).await.code(), (409, "SLUG_TAKEN".to_owned()));

    let wrong = merchant.patch("/workspace", json!({ "fallback_url": "javascript:alert(1)" })).await;
    assert_eq!(wrong.code(), (422, "VALIDATION_FAILED".to_owned()));
    let set =
        merchant.patch("/workspace", json!({ "fallback_url": "https://shop.example.com/partners" })).await;
    assert_eq!(set.body, merchant.get("/workspace").await.body);
    let answer = app.visit("/s/ada?a=1", &[]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (302, "https://shop.example.com/partners?a=1")
    );
    assert_eq!(answer.header("set-cookie"), "");
    merchant.patch("/workspace", json!({ "fallback_url": null })).await;
    assert_eq!(app.visit("/s/ada", &[]).await.status, 404);
    let story = merchant.get(&format!("/explain/{id}")).await.body.to_string();
    assert!(story.contains("/t/ada was removed at") && story.contains("link_removed"), "{story}");
}

#[tokio::test]
async fn a_link_of_test_mode_gives_way_to_a_live_one_and_is_always_at_its_own_address() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let tried = link(&test, "ada", "https://shop.example.com/test").await;
    let lead = async |path: &str| {
        let answer = app.visit(path, &[]).await;
        let location = answer.header("location").split('?').next().unwrap_or_default().to_owned();
        (answer.status.as_u16(), location.rsplit('/').next().unwrap_or_default().to_owned())
    };
    let url = async || test.get(&format!("/links/{tried}")).await.text("/url");
    let to = |page: &str| (302, page.to_owned());
    // The second visit of a path uses the remembered link.
    for path in ["/s/ada", "/s/ada", "/t/ada", "/t/ada/"] {
        assert_eq!(lead(path).await, to("test"), "{path}");
    }
    assert_eq!(url().await, "https://track.example.com/s/ada");
    let real = link(&live, "ADA", "https://shop.example.com/live").await;
    for (path, want) in [("/s/ada", "live"), ("/s/Ada/", "live"), ("/t/ada", "test"), ("/t/ADA", "test")] {
        assert_eq!(lead(path).await, to(want), "{path}");
    }
    assert_eq!(url().await, "https://track.example.com/t/ada");
    let counted = async || {
        (test.get("/clicks").await.number("/meta/total"), live.get("/clicks").await.number("/meta/total"))
    };
    assert_eq!(counted().await, (6, 2));
    // An archived live link still redirects. A purged one still holds its slug: the test link is at `/t/`
    // only.
    live.delete(&format!("/links/{real}")).await;
    assert_eq!(lead("/s/ada").await, to("live"));
    live.delete(&format!("/links/{real}?purge=1")).await;
    assert_eq!(lead("/s/ada").await.0, 404);
    assert_eq!(lead("/t/ada").await, to("test"));
    assert_eq!(counted().await, (7, 2));
    // The same for programs' slugs.
    for merchant in [&test, &live] {
        let program = merchant.get("/programs").await.text("/data/0/id");
        let named = merchant.patch(&format!("/programs/{program}"), json!({ "slug": "friends" })).await;
        assert_eq!(named.status, 200, "{}", named.body);
    }
    assert_eq!(lead("/s/friends/ada").await.0, 404, "the live program has no link");
    assert_eq!(lead("/t/friends/ada").await, to("test"));
    crate::click::remember_links(&app.trac).await.unwrap();
    assert_eq!(
        app.trac.known_links.link("ada"),
        None,
        "nor is the link remembered for a store that cannot be read"
    );
}
