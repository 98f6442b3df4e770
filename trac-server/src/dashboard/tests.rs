use axum::body::Body;
use axum::http::Request;

use serde_json::json;

use crate::test_app::{Answer, App, START};
use crate::test_shop::{DAY, Shop};

async fn form(app: &App, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Logs in with a key; answers the cookie to send.
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
    assert!(out.header("set-cookie").starts_with("trac_session=; Path=/; Max-Age=0"));
    assert_eq!(app.visit("/dashboard", &[("cookie", &cookie)]).await.status, 303);
}

#[tokio::test]
async fn whoever_comes_to_the_root_is_shown_the_way() {
    let app = App::new();
    for (path, to) in [("/", "dashboard"), ("/dashboard/", "../dashboard"), ("/dashboard", "dashboard/login")]
    {
        let answer = app.visit(path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{path}");
    }
}

#[tokio::test]
async fn a_form_that_says_nothing_is_answered_with_the_page_to_fill_in() {
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

#[tokio::test]
async fn a_link_opens_the_dashboard_once() {
    let app = App::new();
    let created = crate::workspace::create(&app.trac, "A shop").await.unwrap();
    let url = created["dashboard_url"].as_str().unwrap();
    let path = url.strip_prefix("https://track.example.com").unwrap();
    let token = path.split_once("?token=").unwrap().1;
    for _ in 0..2 {
        assert_eq!(app.visit(path, &[]).await.status, 200, "looking does not use it up");
    }
    let entered = form(&app, "/dashboard/enter", &format!("token={token}"), &[]).await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "../dashboard"));
    let again = form(&app, "/dashboard/enter", &format!("token={token}"), &[]).await;
    assert_eq!((again.status.as_u16(), again.header("set-cookie")), (401, ""));
}

#[tokio::test]
async fn sessions_and_links_end() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    app.trac.clock.advance(7 * 86_400);
    assert_eq!(app.visit("/dashboard", &[("cookie", &cookie)]).await.status, 200);
    app.trac.clock.advance(1);
    assert_eq!(app.visit("/dashboard", &[("cookie", &cookie)]).await.status, 303);
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
}

#[tokio::test]
async fn nothing_a_stranger_wrote_becomes_markup() {
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
    // The script asks for the part that changes, and compares it with what was there from the beginning.
    let (whole, live) = (
        app.visit("/dashboard", &[("cookie", &cookie)]).await,
        app.visit("/dashboard/live", &[("cookie", &cookie)]).await,
    );
    assert!(whole.body.as_str().unwrap().contains(live.body.as_str().unwrap().trim()));
}

#[tokio::test]
async fn every_page_is_under_the_policy() {
    let app = App::new();
    for path in
        ["/dashboard", "/dashboard/why", "/dashboard/login", "/dashboard/style.css", "/dashboard/script.js"]
    {
        let answer = app.visit(path, &[]).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    for template in ["door", "flow", "live", "why"] {
        let file = format!("{}/templates/dashboard/{template}.html", env!("CARGO_MANIFEST_DIR"));
        let html = std::fs::read_to_string(file).unwrap();
        for inline in ["style=", "<style", "onclick", "onload", "javascript:"] {
            assert!(!html.contains(inline), "{template}: {inline}");
        }
    }
}

#[tokio::test]
async fn why_is_told_on_a_page_by_whatever_is_at_hand() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.told("checkout.session.completed", 0, shop.session(json!({}))).await;
    let hostile = json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {},
        "client_reference_id": "<script>alert(1)</script>", "customer_details": { "email": "reader@example.com" } });
    shop.told("checkout.session.completed", 1, shop.session(hostile)).await;
    let closed = app.visit("/dashboard/why", &[]).await;
    assert_eq!((closed.status.as_u16(), closed.header("location")), (303, "login"));
    let cookie = log_in(&app, &shop.merchant.key).await;
    let ask = async |id: &str, want: u16, says: &[&str]| {
        let page = form(&app, "/dashboard/why", &format!("id={id}"), &[("cookie", &cookie)]).await;
        let html = page.body.as_str().unwrap().to_owned();
        assert_eq!(page.status.as_u16(), want, "{id}: {html}");
        for words in says {
            assert!(html.contains(words), "{id} does not say {words}: {html}");
        }
        assert!(!html.contains("<script>"), "{html}");
    };
    ask(
        "cs_1",
        200,
        &["verdict-whole", "Every hop is there. 20.00 USD for Ada", "Ada earns in P", "+20.00 USD"],
    )
    .await;
    ask("reader%40example.com", 200, &["verdict-broken", "no_click", "Write the click ID beside it"]).await;
    ask("nobody", 404, &["Nothing in test mode goes by this."]).await;
    ask("%3Cscript%3E", 404, &["&#60;script&#62;"]).await;
    ask("", 200, &["Ask by whatever you have"]).await;
    let event = shop.merchant.get("/events").await.text("/data/0/id");
    let linked = app.visit(&format!("/dashboard/why?id={event}"), &[("cookie", &cookie)]).await;
    assert!(linked.body.as_str().unwrap().contains("verdict-broken"));
    let foreign = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(form(&app, "/dashboard/why", "id=cs_1", &foreign).await.status, 403);
    let stranger = app.merchant().await;
    let cookie = log_in(&app, &stranger.key).await;
    let told = form(&app, "/dashboard/why", &format!("id={}", shop.click), &[("cookie", &cookie)]).await;
    assert_eq!(told.status, 404);
}

#[tokio::test]
async fn credited_conversions_are_counted_and_the_others_beside_them() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    let live = async || {
        let page = app.visit("/dashboard/live", &[("cookie", &cookie)]).await;
        page.body.as_str().unwrap().to_owned()
    };
    shop.told("checkout.session.completed", 0, shop.session(json!({}))).await;
    let page = live().await;
    assert!(page.contains("<b>1</b> credited conversion</li>"), "{page}");
    // One that nobody referred, and one whose click is too old.
    let nobodys = json!({ "id": "cs_2", "payment_intent": "pi_2", "metadata": {} });
    shop.told("checkout.session.completed", 1, shop.session(nobodys)).await;
    let late = json!({ "id": "cs_3", "payment_intent": "pi_3", "created": START + 40 * DAY });
    let told = shop.told("checkout.session.completed", 2, shop.session(late)).await;
    assert_eq!(told, "skipped click_expired");
    let page = live().await;
    assert!(page.contains("<b>1</b> credited conversion <small>and 2 not credited</small></li>"), "{page}");
}

#[tokio::test]
async fn the_word_live_in_the_header_is_the_mode_and_nothing_else() {
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
