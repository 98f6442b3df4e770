mod changes;
mod pages;

use axum::body::Body;
use axum::http::Request;

use serde_json::json;

use crate::store::Priority;
use crate::testing::app::{Answer, App, START};
use crate::testing::shop::{DAY, Shop};

async fn form(app: &App, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Logs in with a key; returns the cookie to send.
async fn log_in(app: &App, key: &str) -> String {
    let answer = form(app, "/dashboard/login", &format!("key={key}"), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "../dashboard"));
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_key_opens_the_dashboard_of_its_workspace() {
    let app = App::new();
    let merchant = app.merchant().await;
    let closed = app.visit("/dashboard", &[]).await;
    assert_eq!((closed.status.as_u16(), closed.header("location")), (303, "dashboard/login"));
    let wrong = form(&app, "/dashboard/login", "key=sk_test_0", &[]).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("set-cookie")), (401, ""));

    let answer = form(&app, "/dashboard/login", &format!("key={}", merchant.key), &[]).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let cookie = log_in(&app, &merchant.key).await;
    let page = app.visit("/dashboard", &[("cookie", &cookie)]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.as_str().unwrap().contains("A shop"));

    let out = form(&app, "/dashboard/logout", "", &[("cookie", &cookie)]).await;
    assert!(out.header("set-cookie").starts_with("__Host-trac_session=; Path=/; Max-Age=0"));
    assert_eq!(app.visit("/dashboard", &[("cookie", &cookie)]).await.status, 303);
}

#[tokio::test]
async fn the_root_redirects_to_the_dashboard_and_that_to_the_login_page() {
    let app = App::new();
    for (path, to) in [("/", "dashboard"), ("/dashboard/", "../dashboard"), ("/dashboard", "dashboard/login")]
    {
        let answer = app.visit(path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{path}");
    }
}

#[tokio::test]
async fn an_empty_or_malformed_form_gets_the_login_page() {
    let app = App::new();
    let check = |answer: Answer, want: u16, at: &str| {
        assert_eq!(answer.status.as_u16(), want, "{at}");
        assert!(answer.header("content-type").starts_with("text/html"), "{at}");
        assert!(answer.body.as_str().unwrap().contains("id=\"key\""), "{at}");
    };
    for path in ["/dashboard/login", "/dashboard/enter"] {
        check(form(&app, path, "", &[]).await, 401, path);
        check(form(&app, path, "key=a&key=b&token=a&token=b", &[]).await, 401, path);
    }
    for path in ["/dashboard/enter", "/dashboard/enter?token=a&token=b"] {
        check(app.visit(path, &[]).await, 200, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_redeemed_twice_at_once_opens_one_session() {
    let app = App::new();
    let created = crate::workspace::create(&app.trac, "A shop").await.unwrap();
    let link = created.pointer("/dashboard_url").and_then(|url| url.as_str()).unwrap().to_owned();
    let token = link.split_once("token=").unwrap().1.to_owned();
    let redeem = || super::session::redeem(&app.trac, token.clone());
    let (one, other, third) = tokio::join!(redeem(), redeem(), redeem());
    let opened = [one, other, third].into_iter().filter(|scope| scope.as_ref().unwrap().is_some()).count();
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn a_link_opens_the_dashboard_once() {
    let app = App::new();
    let created = crate::workspace::create(&app.trac, "A shop").await.unwrap();
    let url = created["dashboard_url"].as_str().unwrap();
    let path = url.strip_prefix("https://track.example.com").unwrap();
    let token = path.split_once("?token=").unwrap().1;
    for _ in 0..2 {
        assert_eq!(app.visit(path, &[]).await.status, 200, "a GET does not redeem the link");
    }
    let entered = form(&app, "/dashboard/enter", &format!("token={token}"), &[]).await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "../dashboard"));
    let again = form(&app, "/dashboard/enter", &format!("token={token}"), &[]).await;
    assert_eq!((again.status.as_u16(), again.header("set-cookie")), (401, ""));
    assert!(again.body.as_str().unwrap().contains("<code>trac login-link</code>"), "{}", again.body);
}

#[tokio::test]
async fn a_session_ends_after_seven_days() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    let status = async |path: &str| app.visit(path, &[("cookie", &cookie)]).await.status.as_u16();
    for _ in 0..14 {
        app.trac.clock.advance(12 * 3_600);
        assert_eq!(status("/dashboard").await, 200);
        // `seen_at` is written after the response; once a later write is done, it is stored.
        app.trac.store.write(Priority::Api, |_| Ok(())).await.unwrap();
    }
    app.trac.clock.advance(1);
    assert_eq!(status("/dashboard").await, 303, "seven days are over");
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_without_a_page_request() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    let status = async |path: &str| app.visit(path, &[("cookie", &cookie)]).await.status.as_u16();
    // The script of an open page sends these requests.
    for _ in 0..12 {
        assert_eq!((status("/dashboard/changes").await, status("/dashboard/live").await), (200, 200));
        app.trac.clock.advance(3_600);
    }
    assert_eq!(status("/dashboard/live").await, 200);
    app.trac.clock.advance(1);
    assert_eq!(status("/dashboard").await, 303);
}

#[tokio::test]
async fn a_session_ends_with_the_key_that_began_it() {
    let app = App::new();
    let merchant = app.merchant().await;
    let status = async |cookie: &str| app.visit("/dashboard", &[("cookie", cookie)]).await.status.as_u16();
    let made = merchant.post("/api-keys", json!({ "kind": "secret" })).await;
    let (by_own, by_made) = (log_in(&app, &merchant.key).await, log_in(&app, &made.text("/key")).await);
    assert_eq!((status(&by_own).await, status(&by_made).await), (200, 200));
    merchant.delete(&format!("/api-keys/{}", made.text("/id"))).await;
    assert_eq!((status(&by_own).await, status(&by_made).await), (200, 303), "revoked");

    let own = merchant.get("/api-keys?kind=secret").await;
    let own =
        own.body["data"].as_array().unwrap().iter().find(|key| key["status"] == "active").unwrap()["id"]
            .clone();
    let path = format!("/api-keys/{}/roll", own.as_str().unwrap());
    let successor = merchant.post(&path, json!({ "overlap_hours": 2 })).await.text("/key");
    assert_eq!(status(&by_own).await, 303, "rolled");
    let (by_old, by_new) = (log_in(&app, &merchant.key).await, log_in(&app, &successor).await);
    app.trac.clock.advance(2 * 3_600 - 1);
    assert_eq!((status(&by_old).await, status(&by_new).await), (200, 200));
    app.trac.clock.advance(1);
    assert_eq!((status(&by_old).await, status(&by_new).await), (303, 200), "the overlap is over");
}

#[tokio::test]
async fn all_sessions_and_links_can_be_ended() {
    let app = App::new();
    let (merchant, other) = (app.merchant().await, app.merchant().await);
    let (cookie, other_cookie) = (log_in(&app, &merchant.key).await, log_in(&app, &other.key).await);
    let status = async |cookie: &str| app.visit("/dashboard", &[("cookie", cookie)]).await.status.as_u16();
    let listed = super::sessions(&app.trac, Some(&merchant.workspace_id)).await.unwrap();
    let kinds: Vec<_> = listed.iter().map(|session| session["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["link", "session"], "{listed:?}");
    assert!(listed[1]["key"].as_str().unwrap().starts_with("sk_test_…"), "{listed:?}");
    assert_eq!(super::sessions(&app.trac, None).await.unwrap().len(), 4);
    assert_eq!(super::end_sessions(&app.trac, Some(&merchant.workspace_id)).await.unwrap(), 2);
    assert_eq!((status(&cookie).await, status(&other_cookie).await), (303, 200));
    assert_eq!(super::end_sessions(&app.trac, None).await.unwrap(), 2);
    assert_eq!(status(&other_cookie).await, 303);
}

#[tokio::test]
async fn sign_ins_are_counted_and_limited() {
    let app = App::new();
    let merchant = app.merchant().await;
    let from = async |address: [u8; 4], key: &str| {
        let peer = axum::extract::ConnectInfo(std::net::SocketAddr::from((address, 4_711)));
        let request =
            Request::post("/dashboard/login").header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("host", "track.example.com").extension(peer);
        app.send(request.body(Body::from(format!("key={key}"))).unwrap()).await
    };
    for _ in 0..20 {
        assert_eq!(from([203, 0, 113, 7], "sk_test_0").await.status, 401);
    }
    let refused = from([203, 0, 113, 7], &merchant.key).await;
    assert_eq!((refused.code(), refused.header("retry-after")), ((429, "RATE_LIMITED".to_owned()), "60"));
    assert_eq!(from([203, 0, 113, 8], &merchant.key).await.status, 303);
    let figures = app.visit("/metrics", &[]).await;
    let figures = figures.body.as_str().unwrap();
    for (result, count) in [("key", 20), ("limit", 1), ("ok", 1)] {
        assert!(
            figures.contains(&format!("trac_sign_ins_total{{result=\"{result}\"}} {count}\n")),
            "{figures}"
        );
    }
    let refusals = merchant.get("/refusals").await;
    assert_eq!(
        (refusals.column("route"), refusals.column("cause")),
        (vec![json!("/dashboard/login")], vec![json!("key_unknown")])
    );
}

#[tokio::test]
async fn the_cookie_over_https_has_the_host_prefix() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    assert!(cookie.starts_with("__Host-trac_session="), "{cookie}");
    let unprefixed = cookie.replace("__Host-", "");
    assert_eq!(app.visit("/dashboard", &[("cookie", &unprefixed)]).await.status, 303);
    let plain = App::reached_under("http://track.example.com");
    let merchant = plain.merchant().await;
    let cookie = log_in(&plain, &merchant.key).await;
    assert!(cookie.starts_with("trac_session="), "{cookie}");
    assert_eq!(plain.visit("/dashboard", &[("cookie", &cookie)]).await.status, 200);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let app = App::new();
    let merchant = app.merchant().await;
    let body = format!("key={}", merchant.key);
    let check = async |headers: &[(&str, &str)], want: u16| {
        assert_eq!(form(&app, "/dashboard/login", &body, headers).await.status, want, "{headers:?}");
    };
    check(&[("sec-fetch-site", "same-origin")], 303).await;
    check(&[("sec-fetch-site", "none")], 303).await;
    check(&[("sec-fetch-site", "cross-site")], 403).await;
    check(&[("sec-fetch-site", "same-site")], 403).await;
    check(&[("origin", "https://track.example.com"), ("host", "track.example.com")], 303).await;
    check(&[("origin", "https://evil.example"), ("host", "track.example.com")], 403).await;
    check(&[("origin", "null"), ("host", "track.example.com")], 403).await;
    // Behind a proxy that sets another host, the browser sends the origin of the public URL.
    check(&[("origin", "https://track.example.com"), ("host", "10.0.0.7:8787")], 303).await;
    check(&[("origin", "http://Trac.Internal:8787"), ("host", "trac.internal:8787")], 303).await;
    check(&[("origin", "https://track.example.com.evil.example"), ("host", "10.0.0.7:8787")], 403).await;
    // With `no-referrer`, a browser would send `Origin: null` from our own page too.
    let page = app.visit("/dashboard/login", &[]).await;
    assert_eq!(page.header("referrer-policy"), "same-origin");
}

#[tokio::test]
async fn text_from_outside_is_escaped_on_every_page() {
    let app = App::new();
    let merchant = app.merchant().await;
    let hostile = "\"><script>alert(1)</script>";
    let partner = merchant.make("/partners", serde_json::json!({ "name": hostile })).await;
    let commission = serde_json::json!({ "type": "percentage", "rate_bps": 1 });
    let body = serde_json::json!({ "name": hostile, "commission": commission });
    let program = merchant.make("/programs", body).await;
    let link = serde_json::json!({
        "program_id": program, "partner_id": partner, "slug": "x", "destination": "https://shop.example.com/",
    });
    merchant.make("/links", link).await;
    app.visit("/s/x", &[("referer", "https://evil.example/<script>alert(2)</script>")]).await;
    let ws = &merchant.workspace_id;
    app.rows(format!(
        "INSERT INTO event (workspace_id, mode, id, stripe_event_id, endpoint_id, type, received_at, outcome, reason, \
         message) VALUES ('{ws}', 'test', 'evl_1', '<img src=x>', 'we', '<script>alert(3)</script>', 0, 'processed', \
         '<b>', '<i>')"
    ))
    .await;
    let cookie = log_in(&app, &merchant.key).await;
    for path in ["/dashboard", "/dashboard/live"] {
        let page = app.visit(path, &[("cookie", &cookie)]).await;
        let html = page.body.as_str().unwrap();
        assert!(
            html.contains("alert(1)") && html.contains("alert(2)") && html.contains("alert(3)"),
            "{html}"
        );
        assert!(
            !html.contains("<script>") && !html.contains("<img") && !html.contains("<b></code>"),
            "{html}"
        );
    }
    // The script requests the changing part and compares it with the part in the page.
    let (whole, live) = (
        app.visit("/dashboard", &[("cookie", &cookie)]).await,
        app.visit("/dashboard/live", &[("cookie", &cookie)]).await,
    );
    assert!(whole.body.as_str().unwrap().contains(live.body.as_str().unwrap().trim()));
}

#[tokio::test]
async fn every_page_has_the_security_policy() {
    let app = App::new();
    for path in [
        "/dashboard",
        "/dashboard/why",
        "/dashboard/changes",
        "/dashboard/login",
        "/dashboard/style.css",
        "/dashboard/script.js",
    ] {
        let answer = app.visit(path, &[]).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    for template in ["base", "sign_in", "flow", "live", "why"] {
        let file = format!("{}/templates/dashboard/{template}.html", env!("CARGO_MANIFEST_DIR"));
        let html = std::fs::read_to_string(file).unwrap();
        for inline in ["style=", "<style", "onclick", "onload", "javascript:"] {
            assert!(!html.contains(inline), "{template}: {inline}");
        }
    }
}

#[tokio::test]
async fn the_why_page_explains_any_id_or_email_address() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let hostile = json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {},
        "client_reference_id": "<script>alert(1)</script>", "customer_details": { "email": "reader@example.com" } });
    shop.deliver_object("checkout.session.completed", 1, shop.session(hostile)).await;
    let closed = app.visit("/dashboard/why", &[]).await;
    assert_eq!((closed.status.as_u16(), closed.header("location")), (303, "login"));
    let cookie = log_in(&app, &shop.merchant.key).await;
    let ask = async |id: &str, want: u16, texts: &[&str]| {
        let page = form(&app, "/dashboard/why", &format!("id={id}"), &[("cookie", &cookie)]).await;
        let html = page.body.as_str().unwrap().to_owned();
        assert_eq!(page.status.as_u16(), want, "{id}: {html}");
        for text in texts {
            assert!(html.contains(text), "{text} is missing for {id}: {html}");
        }
        assert!(!html.contains("<script>"), "{html}");
    };
    ask(
        "cs_1",
        200,
        &["verdict-whole", "Every hop is there. 20.00 USD for Ada", "Ada earns in P", "+20.00 USD"],
    )
    .await;
    ask("reader%40example.com", 200, &["verdict-broken", "no_click", "write the click ID in addition"]).await;
    ask("nobody", 404, &["Nothing was found for this in test mode."]).await;
    ask("%3Cscript%3E", 404, &["&#60;script&#62;"]).await;
    ask("", 200, &["Enter any ID that you have"]).await;
    let event = shop.merchant.get("/events").await.text("/data/0/id");
    let linked = app.visit(&format!("/dashboard/why?id={event}"), &[("cookie", &cookie)]).await;
    assert!(linked.body.as_str().unwrap().contains("verdict-broken"));
    let foreign = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(form(&app, "/dashboard/why", "id=cs_1", &foreign).await.status, 403);
    let stranger = app.merchant().await;
    let cookie = log_in(&app, &stranger.key).await;
    let answer = form(&app, "/dashboard/why", &format!("id={}", shop.click), &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn credited_and_uncredited_conversions_are_counted_separately() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    let live = async || {
        let page = app.visit("/dashboard/live", &[("cookie", &cookie)]).await;
        page.body.as_str().unwrap().to_owned()
    };
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let page = live().await;
    assert!(page.contains("<b>1</b> credited conversion</li>"), "{page}");
    // A sale without a click, and a sale whose click is too old.
    let without_click = json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {} });
    shop.deliver_object("checkout.session.completed", 1, shop.session(without_click)).await;
    let late = json!({ "id": "cs_3", "payment_intent": "pi_3", "created": START + 40 * DAY });
    let outcome = shop.deliver_object("checkout.session.completed", 2, shop.session(late)).await;
    assert_eq!(outcome, "skipped click_expired");
    let page = live().await;
    assert!(page.contains("<b>1</b> credited conversion <small>and 2 not credited: "), "{page}");
    assert!(page.contains("GET /api/v1/conversions?attributed=false"), "{page}");
}

#[tokio::test]
async fn the_header_shows_live_only_as_the_mode() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    for (merchant, want) in [(&test, 0), (&live, 1)] {
        let cookie = log_in(&app, &merchant.key).await;
        let page = app.visit("/dashboard", &[("cookie", &cookie)]).await;
        let page = page.body.as_str().unwrap();
        let header = page.split("<header").nth(1).and_then(|rest| rest.split("</header>").next()).unwrap();
        assert_eq!(header.matches(">live<").count(), want, "{header}");
        assert!(header.contains("up to date"), "{header}");
    }
    assert!(!include_str!("../../assets/dashboard.js").contains("\"live\", \"live\""));
}
